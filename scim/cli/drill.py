"""`flask drill`: a fail-over on one machine, with writers, a replica and a follower, and what it cost."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
import requests

from scim.cli.common import Command, command_without_database, echo, json_option, print_json, print_table
from scim.cli.follow import litestream

# Seconds: a step that takes longer has failed; a request; between two looks.
LONGEST, TIMEOUT, LOOK = 60.0, 1.0, 0.05
WRITERS = 2
FLASK = (sys.executable, "-m", "flask")


@dataclass(frozen=True, slots=True)
class Round:
    """A fail-over: acknowledged writes before it, lost ones among them, and seconds without writes and reads.

    `follows` is the number of seconds from the first write afterwards until the follower has it.
    """

    round: int
    acknowledged: int
    lost: int
    suffix: bool
    noWrites: float
    noReads: float
    follows: float


class Machine:
    """A folder with a server, and Litestream beside it; a kill ends both at once, as a power cut does."""

    def __init__(self, folder: Path, replica: str) -> None:
        folder.mkdir()
        self.folder = folder
        self.replica = replica
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.database = folder / "perch.db"
        self._processes: list[subprocess.Popen[bytes]] = []

    def run(self, *command: str) -> None:
        """Run a program in the background."""
        with (self.folder / "log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(command, env=self._environment(), stdout=log, stderr=log, start_new_session=True)
            )

    def call(self, *command: str) -> str:
        """Run a program to its end and return its output."""
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"{' '.join(command)} failed: {done.stderr.strip()}")
        return done.stdout

    def serve(self) -> None:
        """Start the server as the primary, and Litestream, which copies its file."""
        self.run(sys.executable, "-m", "gunicorn", "app:app")
        self.run(litestream(), "replicate", str(self.database), self.replica)

    def end(self, number: int) -> None:
        """End all processes at once, by a signal."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        for process in self._processes:
            process.wait()
        self._processes = []

    def _environment(self) -> dict[str, str]:
        unset = ("PERCH_", "FLASK_", "GUNICORN_CMD_ARGS", "WEB_CONCURRENCY")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        return {**kept, "PERCH_DATABASE": str(self.database), "PERCH_REPLICA": self.replica,
                "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{self.port}"}  # fmt: skip


