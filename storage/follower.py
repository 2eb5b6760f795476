"""A file that `litestream restore -f` keeps up to date: it is only read, for a moment at a time.

Litestream writes pages into the file itself, under SQLite's lock. It waits for open read transactions, and SQLite does
not notice that pages which it caches are out of date afterwards.
"""

import fcntl
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from schemas.errors import ScimError, Unavailable
from storage import heartbeat
from storage.database import STEPS_BETWEEN_CHECKS, Connection, Database
from storage.errors import SOON, UnusableFile, os_errors, translate
from storage.integrity import Applied, OnMigration, pending
from storage.locks import followed_path, holds_data, index_path, log_path, make_file, try_lock
from storage.sql.filters import register_functions

# Seconds: the longest life of a transaction; the age from which the next statement begins another one.
LONGEST, RENEWED = 0.25, 0.1
# Seconds: between two looks for the newest write; the wait for Litestream's writes, and for reads of other threads.
LOOK, WAIT = 1.0, 5.0
# Nanoseconds after which the next write changes the file's time for sure; the second where times are whole seconds.
SETTLED, SETTLED_SECONDS = 100_000_000, 3_000_000_000


class _Copy:
    """A process's connection to the file, for one thread at a time; it stands for a Connection in reads."""

    # sqlite-utils asks.
    in_transaction = True

    def __init__(self, file: Path) -> None:
        self.file = file
        self._connection: Connection | None = None
        self._cursors: list[sqlite3.Cursor] = []
        # When the next statement begins another transaction.
        self._renewed = -math.inf
        # The state of the file that the connection caches, and whose schema was checked; whether it may be kept.
        self._cached = (0, 0, 0)
        self._keeps = False

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement."""
        connection = self._connection
        if connection is None or time.monotonic() > self._renewed:
            self.end()
            connection = self._begin()
        self._cursors.append(connection.execute(sql, parameters))
        return self._cursors[-1]

    def end(self) -> None:
        """End the transaction; keep the connection, which has no lock then, if the file's time will tell any write."""
        self._renewed, written = -math.inf, self._cached[2]
        for cursor in self._cursors:
            # One with further rows would keep the lock.
            cursor.close()
        self._cursors.clear()
        is_settled = time.time_ns() - written > (SETTLED if written % 10**9 else SETTLED_SECONDS)
        if self._connection is not None and self._keeps and is_settled:
            self._connection.rollback()
        else:
            self._close()

    def _begin(self) -> Connection:
        try:
            connection = self._connection
            if connection is None or self._lock(connection) != self._cached:
                self._close()
                connection = self._open()
        except BaseException:
            self._close()
            raise
        begun = time.monotonic()
        connection.set_progress_handler(lambda: time.monotonic() > begun + LONGEST, STEPS_BETWEEN_CHECKS)
        self._renewed = begun + RENEWED
        return connection

    def _open(self) -> Connection:
        self._connection = connection = sqlite3.connect(
            f"{self.file.as_uri()}?mode=ro", WAIT, uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA temp_store = MEMORY")
        register_functions(connection)
        state = self._lock(connection)
        if state != self._cached and pending(connection, self.file):
            raise Unavailable(
                "The primary's file is of an older Perch than this follower, which answers once the primary has been "
                "updated."
            )
        self._cached = state
        # In WAL mode, in which a copy begins, a connection keeps its lock.
        self._keeps = connection.execute("PRAGMA journal_mode").fetchone() != ("wal",)
        return connection

    def _lock(self, connection: Connection) -> tuple[int, int, int]:
        """Begin a transaction, so that Litestream waits, and return identity, size and time of the file."""
        connection.execute("BEGIN")
        connection.execute("PRAGMA schema_version").fetchone()
        try:
            found = os.stat(self.file)
        except FileNotFoundError as error:
            raise unreadable(self.file, "it is gone") from error
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Follower(Database):
    """A follower's file: a process reads it in one transaction at a time, and every write is refused."""

    follows = True

    def __init__(self, path: str | Path, primary: str = "", *, is_default: bool = False) -> None:
        """Name the file; `primary` is the origin of the primary for error messages, "" if unknown."""
        super().__init__(path, is_default=is_default)
        self.primary = primary
        self._copy = _Copy(self.file)
        # Transactions of a process share one lock of the file: if they overlapped, Litestream would wait for all.
        self._turn = threading.RLock()
        self._is_reading = False
        self._newest, self._looked = 0.0, -math.inf

    def refusal(self) -> Unavailable:
        """Return the error of a request that only the primary can serve."""
        where = f" at {self.primary}" if self.primary else ", whose URL PERCH_PRIMARY_URL should name here"
        return Unavailable(f"This is a follower, which only reads; use the primary{where}.")

    def primary_only(self) -> None:
        """Refuse what only the primary can do.

        :raises Unavailable: always.
        """
        raise self.refusal()

    def open(
        self,
        *,
        may_create: bool = True,
        may_migrate: bool = True,
        wait: float = math.inf,
        on_migration: OnMigration | None = None,
    ) -> list[Applied]:
        """Check that Litestream keeps the file; nothing is created or migrated.

        :raises UnusableFile: when there is no file, or it is a primary's.
        """
        self._refuse_missing()
        if not followed_path(self.file).exists():
            raise UnusableFile(
                f"{self.file} is a primary's file: no {followed_path(self.file).name} of litestream restore -f is "
                "beside it. Unset PERCH_FOLLOW to serve it as the primary, or set PERCH_DATABASE to a path for the "
                "copy and start flask follow."
            )
        return []

    def reading_connection(self) -> Connection:
        """Refuse a connection outside `read`.

        :raises Unavailable: always.
        """
        raise self.refusal()

    @contextmanager
    def read(self, *, once: bool = False, seconds: float = math.inf) -> Iterator[Connection]:
        """Read in a transaction of at most 250 ms; the statements of a longer read see later states.

        :raises Unavailable: when a statement takes longer, or the file is of another version of Perch.
        """
        if not self._turn.acquire(timeout=WAIT):
            raise Unavailable("This follower is busy with other reads; repeat the request.", SOON)
        is_outermost, self._is_reading = not self._is_reading, True
        try:
            try:
                yield cast(Connection, self._copy)
            finally:
                if is_outermost:
                    self._is_reading = False
                    self._copy.end()
        except sqlite3.DatabaseError as error:
            self._translate(error)
            raise
        finally:
            self._turn.release()

    def _translate(self, error: sqlite3.DatabaseError) -> None:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            where = f" at {self.primary}" if self.primary else ""
            raise Unavailable(
                f"A follower gives up a read after {LONGEST:.2f} s, which this one takes; ask for less at once, or ask "
                f"the primary{where}."
            ) from error
        if code == sqlite3.SQLITE_BUSY:
            raise Unavailable("Litestream writes a large change to this follower; repeat the request.", SOON) from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise unreadable(self.file, str(error)) from error
        translate(error, self.file)

    @contextmanager
    def write(
        self, wait: float | None = None, *, alone: bool = False, durable: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """Refuse a write.

        :raises Unavailable: always.
        """
        yield self.reading_connection()

    def age(self) -> float | None:
        """Return the seconds since the newest write or heartbeat in the file, None while none was ever read.

        The file is looked at once a second, so the age may be that much too high, but not too low.
        """
        if time.monotonic() >= self._looked + LOOK:
            self._looked = time.monotonic()
            with suppress(ScimError, sqlite3.Error), self.read() as connection:
                self._newest = heartbeat.newest(connection)
        return max(0.0, time.time() - self._newest) if self._newest else None


@contextmanager
def new_copy(file: Path) -> Iterator[int]:
    """Reserve a path for one follow process and remove the copy of an earlier one; yield the descriptor of the lock.

    Half of a change may be in that copy, and Litestream does not resume one that is newer than its last snapshot.

    :raises UnusableFile: when another process uses the file, or it is a primary's.
    """
    with os_errors(file):
        handle = make_file(file.with_name(file.name + ".in-use"))
    try:
        if not try_lock(handle, fcntl.LOCK_EX):
            raise UnusableFile(f"Another process uses {file}; stop it first, or set PERCH_DATABASE to another path.")
        if holds_data(file) and not followed_path(file).exists():
            raise UnusableFile(
                f"{file} is a primary's file, which a copy would replace; set PERCH_DATABASE to another path."
            )
        for path in (file, followed_path(file), log_path(file), index_path(file)):
            path.unlink(missing_ok=True)
        yield handle
    finally:
        os.close(handle)


def unreadable(file: Path, reason: str) -> UnusableFile:
    """Return the error of a copy that is gone or damaged."""
    return UnusableFile(
        f"This follower cannot read its copy {file} ({reason}). If that goes on, start flask follow again, which makes "
        "a new copy."
    )
