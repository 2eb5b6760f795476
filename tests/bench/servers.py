"""gunicorn for Perch, for the baselines and for peers, all with the settings of gunicorn.conf.py."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.load import Connection

ROOT = Path(__file__).resolve().parents[2]
SAME_SETTINGS = Path(__file__).parent / "same_settings.py"


class Server:
    """An application behind gunicorn on a free port of this machine."""

    def __init__(self, application: str, environment: Mapping[str, str], log: Path, workers: int | None = None) -> None:
        """Start it; Perch with its own configuration, others with the same settings without Perch's hooks."""
        self.port = _free_port()
        command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{self.port}"]
        if application != "app:app":
            command += ["--config", str(SAME_SETTINGS)]
        if workers:
            command += ["--workers", str(workers)]
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output
            )

    def wait(self, path: str, headers: dict[str, str]) -> float:
        """Wait for the first answer below 500 at a path; return how many seconds that took."""
        begin = time.perf_counter()
        for _ in range(2400):
            try:
                status, _ = Connection(self.port, headers).ask("GET", path)
                if status < 500:
                    return time.perf_counter() - begin
            except OSError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.02)
        raise RuntimeError(f"no answer at {path}:\n{self.log.read_text(errors='replace')[-2000:]}")

    def memory(self) -> list[float]:
        """Return the proportional set size of each worker in MiB, as the kernel accounts it now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [_pss(child) for child in children]

    def stop(self) -> None:
        """Stop it and wait for its end."""
        self.process.terminate()
        self.process.wait(40)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _pss(pid: str) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
