"""The write queue of a process: its threads write one after the other on one connection, and share commits."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import InsufficientStorage, ScimError, Unavailable
from storage.errors import busy
from storage.locks import locked

# Larger batches would keep their first writes, and the writers of other processes, waiting for long.
MOST_TOGETHER = 8
LOST = "The transaction was lost; nothing was changed, try again."
# Errors that the other writes of a batch report, too, when SQLite rolls the batch back; any other is about one write.
SHARED_ERRORS = (Unavailable, InsufficientStorage, sqlite3.OperationalError)
# The holder of the writers' lock seldom waits for SQLite, so the timeout is set only when it must (see _begin).
NO_WAIT = "PRAGMA busy_timeout = 0"
# A write touches a page or two of each table and index, so it needs a larger page cache than a read.
PRAGMAS = (NO_WAIT, "PRAGMA cache_size = -6000")


@dataclass(slots=True, eq=False)
class Batch:
    """Writes that are committed together: how many are done, and the result for the threads that wait for it."""

    connection: sqlite3.Connection
    handle: int
    durable: bool
    size: int = 0
    done: threading.Event | None = None
    error: Exception | None = None


class WriteQueue:
    """Gives transactions, one at a time among all processes.

    A write that is done while other threads wait leaves its transaction open for the next one (a batch), and waits
    until the last one has committed: the disk is waited for once, and each changed page is written once.
    """

    def __init__(self, lock: Path, connect: Callable[[], sqlite3.Connection], check: Callable[[], None]) -> None:
        """Set the file that writers lock, the function that connects, and the check before each commit."""
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
        """Write in a transaction; an `alone` one does not join the batch of the writes before it.

        :raises Unavailable: when the queue takes until the deadline (of `time.monotonic`), or the folder fails.
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
            # The error may come from a change that is not committed yet, such as a name that is taken.
            self._leave(batch)
            if others_go_on and batch.error is not None and isinstance(error, ScimError):
                raise copy(batch.error) from error
            raise
        self._leave(batch)
        if batch.error is not None:
            # Each thread raises a copy: raising writes a traceback into the error.
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
                # A batch may have been left open for this thread just when it gave up.
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
                # SQLite merges the log into a file that it opens, so another file at this path must not even be opened.
                self._check()
                self._connection = self._connect()
                for pragma in PRAGMAS:
                    self._connection.execute(pragma)
            if not durable:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            _begin(self._connection, deadline)
            self._batch = Batch(self._connection, handle, durable)
        except BaseException:
            self._drop_connection()
            os.close(handle)
            raise
        return self._batch

    def _undo(self, batch: Batch, error: BaseException) -> None:
        """Roll back the changes of this thread, and no other ones."""
        try:
            if not batch.connection.in_transaction:
                self._end(batch, error if isinstance(error, SHARED_ERRORS) else Unavailable(LOST))
            elif batch.size:
                batch.connection.execute("ROLLBACK TO joined")
                batch.connection.execute("RELEASE joined")
            else:
                self._end(batch, None)
        except sqlite3.Error as failed:
            self._end(batch, failed)

    def _leave(self, batch: Batch) -> None:
        """End the turn; when others wait, they commit the batch, and this thread waits for that."""
        with self._counting:
            # Failed writes count, too: they take the others' time as well.
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
        """Commit the open batch, if any, and end the turn."""
        try:
            self._commit()
        finally:
            self._turn.release()

    def _commit(self) -> None:
        """Commit the open batch, if any, and set its error."""
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
        """Roll back what is not committed, and wake the threads that wait."""
        self._batch, batch.error = None, error
        try:
            batch.connection.rollback()
            if not batch.durable:
                batch.connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            # The next write gets a new connection when this one cannot even roll back.
            self._drop_connection()
        os.close(batch.handle)
        if batch.done is not None:
            batch.done.set()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection; it opens again when it is needed."""
        with self._turn:
            self._commit()
            self._drop_connection()


def _begin(connection: sqlite3.Connection, deadline: float) -> None:
    """Begin by the deadline (of `time.monotonic`), even while another program holds SQLite's own lock."""
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
            connection.execute(NO_WAIT)
