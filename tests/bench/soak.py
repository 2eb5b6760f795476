"""Mixed load for half an hour: memory, open files and the write-ahead log must not grow, and no answer may be wrong.

`make soak`; SOAK="--seconds 60" is a quick look. Exits with 1 when something grew or an error was logged.
"""

import argparse
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import load, workloads
from tests.bench.load import HttpClient, Operation
from tests.bench.servers import BenchServer, children, pss
from tests.bench.subjects import PerchSubject, say
from tests.bench.workloads import World

PEOPLE, CLIENTS, SECONDS, WARM_UP = 2_000, 6, 1800.0, 600.0
# Perch's own lines and gunicorn's differ in blanks.
ERROR = re.compile(r'"level": ?"(?:error|critical)"|^Traceback ')
USUAL = re.compile(r'"level": ?"info".*"message": ?"(?:request|journal)"')
MIB = 1024 * 1024
GROWS_AT_MOST = 1.1


@dataclass(frozen=True, slots=True)
class Sample:
    """What the server uses at one moment: memory in MiB, open files, and the write-ahead log in MiB."""

    memory: float
    descriptors: float
    log_file: float


@dataclass(frozen=True, slots=True)
class Figure:
    """The most of something during the first part of the run and during the rest."""

    name: str
    first: float
    rest: float

    @property
    def grew(self) -> bool:
        """Tell whether the rest needed over a tenth more."""
        return self.rest > self.first * GROWS_AT_MOST

    def __str__(self) -> str:
        verdict = "grew" if self.grew else "steady"
        return (
            f"{self.name:22} {self.first:10.1f} {self.rest:10.1f} {self.rest / max(self.first, 0.001):6.2f}  {verdict}"
        )


def mixed(world: World) -> Operation:
    """Do in turn what providers and applications do, four reads for each write."""

    def name(number: int) -> str:
        return f"person{number}@example.com"

    found = workloads.look_up(world, "userName", name, True)
    missing = workloads.look_up(world, "userName", name, False)
    page = workloads.page(world, lambda turn: 1 + turn % (world.people - 100))
    get = workloads.get_user(world)
    writes = [
        workloads.okta_session(world), workloads.patch_user(world), workloads.put_user(world),
        workloads.members(world, "small"), workloads.rename(world, "small"), workloads.come_and_go(world),
    ]  # fmt: skip
    operations = [each for write in writes for each in (get, found, page, missing, write)]

    def operation(client: HttpClient, turn: int) -> None:
        # The load gives each client its own turns, all of one remainder; the quotient walks through all operations.
        operations[turn // CLIENTS % len(operations)](client, turn)

    return operation


def sample(server: BenchServer, file: Path) -> Sample:
    """Measure the server's processes and the log of its file now."""
    processes = [server.process.pid, *children(server.process.pid)]
    log = file.with_name(f"{file.name}-wal")
    return Sample(
        sum(pss(process) for process in processes),
        sum(len(os.listdir(f"/proc/{process}/fd")) for process in processes),
        log.stat().st_size / MIB if log.exists() else 0.0,
    )


@contextmanager
def sampling(server: BenchServer, file: Path, every: float) -> Iterator[list[Sample]]:
    """Take samples during the block."""
    taken: list[Sample] = []
    done = threading.Event()

    def take() -> None:
        while not done.wait(every):
            taken.append(sample(server, file))

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield taken
    finally:
        done.set()
        thread.join()


def figures(samples: list[Sample], warm_up: float) -> list[Figure]:
    """Compare the most of the first part, a share of the run, with the most of the rest."""
    border = max(1, round(len(samples) * warm_up))
    first, rest = samples[:border], samples[border:]
    return [
        Figure(name, max(getattr(each, field) for each in first), max(getattr(each, field) for each in rest))
        for name, field in (("memory, MiB", "memory"), ("open files", "descriptors"), ("log file, MiB", "log_file"))
    ]


def errors(log: str) -> list[str]:
    """Return the lines of the server's log that tell of an error."""
    return [line for line in log.splitlines() if ERROR.search(line)]


def notable(log: str) -> list[str]:
    """Return the lines of the server's log that are no successful request and no entry of the journal."""
    return [line for line in log.splitlines() if not USUAL.search(line)]


def soak(folder: Path, seconds: float) -> tuple[list[Figure], list[str], load.Measurement]:
    """Run the load on a new deployment; return the figures, the errors in the log, and the rates.

    :raises WrongAnswer: at the first wrong answer.
    """
    perch = PerchSubject(folder, PEOPLE, PEOPLE)
    try:
        with sampling(perch.server, perch.file, min(5.0, seconds / 60)) as samples:
            measured = perch.measure(mixed, CLIENTS, seconds)
    except (OSError, load.WrongAnswer):
        say("\n".join(notable(perch.log.read_text(errors="replace"))[-20:]))
        raise
    finally:
        perch.server.stop()
    # The first ten minutes, or a third of a shorter run.
    warm_up = min(WARM_UP / seconds, 1 / 3)
    return figures(samples, warm_up), errors(perch.log.read_text(errors="replace")), measured


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="perch-soak-", dir=os.environ.get("BENCH_FOLDER")) as name:
        found, logged, measured = soak(Path(name), seconds)
    say(f"{measured.rate:.0f} operations per second for {seconds:.0f} s, median {measured.median:.1f} ms, "
        f"99th percentile {measured.p99:.1f} ms")  # fmt: skip
    print(f"{'':22} {'first part':>10} {'rest':>10} {'ratio':>6}")
    print("\n".join([*map(str, found), f"errors in the log      {len(logged)}", *logged[:10]]))
    sys.exit(bool(logged) or any(figure.grew for figure in found))


if __name__ == "__main__":
    main()
