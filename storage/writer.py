"""The one connection that a process writes on: its threads take turns, and those that meet there commit together."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path

from schemas.errors import InsufficientStorage, ScimError, Unavailable
from storage.errors import busy
from storage.locks import locked

# More together would let the first ones wait long, and the writers of other processes.
MOST_TOGETHER = 8
LOST = "The transaction was lost; nothing was changed, try again."
# What one write failed of and all others of its batch may be told; other errors are about that write only.
OF_ALL = (Unavailable, InsufficientStorage, sqlite3.OperationalError)
# Who has the writers' lock meets nobody, so that SQLite need not be told at each write how long it may wait.
WAIT_NOT = "PRAGMA busy_timeout = 0"
# A write touches a page or two of each table and index.
PRAGMAS = (WAIT_NOT, "PRAGMA cache_size = -6000")


class Batch:
    """Writes that are committed together: how many are done, and what came of it for those that wait to be told."""

    __slots__ = ("connection", "done", "durable", "error", "handle", "size")

    def __init__(self, connection: sqlite3.Connection, handle: int, durable: bool) -> None:
        self.connection = connection
        self.handle = handle
        self.durable = durable
        self.size = 0
        self.done: threading.Event | None = None
        self.error: Exception | None = None


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
        self._batch: Batch | None = None

    @contextmanager
    def transaction(self, deadline: float, *, alone: bool, durable: bool) -> Iterator[sqlite3.Connection]:
        """Write in a transaction; `alone` not together with what was there before.

        :raises Unavailable: when the turn does not come by the deadline (of `time.monotonic`), or the folder fails.
        """
        self._take_turn(deadline)
        try:
            batch = self._begin(deadline, alone, durable)
        except BaseException:
            self._end_turn()
            raise
        try:
            yield batch.connection
            if batch.size:
                batch.connection.execute("RELEASE joined")
        except BaseException as error:
            self._undo(batch, error)
            others_go_on = self._batch is batch
            # What it failed of may be a change of another that nobody sees yet, such as a name that is taken.
            self._leave(batch)
            if others_go_on and batch.error is not None and isinstance(error, ScimError):
                raise copy(batch.error) from error
            raise
        self._leave(batch)
        if batch.error is not None:
            # One object cannot be raised in several threads: each writes its own traceback into it.
            raise copy(batch.error) from batch.error

    def _take_turn(self, deadline: float) -> None:
        got = late = False
        with self._counting:
            self._waiting += 1
        try:
            got = self._turn.acquire(timeout=max(0.0, deadline - time.monotonic()))
        finally:
            with self._counting:
                self._waiting -= 1
                # A batch may have been left open to this thread in the very moment that it gave up.
                late = not got and self._turn.acquire(blocking=False)
            if late:
                self._end_turn()
        if not got:
            raise busy()

    def _begin(self, deadline: float, alone: bool, durable: bool) -> Batch:
        if alone or not durable:
            self._commit()
        if self._batch is not None:
            self._batch.connection.execute("SAVEPOINT joined")
            return self._batch
        handle = locked(self._path, deadline)
        try:
            if self._connection is None:
                # Even to open another file that came to this path does harm: SQLite merges the log into it.
                self._check()
                self._connection = self._connect()
                for pragma in PRAGMAS:
                    self._connection.execute(pragma)
            if not durable:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            _begin(self._connection, deadline)
            self._batch = Batch(self._connection, handle, durable)
        except BaseException:
            self._forget()
            os.close(handle)
            raise
        return self._batch

    def _undo(self, batch: Batch, error: BaseException) -> None:
        """Take back what this thread has changed, and nothing of the others."""
        try:
            if not batch.connection.in_transaction:
                self._end(batch, error if isinstance(error, OF_ALL) else Unavailable(LOST))
            elif batch.size:
                batch.connection.execute("ROLLBACK TO joined")
                batch.connection.execute("RELEASE joined")
            else:
                self._end(batch, None)
        except sqlite3.Error as failed:
            self._end(batch, failed)

    def _leave(self, batch: Batch) -> None:
        """Give the turn away; when others wait, they commit the batch, and this thread waits for that."""
        with self._counting:
            # Those that failed count, too: the others wait for them as long.
            batch.size += 1
            left = self._batch is batch and self._waiting > 0 and batch.size < MOST_TOGETHER and batch.durable
            if left:
                done = batch.done = batch.done or threading.Event()
                self._turn.release()
        if left:
            done.wait()
        else:
            self._end_turn()

    def _end_turn(self) -> None:
        """Commit the open batch, if any, and give the turn away."""
        try:
            self._commit()
        finally:
            self._turn.release()

    def _commit(self) -> None:
        """Commit the open batch, if any; what came of it stands in the batch."""
        batch = self._batch
        if batch is None:
            return
        error: Exception | None = Unavailable(LOST)
        try:
            self._check()
            batch.connection.execute("COMMIT")
            error = None
        except Exception as raised:
            error = raised
        finally:
            self._end(batch, error)

    def _end(self, batch: Batch, error: Exception | None) -> None:
        """Take back what is not committed, and tell those that wait."""
        self._batch, batch.error = None, error
        try:
            batch.connection.rollback()
            if not batch.durable:
                batch.connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            # What could not even be rolled back must not hold up the next write.
            self._forget()
        os.close(batch.handle)
        if batch.done is not None:
            batch.done.set()

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection; it opens again when it is needed."""
        with self._turn:
            self._commit()
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
