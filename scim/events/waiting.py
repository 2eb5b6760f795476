"""Waiting for the next event without taking every thread of a process: a few may wait, the others are answered."""

import threading
import time
from collections.abc import Callable

from storage import events
from storage.database import Database

# Of the four threads that a process has by default, two may wait.
PLACES = 2
LONGEST, LOOK_EVERY = 30.0, 0.25


class Waiting:
    """The places of one process; `alive` tells whether the process goes on, so that a stop need not wait."""

    def __init__(self, database: Database, alive: Callable[[], bool] = lambda: True) -> None:
        self.database = database
        self.alive = alive
        self._places = threading.BoundedSemaphore(PLACES)

    def until(self, seq: int, seconds: float) -> bool:
        """Wait until there is an event behind a number, at most some seconds; False when no place was free."""
        if not self._places.acquire(blocking=False):
            return False
        try:
            end = time.monotonic() + min(seconds, LONGEST)
            while self._last() <= seq and self.alive() and (rest := end - time.monotonic()) > 0:
                time.sleep(min(LOOK_EVERY, rest))
        finally:
            self._places.release()
        return True

    def _last(self) -> int:
        with self.database.read() as connection:
            return events.last(connection)
