"""Connections, pragmas, and the one way to read and to write: a snapshot, and a queued immediate transaction."""

import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from schemas.errors import ScimError, Unavailable
from storage.errors import gone, os_faults, read_only, replaced, sqlite_faults
from storage.fitness import refuse_foreign, utilities
from storage.locks import lock_path, turn
from storage.migrations import perch
from storage.sql.filters import register_functions
from storage.usage import Usage, identity
from storage.writer import LOST, Writer

Connection = sqlite3.Connection
Found = TypeVar("Found")

# SQLite asks about every millisecond whether a read has run out of its time.
STEPS_BETWEEN_LOOKS = 100_000
# For so many seconds a thread that reads need not look again whether the file is still at its path; a write looks.
LATELY = 0.02
PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    # For each thread that reads; what is not there is in the kernel's cache.
    "PRAGMA cache_size = -2500",
    # What is deleted is overwritten: people can be forgotten.
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    # The more is written into the log between two checkpoints, the fewer pages are copied into the file.
    "PRAGMA wal_autocheckpoint = 4000",
)


class _OfThread(threading.local):
    """What belongs to one thread: its connection, to which file of which process, and its write under way."""

    connection: sqlite3.Connection | None = None
    belongs_to: tuple[int, str] | None = None
    writing: sqlite3.Connection | None = None
    checked: float = -math.inf
    lost: ScimError | None = None
    deadline: float = math.inf


