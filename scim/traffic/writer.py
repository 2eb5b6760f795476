"""The batch writer of traffic and quirks: a bounded queue and one thread per process, outside of requests."""

import atexit
import logging
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from schemas.datetimes import from_seconds, now
from storage import quirks, receipts, traffic
from storage.database import Database
from storage.quirks import Quirk

MOST_WAITING = 5000
MOST_COUNTED = 100_000
HOUR = 3600
MOST_BYTES = 32 * 1024 * 1024
BATCH = 100
GATHER_SECONDS = 1.0
IDLE_SECONDS = 600.0
log = logging.getLogger("perch")
_starting = threading.Lock()

Prepared = tuple[traffic.TrafficRow | None, Sequence[Quirk]]


class BatchWriter:
    """A queue of finished requests; while it is full or the database fails, further ones are dropped and counted."""

    def __init__(
        self, database: Database, prepare: Callable[[Any], Prepared], keep: int, days: int,
        prune: Callable[[], float] = lambda: IDLE_SECONDS,
    ) -> None:  # fmt: skip
        """Take the database, a function that makes an item's rows, and how many rows and days are kept.

        The thread calls `prune`, too, for tables of which it knows nothing; it returns the seconds until it is due.
        """
        self.database = database
        self.prepare = prepare
        self.keep = keep
        self.days = days
        self.prune = prune
        self.dropped = 0
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._items: deque[tuple[Any, int, bool]] = deque()
        self._brief: deque[Any] = deque(maxlen=traffic.BRIEF)
        self._counted: deque[tuple[str, int, str]] = deque(maxlen=MOST_COUNTED)
        self._pulls: dict[str, tuple[int, str]] = {}
        self._bytes = self._strangers = 0
        self._some, self._many = threading.Event(), threading.Event()
        self._flushing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failing = False
        self._reported = 0

    def start(self) -> None:
        """Start the thread of this process unless it runs; a fork inherits neither thread nor queue."""
        with _starting:
            if self._process != os.getpid():
                self._reset()
            if self._thread is not None:
                return
            itself = weakref.ref(self)
            arguments = (itself, self._some, self._many)
            self._thread = threading.Thread(target=_run, args=arguments, name="perch-traffic", daemon=True)
            self._thread.start()
            # The thread ends with its application; tests make hundreds of them.
            weakref.finalize(self, self._some.set)
            atexit.register(_flush_at_exit, itself)

    def put(self, item: Any, size: int, stranger: bool = False) -> None:
        """Add an item of about `size` bytes to the queue; never waits.

        Strangers, callers without a valid key, may fill only a share of the queue; what is beyond it is not kept.
        """
        if self._thread is None or self._process != os.getpid():
            self.start()
        if stranger and self._strangers >= traffic.STRANGERS:
            return
        if len(self._items) >= MOST_WAITING or self._bytes + size > MOST_BYTES:
            self.dropped += 1
            return
        self._bytes += size
        self._strangers += stranger
        self._items.append((item, size, stranger))
        if not self._some.is_set():
            self._some.set()
        elif len(self._items) >= BATCH and not self._many.is_set():
            self._many.set()

    def put_brief(self, item: Any) -> None:
        """Add an item of which only the newest ones are kept; never waits."""
        self._brief.append(item)

    def count(self, key: str, kind: str) -> None:
        """Count a request of a key, PUSHED, REFUSED or of any other kind; never waits."""
        if self._thread is None or self._process != os.getpid():
            self.start()
        self._counted.append((key, int(time.time()) // HOUR, kind))
        if not self._some.is_set():
            self._some.set()

    def pulled(self, key: str, last: int) -> None:
        """Note that a key asked for the events behind one: it has those up to it; never waits."""
        if self._thread is None or self._process != os.getpid():
            self.start()
        if last > self._pulls.get(key, (0, ""))[0]:
            self._pulls[key] = last, now()
        if not self._some.is_set():
            self._some.set()

    def flush(self, prune: bool = False) -> None:
        """Write the queue, and with `prune` delete old rows; when the database fails, only these items are lost."""
        if self._process != os.getpid():
            return
        with self._flushing:
            todo = True
            while todo:
                todo = self._flush_batch(prune)
        if self.dropped > self._reported:
            log.warning("%d requests were not recorded: the queue was full", self.dropped - self._reported)
            self._reported = self.dropped

    def housekeep(self) -> float:
        """Write the queue and prune; return the seconds until there is something to do without a request."""
        self.flush(prune=True)
        try:
            return min(IDLE_SECONDS, self.prune())
        except Exception:
            log.exception("Old entries could not be pruned; trying again")
            return IDLE_SECONDS

    def _flush_batch(self, prune: bool) -> bool:
        """Write at most one batch; tell whether the queue has more."""
        rows, seen = self._take()
        try:
            hours, pulls = self._take_counts(), self._take_pulls()
            if rows or seen or hours or pulls or prune:
                with self.database.write_progress() as connection:
                    for pull in pulls:
                        receipts.note_pull(connection, *pull)
                    traffic.append(connection, rows)
                    traffic.count(connection, hours)
                    quirks.add(connection, seen)
                    if prune:
                        traffic.prune(connection, self.keep, self.days)
                self._failing = False
        except Exception as error:
            if not self._failing:
                log.warning("The recorded requests could not be written: %s", error)
            self._failing = True
        return bool(self._items)

    def _take(self) -> tuple[list[traffic.TrafficRow], list[Quirk]]:
        rows: list[traffic.TrafficRow] = []
        quirks_seen: dict[tuple[str, str, str], Quirk] = {}
        while self._items and len(rows) < BATCH:
            item, size, stranger = self._items.popleft()
            self._bytes -= size
            self._strangers -= stranger
            row, found = self._prepared(item)
            if row is not None:
                rows.append(row)
            for quirk in found:
                _add(quirks_seen, quirk)
        if not self._items:
            self._bytes = self._strangers = 0
        while self._brief:
            row, _ = self._prepared(self._brief.popleft())
            rows += [row] if row is not None else []
        # The first value of a row is its instant.
        return sorted(rows, key=itemgetter(0)), list(quirks_seen.values())

    def _prepared(self, item: Any) -> Prepared:
        try:
            return self.prepare(item)
        except Exception:
            log.exception("A recorded request could not be prepared for writing")
            return None, ()

    def _take_counts(self) -> dict[tuple[str, str, str], int]:
        found: Counter[tuple[str, int, str]] = Counter()
        while self._counted:
            found[self._counted.popleft()] += 1
        return {(key, from_seconds(hour * HOUR)[:13], kind): number for (key, hour, kind), number in found.items()}

    def _take_pulls(self) -> list[tuple[str, int, str]]:
        """Return the pulls that acknowledge a withdrawal, for which alone there is something to write."""
        if not self._pulls:
            return []
        pulls, self._pulls = self._pulls, {}
        with self.database.read() as connection:
            return [(key, *pull) for key, pull in pulls.items() if receipts.pulled(connection, key, pull[0])]


def _run(writer: "weakref.ref[BatchWriter]", some: threading.Event, many: threading.Event) -> None:
    while (found := writer()) is not None:
        seconds = found.housekeep()
        del found
        if some.wait(seconds):
            many.wait(GATHER_SECONDS)
        some.clear()
        many.clear()


def _flush_at_exit(writer: "weakref.ref[BatchWriter]") -> None:
    found = writer()
    if found is not None:
        found.flush()


def _add(found: dict[tuple[str, str, str], Quirk], quirk: Quirk) -> None:
    """Add a quirk to those of its key, kind and name."""
    name = (quirk.key, quirk.kind, quirk.name)
    earlier = found.get(name)
    count, first = (quirk.count + earlier.count, earlier.first) if earlier else (quirk.count, quirk.first)
    found[name] = Quirk(*name, count, quirk.example, first, quirk.last)
