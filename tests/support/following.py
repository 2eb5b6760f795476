"""A primary with Litestream, and `flask follow` on another folder, for tests and measurements."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.bench.servers import children
from tests.support.client import ScimClient, http_transport
from tests.support.ports import unused_port
from tests.support.server import ROOT, PerchServer, clean_environment

SECONDS = 60.0


def until(true: Callable[[], object], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "too late"
        time.sleep(0.1)


class Following:
    """A primary with Litestream, and `flask follow` in another folder."""

    def __init__(self, server: PerchServer, folder: Path) -> None:
        self.server, self.folder, self.replica = server, folder, folder / "replica"
        server.settings["PERCH_REPLICA"] = self.url = f"file://{self.replica}"
        self.database = folder / "follower" / "perch.db"
        self.database.parent.mkdir()
        self.log = folder / "follow.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.copier: subprocess.Popen[bytes] | None = None
        self.port = unused_port()
        self.origin = f"http://127.0.0.1:{self.port}"

    def begin(self, **settings: str) -> None:
        self.server.start()
        with (self.folder / "replicate.log").open("wb") as log:
            self.copier = subprocess.Popen(
                ["litestream", "replicate", str(self.server.database), self.url], stdout=log, stderr=log
            )
        # A follower ends at once while there is nothing to restore.
        until(lambda: any(self.replica.rglob("*.ltx")))
        self.follow(**settings)

    def follow(self, **settings: str) -> None:
        environment = {"PERCH_DATABASE": str(self.database), "PERCH_REPLICA": self.url,
                       "GUNICORN_CMD_ARGS": f"--bind {self.origin[7:]}", **settings}  # fmt: skip
        command = [sys.executable, "-m", "flask", "follow"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=clean_environment(environment), stdout=log, stderr=log
            )
        until(lambda: self.status("/healthz") == 200)

    def status(self, path: str) -> int:
        with contextlib.suppress(requests.RequestException):
            return requests.get(self.origin + path, timeout=5).status_code
        return 0

    def processes(self) -> list[int]:
        """Return the processes below `flask follow`."""
        assert self.process is not None
        found, waiting = [], [self.process.pid]
        while waiting:
            found += (below := children(waiting.pop()))
            waiting += below
        return found

    def process_of(self, program: str) -> int:
        """Return the first process of a program below `flask follow`."""
        return next(pid for pid in self.processes() if program in Path(f"/proc/{pid}/cmdline").read_text())

    def client(self) -> ScimClient:
        return ScimClient(http_transport(self.origin), self.server.scim_path, self.server.key)

    def has(self, identifier: str) -> bool:
        return self.client().get(f"/Users/{identifier}").status == 200

    def end(self) -> None:
        for process in (self.process, self.copier):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(SECONDS)