class Database:
    """One SQLite file; each thread of each process reads on a connection of its own, opened on first use.

    The threads of a process write on one connection in turn: SQLite forgets all pages that a connection has read as
    soon as another one writes.
    """

    def __init__(self, path: str | Path, write_wait: float = 10.0) -> None:
        """Name the file; nothing is opened yet. `write_wait` bounds the wait for the writer, in seconds."""
        self.path = Path(path)
        self.write_wait = write_wait
        # SQLite keeps its log beside the file that a link leads to, so the locks are kept there, too.
        self.file = Path(os.path.realpath(self.path))
        # Called with how many seconds each write waited for its turn.
        self.on_turn: Callable[[float], object] = _ignore
        self._thread = _OfThread()
        self._writer = self._new_writer()
        self._opened: tuple[int, str] | None = None
        self._usage: Usage | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection that this thread reads on; the first one of a process creates and migrates a missing file.

        :raises Unavailable: when the file cannot be opened, vanished, or became another one since.
        """
        self._thread.checked = -math.inf
        return self.reading_connection()

    def reading_connection(self) -> sqlite3.Connection:
        """Return the connection without another look at the file, if this thread has looked lately."""
        thread, now = self._thread, time.monotonic()
        if thread.writing is not None:
            return thread.writing
        if self._opened is None or self._opened[0] != os.getpid():
            self._prepare()
        if now - thread.checked > LATELY or thread.connection is None:
            self._check_same_file()
            thread.checked = now
        if thread.connection is None or thread.belongs_to != self._opened:
            with sqlite_faults(self.file):
                thread.connection, thread.belongs_to = self._connect(), self._opened
            self._check_same_file()
        return thread.connection

    @property
    def is_writing(self) -> bool:
        """Whether this thread is inside a write."""
        return self._thread.writing is not None

    def committed(self, read: Callable[[Connection], Found]) -> Found:
        """Return what a read finds in the file as it is for others while this thread writes."""
        thread = self._thread
        writing, thread.writing = thread.writing, None
        try:
            with self.read(once=True) as connection:
                return read(connection)
        finally:
            thread.writing = writing

    def _check_same_file(self) -> None:
        """Refuse to go on with a file that is no longer at its path: what is written there would be lost."""
        with os_faults(self.file):
            found = identity(self.file)
        if found is None:
            raise gone(self.file)
        if self._opened is None or found != self._opened[1]:
            raise replaced(self.file)

    def _prepare(self) -> None:
        """Make this process a user of the file, one process at a time: create, check, migrate."""
        with turn(lock_path(self.file), time.monotonic() + self.write_wait), os_faults(self.file):
            if self._opened is not None and self._opened[0] == os.getpid():
                return
            usage = Usage(self.file)
            usage.join()
            with sqlite_faults(self.file):
                connection = self._connect()
                self._migrate(connection)
            usage.record()
            opened = os.getpid(), str(identity(self.file))
            self._thread.connection, self._thread.belongs_to = connection, opened
            self._usage, self._writer = usage, self._new_writer()
            # Last: from here on the other threads of this process go on.
            self._opened = opened

    def _new_writer(self) -> Writer:
        return Writer(lock_path(self.file), self._connect, self._check_same_file)

    def _connect(self) -> sqlite3.Connection:
        if self.file.exists() and not os.access(self.file, os.W_OK):
            # SQLite would open it all the same, for reading, and a connection that does so never recovers.
            raise read_only(self.file)
        address = f"{self.file.as_uri()}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            for pragma in PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        register_functions(connection)
        connection.set_progress_handler(self._is_late, STEPS_BETWEEN_LOOKS)
        return connection

    def _is_late(self) -> bool:
        """Tell SQLite whether to give up what this thread reads."""
        return time.monotonic() > self._thread.deadline

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Apply pending migrations; refuse a file that is not Perch's, or a newer one's."""
        refuse_foreign(connection, self.file)
        database = utilities(connection)
        if perch.pending(database):
            connection.execute("BEGIN IMMEDIATE")
            perch.apply(database)
            connection.execute("COMMIT")

    def read(self, *, once: bool = False, seconds: float = math.inf) -> "Reading":
        """Read one consistent snapshot of the file; inside a transaction, read within it.

        `once` promises one statement at most: that is a snapshot by itself and costs a third of a transaction.

        :raises TooMany: when the read takes longer than `seconds`.
        """
        return Reading(self, once, seconds)

    @contextmanager
    def write(
        self, wait: float | None = None, *, alone: bool = False, durable: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """Write in one immediate transaction, all or nothing; inside another one, as a savepoint of it.

        What may take long goes `alone`: others that are done already must not wait for it to be committed. What need
        not be `durable` is committed without waiting for the disk: a power cut may cost the last of it.

        :raises Unavailable: when the writer's turn does not come within `wait` (default: `write_wait`) seconds.
        :raises InsufficientStorage: when the disk is full.
        """
        thread = self._thread
        if thread.writing is not None:
            yield from self._savepoint(thread.writing)
            return
        if self.reading_connection().in_transaction:
            raise RuntimeError("A write cannot begin inside a read: it would be rolled back with it.")
        begun = time.monotonic()
        deadline = begun + (self.write_wait if wait is None else wait)
        with sqlite_faults(self.file), self._writer.transaction(deadline, alone=alone, durable=durable) as connection:
            self.on_turn(time.monotonic() - begun)
            thread.writing, thread.lost = connection, None
            try:
                yield connection
                self._check_not_lost(connection)
            finally:
                thread.writing = None

    def write_progress(self) -> AbstractContextManager[sqlite3.Connection]:
        """Write what a power cut may lose: the commit does not wait for the disk."""
        return self.write(durable=False)

    def _savepoint(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        self._check_not_lost(connection)
        with sqlite_faults(self.file):
            connection.execute("SAVEPOINT inner_write")
        try:
            with sqlite_faults(self.file):
                yield connection
                connection.execute("RELEASE inner_write")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK TO inner_write")
                connection.execute("RELEASE inner_write")
            elif isinstance(error, ScimError):
                self._thread.lost = error
            raise

    def _check_not_lost(self, connection: sqlite3.Connection) -> None:
        """Fail when SQLite gave up the whole transaction, as it may on a full disk, though the caller went on."""
        if not connection.in_transaction:
            raise self._thread.lost or Unavailable(LOST)

    def limit(self, seconds: float) -> None:
        """Give up what this thread reads after so many seconds."""
        self._thread.deadline = time.monotonic() + seconds if seconds < math.inf else math.inf

    def close(self) -> None:
        """Close this thread's connection, and the one for writing, which opens again when it is needed."""
        if self._thread.connection is not None:
            self._thread.connection.close()
            self._thread.connection = None
        self._writer.close()


class Reading(sqlite_faults):
    """A read of the database: a context manager that gives the connection."""

    __slots__ = ("_connection", "_database", "_limited", "_once", "_seconds")

    def __init__(self, database: Database, once: bool, seconds: float) -> None:
        """Say what to read, whether with one statement only, and how long that may take."""
        super().__init__(database.file)
        self._database = database
        self._once = once
        self._seconds = seconds
        self._limited = False
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection:
        """Begin a transaction unless there is one, or none is needed."""
        connection = self._database.reading_connection()
        if not connection.in_transaction:
            if not self._once:
                connection.execute("BEGIN")
                self._connection = connection
            if self._seconds < math.inf:
                self._database.limit(self._seconds)
                self._limited = True
        return connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        if self._limited:
            self._database.limit(math.inf)
        if self._connection is not None:
            self._connection.rollback()
        super().__exit__(kind, error, trace)


def _ignore(seconds: float) -> None:
    """Leave the wait unnoted."""
