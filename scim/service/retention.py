"""Prunes old journal entries and events after write requests; no background job."""

import threading
import time

from schemas.errors import ScimError
from storage.repository import Repository

# Seconds between two prunings of a process: usually, and while more entries remain than one pruning deletes.
EVERY, SOON = 3600.0, 5.0


class Retention:
    """Prunes journal entries and events older than their limits, a few at a time, after requests that wrote."""

    def __init__(self, repository: Repository, journal_days: int, events_days: int) -> None:
        self.repository = repository
        self.journal_days = journal_days
        self.events_days = events_days
        self._next = 0.0
        self._lock = threading.Lock()

    def after_write(self) -> None:
        """Prune if it is time and the writer is free; no answer waits for it or fails because of it."""
        if self._is_time():
            try:
                more = self.repository.prune(self.journal_days, self.events_days)
            except ScimError:
                more = True
            self._next = time.monotonic() + (SOON if more else EVERY)

    def _is_time(self) -> bool:
        with self._lock:
            if time.monotonic() < self._next:
                return False
            self._next = time.monotonic() + SOON
            return True
