"""The servers that are measured: a seeded Perch, and the baselines over as many rows, each behind gunicorn."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench import baselines
from tests.bench.directory import pick
from tests.bench.load import HttpClient, Measurement, Operation, run
from tests.bench.servers import ROOT, BenchServer
from tests.bench.workloads import World, expect


def say(text: str) -> None:
    """Print progress to standard error."""
    print(text, file=sys.stderr, flush=True)


class PerchSubject:
    """A seeded Perch behind gunicorn; `root` is the checkout whose code seeds the file and serves it."""

    def __init__(self, folder: Path, people: int, big_group: int, root: Path = ROOT) -> None:
        """Seed a file and serve it."""
        self.folder, self.root, self.big_group = folder, root, big_group
        self.file, self.log = folder / "perch.db", folder / "perch.log"
        self.environment = {"PERCH_DATABASE": str(self.file), "PERCH_FUSE": "off"}
        self._seed(people)
        self.start()

    def _seed(self, people: int) -> None:
        begin, seeded = time.perf_counter(), self.folder / "seeded.json"
        code = (ROOT / "tests" / "bench" / "seeding.py").read_text(encoding="utf-8")
        arguments = [str(self.file), str(people), str(self.big_group), str(seeded)]
        subprocess.run([sys.executable, "-c", code, *arguments], cwd=self.root, check=True)
        found = json.loads(seeded.read_text(encoding="utf-8"))
        say(f"seeded {people:,} people with {self.root} in {time.perf_counter() - begin:.0f} s")
        self.headers = {"Authorization": f"Bearer {found['key']}"}
        self.world = World(f"/{found['workspace']}/scim/v2", people, found["ids"], found["groups"])

    def start(self) -> float:
        """Serve the file; return the seconds from the start to the first answer."""
        self.server = BenchServer("app:app", self.environment, self.log, root=self.root)
        return self.server.wait(f"{self.world.base}/Users?count=1", self.headers)

    def flask(self, *arguments: str) -> None:
        """Run a `flask` command on the file."""
        command, environment = [sys.executable, "-m", "flask", *arguments], {**os.environ, **self.environment}
        subprocess.run(command, cwd=self.root, env=environment, check=True, capture_output=True)

    def restart(self, cold: bool) -> float:
        """Restart the server, `cold`: after dropping the file from the page cache; return the seconds as `start`."""
        self.server.stop()
        if cold:
            for file in self.file.parent.glob("perch.db*"):
                _drop_from_page_cache(file)
        return self.start()

    def measure(self, make: Callable[[World], Operation], clients: int, seconds: float) -> Measurement:
        """Run a workload."""
        return run(self.server.port, self.headers, make(self.world), clients, seconds)


def _drop_from_page_cache(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


class BaselineSubject:
    """The baselines behind gunicorn with Perch's settings, over as many rows as there are people."""

    def __init__(self, folder: Path, people: int) -> None:
        """Create the file and serve it."""
        path = str(folder / "baselines.db")
        self.rows = people
        baselines.prepare(path, self.rows)
        self.server = BenchServer("tests.bench.baselines:app", {"BENCH_DATABASE": path}, folder / "baselines.log")
        self.server.wait("/b1", {})
        self.body = (baselines.BLOB % 7).encode()
        self.operations: dict[str, Operation] = {"B1": self.b1, "B2": self.b2, "B3": self.b3, "B5": self.b5}

    def b1(self, client: HttpClient, turn: int) -> None:
        """GET fixed JSON."""
        expect(client.ask("GET", "/b1") == (200, (baselines.BLOB % 1).encode()), "B1")

    def b2(self, client: HttpClient, turn: int) -> None:
        """GET one row."""
        number = 1 + pick(self.rows, turn)
        expect(client.ask("GET", f"/b2/{number}") == (200, (baselines.BLOB % number).encode()), "B2")

    def b3(self, client: HttpClient, turn: int) -> None:
        """POST one row."""
        expect(client.ask("POST", "/b3", self.body) == (201, self.body), "B3")

    def b5(self, client: HttpClient, turn: int) -> None:
        """GET a page of 100 rows."""
        status, text = client.ask("GET", "/b5?start=1")
        expect(status == 200 and text.count(b'"filler":') == baselines.PAGE, "B5")

    def measure(self, name: str, clients: int, seconds: float) -> Measurement:
        """Run a baseline."""
        return run(self.server.port, {}, self.operations[name], clients, seconds)


@contextmanager
def subjects(
    folder: Path, people: int, big_group: int, against: Path | None = None
) -> Iterator[tuple[PerchSubject, BaselineSubject, PerchSubject | None]]:
    """Serve Perch, the baselines and, if asked for, the Perch of another checkout; stop them at the end."""
    with ExitStack() as stack:
        perch = PerchSubject(folder, people, big_group)
        stack.callback(lambda: perch.server.stop())
        base = BaselineSubject(folder, people)
        stack.callback(base.server.stop)
        other = None
        if against is not None:
            (folder / "other").mkdir()
            other = PerchSubject(folder / "other", people, big_group, against)
            stack.callback(other.server.stop)
        yield perch, base, other
