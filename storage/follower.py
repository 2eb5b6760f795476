"""A file that `litestream restore -f` keeps up to date: it is only read, for a moment at a time.

Litestream writes pages into the file itself, under SQLite's lock: an open read transaction keeps it waiting, and pages
that a connection caches are out of date after it.
"""

import fcntl
import math
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
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

# Seconds: the longest life of a connection; the age from which the next statement gets a new one.
LONGEST, RENEWED = 0.25, 0.1
# Seconds between two looks for the newest write.
LOOK = 1.0
# Seconds that a read waits while Litestream writes.
WAIT = 5.0


class _Lease:
    """A read transaction on a connection of its own; a statement that comes late begins another one."""

    def __init__(self, connect: Callable[[float], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None
        self._begun = 0.0
        self.in_transaction = True

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """Execute a statement."""
        now = time.monotonic()
        if self._connection is None or now - self._begun > RENEWED:
            self.close()
            self._connection, self._begun = self._connect(now + LONGEST), now
        return self._connection.execute(sql, parameters)

    def close(self) -> None:
        """End the transaction."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Reading(threading.local):
    lease: _Lease | None = None


class Follower(Database):
    """A follower's file: each read has a connection of its own, and every write is refused."""

    follows = True

    def __init__(self, path: str | Path, primary: str = "", *, is_default: bool = False) -> None:
        """Name the file; `primary` is the origin of the primary for error messages, "" if unknown."""
        super().__init__(path, is_default=is_default)
        self.primary = primary
        self._reading = _Reading()
        self._schema = -1
        self._newest, self._looked = 0.0, -math.inf

    def refusal(self) -> Unavailable:
        """Return the error of a request that only the primary can serve."""
        where = f" at {self.primary}" if self.primary else ", whose URL PERCH_PRIMARY_URL should name here"
        return Unavailable(f"This is a follower, which only reads; send the request to the primary{where}.")

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
        """Refuse a connection that is kept.

        :raises Unavailable: always.
        """
        raise self.refusal()

    @contextmanager
    def read(self, *, once: bool = False, seconds: float = math.inf) -> Iterator[Connection]:
        """Read in a transaction of at most 250 ms; the statements of a longer read see later states.

        Inside another read, such as that of a request, it is the same transaction.

        :raises Unavailable: when a statement takes longer, or the file is of another version of Perch.
        """
        reading = self._reading
        outer, lease = reading.lease, reading.lease or _Lease(self._transaction)
        reading.lease = lease
        try:
            yield cast(Connection, lease)
        except sqlite3.DatabaseError as error:
            self._translate(error)
            raise
        finally:
            reading.lease = outer
            if outer is None:
                lease.close()

    def pause(self) -> None:
        """End the transaction of this thread's read before a wait; the next statement begins another one."""
        if self._reading.lease is not None:
            self._reading.lease.close()

    def _translate(self, error: sqlite3.DatabaseError) -> None:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_INTERRUPT:
            where = f" at {self.primary}" if self.primary else ""
            raise Unavailable(
                f"A follower gives up a read after {LONGEST:.2f} s, which this one takes; ask for less at once, or ask "
                f"the primary{where}."
            ) from error
        translate(error, self.file)

    def _transaction(self, end: float) -> Connection:
        """Return a connection in a read transaction, which SQLite interrupts at `end` (of `time.monotonic`)."""
        connection = sqlite3.connect(
            f"{self.file.as_uri()}?mode=ro", WAIT, uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("BEGIN")
            self._check_schema(connection)
            register_functions(connection)
            connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_CHECKS)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_schema(self, connection: Connection) -> None:
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        if version == self._schema:
            return
        if pending(connection, self.file):
            raise Unavailable(
                "The primary's file is of an older Perch than this follower, which answers once the primary has been "
                "updated."
            )
        self._schema = version

    @contextmanager
    def write(
        self, wait: float | None = None, *, alone: bool = False, durable: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """Refuse a write.

        :raises Unavailable: always.
        """
        self.primary_only()
        yield self.reading_connection()

    def check_writable(self, wait: float, unproven: float = math.inf) -> None:
        """Check nothing: a follower writes nothing."""

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


def not_here_yet() -> Unavailable:
    """Return the error of a cursor that the primary gave and that this follower's file has not reached."""
    return Unavailable("after: this follower does not have that event yet; repeat the request.", SOON)