class Drill:
    """A primary with writers, a follower with readers, and the acknowledged writes."""

    def __init__(self, folder: Path, replica: str) -> None:
        self.folder = folder
        self.replica = replica or f"file://{folder / 'replica'}"
        self.primary = Machine(folder / "primary", self.replica)
        self.follower = Machine(folder / "follower", self.replica)
        lines = dict(line.split(":", 1) for line in self.primary.call(*FLASK, "init").splitlines() if ": " in line)
        self.path, self.key = urlsplit(lines["Base URL"].strip()).path, lines["Okta access key"].strip()
        self.done = threading.Event()
        # The names that each writer wrote, with the moment of each answer; the moments of reads.
        self.written: list[list[tuple[str, float]]] = [[] for _ in range(WRITERS)]
        self.reads: list[float] = []
        # The names that earlier rounds lost, and how many they found.
        self.lost: set[str] = set()
        self.checked = 0

    def ask(self, machine: Machine, method: str, path: str, **sent: object) -> requests.Response:
        """Send a request to a machine."""
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{machine.origin}{self.path}{path}"
        return requests.request(method, url, headers=headers, timeout=TIMEOUT, **sent)  # type: ignore[arg-type]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start all machines, writers and the reader; stop them after the block."""
        with ThreadPoolExecutor() as pool:
            try:
                if self._is_copied():
                    raise click.ClickException(
                        f"{self.replica} has a copy of a file, which the drill would replace; name an empty place."
                    )
                self.primary.serve()
                until("the primary answers", lambda: self.has(self.primary))
                # A follower ends at once while there is nothing to restore.
                until("the replica has a copy", self._is_copied)
                self.follower.run(*FLASK, "follow")
                until("the follower answers", lambda: self.has(self.follower))
                runs = [pool.submit(self._write, number) for number in range(WRITERS)]
                runs.append(pool.submit(self._read))
                until("each writer has written", lambda: all(self.written))
                yield
            finally:
                self.done.set()
                self.follower.end(signal.SIGTERM)
                self.primary.end(signal.SIGKILL)
            for each in runs:
                # Raises the error of a writer or the reader, if there was one.
                each.result()

    def _is_copied(self) -> bool:
        with suppress(click.ClickException):
            self.primary.call(litestream(), "restore", "-o", str(self.folder / "copied.db"), self.replica)
            return True
        return False

    def has(self, machine: Machine, name: str = "") -> bool:
        """Tell whether a machine answers, and has a user of that name if one is given."""
        with suppress(requests.RequestException):
            asked = {"count": "0", **({"filter": f'userName eq "{name}"'} if name else {})}
            answer = self.ask(machine, "GET", "/Users", params=asked)
            return answer.ok and (not name or answer.json()["totalResults"] == 1)
        return False

    def _write(self, number: int) -> None:
        """Create users one after the other; one that was not acknowledged is sent again."""
        names = self.written[number]
        while not self.done.is_set():
            name = f"{number}-{len(names)}@drill.example"
            with suppress(requests.RequestException):
                answer = self.ask(self.primary, "POST", "/Users", json={"userName": name})
                if answer.status_code in (201, 409):
                    names.append((name, time.monotonic()))
                    continue
            self.done.wait(LOOK)

    def _read(self) -> None:
        """Read as an application does: from the follower when the primary does not answer."""
        while not self.done.is_set():
            if self.has(self.primary) or self.has(self.follower):
                self.reads.append(time.monotonic())
            self.done.wait(LOOK)

    def fail_over(self, number: int) -> Round:
        """Kill the primary with its Litestream, and make another one from the replica."""
        self.primary.end(signal.SIGKILL)
        # An answer of the killed server may still be on its way.
        time.sleep(LOOK)
        before = [[found for found in names if found[0] not in self.lost] for names in self.written]
        killed = time.monotonic()
        kept = self._promote(Machine(self.folder / f"primary-{number}", self.replica))
        until("writes go on", lambda: any(names[-1][1] > killed for names in self.written))
        later = [found for names in self.written for found in names if found[1] > killed]
        name, first = min(later, key=lambda found: found[1])
        until("the follower follows", lambda: self.has(self.follower, name))
        follows = time.monotonic() - first
        last = max(moment for names in before for _, moment in names)
        reads = [last, *(read for read in self.reads if read > last), time.monotonic()]
        no_reads = max(end - begin for begin, end in zip(reads, reads[1:], strict=False))
        seconds = (round(each, 1) for each in (first - last, no_reads, follows))
        return Round(number, *self._compared(before, kept), *seconds)

    def _promote(self, new: Machine) -> set[str]:
        """Restore the replica on another machine and start it as the primary; return the names that it has."""
        copy = new.folder / "restored.db"
        new.call(litestream(), "restore", "-o", str(copy), self.replica)
        new.call(*FLASK, "restore", str(copy))
        new.serve()
        until("the new primary answers", lambda: self.has(new))
        kept, self.primary = self._names(new), new
        return kept

    def _compared(self, before: list[list[tuple[str, float]]], kept: set[str]) -> tuple[int, int, bool]:
        """Return how many writes were acknowledged, how many are lost, and whether each writer lost its last."""
        lost = [[name for name, _ in names if name not in kept] for names in before]
        pairs = zip(before, lost, strict=True)
        suffix = all(gone == [name for name, _ in names][len(names) - len(gone) :] for names, gone in pairs)
        written, count = sum(map(len, before)), sum(map(len, lost))
        acknowledged = written - self.checked
        self.checked = written - count
        self.lost.update(*lost)
        return acknowledged, count, suffix

    def _names(self, machine: Machine) -> set[str]:
        found: set[str] = set()
        cursor: str | None = ""
        while cursor is not None:
            asked = {"attributes": "userName", "count": "1000", "cursor": cursor}
            page = self.ask(machine, "GET", "/Users", params=asked).json()
            found |= {user["userName"] for user in page["Resources"]}
            cursor = page.get("nextCursor")
        return found


def until(what: str, true: Callable[[], bool]) -> None:
    """Wait until something is true.

    :raises ClickException: when it is not within a minute.
    """
    end = time.monotonic() + LONGEST
    while not true():
        if time.monotonic() > end:
            raise click.ClickException(f"The drill waited {LONGEST:.0f} s in vain until {what}.")
        time.sleep(LOOK)


@click.command("drill", cls=Command)
@click.option("--rounds", type=click.IntRange(1, 1000), default=1, show_default=True, help="Number of fail-overs.")
@click.option("--seconds", type=click.FloatRange(0, 3600), default=4, show_default=True, help="Time before each one.")
@click.option("--replica", default="", metavar="URL", help="Empty place for the replica; else a folder of the drill.")
@json_option
@command_without_database
def drill(rounds: int, seconds: float, replica: str, as_json: bool) -> None:
    """Kill a primary and go on from its replica. Show lost writes, and the time without answers.

    It uses a folder of its own, and neither PERCH_DATABASE nor PERCH_REPLICA. It fails if anything but the last writes
    is lost.
    """
    litestream()
    found = []
    with tempfile.TemporaryDirectory(prefix="perch-drill-") as folder:
        running = Drill(Path(folder), replica)
        with running.running():
            for number in range(1, rounds + 1):
                time.sleep(seconds)
                found.append(running.fail_over(number))
                echo(f"Round {number} of {rounds} is done.", err=True)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        heads = ["ROUND", "ACKNOWLEDGED", "LOST", "WITHOUT WRITES", "WITHOUT READS", "UNTIL THE FOLLOWER FOLLOWS"]
        seconds_of = [[f"{value} s" for value in (each.noWrites, each.noReads, each.follows)] for each in found]
        counts = [[each.round, each.acknowledged, each.lost] for each in found]
        print_table(heads, [[*left, *right] for left, right in zip(counts, seconds_of, strict=True)])
    if not all(each.suffix for each in found):
        raise click.ClickException("A write was lost although a later one of the same writer was kept.")
