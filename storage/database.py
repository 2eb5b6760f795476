"""Connections to the one SQLite file: each thread reads snapshots on its own, and writes wait in a queue."""

import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from schemas.errors import InsufficientStorage, ScimError, Unavailable
from storage import workspace
from storage.errors import NotReady, UnusableFile, gone, log_removed, os_errors, sqlite_errors, translate, unusable
from storage.integrity import Applied, OnMigration, migrate, refuse_outdated
from storage.locks import FileUse, holds_data, identities, lock_path, long_turn, refuse_followed
from storage.sql.filters import register_functions
from storage.writer import LOST, WriteQueue

Connection = sqlite3.Connection
T = TypeVar("T")

# SQLite checks about every millisecond whether a read has run out of time.
STEPS_BETWEEN_CHECKS = 100_000
# Readers cache the "file was not replaced" check for this many seconds; writers always check.
CHECK_HOLDS = 0.02
PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    # Small, since each thread has one; the kernel's page cache has the rest.
    "PRAGMA cache_size = -2500",
    # Deleted data is overwritten: people can be forgotten.
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    # A page that is written several times between two checkpoints is copied into the file once.
    "PRAGMA wal_autocheckpoint = 4000",
    # The log grows while a reader or a large write keeps it from starting over; then it is cut to this many bytes,
    # twice the size at which it starts over otherwise.
    "PRAGMA journal_size_limit = 33554432",
)
Identities = tuple[str | None, ...]


class _ThreadState(threading.local):
    """The connection of one thread, the process and file that it was opened in, and the thread's write under way."""

    connection: Connection | None = None
    belongs_to: tuple[int, Identities] | None = None
    writing: Connection | None = None
    checked: float = -math.inf
    lost: ScimError | None = None
    deadline: float = math.inf

    def __init__(self) -> None:
        self.after_commit: list[Callable[[], object]] = []


