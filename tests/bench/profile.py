"""A profile of requests in one process, without sockets: CPU time per operation and the share of SQL.

    python -m tests.bench.profile [WORKLOAD] [--people N] [--count N] [--sort tottime|cumtime] [--top N]

prints a line for each workload whose name contains WORKLOAD, and with a WORKLOAD also cProfile's top functions.
Times are medians without the profiler; they include the workload's own code. The share of SQL is CPU time inside
sqlite3's calls; waiting for the disk counts as elapsed time only.
"""

import argparse
import cProfile
import io
import pstats
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from app import create_app
from tests.bench import rows, workloads
from tests.bench.directory import seed
from tests.bench.load import Operation
from tests.bench.workloads import World
from tests.support.commands import create_key

ROUNDS = 5
MORE: list[tuple[str, rows.Make]] = [
    ("rename a group of 100", partial(workloads.rename, group="small")),
    ("GET a group without its members", partial(workloads.get_group, group="small")),
]
WORKLOADS: list[tuple[str, rows.Make]] = [(row.name, row.make) for row in rows.ROWS] + MORE


class InProcessClient:
    """A client that calls the application instead of a socket."""

    def __init__(self, app: Flask, headers: dict[str, str]) -> None:
        """Set the application and the headers of every request."""
        self.app = app
        self.environment = {
            "SERVER_NAME": "localhost", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "",
            "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000", "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(), "wsgi.multithread": True,
            "wsgi.multiprocess": True, "wsgi.run_once": False,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
        }  # fmt: skip

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Call the application and return the answer's status and body."""
        place, _, query = path.partition("?")
        environment: dict[str, Any] = {
            **self.environment, "REQUEST_METHOD": method, "PATH_INFO": unquote_to_bytes(place).decode("latin-1"),
            "QUERY_STRING": query, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
        }  # fmt: skip
        if body:
            environment["CONTENT_TYPE"] = "application/scim+json"
        found: list[str] = []

        def start(status: str, *_: Any) -> Any:
            found.append(status)

        answer = self.app(environment, start)
        text = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        return int(found[0][:3]), text

    def close(self) -> None:
        """Flush the traffic record before the folder is removed."""
        self.app.extensions["perch.traffic"].writer.flush()


def deploy(folder: Path, people: int) -> tuple[InProcessClient, World]:
    """Return a client of a seeded Perch in this process, and the seeded world."""
    app: Flask = create_app({"PERCH_DATABASE": str(folder / "perch.db"), "PERCH_FUSE": "off"})
    perch = app.extensions["perch"]
    ids, groups = seed(perch.database, people, people)
    client = InProcessClient(app, {"Authorization": f"Bearer {create_key(app, 'benchmark')}"})
    return client, World(f"/{perch.workspace}/scim/v2", people, ids, groups)


def microseconds(client: InProcessClient, operation: Operation, count: int) -> tuple[float, float]:
    """Return the CPU time and elapsed time of an operation: medians of some rounds of `count` each."""
    operation(client, 0)
    found = []
    for number in range(ROUNDS):
        begin, began = time.process_time(), time.perf_counter()
        for turn in range(count):
            operation(client, 1 + number * count + turn)
        found.append((time.process_time() - begin, time.perf_counter() - began))
    cpu, elapsed = (statistics.median(times) / count * 1e6 for times in zip(*found, strict=True))
    return cpu, elapsed


def profiled(client: InProcessClient, operation: Operation, count: int) -> pstats.Stats:
    """Return cProfile's statistics of `count` operations, in CPU time."""
    profile = cProfile.Profile(time.thread_time)
    operation(client, 0)
    profile.enable()
    for turn in range(count):
        operation(client, 1 + turn)
    profile.disable()
    return pstats.Stats(profile)


def seconds_in_sql(stats: pstats.Stats) -> float:
    """Return the CPU seconds that the profiled operations spent inside sqlite3's calls."""
    figures: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = stats.stats  # type: ignore[attr-defined]
    return sum(own for (_, _, name), (_, _, own, _, _) in figures.items() if "'sqlite3." in name)


def main() -> None:
    """Print the profile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="?", default="", help="only workloads with this text in their name")
    parser.add_argument("--people", type=int, default=1_000, help="number of people in the directory")
    parser.add_argument("--count", type=int, default=200, help="operations per round")
    parser.add_argument("--sort", default="tottime", help="sort key of cProfile's functions")
    parser.add_argument("--top", type=int, default=30, help="number of functions to print")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="perch-profile-") as folder:
        client, world = deploy(Path(folder), asked.people)
        for name, make in WORKLOADS:
            if asked.workload.casefold() in name.casefold():
                operation = make(world)
                cpu, elapsed = microseconds(client, operation, asked.count)
                stats = profiled(client, operation, asked.count)
                sql = seconds_in_sql(stats) / asked.count * 1e6
                print(
                    f"{name:40} {cpu:7.0f} us CPU {elapsed:7.0f} us elapsed {sql / cpu:4.0%} of CPU in SQL",
                    flush=True,
                )
                if asked.workload:
                    stats.sort_stats(asked.sort).print_stats(asked.top)
        client.close()


if __name__ == "__main__":
    main()
