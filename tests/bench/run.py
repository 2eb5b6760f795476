"""Run the benchmark: baselines, peers and workloads in turn, every answer checked, ratios and growth written down.

`make bench` takes the default sizes; BENCH=--full goes to a million people. docs/benchmark.md says what is measured.
"""

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import facts, peers, report, rows
from tests.bench.load import Measured
from tests.bench.servers import ROOT, gunicorn_settings
from tests.bench.subjects import Baselines, Perch, say, subjects

DEFAULT_SIZES, FULL_SIZES = (1_000, 20_000), (1_000, 10_000, 100_000, 1_000_000)
# The table is measured with this many people at most; a group has as many members at most.
TABLE = 100_000
PEER_GROUP = 1_000
NAMED = ("worker_class", "workers", "threads", "keepalive")


def in_pairs(mine: Callable[[], Measured], other: Callable[[], Measured], rounds: int) -> tuple[Measured, Measured]:
    """Run a workload and what it is held against in turn; return the pair of the median ratio."""
    pairs = []
    for _ in range(rounds):
        held = other()
        pairs.append((mine(), held))
    pairs.sort(key=lambda pair: pair[0].rate / pair[1].rate)
    return pairs[len(pairs) // 2]


def measure_rows(perch: Perch, base: Baselines, clients: Iterable[int], asked: Any) -> list[dict[str, Any]]:
    """Hold every workload that was asked for against its baseline, at each number of clients."""
    found = []
    for row in (row for row in rows.ROWS if asked.only in row.name):
        for many in clients:
            mine, other = in_pairs(
                partial(perch.measure, row.make, many, asked.seconds),
                partial(base.measure, row.baseline, many, asked.seconds),
                asked.rounds,
            )
            share = mine.rate / other.rate
            found.append(
                {"name": row.name, "clients": many, "rate": mine.rate, "median": mine.median, "p99": mine.p99,
                 "baseline": row.baseline, "baseline_median": other.median, "baseline_p99": other.p99, "share": share,
                 "at_least": row.at_least, "p99_at_most": row.p99_at_most if many > 1 else None,
                 "grows_at_most": row.grows_at_most}
            )  # fmt: skip
            say(f"{row.name:38} c{many} {mine.rate:8.0f}/s  {share:.2f} of {row.baseline}"
                f"  p99 {mine.p99:.1f} ms (baseline {other.p99:.1f})")  # fmt: skip
    return found


def measure_peers(perch: Perch, folder: Path, asked: Any) -> list[dict[str, Any]]:
    """Hold Perch against peers that do the same work on as many people, each pair of runs in turn."""
    found: list[dict[str, Any]] = []
    for peer in peers.PEERS:
        with peers.serving(peer, folder, perch.world.people, PEER_GROUP) as served:
            for name, make, clients in rows.PEERS if served else ():
                assert served
                mine, other = in_pairs(
                    partial(perch.measure, make, clients, asked.seconds),
                    partial(served.measure, make, clients, asked.seconds),
                    asked.rounds,
                )
                found.append(
                    {"peer": peer.name, "durable": peer.durable, "name": name, "clients": clients, "rate": mine.rate,
                     "peer_rate": other.rate, "times": mine.rate / other.rate}
                )  # fmt: skip
                times = mine.rate / other.rate
                say(f"{peer.name:35} {name:40} c{clients} {other.rate:6.0f}/s  Perch {times:.1f} times that")
    return found


def measure_size(people: int, sizes: tuple[int, ...], results: dict[str, Any], asked: Any) -> None:
    """Seed a directory of that size once, and measure on it whatever this size is for."""
    table = max(size for size in sizes if size <= TABLE or size == sizes[0])
    with (
        tempfile.TemporaryDirectory(prefix="perch-bench-", dir=os.environ.get("BENCH_FOLDER")) as name,
        subjects(Path(name), people, min(people, TABLE)) as (perch, base),
    ):
        found = measure_rows(perch, base, (1, 8) if people == table else (1,), asked)
        results["sizes"][str(people)] = [row for row in found if row["clients"] == 1]
        if people == table:
            results["people"], results["rows"] = people, found
        if not asked.only:
            results["facts"] += measure_facts(perch, people == table, people == sizes[-1], asked)
        if people == sizes[0] and not asked.no_peers:
            results["peers"] = measure_peers(perch, Path(name), asked)


def measure_facts(perch: Perch, of_table: bool, largest: bool, asked: Any) -> list[facts.Fact]:
    """Measure what is not a row, where it belongs: on each size, on the table's, on the largest."""
    found = facts.paging(perch, asked.seconds, asked.rounds)
    if of_table:
        found += facts.groups(perch, asked.seconds, asked.rounds)
        found += facts.memory(perch) + facts.bulk(perch, asked.seconds, asked.rounds)
    return found + (facts.start(perch) if largest else [])


def circumstances(asked: Any) -> dict[str, Any]:
    """Return what the figures depend on: the machine, the versions, the settings."""
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, check=False).returncode == 1
    settings = gunicorn_settings()
    return {
        "date": date.today().isoformat(), "cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version, "gunicorn": {name: settings[name] for name in NAMED},
        "commit": (commit.stdout.strip() or "unknown") + (" with changes" if changed else ""),
        "seconds": asked.seconds, "rounds": asked.rounds,
    }  # fmt: skip


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="grow to a million people")
    parser.add_argument("--sizes", help="how many people, commas between, instead of the default or full sizes")
    parser.add_argument("--seconds", type=float, help="how long each run takes, by default 0.7, and 1 with --full")
    parser.add_argument("--rounds", type=int, default=3, help="how many pairs of runs; the median pair counts")
    parser.add_argument("--only", default="", help="measure only the rows with this text in their name")
    parser.add_argument("--no-peers", action="store_true", help="leave other servers out")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "benchmark", help="where to write the results")
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (1.0 if asked.full else 0.7)
    asked.no_peers = asked.no_peers or bool(asked.only)
    return asked


def main() -> None:
    """Run it all and write docs/benchmark/."""
    asked = arguments()
    sizes: tuple[int, ...] = FULL_SIZES if asked.full else DEFAULT_SIZES
    if asked.sizes:
        sizes = tuple(sorted(int(size) for size in asked.sizes.split(",")))
    began = time.monotonic()
    results: dict[str, Any] = {**circumstances(asked), "sizes": {}, "facts": [], "peers": []}
    for people in sizes:
        measure_size(people, sizes, results, asked)
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    print(report.write(asked.to, json.loads(json.dumps(results))))


if __name__ == "__main__":
    main()
