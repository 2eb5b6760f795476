"""Connections, pragmas, and the one way to read and to write: a snapshot, and a queued immediate transaction."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database as SqliteUtils

from schemas.errors import InsufficientStorage, ScimError, Unavailable
from storage.filter_sql import register_functions
from storage.migrations import perch

Connection = sqlite3.Connection

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA cache_size = -8000",
    "PRAGMA temp_store = MEMORY",
)
FIRST_PAUSE, LONGEST_PAUSE = 0.0002, 0.004


class NewerFile(Exception):
    """The file was written by a newer Perch; the message names what this one does not know."""


class Database:
    """One SQLite file; each thread of each process has its own connection, opened on first use."""

    def __init__(self, path: str | Path, write_wait: float = 10.0) -> None:
        """Name the file; nothing is opened yet. `write_wait` bounds the wait for the writer, in seconds."""
        self.path = Path(path)
        self.write_wait = write_wait
        self._local = threading.local()
        self._queue = threading.Lock()
        self._migrated: tuple[int, tuple[int, int]] | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection to the file that is there now; creates and migrates a missing file.

        :raises Unavailable: when the file vanished or cannot be opened.
        """
        identity = self._identity()
        held = getattr(self._local, "held", None)
        if held is not None and held[0] == identity:
            return held[1]  # type: ignore[no-any-return]
        with _translated():
            connection = self._open()
        self._local.held = (self._identity(), connection)
        return connection

    def _identity(self) -> tuple[int, tuple[int, int]] | None:
        """Return what a connection belongs to: the process, and the file's device and inode."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            if self._migrated is not None:
                raise Unavailable(f"The database file {self.path} is gone; restore it and restart Perch.", 30) from None
            return None
        return os.getpid(), (found.st_dev, found.st_ino)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            if self._migrated is None or self._migrated != self._identity():
                self._migrate(connection)
                self._migrated = self._identity()
            for pragma in PRAGMAS:
                connection.execute(pragma)
        except BaseException:
            connection.close()
            raise
        register_functions(connection)
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Apply pending migrations, one process at a time; refuse a file from a newer Perch."""
        with self._file_lock(time.monotonic() + self.write_wait):
            connection.execute("PRAGMA busy_timeout = 5000")
            connection.execute("PRAGMA journal_mode = WAL")
            database = SqliteUtils(connection, recursive_triggers=False, execute_plugins=False)
            unknown = {step.name for step in perch.applied(database)} - {step.name for step in perch._migrations}
            if unknown:
                raise NewerFile(
                    f"{self.path} was written by a newer Perch ({', '.join(sorted(unknown))}); update Perch."
                )
            if perch.pending(database):
                connection.execute("BEGIN IMMEDIATE")
                perch.apply(database)
                connection.execute("COMMIT")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Read one consistent snapshot of the file; inside a transaction, read within it."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        with _translated():
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self, wait: float | None = None) -> Iterator[sqlite3.Connection]:
        """Write in one immediate transaction, all or nothing; inside another one, as a savepoint of it.

        :raises Unavailable: when the writer's turn does not come within `wait` (default: `write_wait`) seconds.
        """
        wait = self.write_wait if wait is None else wait
        connection = self.connection
        with _translated():
            if connection.in_transaction:
                yield from _run(connection, "SAVEPOINT inner_write", "RELEASE inner_write", _undo_savepoint)
                return
            deadline = time.monotonic() + wait
            if not self._queue.acquire(timeout=wait):
                raise _busy()
            try:
                with self._file_lock(deadline):
                    yield from _run(connection, "BEGIN IMMEDIATE", "COMMIT", _undo_transaction)
            finally:
                self._queue.release()

    @contextmanager
    def _file_lock(self, deadline: float) -> Iterator[None]:
        """Queue the writers of all processes at a lock file; SQLite's own busy handler would let them sleep."""
        handle = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait_for(handle, deadline)
            yield
        finally:
            os.close(handle)

    def close(self) -> None:
        """Close this thread's connection."""
        held = getattr(self._local, "held", None)
        if held is not None:
            held[1].close()
            self._local.held = None


def _wait_for(handle: int, deadline: float) -> None:
    pause = FIRST_PAUSE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise _busy() from None
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _run(
    connection: sqlite3.Connection, begin: str, commit: str, undo: Callable[[sqlite3.Connection], None]
) -> Iterator[sqlite3.Connection]:
    connection.execute(begin)
    try:
        yield connection
        connection.execute(commit)
    except BaseException:
        undo(connection)
        raise


def _undo_transaction(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _undo_savepoint(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK TO inner_write")
        connection.execute("RELEASE inner_write")


def _busy() -> Unavailable:
    return Unavailable("Perch is busy with other writes; nothing was changed, try again.", 2)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's operational errors into SCIM errors; integrity errors stay, since storage gives them meaning."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise _meaning(error) from error


def _meaning(error: sqlite3.DatabaseError) -> ScimError | sqlite3.DatabaseError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _busy()
    if code == sqlite3.SQLITE_FULL:
        return InsufficientStorage("The disk of the Perch server is full; nothing was changed. Free some space.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM):
        return Unavailable(f"Perch cannot use its database file ({error}); nothing was changed.", 30)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Unavailable(f"Perch's database file is damaged ({error}); restore a backup.", 300)
    return error
