"""Figures that are no rates: groups of any size, bulk, paging, memory, start."""

import sqlite3
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from storage.database import Connection, Database
from storage.search import Listing, list_page
from storage.words import typed
from tests.bench import rows, workloads
from tests.bench.load import HttpConnection, Operation, run
from tests.bench.servers import BenchServer, start_figures
from tests.bench.subjects import PerchSubject, say
from tests.bench.workloads import World, expect

Fact = dict[str, Any]
# Rare and common words, alone and together.
SEARCHES = (
    "person7@example.com",
    "family77",
    "given1",
    "com",
    "given1 family1",
    "family7 example.com",
    "f e",
    "nobody",
)


def fact(name: str, value: float, unit: str, at_most: float | None = None, at_least: float | None = None) -> Fact:
    """Return a figure with its target."""
    say(f"{name:70} {value:.2f} {unit}")
    return {"name": name, "value": value, "unit": unit, "at_most": at_most, "at_least": at_least}


def _ratio(perch: PerchSubject, first: rows.Make, second: rows.Make, seconds: float, rounds: int) -> float:
    """Return the median ratio of two workloads' median latencies, over interleaved pairs of runs."""
    ratios = []
    for _ in range(rounds):
        below = perch.measure(second, 1, seconds).median
        ratios.append(perch.measure(first, 1, seconds).median / below)
    return statistics.median(ratios)


def paging(perch: PerchSubject, seconds: float, rounds: int) -> list[Fact]:
    """Compare a deep page and a cursor page with the first page."""

    def first(world: World) -> Any:
        return workloads.page(world, lambda turn: 1)

    def deep(world: World) -> Any:
        return workloads.page(world, lambda turn: rows.deep(world))

    size = f"{perch.world.people:,} people"
    pages = [(f"page at startIndex={rows.deep(perch.world)}", deep), ("cursor page anywhere", workloads.cursor_page)]
    return [
        fact(f"{name} over the first page, {size}", _ratio(perch, make, first, seconds, rounds), "times", 1.5)
        for name, make in pages
    ]


def groups(perch: PerchSubject, seconds: float, rounds: int) -> list[Fact]:
    """Compare the large group with one of 100, and writing it whole with bare INSERTs of as many rows."""
    big = perch.big_group
    found = []
    for name, make in rows.GROUPS:
        ratio = _ratio(perch, partial(make, group="big"), partial(make, group="small"), seconds, rounds)
        found.append(fact(f"{name}: group of {big:,} over one of 100", ratio, "times", 1.5))
    post, put = workloads.post_group(perch.world, big), workloads.put_group(perch.world, "replaced", big)
    for name, operation in (("POST", post), ("PUT", put)):
        ratio = statistics.median(_seconds(perch, operation) / _insert_rows(big) for _ in range(rounds))
        found.append(fact(f"{name} a group of {big:,} over as many INSERTs", ratio, "times", 20))
    return found


def _seconds(perch: PerchSubject, operation: Operation) -> float:
    """Return the seconds of an operation's even turn; the odd one after it is not counted."""
    connection = HttpConnection(perch.server.port, perch.headers)
    begin = time.perf_counter()
    operation(connection, 0)
    took = time.perf_counter() - begin
    operation(connection, 1)
    connection.close()
    return took


