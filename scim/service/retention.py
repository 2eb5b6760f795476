"""What is done every hour, whether anybody writes or not: old journal entries and events go, a figure is noted."""

import time

from schemas.datetimes import now
from schemas.errors import ScimError
from storage import statistics
from storage.repository import Repository

# Seconds between two prunings of a process: usually, and while more entries remain than one pruning deletes.
EVERY, SOON = 3600.0, 5.0


class Retention:
    """Prunes journal entries and events older than their limits, and notes how many people may log in."""

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
                self._note_day()
            except ScimError:
                more = True
            self._next = time.monotonic() + (SOON if more else EVERY)
        return max(0.0, self._next - time.monotonic())

    def _note_day(self) -> None:
        """Note the figure of this hour unless another process has; counting walks over all people."""
        database, instant = self.repository.database, now()
        with database.read() as connection:
            if statistics.is_noted(connection, instant):
                return
            number = statistics.figures(connection).may_log_in
        with database.write_progress() as connection:
            statistics.note_day(connection, instant, number)
