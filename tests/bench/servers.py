"""gunicorn for Perch, for the baselines and for peers, all with the settings of gunicorn.conf.py."""

import os
import re
import runpy
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.bench.load import HttpConnection
from tests.support.ports import unused_port

ROOT = Path(__file__).resolve().parents[2]


@cache
def gunicorn_settings() -> dict[str, str | int | float | bool | None]:
    """Return the settings of gunicorn.conf.py without Perch's hooks."""
    found = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    return {
        name: value
        for name, value in found.items()
        if name.islower() and name[0] != "_" and isinstance(value, str | int | float | bool)
    }


class BenchServer:
    """An application behind gunicorn on a free port of this machine."""

    def __init__(
        self, application: str, environment: Mapping[str, str], log: Path,
        workers: int | None = None, python: str = sys.executable, root: Path = ROOT,
    ) -> None:  # fmt: skip
        """Start it in `root`; Perch has its own configuration, others the same settings without Perch's hooks."""
        self.port = unused_port()
        command = [python, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{self.port}"]
        if application != "app:app":
            same = log.with_suffix(".conf.py")
            same.write_text("".join(f"{name} = {value!r}\n" for name, value in gunicorn_settings().items()))
            command += ["--config", str(same)]
        if workers:
            command += ["--workers", str(workers)]
        self.log = log
        self.began = time.perf_counter()
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, cwd=root, env={**os.environ, **environment}, stdout=output, stderr=output
            )

    def wait(self, path: str, headers: dict[str, str]) -> float:
        """Wait for the first answer below 500 at a path; return the seconds since the start."""
        for _ in range(12_000):
            try:
                status, _ = HttpConnection(self.port, headers).ask("GET", path)
                if status < 500:
                    return time.perf_counter() - self.began
            except OSError:
                if self.process.poll() is not None:
                    break
            time.sleep(0.01)
        raise RuntimeError(f"no answer at {path}:\n{self.log.read_text(errors='replace')[-2000:]}")

    def memory(self) -> list[float]:
        """Return the proportional set size of each worker in MiB, as the kernel accounts it now."""
        return [pss(child) for child in children(self.process.pid)]

    def settled_memory(self, every: float = 0.5) -> float:
        """Return the largest worker's proportional set size in MiB, once all workers have stopped growing."""
        before, now = 0.0, max(self.memory(), default=0.0)
        while now - before > 0.1 or now == 0.0:
            time.sleep(every)
            before, now = now, max(self.memory(), default=0.0)
        return now

    @contextmanager
    def peak_memory(self, every: float = 0.05) -> Iterator[list[float]]:
        """Sample the workers' memory; the one number in the list is the largest so far."""
        peak, done = [max(self.memory())], threading.Event()

        def sample() -> None:
            while not done.wait(every):
                peak[0] = max(peak[0], *self.memory())

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield peak
        finally:
            done.set()
            thread.join()
            peak[0] = max(peak[0], *self.memory())

    def stop(self) -> None:
        """Stop it and wait until it has ended."""
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def empty_server(folder: Path, root: Path = ROOT) -> Iterator[BenchServer]:
    """Start Perch on a file that does not exist yet."""
    for found in folder.glob("empty.db*"):
        found.unlink()
    environment = {"PERCH_DATABASE": str(folder / "empty.db")}
    server = BenchServer("app:app", environment, folder / "empty.log", root=root)
    try:
        yield server
    finally:
        server.stop()


def start_figures(folder: Path, root: Path = ROOT) -> tuple[float, float]:
    """Return the seconds to the first answer, and the MiB of a worker before its first request: medians of three."""
    seconds, sizes = [], []
    for _ in range(3):
        with empty_server(folder, root) as server:
            seconds.append(server.wait("/healthz", {}))
        with empty_server(folder, root) as server:
            sizes.append(server.settled_memory())
    return statistics.median(seconds), statistics.median(sizes)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pss(pid: int) -> float:
    """Return a process's proportional set size in MiB, as the kernel accounts it now."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
