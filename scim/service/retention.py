"""The age of journal and events, kept without a service of its own: now and then a write takes some old ones along."""

import threading
import time

from schemas.errors import ScimError
from storage import events, retention
from storage.database import Database

WRITING = frozenset(("POST", "PUT", "PATCH", "DELETE"))
# Seconds between two looks of one process, and while there are more entries to delete than one look takes.
EVERY, SOON = 3600.0, 5.0


class Retention:
    """Deletes journal entries and events beyond their days, a few at a time, after requests that wrote."""

    def __init__(self, database: Database, days: int, events_days: int) -> None:
        self.database = database
        self.days = days
        self.events_days = events_days
        self._next = 0.0
        self._lock = threading.Lock()

    def after(self, method: str, status: int) -> None:
        """Prune when it is time and the writer is free; an answer never fails or waits for it."""
        if method in WRITING and status < 400 and self._is_time():
            try:
                with self.database.write(wait=0, alone=True) as connection:
                    more = retention.prune(connection, self.days)
                    more = events.prune(connection, self.events_days) or more
            except ScimError:
                more = True
            self._next = time.monotonic() + (SOON if more else EVERY)

    def _is_time(self) -> bool:
        with self._lock:
            if time.monotonic() < self._next:
                return False
            self._next = time.monotonic() + SOON
            return True