class Database:
    """One SQLite file; each thread of each process reads on a connection of its own, opened on first use.

    The threads of a process write on one connection in turn: SQLite empties the page cache of a connection when
    another one writes.
    """

    # Whether the file is a follower's copy, which is only read.
    follows = False

    def __init__(self, path: str | Path, write_wait: float = 10.0, *, is_default: bool = False) -> None:
        """Name the file; nothing is opened yet. `write_wait` bounds how long a write waits for others, in seconds.

        `is_default` tells that nobody chose the path, for the error message of a missing file.
        """
        self.path = Path(path)
        self.is_default = is_default
        self.write_wait = write_wait
        # SQLite keeps its log beside the file that a symbolic link leads to, so the locks are kept there, too.
        self.file = Path(os.path.realpath(self.path))
        # Called with the seconds that each write waited in the queue.
        self.on_turn: Callable[[float], object] = lambda seconds: None
        self._on_step: Callable[[], object] = lambda: None
        # Why the last write of this process could not be stored, "" since one could; and when one last was.
        self.write_error = ""
        self._last_commit = self._last_trial = -math.inf
        self._thread = _ThreadState()
        self._queue = self._new_queue()
        self._opened: tuple[int, Identities] | None = None
        self._use: FileUse | None = None
        # Stays open as long as the process, so that SQLite keeps the log and its index.
        self._first: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection that this thread reads on; the first one of a process creates and migrates a missing file.

        :raises Unavailable: when the file cannot be opened, vanished, or was replaced.
        """
        self._thread.checked = -math.inf
        return self.reading_connection()

    def reading_connection(self) -> Connection:
        """Return `connection`, with the cached check of the file."""
        thread, now = self._thread, time.monotonic()
        if thread.writing is not None:
            return thread.writing
        if not self._is_open():
            self.open()
        if now - thread.checked > CHECK_HOLDS or thread.connection is None:
            self._check_same_file()
            thread.checked = now
        if thread.connection is None or thread.belongs_to != self._opened:
            with sqlite_errors(self.file):
                thread.connection, thread.belongs_to = self._connect(), self._opened
            self._check_same_file()
        return thread.connection

    def committed(self, read: Callable[[Connection], T]) -> T:
        """Return the result of a read of one statement that does not see this thread's uncommitted writes."""
        thread = self._thread
        writing, thread.writing = thread.writing, None
        try:
            with self.read(once=True) as connection:
                return read(connection)
        finally:
            thread.writing = writing

    def _check_same_file(self) -> None:
        """Refuse to go on when file or log is no longer at its path: all further writes would be lost."""
        with os_errors(self.file):
            found = identities(self.file)
        if self._opened is not None and found == self._opened[1]:
            return
        if found[0] is None:
            raise gone(self.file)
        if self._opened is None or found[0] != self._opened[1][0]:
            raise UnusableFile(
                f"Another file was put in place of {self.file}; nothing was changed in either. "
                "Put the old one back, or stop Perch and bring the new one in with flask restore."
            )
        raise log_removed(self.file)

    def _is_open(self) -> bool:
        return self._opened is not None and self._opened[0] == os.getpid()

    def open(
        self,
        *,
        may_create: bool = True,
        may_migrate: bool = True,
        wait: float = math.inf,
        on_migration: OnMigration | None = None,
    ) -> list[Applied]:
        """Open the file for this process, one process at a time: create, check, migrate; return what was migrated.

        While another process prepares the file, this one waits, up to `wait` seconds.

        :raises NotReady: when the file must be created or migrated first and this call may not, or that takes too long.
        :raises Unavailable: when the file cannot be used.
        """
        if self._is_open():
            return []
        refuse_followed(self.file)
        if not may_create:
            self._refuse_missing()
        with long_turn(lock_path(self.file), self.file, wait), os_errors(self.file):
            if self._is_open():
                return []
            if not may_create:
                self._refuse_missing()
            use = FileUse(self.file)
            try:
                use.join()
                with unusable(self.file):
                    connection = self._connect()
                applied = self._prepare(connection, may_migrate, on_migration)
            except BaseException:
                # The frames of the error would keep the use alive, and the next process would wait for it.
                use.leave()
                raise
            self._begin_use(use, connection)
            return applied

    def _prepare(self, connection: Connection, may_migrate: bool, on_migration: OnMigration | None) -> list[Applied]:
        try:
            with sqlite_errors(self.file):
                if not may_migrate:
                    refuse_outdated(connection, self.file)
                return migrate(connection, self.file, on_migration)
        except BaseException:
            connection.close()
            raise

    def _begin_use(self, use: FileUse, connection: Connection) -> None:
        use.record()
        opened = os.getpid(), identities(self.file)
        self._thread.connection, self._thread.belongs_to = connection, opened
        self._use, self._first, self._queue = use, connection, self._new_queue()
        # Last, since the other threads of this process go on from here.
        self._opened = opened

    def _refuse_missing(self) -> None:
        with os_errors(self.file):
            if holds_data(self.file):
                return
            path = self.path
            found = "does not exist"
            if path.exists():
                found = "is an empty file" if path.is_file() else "is not a file"
        source = "the default, since PERCH_DATABASE is not set" if self.is_default else "the value of PERCH_DATABASE"
        raise NotReady(
            f"The database {os.path.abspath(path)} ({source}) {found}. "
            "Set PERCH_DATABASE to the file of your deployment, or create a new one there with flask init."
        )

    def _new_queue(self) -> WriteQueue:
        return WriteQueue(lock_path(self.file), self._connect, self._check_same_file)

    def _connect(self) -> Connection:
        if self.file.exists() and not os.access(self.file, os.W_OK):
            # SQLite would open the file for reading only, and such a connection stays so.
            raise UnusableFile(f"Perch may not write to its database file {self.file}; nothing was changed.")
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
        connection.set_progress_handler(self._step, STEPS_BETWEEN_CHECKS)
        return connection

    @contextmanager
    def stepping(self, on_step: Callable[[], object]) -> Iterator[None]:
        """Call a function now and then while SQLite reads or migrates in the block."""
        before, self._on_step = self._on_step, on_step
        try:
            yield
        finally:
            self._on_step = before

    def _step(self) -> bool:
        """Return whether SQLite is to stop what it does for this thread."""
        self._on_step()
        return time.thread_time() > self._thread.deadline

    @contextmanager
    def read(self, *, once: bool = False, seconds: float = math.inf) -> Iterator[Connection]:
        """Read one snapshot of the file; inside a transaction, read within it.

        `once` promises one statement at most: a statement is a snapshot by itself, and takes a third of the time.

        :raises TooMany: when the read takes more than `seconds` of CPU time.
        """
        try:
            connection = self.reading_connection()
            if connection.in_transaction:
                yield connection
                return
            if not once:
                connection.execute("BEGIN")
            if seconds < math.inf:
                self._thread.deadline = time.thread_time() + seconds
            try:
                yield connection
            finally:
                self._thread.deadline = math.inf
                connection.rollback()
        except sqlite3.DatabaseError as error:
            translate(error, self.file)
            raise

    @contextmanager
    def write(self, wait: float | None = None, *, alone: bool = False, durable: bool = True) -> Iterator[Connection]:
        """Write in one immediate transaction, all or nothing; inside another one, as a savepoint of it.

        A write that may take long goes `alone`: writes that are done must not wait for it to be committed. A write
        that is not `durable` is committed without waiting for the disk: a power cut may lose it.

        :raises Unavailable: when other writes take longer than `wait` (default: `write_wait`) seconds.
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
        try:
            with (
                sqlite_errors(self.file),
                self._queue.transaction(deadline, alone=alone, durable=durable) as connection,
            ):
                self.on_turn(time.monotonic() - begun)
                thread.writing, thread.lost, thread.after_commit = connection, None, []
                changes = connection.total_changes
                try:
                    yield connection
                    self._check_not_lost(connection)
                    changes -= connection.total_changes
                finally:
                    thread.writing = None
        except (InsufficientStorage, UnusableFile) as error:
            self.write_error = error.detail
            raise
        if changes and durable:
            self.write_error, self._last_commit = "", time.monotonic()
        for call in thread.after_commit:
            call()

    def on_commit(self, call: Callable[[], object]) -> None:
        """Call a function once this thread's write under way is committed; not if it, or its savepoint, is undone."""
        self._thread.after_commit.append(call)

    def write_progress(self) -> AbstractContextManager[Connection]:
        """Write data that a power cut may lose, such as the progress of a delivery, without waiting for the disk."""
        return self.write(durable=False)

    def primary_only(self) -> None:
        """Refuse, on a follower, what only the primary can do."""

    def age(self) -> float | None:
        """Return the age of a follower's copy in seconds, None while it is unknown; a primary's file has none."""
        return None

    def check_writable(self, wait: float, unproven: float = math.inf) -> None:
        """Begin a write; write one row if this process has committed nothing for `unproven` seconds, else nothing.

        :raises ScimError: when other writes take longer than `wait` seconds, unless this process committed meanwhile;
            when the file cannot be written; and as long as the last write of this process could not be stored.
        """
        begun = time.monotonic()
        try:
            with self.write(wait) as connection:
                if begun - max(self._last_commit, self._last_trial) >= unproven:
                    self._last_trial = begun
                    workspace.put(connection, "checked", int(time.time()))
        except Unavailable:
            if self._last_commit < begun:
                raise
        if self.write_error:
            raise Unavailable(self.write_error)

    def _savepoint(self, connection: Connection) -> Iterator[Connection]:
        self._check_not_lost(connection)
        calls, begun = self._thread.after_commit, len(self._thread.after_commit)
        with sqlite_errors(self.file):
            connection.execute("SAVEPOINT inner_write")
        try:
            with sqlite_errors(self.file):
                yield connection
                connection.execute("RELEASE inner_write")
        except BaseException as error:
            del calls[begun:]
            if connection.in_transaction:
                connection.execute("ROLLBACK TO inner_write")
                connection.execute("RELEASE inner_write")
            elif isinstance(error, ScimError):
                self._thread.lost = error
            raise

    def _check_not_lost(self, connection: Connection) -> None:
        """Fail when SQLite rolled back the whole transaction, as it may on a full disk, and the caller went on."""
        if not connection.in_transaction:
            raise self._thread.lost or Unavailable(LOST)

    def close(self) -> None:
        """Close this thread's connection and the one for writing; each opens again when it is needed."""
        if self._thread.connection is not None:
            if self._thread.connection is not self._first:
                self._thread.connection.close()
            self._thread.connection = None
        self._queue.close()

    def leave(self) -> None:
        """End this process's use of the file; the last process that does so merges the write-ahead log into it."""
        self.close()
        if self._first is not None and self._use is not None:
            self._first.close()
            self._use.leave()
        self._first = self._use = self._opened = None
