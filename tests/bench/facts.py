"""What is not a rate against a baseline: groups of any size, bulk, paging, memory, start."""

import sqlite3
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tests.bench import rows, workloads
from tests.bench.load import Connection, Operation
from tests.bench.subjects import Perch, say
from tests.bench.workloads import World, expect

Fact = dict[str, Any]


def fact(name: str, value: float, unit: str, at_most: float | None = None, at_least: float | None = None) -> Fact:
    """Return a figure with its target."""
    say(f"{name:70} {value:.2f} {unit}")
    return {"name": name, "value": value, "unit": unit, "at_most": at_most, "at_least": at_least}


def _in_turn(perch: Perch, first: rows.Make, second: rows.Make, seconds: float, rounds: int) -> float:
    """Return the median, over interleaved pairs, of the first workload's median latency over the second's."""
    ratios = []
    for _ in range(rounds):
        below = perch.measure(second, 1, seconds).median
        ratios.append(perch.measure(first, 1, seconds).median / below)
    return statistics.median(ratios)


def paging(perch: Perch, seconds: float, rounds: int) -> list[Fact]:
    """Hold a deep page and a cursor page against the first page."""

    def first(world: World) -> Any:
        return workloads.page(world, lambda turn: 1)

    def deep(world: World) -> Any:
        return workloads.page(world, lambda turn: rows.deep(world))

    size = f"{perch.world.people:,} people"
    pages = [(f"page at startIndex={rows.deep(perch.world)}", deep), ("cursor page anywhere", workloads.cursor_page)]
    return [
        fact(f"{name} over the first page, {size}", _in_turn(perch, make, first, seconds, rounds), "times", 1.5)
        for name, make in pages
    ]


def groups(perch: Perch, seconds: float, rounds: int) -> list[Fact]:
    """Hold the large group against one of 100, and writing it whole against as many bare INSERTs."""
    big = perch.big_group
    found = []
    for name, make in rows.GROUPS:
        ratio = _in_turn(perch, partial(make, group="big"), partial(make, group="small"), seconds, rounds)
        found.append(fact(f"{name}: group of {big:,} over one of 100", ratio, "times", 1.5))
    post, put = workloads.post_group(perch.world, big), workloads.put_group(perch.world, "replaced", big)
    for name, operation in (("POST", post), ("PUT", put)):
        ratio = statistics.median(_seconds(perch, operation) / _insert_rows(big) for _ in range(rounds))
        found.append(fact(f"{name} a group of {big:,} over as many INSERTs", ratio, "times", 20))
    return found


def _seconds(perch: Perch, operation: Operation) -> float:
    """Return how long an operation's even turn takes; the odd one, after it, is not counted."""
    connection = Connection(perch.server.port, perch.headers)
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


def bulk(perch: Perch, seconds: float, rounds: int) -> list[Fact]:
    """Hold a bulk of 1,000 creations against single POSTs."""
    ratios = []
    for _ in range(rounds):
        single = perch.measure(workloads.post_user, 1, seconds).rate
        ratios.append(perch.measure(workloads.bulk, 1, seconds).rate * workloads.BULK_SIZE / single)
    return [fact("rate of a Bulk of 1,000 creations over single POSTs", statistics.median(ratios), "times", at_least=3)]


def memory(perch: Perch) -> list[Fact]:
    """Read every page with eight clients, then the large group; look at the workers' memory all the time."""
    perch.restart(cold=False)
    idle = max(perch.server.memory())
    with perch.server.peak_memory() as importing, ThreadPoolExecutor(8) as pool:
        read = sum(pool.map(lambda number: _read_pages(perch, number, 8), range(8)))
    expect(read == perch.world.people, f"read {read} people instead of {perch.world.people}")
    with perch.server.peak_memory() as reading:
        perch.measure(partial(workloads.read_group, group="big", size=perch.big_group), 1, 1)
    return [
        fact("memory (pss) of a worker after the start", idle, "MiB"),
        fact(f"peak memory (pss) of a worker, importing {perch.world.people:,} people", importing[0], "MiB", 80),
        fact(f"peak memory (pss) of a worker, then reading a group of {perch.big_group:,}", reading[0], "MiB", 80),
    ]


def _read_pages(perch: Perch, first: int, step: int) -> int:
    """Read some of the pages by index, as one of several clients; return how many people were on them."""
    connection, read, size = Connection(perch.server.port, perch.headers), 0, 100
    for place in range(first * size, perch.world.people, step * size):
        count = min(size, perch.world.people - place)
        text = workloads.ask(connection, 200, "GET", perch.world.users(startIndex=place + 1, count=count))
        read += text.count(b'"userName":')
    connection.close()
    return read


def start(perch: Perch) -> list[Fact]:
    """Measure the first answer after the start, with the file in the kernel's cache and without."""
    size = f"{perch.world.people:,} people"
    warm = statistics.median(perch.restart(cold=False) for _ in range(3))
    cold = statistics.median(perch.restart(cold=True) for _ in range(3))
    return [
        fact(f"first answer after the start, {size}, file cached", warm, "s", 1.5),
        fact(f"first answer after the start, {size}, file not cached", cold, "s", 1.5),
    ]
