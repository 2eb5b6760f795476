"""`flask deliver` in processes of its own: children that are killed, parents that are killed, stops."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from scim.events import supervisor
from scim.events.webhooks import WebhookService
from storage import webhooks
from storage.journal import Author
from tests.support.receiver import Receiver
from tests.support.server import ROOT, clean_environment, run_flask

ENDS = "The deliverer ended"


class Deliverer:
    """A `flask deliver` and its child, on a deployment with a webhook."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.settings = {
            "PERCH_DATABASE": str(folder / "perch.db"), "PERCH_WEBHOOKS_ALLOW_PRIVATE": "on",
            "PERCH_WEBHOOK_TIMEOUT": "30", "PERCH_LOG_FORMAT": "json",
        }  # fmt: skip
        assert run_flask(folder / "perch.db", "init").returncode == 0
        self.app = create_app(self.settings)
        self.perch = self.app.extensions["perch"]
        self.receiver, self.log_file = receiver, folder / "deliver.log"
        service = WebhookService(self.perch.repository, self.perch.settings, "http://perch/x", Author("tests", ""))
        receiver.secret = service.add(receiver.url).secret
        self.sent = 0
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask", "deliver", "--interval", "0.05", *options], cwd=ROOT,
                env=clean_environment(self.settings), stderr=log, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    def messages(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.log_file.read_text().splitlines()]

    def change(self, name: str) -> None:
        """Write an event: a user is created."""
        with self.perch.repository.writing(Author("tests", "")) as write:
            write.insert(self.perch.resource_types["User"], {"userName": name})

    def delivers(self) -> None:
        """Write an event and wait until the receiver has it."""
        self.sent += 1
        name = f"u{self.sent}"
        self.change(name)
        until(lambda: name in [event["data"]["user"]["userName"] for event in self.receiver.seen])

    def says(self, message: str) -> None:
        """Wait until the log has a message."""
        until(lambda: message in self.messages())

    def end(self) -> None:
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def child_of(process: subprocess.Popen[bytes]) -> int:
    """Return the process id of the child; wait until there is one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    until(lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])


def is_running(pid: int) -> bool:
    """Tell whether a process runs; where nobody waits for orphans they stay as zombies."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def deliverer(tmp_path: Path) -> Iterator[Deliverer]:
    receiver = Receiver()
    found = Deliverer(tmp_path, receiver)
    yield found
    found.end()
    receiver.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_is_started_again_and_goes_on(number: int, deliverer: Deliverer) -> None:
    process = deliverer.start()
    deliverer.delivers()
    for pause in (1, 2):
        os.kill(child_of(process), number)
        deliverer.says(f"{ENDS} (signal {number:d}); it is started again in {pause} s.")
        deliverer.delivers()
    assert sum(ENDS in line for line in deliverer.messages()) == 2
    assert process.poll() is None


def test_a_child_ends_with_its_killed_parent(deliverer: Deliverer) -> None:
    process = deliverer.start()
    deliverer.delivers()
    child = child_of(process)
    process.kill()
    # Nobody starts it again. A killed process may hold its locks for a moment longer.
    until(lambda: not is_running(child) and not webhooks.is_delivering(deliverer.perch.database.file))
    deliverer.start()
    deliverer.delivers()


def test_a_child_that_waits_for_a_receiver_ends_with_its_parent_too(deliverer: Deliverer) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(event: dict[str, Any]) -> int:
        asked.set()
        answer.wait(120)
        return 204

    process = deliverer.start()
    deliverer.delivers()
    child, deliverer.receiver.behave = child_of(process), hang
    deliverer.change("late")
    until(asked.is_set)
    process.kill()
    until(lambda: not is_running(child))
    answer.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_parent_and_child(number: int, deliverer: Deliverer) -> None:
    process = deliverer.start()
    deliverer.delivers()
    child = child_of(process)
    process.send_signal(number)
    assert process.wait(60) == 0
    assert not is_running(child)
    assert ENDS not in str(deliverer.messages())


def test_a_signal_stops_a_parent_that_waits_to_start_its_child_again(deliverer: Deliverer) -> None:
    process = deliverer.start()
    deliverer.delivers()
    os.kill(child_of(process), signal.SIGKILL)
    until(lambda: ENDS in str(deliverer.messages()))
    process.terminate()
    assert process.wait(60) == 0


def test_a_second_deliverer_takes_over_from_a_killed_child(deliverer: Deliverer) -> None:
    first, second = deliverer.start(), deliverer.start()
    deliverer.delivers()
    os.kill(child_of(first), signal.SIGKILL)
    deliverer.delivers()
    assert first.poll() is None and second.poll() is None


def test_with_parent_both_end_with_the_parent(deliverer: Deliverer) -> None:
    command = f"{sys.executable} -m flask deliver --with-parent & echo $!; exec sleep 600"
    shell = subprocess.Popen(
        ["sh", "-c", command], cwd=ROOT, env=clean_environment(deliverer.settings), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert shell.stdout is not None
    pid = int(shell.stdout.readline())
    deliverer.delivers()
    child = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
    shell.kill()
    shell.wait()
    until(lambda: not is_running(pid) and not is_running(child))


def test_once_is_one_process_and_waits_for_nobody_but_those_who_look(deliverer: Deliverer) -> None:
    file, looking = deliverer.perch.database.file, threading.Event()

    def look() -> None:
        while not looking.wait(0.001):
            webhooks.is_delivering(file)

    thread = threading.Thread(target=look)
    thread.start()
    results = [run_flask(file, "deliver", "--once", **deliverer.settings).returncode for _ in range(3)]
    looking.set()
    thread.join()
    assert results == [0, 0, 0]
    deliverer.start()
    until(lambda: webhooks.is_delivering(file))
    refused = run_flask(file, "deliver", "--once", **deliverer.settings)
    assert refused.returncode == 1 and "Another `flask deliver`" in refused.stderr


def test_pauses_double_up_to_a_minute_and_start_over_after_a_sound_life(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, lives = [0.0], iter([0.1] * 8 + [61.0, 0.1])
    pauses: list[float] = []

    def ended(*_: object) -> str:
        clock[0] += next(lives)
        return "exit code 1"

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(supervisor, "_fork", lambda stopping: (0, 0))
    monkeypatch.setattr(supervisor, "_ended", ended)
    monkeypatch.setattr("scim.events.supervisor.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("scim.events.supervisor.time.sleep", sleep)
    monkeypatch.setattr(supervisor.log, "error", lambda text, reason, pause: pauses.append(pause))
    assert supervisor.become_child(lambda: len(pauses) < 10, threading.Event()) is False
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 1, 2]
