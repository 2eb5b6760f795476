"""Figures for Prometheus, right with several workers: each counts into a file of its own that every scrape adds up."""

import os
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from scim.service import fuse
from scim.settings import VERSION, Settings
from storage import statistics
from storage.database import Connection, Database
from storage.statistics import Counts

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Figures that must be counted are counted anew after 5 s, and so rarely that they take a 25th of a core at most.
COUNT_EVERY, SHARE = 5.0, 25
MOST_LABELS = 10_000

_counted = CollectorRegistry()
_requests = Counter(
    "perch_requests", "Requests answered.", ("route", "method", "status", "key"), registry=_counted
)  # fmt: skip
_seconds = Histogram(
    "perch_request_seconds", "Seconds from a request's arrival to its answer.", ("route", "method"),
    buckets=SECONDS, registry=_counted,
)  # fmt: skip
_waits = Histogram(
    "perch_writer_wait_seconds", "Seconds that writes waited for their turn.", buckets=SECONDS, registry=_counted
)  # fmt: skip
_children: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}


def count(route: str, method: str, status: int, key: str, seconds: float) -> None:
    """Count a request; looking the labels up costs more than counting, so that is done once for each set of them."""
    labels = (route, method, status, key)
    found = _children.get(labels)
    if found is None:
        if len(_children) >= MOST_LABELS:
            _children.clear()
        found = _requests.labels(route, method, str(status), key), _seconds.labels(route, method)
        _children[labels] = found
    found[0].inc()
    found[1].observe(seconds)


def waited(seconds: float) -> None:
    """Note how long a write waited for its turn."""
    _waits.observe(seconds)


class Deployment:
    """Reads the figures of the deployment at each scrape."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self._lock = threading.Lock()
        self._counts: Counts | None = None
        self._again = 0.0

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(registry) + generate_latest(_counted)

    def collect(self) -> Iterator[Metric]:
        """Yield the figures that are read, not counted."""
        with self.database.read() as connection:
            sizes = statistics.sizes(connection, self.database.file)
            counts = self._counted(connection)
            reading = fuse.read(connection, self.settings)
        yield _gauge("perch_build_info", "The version that runs.", 1, version=VERSION)
        yield _gauge("perch_users", "Users.", sizes.users)
        yield _gauge("perch_groups", "Groups.", sizes.groups)
        yield _gauge("perch_users_login_allowed", "Users who may log in: active, with some role.", counts.may_log_in)
        yield _gauge("perch_journal_entries", "Entries of the journal.", counts.journal)
        yield _gauge("perch_traffic_entries", "Requests kept for people to look at.", counts.traffic)
        yield _gauge("perch_database_bytes", "Size of the file.", sizes.file)
        yield _gauge("perch_database_log_bytes", "Size of the file's write-ahead log.", sizes.log)
        yield _gauge("perch_disk_free_bytes", "Free space beside the file.", statistics.free_bytes(self.database.file))
        yield _gauge("perch_fuse_lost_users", "Active users that went within the fuse's window.", reading.lost)
        yield _gauge("perch_fuse_limit_users", "At how many the fuse blows.", fuse.limit(self.settings, reading.active))
        yield _states(
            "perch_fuse_state",
            "1 at the state that the safety fuse is in.",
            fuse.state_of(self.settings, reading),
            fuse.STATES,
        )

    def _counted(self, connection: Connection) -> Counts:
        with self._lock:
            if self._counts is None or time.monotonic() >= self._again:
                begun = time.monotonic()
                self._counts = statistics.counts(connection)
                now = time.monotonic()
                self._again = now + max(COUNT_EVERY, (now - begun) * SHARE)
            return self._counts


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    found = GaugeMetricFamily(name, text, labels=list(labels))
    found.add_metric(list(labels.values()), value)
    return found


def _states(name: str, text: str, state: str, states: tuple[str, ...]) -> Metric:
    found = GaugeMetricFamily(name, text, labels=["state"])
    for each in states:
        found.add_metric([each], float(each == state))
    return found
