"""Run the benchmark: baselines and workloads in turn, every answer checked, ratios and growth written down.

`make bench` takes the default sizes; `--full` goes to a million people.
"""

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from app import create_app
from tests.bench import baselines, report, rows, workloads
from tests.bench.directory import pick, seed
from tests.bench.load import Measured, Operation, run
from tests.bench.servers import ROOT, Server
from tests.bench.workloads import World
from tests.support.commands import create_key

CLIENTS = (1, 8)
DEFAULT_SIZES, FULL_SIZES = (1_000, 20_000), (1_000, 10_000, 100_000, 1_000_000)
GROWING = [*rows.READS, *rows.WRITES]


class Perch:
    """A seeded Perch behind gunicorn."""

    def __init__(self, folder: Path, people: int, big_group: int) -> None:
        """Seed a file and serve it; `first_answer` is how many seconds the first answer took."""
        environment = {"PERCH_DATABASE": str(folder / "perch.db"), "PERCH_FUSE": "off"}
        app = create_app(environment)
        perch = app.extensions["perch"]
        begin = time.perf_counter()
        ids, groups = seed(perch.database, people, big_group)
        print(f"seeded {people:,} people in {time.perf_counter() - begin:.0f} s", file=sys.stderr)
        key = create_key(app, "benchmark")
        perch.database.close()
        self.headers = {"Authorization": f"Bearer {key}"}
        self.world = World(f"/{perch.workspace}/scim/v2", people, ids, groups)
        begin = time.perf_counter()
        self.server = Server("app:app", environment, folder / "perch.log")
        self.server.wait(f"{self.world.base}/Users?count=1", self.headers)
        self.first_answer = time.perf_counter() - begin

    def measure(self, make: Callable[[World], Operation], clients: int, seconds: float) -> Measured:
        """Run a workload."""
        return run(self.server.port, self.headers, make(self.world), clients, seconds)


class Baselines:
    """The bare minimum behind gunicorn with the same settings."""

    def __init__(self, folder: Path, people: int) -> None:
        """Make their file and serve it."""
        path = str(folder / "baselines.db")
        self.rows = min(people, 200_000)
        baselines.prepare(path, self.rows)
        self.server = Server("tests.bench.baselines:app", {"BENCH_DATABASE": path}, folder / "baselines.log")
        self.server.wait("/b1", {})
        body = (baselines.BLOB % 7).encode()
        self.operations: dict[str, Operation] = {
            "B1": lambda c, turn: workloads.expect(c.ask("GET", "/b1")[0] == 200, "B1"),
            "B2": lambda c, turn: workloads.expect(c.ask("GET", f"/b2/{1 + pick(self.rows, turn)}")[0] == 200, "B2"),
            "B3": lambda c, turn: workloads.expect(c.ask("POST", "/b3", body)[0] == 201, "B3"),
            "B5": lambda c, turn: workloads.expect(c.ask("GET", "/b5?start=1")[0] == 200, "B5"),
        }

    def measure(self, name: str, clients: int, seconds: float) -> Measured:
        """Run a baseline."""
        return run(self.server.port, {}, self.operations[name], clients, seconds)


