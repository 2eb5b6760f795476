"""Prunes old journal entries and events, a few at a time, whether anybody writes or not."""

import time

from schemas.errors import ScimError
from storage.repository import Repository

# Seconds between two prunings of a process: usually, and while more entries remain than one pruning deletes.
EVERY, SOON = 3600.0, 5.0


class Retention:
    """Prunes journal entries and events older than their limits."""

    def __init__(self, repository: Repository, journal_days: int, events_days: int) -> None:
        self.repository = repository
        self.journal_days = journal_days
        self.events_days = events_days
        self._next = 0.0

    def prune(self) -> float:
        """Prune if it is time; return the seconds until the next time."""
        if time.monotonic() >= self._next:
            try:
                more = self.repository.prune(self.journal_days, self.events_days)
            except ScimError:
                more = True
            self._next = time.monotonic() + (SOON if more else EVERY)
        return max(0.0, self._next - time.monotonic())
