"""What is measured: a seeded Perch, and the baselines with as many rows, each behind gunicorn."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app import create_app
from tests.bench import baselines
from tests.bench.directory import pick, seed
from tests.bench.load import Client, Measured, Operation, run
from tests.bench.servers import Server
from tests.bench.workloads import World, expect
from tests.support.commands import create_key


def say(text: str) -> None:
    """Tell whoever waits how far the run is."""
    print(text, file=sys.stderr, flush=True)


class Perch:
    """A seeded Perch behind gunicorn."""

    def __init__(self, folder: Path, people: int, big_group: int) -> None:
        """Seed a file and serve it."""
        self.file, self.log = folder / "perch.db", folder / "perch.log"
        self.environment = {"PERCH_DATABASE": str(self.file), "PERCH_FUSE": "off"}
        app = create_app(self.environment)
        perch = app.extensions["perch"]
        begin = time.perf_counter()
        ids, groups = seed(perch.database, people, big_group)
        say(f"seeded {people:,} people in {time.perf_counter() - begin:.0f} s")
        self.headers = {"Authorization": f"Bearer {create_key(app, 'benchmark')}"}
        perch.database.close()
        self.big_group = big_group
        self.world = World(f"/{perch.workspace}/scim/v2", people, ids, groups)
        self.start()

    def start(self) -> float:
        """Serve the file; return how many seconds after that the first answer came."""
        self.server = Server("app:app", self.environment, self.log)
        return self.server.wait(f"{self.world.base}/Users?count=1", self.headers)

    def restart(self, cold: bool) -> float:
        """Stop and start the server, `cold`: with nothing of the file in the kernel's cache."""
        self.server.stop()
        if cold:
            for file in self.file.parent.glob("perch.db*"):
                _forget(file)
        return self.start()

    def measure(self, make: Callable[[World], Operation], clients: int, seconds: float) -> Measured:
        """Run a workload."""
        return run(self.server.port, self.headers, make(self.world), clients, seconds)


def _forget(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


class Baselines:
    """The bare minimum behind gunicorn with the same settings."""

    def __init__(self, folder: Path, people: int) -> None:
        """Make their file, with as many rows as there are people, and serve it."""
        path = str(folder / "baselines.db")
        self.rows = people
        baselines.prepare(path, self.rows)
        self.server = Server("tests.bench.baselines:app", {"BENCH_DATABASE": path}, folder / "baselines.log")
        self.server.wait("/b1", {})
        self.body = (baselines.BLOB % 7).encode()
        self.operations: dict[str, Operation] = {"B1": self.b1, "B2": self.b2, "B3": self.b3, "B5": self.b5}

    def b1(self, client: Client, turn: int) -> None:
        """GET fixed JSON."""
        expect(client.ask("GET", "/b1") == (200, (baselines.BLOB % 1).encode()), "B1")

    def b2(self, client: Client, turn: int) -> None:
        """GET one row."""
        number = 1 + pick(self.rows, turn)
        expect(client.ask("GET", f"/b2/{number}") == (200, (baselines.BLOB % number).encode()), "B2")

    def b3(self, client: Client, turn: int) -> None:
        """POST one row."""
        expect(client.ask("POST", "/b3", self.body) == (201, self.body), "B3")

    def b5(self, client: Client, turn: int) -> None:
        """GET a page of 100 rows."""
        status, text = client.ask("GET", "/b5?start=1")
        expect(status == 200 and text.count(b'"filler":') == baselines.PAGE, "B5")

    def measure(self, name: str, clients: int, seconds: float) -> Measured:
        """Run a baseline."""
        return run(self.server.port, {}, self.operations[name], clients, seconds)


@contextmanager
def subjects(folder: Path, people: int, big_group: int) -> Iterator[tuple[Perch, Baselines]]:
    """Serve a seeded Perch and the baselines, and stop them at the end."""
    perch = Perch(folder, people, big_group)
    try:
        base = Baselines(folder, people)
        try:
            yield perch, base
        finally:
            base.server.stop()
    finally:
        perch.server.stop()
