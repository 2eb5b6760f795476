"""The one connection that a process writes on: its threads take turns, and those that meet there commit together."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schemas.errors import ScimError, Unavailable
from storage.failures import busy
from storage.locks import locked

# More together would let the first ones wait long, and the writers of other processes.
MOST_TOGETHER = 8
# Who has the writers' lock meets nobody, so that SQLite need not be told at each write how long it may wait.
LOST = "The transaction was lost; nothing was changed, try again."
WAIT_NOT = "PRAGMA busy_timeout = 0"


class Batch:
    """Writes that are committed together: how many are done, and what came of it for those that wait to be told."""

    __slots__ = ("done", "durable", "error", "size")

    def __init__(self, durable: bool) -> None:
        self.durable = durable
        self.size = 0
        self.done: threading.Event | None = None
        self.error: BaseException | None = None


class Writer:
    """Gives transactions, one at a time among all processes.

    A write that is done while other threads wait leaves its transaction open to the next one, and waits until the last
    has committed: the disk is waited for once, and what all have changed is written once.
    """

    def __init__(self, lock: Path, connect: Callable[[], sqlite3.Connection], check: Callable[[], None]) -> None:
        """Name the file that the writers lock, how to connect, and what must hold before a commit."""
        self._path = lock
        self._connect = connect
        self._check = check
        self._connection: sqlite3.Connection | None = None
        self._turn = threading.Lock()
        self._counting = threading.Lock()
        self._waiting = 0
        self._handle = -1
        self._batch: Batch | None = None

    @contextmanager
    def transaction(self, deadline: float, *, alone: bool, durable: bool) -> Iterator[sqlite3.Connection]:
        """Write in a transaction; `alone` not together with what was there before.

        :raises Unavailable: when the turn does not come by the deadline (of `time.monotonic`), or the folder fails.
        """
        self._take_turn(deadline)
        try:
            batch, connection = self._begin(deadline, alone, durable)
        except BaseException:
            self._turn.release()
            raise
        try:
            yield connection
            if batch.size:
                connection.execute("RELEASE joined")
            batch.size += 1
        except BaseException as error:
            self._undo(batch, connection, error)
            self._leave(batch)
            raise
        if self._leave(batch) and batch.done is not None:
            batch.done.wait()
        if batch.error is not None:
            raise batch.error

    def _take_turn(self, deadline: float) -> None:
        with self._counting:
            self._waiting += 1
        got = self._turn.acquire(timeout=max(0.0, deadline - time.monotonic()))
        with self._counting:
            self._waiting -= 1
            # A batch may have been left open to this thread in the very moment that it gave up.
            got_late = not got and self._turn.acquire(blocking=False)
        if got_late:
            self._commit()
            self._turn.release()
        if not got:
            raise busy()

    def _begin(self, deadline: float, alone: bool, durable: bool) -> tuple[Batch, sqlite3.Connection]:
        if alone or not durable:
            self._commit()
        if self._batch is not None and self._connection is not None:
            self._connection.execute("SAVEPOINT joined")
            return self._batch, self._connection
        self._handle = locked(self._path, deadline)
        try:
            if self._connection is None:
                self._connection = self._connect()
                self._connection.execute(WAIT_NOT)
            if not durable:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            _begin(self._connection, deadline)
        except BaseException:
            os.close(self._handle)
            raise
        self._batch = Batch(durable)
        return self._batch, self._connection

    def _undo(self, batch: Batch, connection: sqlite3.Connection, error: BaseException) -> None:
        """Take back what this thread has changed, and nothing of the others."""
        try:
            if not connection.in_transaction:
                known = isinstance(error, ScimError | sqlite3.Error)
                self._end(batch, error if known else Unavailable(LOST))
            elif batch.size:
                connection.execute("ROLLBACK TO joined")
                connection.execute("RELEASE joined")
            else:
                connection.execute("ROLLBACK")
                self._end(batch, None)
        except sqlite3.Error as failed:
            self._end(batch, failed)

    def _leave(self, batch: Batch) -> bool:
        """Give the turn away; return whether the batch was left open to others, who commit it."""
        with self._counting:
            left = self._batch is batch and self._waiting > 0 and batch.size < MOST_TOGETHER and batch.durable
            if left:
                batch.done = batch.done or threading.Event()
                self._turn.release()
        if not left:
            self._commit()
            self._turn.release()
        return left

    def _commit(self) -> None:
        """Commit the open batch, if any; what came of it stands in the batch."""
        batch, connection = self._batch, self._connection
        if batch is None or connection is None:
            return
        error: BaseException | None = None
        try:
            self._check()
            connection.execute("COMMIT")
        except BaseException as raised:
            error = raised
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        self._end(batch, error)

    def _end(self, batch: Batch, error: BaseException | None) -> None:
        self._batch, batch.error = None, error
        if self._connection is not None and self._connection.in_transaction:
            # What could not even be rolled back must not hold up the next write.
            self._forget()
        elif self._connection is not None and not batch.durable:
            self._connection.execute("PRAGMA synchronous = FULL")
        os.close(self._handle)
        if batch.done is not None:
            batch.done.set()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection; it opens again when it is needed."""
        with self._turn:
            self._forget()


def _begin(connection: sqlite3.Connection, deadline: float) -> None:
    """Begin before the deadline (of `time.monotonic`), though another program may hold SQLite's own lock."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        remaining = max(1, round((deadline - time.monotonic()) * 1000))
        connection.execute(f"PRAGMA busy_timeout = {remaining}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(WAIT_NOT)
