"""A real gunicorn in its own processes, for tests of sockets and of several workers."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from storage.locks import use_path
from tests.support.client import ScimClient, http_transport
from tests.support.commands import run_command

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0
STOP_SECONDS = 60.0


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `settings` as the only settings of Perch and gunicorn."""
    heeded = {"PORT", "WEB_CONCURRENCY", "GUNICORN_CMD_ARGS", "FLASK_APP", "FLASK_DEBUG", "FLASK_RUN_FROM_CLI"}
    kept = {k: v for k, v in os.environ.items() if k not in heeded and not k.startswith("PERCH_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **settings}


def run_flask(database: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `flask ARGUMENTS` in its own process, from the project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env=clean_environment({"PERCH_DATABASE": str(database), **settings}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class PerchServer:
    """gunicorn with `workers` processes on a free port of 127.0.0.1 and its own database in `folder`."""

    def __init__(self, folder: Path, workers: int = 2, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.workers = workers
        self.application = "app:app"
        self.database = folder / "perch.db"
        self.log_file = folder / "gunicorn.log"
        # Tests delete and deactivate far more people than a deployment ever does.
        self.settings = {"PERCH_DATABASE": str(self.database), "PERCH_FUSE": "off", **(settings or {})}
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._scim_path: str | None = None
        self._key: str | None = None

    def start(self, wait: bool = True) -> None:
        """Start listening; with `wait`, return once all workers are up. A later start keeps the port."""
        self.log_file.touch()
        already = self.log_file.stat().st_size
        command = [sys.executable, "-m", "gunicorn", self.application]
        command += ["--bind", f"127.0.0.1:{self.port}", "--workers", str(self.workers)]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=clean_environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_for_port(already)
        if wait:
            self.wait_until_healthy()

    def _wait_for_port(self, already: int) -> None:
        """Read the port from gunicorn's log; port 0 lets the system choose a free one without a race."""
        listening = None
        for _ in _poll(START_SECONDS):
            listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", self.log()[already:])
            if listening or self._ended():
                break
        assert listening, f"gunicorn does not listen:\n{self.log()}"
        self.port = int(listening[1])

    def wait_until_healthy(self) -> None:
        """Return once /healthz answers 200 and each worker has opened the database."""
        for _ in _poll(START_SECONDS):
            with contextlib.suppress(requests.RequestException):
                if self.client().transport("GET", "/healthz", {}, None)[0] == 200 and self._all_opened():
                    return
            assert not self._ended(), f"gunicorn ended:\n{self.log()}"
        raise AssertionError(f"gunicorn is not healthy after {START_SECONDS} s:\n{self.log()}")

    def _all_opened(self) -> bool:
        """Tell whether each worker uses the database, where the kernel lists the locks and the app is Perch's own."""
        locks, used = Path("/proc/locks"), use_path(self.database)
        if not locks.exists() or not used.exists() or self.application != "app:app":
            return True
        holders = re.findall(rf"FLOCK +ADVISORY +READ \S+ \S+:{used.stat().st_ino} ", locks.read_text())
        return len(holders) >= self.workers

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> int:
        """Send SIGTERM to the master and return its exit status."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the master and every worker at once, like a power cut."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log(self) -> str:
        """Return all that gunicorn and its workers have written so far."""
        return self.log_file.read_text(errors="replace")

    def flask(self, *arguments: str) -> str:
        """Run `flask ARGUMENTS` on this server's database and return its standard output."""
        result = run_flask(self.database, *arguments, **self.settings)
        assert result.returncode == 0, f"flask {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def flask_json(self, *arguments: str) -> Any:
        """Return the JSON document that `flask ARGUMENTS --json` prints."""
        return json.loads(self.flask(*arguments, "--json"))

    def prepare(self, *arguments: str) -> str:
        """Run `flask ARGUMENTS` in this process, which is much faster than a new one; return its standard output."""
        from app import create_app  # not at the top, as in conftest

        app = create_app(self.settings)
        try:
            return run_command(app, *arguments)
        finally:
            app.extensions["perch"].database.leave()

    def prepare_json(self, *arguments: str) -> Any:
        """Return the JSON document of `prepare(ARGUMENTS --json)`."""
        return json.loads(self.prepare(*arguments, "--json"))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def scim_path(self) -> str:
        if self._scim_path is None:
            self._scim_path = str(self.prepare_json("workspace")["scimPath"]).rstrip("/")
        return self._scim_path

    @property
    def base_url(self) -> str:
        """The base URL, as a provider's form wants it."""
        return self.origin + self.scim_path

    @property
    def key(self) -> str:
        """One generic provisioning key, made at first use."""
        if self._key is None:
            self._key = self.create_key("tests", "--idp", "generic")
        return self._key

    def create_key(self, name: str, *options: str) -> str:
        return str(self.prepare_json("keys", "create", name, *options)["key"])

    def client(self, provider: str = "generic", key: str | None = None) -> ScimClient:
        """Return a SCIM client over HTTP; without `key` for paths below the origin that need none."""
        base_path = self.scim_path if key else ""
        return ScimClient(http_transport(self.origin), base_path, key or "", provider)


def _poll(seconds: float) -> Iterator[None]:
    """Yield every 20 ms until `seconds` have passed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)