@contextmanager
def servers(people: int, big_group: int) -> Iterator[tuple[Perch, Baselines]]:
    """Serve a seeded Perch and the baselines, and stop them at the end."""
    with tempfile.TemporaryDirectory(prefix="perch-bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        perch, base = Perch(Path(name), people, big_group), Baselines(Path(name), people)
        try:
            yield perch, base
        finally:
            perch.server.stop()
            base.server.stop()


def in_pairs(
    measure: Callable[[], Measured], baseline: Callable[[], Measured], rounds: int
) -> tuple[Measured, Measured]:
    """Run a workload and its baseline in turn; return the run of the median ratio."""
    pairs = []
    for _ in range(rounds):
        base = baseline()
        pairs.append((measure(), base))
    pairs.sort(key=lambda pair: pair[0].rate / pair[1].rate)
    return pairs[len(pairs) // 2]


def measure_rows(perch: Perch, base: Baselines, seconds: float, rounds: int, only: str) -> list[dict[str, Any]]:
    """Hold every workload whose name has `only` in it against its baseline, at each number of clients."""
    found = []
    for row in (row for row in (*rows.READS, *rows.WRITES, *rows.FILTERS) if only in row.name):
        for clients in CLIENTS:
            mine, other = in_pairs(
                partial(perch.measure, row.make, clients, seconds),
                partial(base.measure, row.baseline, clients, seconds),
                rounds,
            )
            found.append(
                {"name": row.name, "clients": clients, "rate": mine.rate, "p99": mine.p99, "median": mine.median,
                 "baseline": row.baseline, "share": mine.rate / other.rate, "baseline_p99": other.p99,
                 "target": row.at_least}
            )  # fmt: skip
            print(f"{row.name:38} c{clients} {mine.rate:8.0f}/s  {mine.rate / other.rate:.2f} of {row.baseline}"
                  f"  p99 {mine.p99:.1f} ms (baseline {other.p99:.1f})", file=sys.stderr)  # fmt: skip
    return found


def measure_facts(perch: Perch, seconds: float, big_group: int) -> list[dict[str, str]]:
    """Measure what is not a rate against a baseline: groups, bulk, memory, start."""
    facts = []
    for name, make in rows.GROUPS:
        small = perch.measure(partial(make, group="small"), 1, seconds).median
        big = perch.measure(partial(make, group="big"), 1, seconds).median
        facts.append(fact(f"{name}: {big_group:,} members over 100", f"{big / small:.2f} times", "≤ 1.5 times"))
    insert = _insert_rows(big_group)
    post = perch.measure(lambda world: workloads.post_group(world, big_group), 1, 1).median / 1000
    facts.append(
        fact(f"POST a group of {big_group:,} over as many INSERTs", f"{post / insert:.1f} times", "≤ 20 times")
    )
    single = perch.measure(workloads.post_user, 1, seconds).rate
    many = perch.measure(workloads.bulk, 1, 1).rate * workloads.BULK_SIZE
    facts.append(fact("Bulk of 1,000 over single POSTs", f"{many / single:.1f} times", "≥ 3 times"))
    facts.append(fact("first answer after the start", f"{perch.first_answer:.2f} s", "≤ 1.5 s"))
    memory = max(perch.server.memory())
    facts.append(fact("memory of the largest worker (pss)", f"{memory:.0f} MiB", "≤ 80 MiB"))
    return facts


def fact(name: str, value: str, target: str) -> dict[str, str]:
    """Return a figure with its target."""
    print(f"{name:55} {value} (target {target})", file=sys.stderr)
    return {"name": name, "value": value, "target": target}


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


def measure_growth(sizes: tuple[int, ...], seconds: float) -> dict[str, dict[str, float]]:
    """Measure the medians at each size with one client, and return them as factors of the smallest size's."""
    medians: dict[str, dict[int, float]] = {row.name: {} for row in GROWING}
    for size in sizes:
        with servers(size, min(size, 1000)) as (perch, _):
            for row in GROWING:
                runs = [perch.measure(row.make, 1, seconds).median for _ in range(3)]
                medians[row.name][size] = statistics.median(runs)
    first = sizes[0]
    return {name: {str(size): found[size] / found[first] for size in sizes} for name, found in medians.items()}


def main() -> None:
    """Run it all and write docs/benchmark/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="grow to a million people")
    parser.add_argument("--people", type=int, help="how many people the table is measured with")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each run takes")
    parser.add_argument("--rounds", type=int, default=3, help="how many pairs of runs")
    parser.add_argument("--only", default="", help="measure only the rows with this text in their name")
    parser.add_argument("--no-growth", action="store_true", help="leave the growth curves out")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "benchmark", help="where to write the results")
    asked = parser.parse_args()
    sizes = FULL_SIZES if asked.full else DEFAULT_SIZES
    people = asked.people or (100_000 if asked.full else sizes[-1])
    big_group = min(people, 100_000)
    with servers(people, big_group) as (perch, base):
        found = measure_rows(perch, base, asked.seconds, asked.rounds, asked.only)
        facts = [] if asked.only else measure_facts(perch, asked.seconds, big_group)
    growth = {} if asked.no_growth else measure_growth(sizes, asked.seconds)
    results = {
        "people": people, "sizes": list(sizes), "cores": os.cpu_count(), "sqlite": sqlite3.sqlite_version,
        "workers": "gunicorn.conf.py's workers", "rows": found, "facts": facts, "growth": growth,
    }  # fmt: skip
    print(report.write(asked.to, json.loads(json.dumps(results))))


if __name__ == "__main__":
    main()
