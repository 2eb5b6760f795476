"""Prometheus metrics: requests are counted in files of each worker, which every scrape sums; the rest is read then."""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from schemas.datetimes import now, to_seconds
from schemas.events import KINDS
from scim.observability.metrics_folder import VARIABLE
from scim.service import fuse
from scim.settings import VERSION, Settings
from storage import applications, receipts, statistics, webhooks
from storage.database import Connection, Database
from storage.statistics import Counts

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Figures that need a scan are cached for 5 s, or longer: scans take at most a 25th of one core.
CACHE_SECONDS, SHARE = 5.0, 25
MAX_LABELS = 10_000
T = TypeVar("T")
# Of an application: its name, its acknowledged withdrawals, how many are open, the seconds of the oldest of these.
Withdrawals = tuple[str, receipts.Totals, int, float]

_registry = CollectorRegistry()
_requests = Counter("perch_requests", "Requests answered.", ("route", "method", "status", "key"), registry=_registry)
_seconds = Histogram(
    "perch_request_seconds", "Seconds from a request's arrival to its answer.", ("route", "method"),
    buckets=SECONDS, registry=_registry,
)  # fmt: skip
_waits = Histogram(
    "perch_writer_wait_seconds", "Seconds that writes waited for their turn.", buckets=SECONDS, registry=_registry
)  # fmt: skip
_limited = Counter(
    "perch_rate_limited_requests", "Requests answered 429 because of PERCH_KEY_RATE.", ("key",), registry=_registry
)
_events = Counter("perch_events", "Events that the server wrote for applications.", ("kind",), registry=_registry)
_events_by_kind = {kind: _events.labels(kind) for kind in KINDS}
_children: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}


def count(route: str, method: str, status: int, key: str, seconds: float) -> None:
    """Count a request and its duration."""
    labels = (route, method, status, key)
    found = _children.get(labels)
    # prometheus_client's own look-up of labels costs more than counting.
    if found is None:
        if len(_children) >= MAX_LABELS:
            _children.clear()
        found = _requests.labels(route, method, str(status), key), _seconds.labels(route, method)
        _children[labels] = found
    found[0].inc()
    found[1].observe(seconds)


def limited(key: str) -> None:
    """Count a request that was refused because its key sent too many."""
    _limited.labels(key).inc()


def emitted(kinds: Sequence[str]) -> None:
    """Count the events of a change by kind."""
    for kind in kinds:
        _events_by_kind[kind].inc()


def waited(seconds: float) -> None:
    """Count how long a write waited for its turn."""
    _waits.observe(seconds)