def _insert_rows(count: int) -> float:
    """Return the seconds that `count` bare INSERTs take in one transaction."""
    with tempfile.TemporaryDirectory() as folder:
        made = sqlite3.connect(f"{folder}/rows.db", isolation_level=None)
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE rows (a INTEGER, b INTEGER, c INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID")
        begin = time.perf_counter()
        made.execute("BEGIN")
        made.executemany("INSERT INTO rows VALUES (1, ?, 0)", ((n,) for n in range(count)))
        made.execute("COMMIT")
        return time.perf_counter() - begin


def bulk(perch: PerchSubject, seconds: float, rounds: int) -> list[Fact]:
    """Compare a bulk of 1,000 creations with single POSTs."""
    ratios = []
    for _ in range(rounds):
        single = perch.measure(workloads.post_user, 1, seconds).rate
        ratios.append(perch.measure(workloads.bulk, 1, seconds).rate * workloads.BULK_SIZE / single)
    return [fact("rate of a Bulk of 1,000 creations over single POSTs", statistics.median(ratios), "times", at_least=3)]


def look_up_name(world: World) -> Operation:
    """Look up people by userName."""
    return workloads.look_up(world, "userName", lambda number: f"person{number}@example.com", True)


def recording(perch: PerchSubject, seconds: float, rounds: int) -> list[Fact]:
    """Compare PERCH_TRAFFIC=errors, the default, with a second server on the same file that records nothing."""
    environment = {**perch.environment, "PERCH_TRAFFIC": "off"}
    server = BenchServer("app:app", environment, perch.folder / "off.log", root=perch.root)
    found = []
    try:
        server.wait(f"{perch.world.base}/Users?count=1", perch.headers)
        for name, make in (("GET a user", workloads.get_user), ("look up userName", look_up_name)):
            ratios = []
            for _ in range(rounds):
                below = run(server.port, perch.headers, make(perch.world), 1, seconds).median
                ratios.append(perch.measure(make, 1, seconds).median / below)
            ratio = statistics.median(ratios)
            found.append(fact(f"{name} with PERCH_TRAFFIC=errors over off", ratio, "times", 1.03))
    finally:
        server.stop()
    return found


def attributes(perch: PerchSubject, seconds: float, rounds: int) -> list[Fact]:
    """Compare POST and look-up with three indexed custom attributes with a POST and a look-up without."""
    for name in workloads.DECLARED_NAMES:
        perch.flask("attributes", "add", workloads.DECLARED, name, "--type", "string", "--indexed")
    post = _ratio(perch, workloads.post_declared, workloads.post_user, seconds, rounds)
    found = _ratio(perch, workloads.look_up_declared, look_up_name, seconds, rounds)
    for name in workloads.DECLARED_NAMES:
        perch.flask("attributes", "remove", f"{workloads.DECLARED}:{name}", "--prune")
    return [
        fact("POST with three indexed custom attributes over a POST without", post, "times", 1.25),
        fact("look-up by a custom attribute over one by userName", found, "times", 1.25),
    ]


def words(perch: PerchSubject) -> list[Fact]:
    """Measure the slowest of several searches of the console: the page and the total."""
    database = Database(perch.file)
    try:
        with database.read() as connection:
            slowest = max(statistics.median(_search(connection, text) for _ in range(7)) for text in SEARCHES)
    finally:
        database.leave()
    name = f"search by words, page and total, slowest of {len(SEARCHES)}, {perch.world.people:,} people"
    return [fact(name, slowest * 1000, "ms", 20)]


def _search(connection: Connection, text: str) -> float:
    """Return the seconds of one search."""
    begin = time.perf_counter()
    people, total = list_page(connection, Listing("User", words=typed(text)), 0, 50)
    took = time.perf_counter() - begin
    expect(len(people) == min(total, 50) and bool(people) == (text != "nobody"), f"{text}: {len(people)} of {total}")
    return took


def memory(perch: PerchSubject) -> list[Fact]:
    """Sample the workers' memory while eight clients read every page, then while one reads the large group."""
    perch.restart(cold=False)
    with perch.server.peak_memory() as importing, ThreadPoolExecutor(8) as pool:
        read = sum(pool.map(lambda number: _read_pages(perch, number, 8), range(8)))
    expect(read == perch.world.people, f"read {read} people instead of {perch.world.people}")
    with perch.server.peak_memory() as reading:
        perch.measure(partial(workloads.read_group, group="big", size=perch.big_group), 1, 1)
    return [
        fact(f"peak memory (pss) of a worker, importing {perch.world.people:,} people", importing[0], "MiB", 80),
        fact(f"peak memory (pss) of a worker, then reading a group of {perch.big_group:,}", reading[0], "MiB", 80),
    ]


def _read_pages(perch: PerchSubject, first: int, step: int) -> int:
    """Read every `step`-th page by index, as one of several clients; return the number of people on them."""
    connection, read, size = HttpConnection(perch.server.port, perch.headers), 0, 100
    for place in range(first * size, perch.world.people, step * size):
        count = min(size, perch.world.people - place)
        text = workloads.ask(connection, 200, "GET", perch.world.users(startIndex=place + 1, count=count))
        read += text.count(b'"userName":')
    connection.close()
    return read


def empty_file(perch: PerchSubject, name: str = "") -> list[Fact]:
    """Measure a start on an empty file, and the memory of workers before their first request."""
    seconds, size = start_figures(perch.folder, perch.root)
    return [
        fact(f"memory (pss) of a worker before its first request{name}", size, "MiB", 40),
        fact(f"first answer after the start, empty file{name}", seconds, "s", 1),
    ]


def start(perch: PerchSubject) -> list[Fact]:
    """Measure the first answer after the start, with the file in the page cache and without."""
    size = f"{perch.world.people:,} people"
    warm = statistics.median(perch.restart(cold=False) for _ in range(3))
    cold = statistics.median(perch.restart(cold=True) for _ in range(3))
    return [
        fact(f"first answer after the start, {size}, file cached", warm, "s", 1.5),
        fact(f"first answer after the start, {size}, file not cached", cold, "s", 1.5),
    ]
