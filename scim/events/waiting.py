"""Long polling: some threads of a process may wait for the next event, the others stay free for other requests."""

import threading
import time
from collections.abc import Callable

from storage import events
from storage.database import Database

# A process has four threads by default.
MAX_WAITING = 2
# Seconds.
LONGEST, LOOK_EVERY = 30.0, 0.25


class EventWaiter:
    """Lets threads of one process wait; they return early when `alive` says that the process is to stop."""

    def __init__(self, database: Database, alive: Callable[[], bool] = lambda: True) -> None:
        self.database = database
        self.alive = alive
        self._places = threading.BoundedSemaphore(MAX_WAITING)

    def wait(self, seq: int, seconds: float) -> bool:
        """Wait up to `seconds` for an event numbered above `seq`; return False if too many threads wait already."""
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
