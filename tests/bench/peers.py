"""Other SCIM servers that do the same work as Perch in the same run.

Each has a virtual environment of its own, created on demand; a peer that cannot be installed is skipped with a notice.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.bench.directory import person
from tests.bench.load import HttpConnection, Measurement, Operation, run
from tests.bench.servers import ROOT, BenchServer
from tests.bench.subjects import say
from tests.bench.workloads import GROUP, World, ask

ENVIRONMENTS = ROOT / ".venv-peers"
BASE = "/v2"


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to compare with; `workers` is None if it can run with as many as Perch."""

    name: str
    requirements: tuple[str, ...]
    application: str
    durable: bool
    workers: int | None = None
    module: str = ""


# scim2-flask had the best rate of Okta sessions of the durable servers that were tried, and it stores every attribute
# and changes roles by PUT, so that the whole session can be checked.
PEERS = (
    Peer("scim2-server 0.8 (memory)", ("scim2-server==0.8.0",), "tests.bench.peer_memory:app", False, 1),
    Peer(
        "scim2-flask 0.1 + SQLite (durable)", ("scim2-flask==0.1.0", "scim2-server==0.8.3"),
        "tests.bench.peer_sqlite:create_app()", True, module="tests.bench.peer_sqlite",
    ),
)  # fmt: skip


def interpreter(peer: Peer, environments: Path = ENVIRONMENTS) -> str | None:
    """Return the path of a Python with the peer installed, None if it cannot be installed."""
    wanted = (*peer.requirements, f"gunicorn=={version('gunicorn')}")
    folder = environments / re.sub(r"[^\w.]+", "-", " ".join(wanted))
    python, done = folder / "bin" / "python", folder / "done"
    if not done.exists():
        say(f"installing {', '.join(wanted)}")
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
        for command in ((sys.executable, "-m", "venv", "--clear", str(folder)), pip):
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                reason = (made.stderr.strip().splitlines() or [f"exit status {made.returncode}"])[-1]
                say(f"skipped {peer.name}: {' '.join(peer.requirements)} cannot be installed: {reason}")
                return None
        done.touch()
    return str(python)


class PeerSubject:
    """A peer behind gunicorn, filled through its own API."""

    def __init__(self, peer: Peer, python: str, folder: Path, people: int, big_group: int) -> None:
        """Start the peer and fill it."""
        environment = {"BENCH_DATABASE": str(folder / f"{len(peer.name)}.peer.db")}
        if peer.module:
            code = f"import {peer.module}, os; {peer.module}.prepare(os.environ['BENCH_DATABASE'])"
            subprocess.run([python, "-c", code], cwd=ROOT, env=environment, check=True)
        self.server = BenchServer(peer.application, environment, folder / "peer.log", peer.workers, python)
        try:
            self.server.wait(f"{BASE}/Users?count=1", {})
            self.world = self._fill(people, big_group)
        except BaseException:
            self.server.stop()
            raise

    def _fill(self, people: int, big_group: int) -> World:
        connection = HttpConnection(self.server.port, {})
        ids = [
            str(json.loads(ask(connection, 201, "POST", f"{BASE}/Users", person(number)))["id"])
            for number in range(people)
        ]
        group = {
            "schemas": [GROUP],
            "displayName": "big",
            "members": [{"value": identifier} for identifier in ids[:big_group]],
        }
        made = json.loads(ask(connection, 201, "POST", f"{BASE}/Groups", group))
        connection.close()
        return World(BASE, people, ids, {"big": str(made["id"])})

    def measure(self, make: Callable[[World], Operation], clients: int, seconds: float) -> Measurement:
        """Run a workload."""
        return run(self.server.port, {}, make(self.world), clients, seconds)


@contextmanager
def serving(peer: Peer, folder: Path, people: int, big_group: int) -> Iterator[PeerSubject | None]:
    """Serve a filled peer and stop it at the end; yield None if it cannot be installed."""
    python = interpreter(peer)
    if python is None:
        yield None
        return
    served = PeerSubject(peer, python, folder, people, big_group)
    try:
        yield served
    finally:
        served.server.stop()
