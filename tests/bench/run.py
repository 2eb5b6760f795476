"""Run the benchmark: Perch, baselines and peers in turn; every answer is checked; ratios and growth are written down.

`make bench` takes the default sizes; BENCH=--full goes to a million people. docs/benchmark.md says what is measured.
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench import facts, peers, report, rows
from tests.bench.load import Measurement
from tests.bench.servers import ROOT, gunicorn_settings
from tests.bench.subjects import BaselineSubject, PerchSubject, say, subjects

DEFAULT_SIZES, FULL_SIZES = (1_000, 20_000), (1_000, 10_000, 100_000, 1_000_000)
# The table is measured with this many people at most; a group has as many members at most.
TABLE = 100_000
PEER_GROUP = 1_000
NAMED = ("worker_class", "workers", "threads", "keepalive")

Run = Callable[[], Measurement]


def in_turn(runs: Iterable[Run], rounds: int) -> list[list[Measurement]]:
    """Run each workload once a round, right after each other; return the rounds."""
    workloads = list(runs)
    return [[run() for run in workloads] for _ in range(rounds)]


def median_pair(rounds: list[list[Measurement]], place: int = 0) -> tuple[Measurement, Measurement]:
    """Return, of the runs at a place and those at the end of each round, the pair with the median ratio of rates."""
    pairs = sorted(((each[place], each[-1]) for each in rounds), key=lambda pair: pair[0].rate / pair[1].rate)
    return pairs[len(pairs) // 2]


def measure_rows(
    perch: PerchSubject, base: BaselineSubject, other: PerchSubject | None, clients: Iterable[int], asked: Any
) -> list[dict[str, Any]]:
    """Measure each row that was asked for, its baseline and the other checkout, with each number of clients."""
    found = []
    for row in (row for row in rows.ROWS if asked.only in row.name):
        for many in clients:
            runs = [partial(subject.measure, row.make, many, asked.seconds) for subject in (perch, other) if subject]
            rounds = in_turn([*runs, partial(base.measure, row.baseline, many, asked.seconds)], asked.rounds)
            mine, below = median_pair(rounds)
            result = {
                "name": row.name, "clients": many, "rate": mine.rate, "median": mine.median, "p99": mine.p99,
                "baseline": row.baseline, "baseline_median": below.median, "baseline_p99": below.p99,
                "share": mine.rate / below.rate, "at_least": row.target(many),
                "p99_at_most": row.p99_at_most if many > 1 else None, "grows_at_most": row.grows_at_most,
            }  # fmt: skip
            if other:
                result |= against(rounds)
            found.append(result)
            say(report.progress(result))
    return found


def against(rounds: list[list[Measurement]]) -> dict[str, float]:
    """Return the other checkout's rate and share of the baseline, and Perch's rate over its own."""
    theirs, below = median_pair(rounds, 1)
    ratio = statistics.median(each[0].rate / each[1].rate for each in rounds)
    return {"other_rate": theirs.rate, "other_share": theirs.rate / below.rate, "times_other": ratio}


def measure_peers(perch: PerchSubject, folder: Path, asked: Any) -> list[dict[str, Any]]:
    """Compare Perch with peers that do the same work on as many people."""
    found: list[dict[str, Any]] = []
    for peer in peers.PEERS:
        with peers.serving(peer, folder, perch.world.people, PEER_GROUP) as served:
            for name, make, clients in rows.PEERS if served else ():
                assert served
                runs = [partial(subject.measure, make, clients, asked.seconds) for subject in (perch, served)]
                mine, other = median_pair(in_turn(runs, asked.rounds))
                times = mine.rate / other.rate
                found.append(
                    {"peer": peer.name, "durable": peer.durable, "name": name, "clients": clients, "rate": mine.rate,
                     "peer_rate": other.rate, "times": times}
                )  # fmt: skip
                say(f"{peer.name:35} {name:40} c{clients} {other.rate:6.0f}/s  Perch {times:.1f} times that")
    return found


def measure_size(people: int, sizes: tuple[int, ...], results: dict[str, Any], asked: Any) -> None:
    """Seed a directory of one size and measure everything that belongs to this size."""
    table = max(size for size in sizes if size <= TABLE or size == sizes[0])
    with (
        tempfile.TemporaryDirectory(prefix="perch-bench-", dir=os.environ.get("BENCH_FOLDER")) as name,
        subjects(Path(name), people, min(people, TABLE), asked.against) as (perch, base, other),
    ):
        found = measure_rows(perch, base, other, (1, 8) if people == table else (1,), asked)
        results["sizes"][str(people)] = [row for row in found if row["clients"] == 1]
        if people == table:
            results["people"], results["rows"] = people, found
        if not asked.only:
            results["facts"] += measure_facts(perch, people == table, people == sizes[-1], asked)
        if people == table and other:
            results["facts"] += facts.empty_file(other, f", {results['against']}")
        if people == sizes[0] and not asked.no_peers:
            results["peers"] = measure_peers(perch, Path(name), asked)


def measure_facts(perch: PerchSubject, of_table: bool, largest: bool, asked: Any) -> list[facts.Fact]:
    """Measure the other figures: paging at each size, start at the largest, the rest at the table's size."""
    found = facts.paging(perch, asked.seconds, asked.rounds)
    if of_table:
        found += facts.groups(perch, asked.seconds, asked.rounds)
        found += facts.recording(perch, asked.seconds, asked.rounds)
        found += facts.attributes(perch, asked.seconds, asked.rounds)
        found += facts.words(perch) + facts.memory(perch) + facts.bulk(perch, asked.seconds, asked.rounds)
        found += facts.empty_file(perch)
    return found + (facts.start(perch) if largest else [])


def commit_of(root: Path) -> str:
    """Return the commit of a checkout, and whether it has changes."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=root, check=False).returncode == 1
    return (commit.stdout.strip() or "unknown") + (" with changes" if changed else "")


def circumstances(asked: Any) -> dict[str, Any]:
    """Return what the figures depend on: the machine, the versions, the settings."""
    cpu = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    settings = gunicorn_settings()
    return {
        "date": date.today().isoformat(), "cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version, "gunicorn": {name: settings[name] for name in NAMED},
        "commit": commit_of(ROOT), "seconds": asked.seconds, "rounds": asked.rounds,
        **({"against": commit_of(asked.against)} if asked.against else {}),
    }  # fmt: skip


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="grow to a million people")
    parser.add_argument("--sizes", help="how many people, separated by commas, instead of the default or full sizes")
    parser.add_argument("--seconds", type=float, help="how long each run takes, by default 0.7, and 1 with --full")
    parser.add_argument("--rounds", type=int, default=3, help="how many rounds of runs; the median ratio counts")
    parser.add_argument("--only", default="", help="measure only the rows with this text in their name")
    parser.add_argument("--no-peers", action="store_true", help="leave other servers out")
    parser.add_argument("--against", type=Path, help="another checkout of Perch, to run in the same rounds")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "benchmark", help="where to write the results")
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (1.0 if asked.full else 0.7)
    asked.no_peers = asked.no_peers or bool(asked.only)
    return asked


def main() -> None:
    """Run the benchmark and write its results."""
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