class DeploymentMetrics:
    """Collects a deployment's metrics at each scrape."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self._counts = Cached[Counts]()
        self._withdrawals = Cached[list[Withdrawals]]()

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        if folder := os.environ.get(VARIABLE):
            MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(registry) + generate_latest(_registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges, which are read from the file."""
        with self.database.read() as connection:
            sizes = statistics.sizes(connection, self.database.file)
            counts = self._counts.get(partial(statistics.counts, connection))
            reading = fuse.read(connection, self.settings)
        limit = fuse.limit(self.settings, reading.active)
        yield _gauge("perch_build_info", "The version that runs.", {VERSION: 1}, "version")
        yield _gauge("perch_users", "Users.", sizes.users)
        yield _gauge("perch_groups", "Groups.", sizes.groups)
        yield _gauge("perch_users_login_allowed", "Users who may log in: active, with some role.", counts.may_log_in)
        yield _gauge("perch_journal_entries", "Entries of the journal.", counts.journal)
        yield _gauge("perch_traffic_entries", "Requests in the traffic record.", counts.traffic)
        yield _gauge("perch_database_bytes", "Size of the file.", sizes.file)
        yield _gauge("perch_database_log_bytes", "Size of the file's write-ahead log.", sizes.log)
        yield _gauge("perch_disk_free_bytes", "Free space beside the file.", statistics.free_bytes(self.database.file))
        yield _gauge("perch_fuse_lost_users", "Active users that were lost within the fuse's window.", reading.lost)
        yield _gauge("perch_fuse_limit_users", "Lost users at which the fuse blows.", limit)
        state = fuse.state_of(self.settings, reading)
        text = "1 for the safety fuse's state, 0 for its other states."
        yield _gauge("perch_fuse_state", text, {each: float(each == state) for each in fuse.STATES}, "state")
        if not self.database.follows:
            yield from self._of_primary()
            return
        age = self.database.age()
        text = "Seconds since the newest write or heartbeat in the follower's file."
        yield _gauge("perch_follower_age_seconds", text, math.inf if age is None else age)

    def _of_primary(self) -> Iterator[Metric]:
        """Yield what only a process that delivers events can change."""
        with self.database.read() as connection:
            up = webhooks.deliverer(connection, self.database.file) != webhooks.MISSING
            names = [each.id for each in webhooks.list_all(connection)]
            waiting = {name: webhooks.waiting(connection, name) for name in names}
            oldest = {name: _age(webhooks.waits_since(connection, name)) for name in names}
            withdrawals = self._withdrawals.get(partial(_withdrawals, connection))
        yield _gauge("perch_deliverer_up", "0 if nobody delivers events to the webhooks that want them, else 1.", up)
        yield _gauge("perch_webhook_waiting_events", "Events that a webhook has not got yet.", waiting, "webhook")
        text = "Age of the oldest event that waits for a webhook, else 0."
        yield _gauge("perch_webhook_oldest_seconds", text, oldest, "webhook")
        yield from _by_application(withdrawals)


class Cached(Generic[T]):
    """A figure whose computation is a scan: kept for CACHE_SECONDS, or longer if it takes longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expires = 0.0
        self._found: T | None = None

    def get(self, compute: Callable[[], T]) -> T:
        """Return the figure, computed again when it is too old."""
        with self._lock:
            if self._found is None or time.monotonic() >= self._expires:
                began = time.monotonic()
                self._found = compute()
                ended = time.monotonic()
                self._expires = ended + max(CACHE_SECONDS, (ended - began) * SHARE)
            return self._found


def _withdrawals(connection: Connection) -> list[Withdrawals]:
    found, instant = receipts.list_all(connection), now()
    done = receipts.counted(receipts.totals(connection), found)
    waiting: dict[int, list[float]] = {}
    for each in found:
        if each.open:
            waiting.setdefault(each.number, []).append(receipts.seconds_between(each.requested, instant))
    named = [(each.name, done.get(each.id), waiting.get(each.id, [])) for each in applications.list_all(connection)]
    return [(name, of or receipts.no_totals(), len(ages), max(ages, default=0.0)) for name, of, ages in named]


def _by_application(found: Sequence[Withdrawals]) -> Iterator[Metric]:
    text = "Seconds from a request that withdraws access to the application's acknowledgement."
    seconds = HistogramMetricFamily("perch_withdrawal_seconds", text, labels=["application"])
    bounds = [*map(str, receipts.BUCKETS), "+Inf"]
    for name, done, _, _ in found:
        seconds.add_metric([name], list(zip(bounds, accumulate(done.buckets), strict=True)), done.seconds)
    yield seconds
    text = "Withdrawals that an application has not acknowledged."
    yield _gauge("perch_withdrawals_open", text, {name: number for name, _, number, _ in found}, "application")
    oldest = {name: age for name, _, _, age in found}
    yield _gauge("perch_withdrawal_oldest_seconds", "Age of the oldest open withdrawal, else 0.", oldest, "application")


def _age(since: str | None) -> float:
    return max(0.0, time.time() - to_seconds(since)) if since else 0.0


def _gauge(name: str, text: str, value: float | Mapping[str, float], label: str = "") -> Metric:
    """Return a gauge with one value, or with a value for each value of its label."""
    if not isinstance(value, Mapping):
        return GaugeMetricFamily(name, text, value)
    found = GaugeMetricFamily(name, text, labels=[label])
    for of, number in value.items():
        found.add_metric([of], number)
    return found
