"""A real gunicorn, delivery workers and a receiver; each fails, hangs or is killed while people change."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app import create_app
from scim.events.webhooks import WebhookService
from storage import events, webhooks
from storage.journal import Author
from tests.conftest import MakeServer
from tests.support.client import ScimClient
from tests.support.drills import RecordDrill
from tests.support.picture import Picture, server_picture
from tests.support.receiver import Receiver, moody
from tests.support.server import ROOT, PerchServer, clean_environment

SETTINGS = {"PERCH_WEBHOOKS_ALLOW_PRIVATE": "on", "PERCH_UNKNOWN_ROLES": "create", "PERCH_WEBHOOK_TIMEOUT": "1"}
ROLES = ("a", "b", "c")


class Crew:
    """Delivery workers in processes of their own."""

    def __init__(self, server: PerchServer) -> None:
        self.server = server
        self.running: list[subprocess.Popen[bytes]] = []
        self.kills = 0

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        with (self.server.folder / "deliver.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "flask", "deliver", "--interval", "0.05", *options],
                cwd=ROOT, env=clean_environment(self.server.settings), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        self.running.remove(process)
        self.kills += 1

    def end(self) -> None:
        for process in list(self.running):
            self.kill(process)


class DeliveryStage:
    """A server, a receiver, and a webhook between them."""

    def __init__(self, server: PerchServer, receiver: Receiver) -> None:
        self.server, self.receiver = server, receiver
        self.app: Flask = create_app(server.settings)
        self.perch = self.app.extensions["perch"]
        issuer = f"http://perch/{self.perch.workspace}"
        self.service = WebhookService(self.perch.repository, self.perch.settings, issuer, Author("tests", ""))
        found = self.service.add(receiver.url)
        receiver.secret, self.id = found.secret, found.id
        self.client = server.client(key=server.key)
        self.crew = Crew(server)

    def waiting(self) -> int:
        with self.perch.database.read() as connection:
            return webhooks.waiting(connection, self.id)

    def wait_for_all(self, seconds: float = 60) -> None:
        self.receiver.wait(lambda: self.waiting() == 0, seconds)

    def check(self) -> None:
        """Check that the receiver got each event, in order per person, and knows what the server knows."""
        with self.perch.database.read() as connection:
            written = [event.id for event in events.after(connection, 0, 10**6)]
        assert {event["id"] for event in self.receiver.seen} == set(written)
        by_person: dict[str, list[int]] = defaultdict(list)
        picture = Picture(self.client)
        for event in self.receiver.seen:
            by_person[event["data"]["user"]["id"]].append(int(event["id"].split("_")[1]))
            picture.apply(event)
        disorder = {person: seqs for person, seqs in by_person.items() if seqs != sorted(seqs)}
        assert disorder == {}
        assert picture.users == server_picture(self.client)


@pytest.fixture
def stage(make_server: MakeServer) -> Iterator[DeliveryStage]:
    server, receiver = make_server(settings=SETTINGS), Receiver()
    server.start()
    found = DeliveryStage(server, receiver)
    yield found
    found.crew.end()
    receiver.stop()


def change_people(client: ScimClient, number: int, people: int, done: Callable[[], None]) -> None:
    """Create, change, deactivate and delete people and their roles, as a provider does: mostly by PUT."""
    dice, known = random.Random(number), []

    def body(name: str) -> dict[str, Any]:
        roles = dice.sample(ROLES, dice.randint(0, 2))
        return {"userName": name, "title": str(dice.random()), "active": dice.random() < 0.8, "roles": roles}

    for count in range(people):
        name = f"w{number}-{count}"
        known.append((client.post("/Users", body(name)).body["id"], name))
        for _ in range(2):
            identifier, old = dice.choice(known)
            assert client.put(f"/Users/{identifier}", body(old)).status == 200
        if dice.random() < 0.1:
            identifier, _ = known.pop(dice.randrange(len(known)))
            assert client.delete(f"/Users/{identifier}").status == 204
    done()


def play(stage: DeliveryStage, people: int, writers: int = 2) -> None:
    """Change people while the receiver and the delivery workers fail, then let everything recover."""
    stage.receiver.behave = moody(people)
    finished: list[int] = []
    threads = [
        threading.Thread(
            target=change_people,
            args=(stage.server.client(key=stage.server.key), number, people // writers, lambda: finished.append(1)),
        )
        for number in range(writers)
    ]
    for thread in threads:
        thread.start()
    dice = random.Random(people)
    while len(finished) < writers:
        assert any(thread.is_alive() for thread in threads) or len(finished) == writers
        time.sleep(dice.uniform(0.3, 1.0))
        if dice.random() < 0.4:
            stage.crew.kill(dice.choice(stage.crew.running))
            stage.crew.start()
        elif dice.random() < 0.4:
            stage.receiver.stop()
            time.sleep(0.3)
            stage.receiver.start()
    for thread in threads:
        thread.join()


def test_nothing_is_lost_or_out_of_order_while_all_fail(stage: DeliveryStage) -> None:
    stage.crew.start()
    stage.crew.start()
    play(stage, 200)
    stage.receiver.behave = lambda event: 204
    stage.service.resume(stage.id)
    stage.wait_for_all()
    stage.check()


@pytest.mark.long
def test_nothing_is_lost_for_500_people_without_an_operator(stage: DeliveryStage, drill: RecordDrill) -> None:
    stage.crew.start()
    stage.crew.start()
    play(stage, 500, 3)
    begun = time.monotonic()
    stage.wait_for_all(900)
    stage.check()
    drill("deliverers are killed, the receiver fails", stage.crew.kills, 0, time.monotonic() - begun)


def test_one_of_two_workers_delivers_and_the_other_takes_over(stage: DeliveryStage) -> None:
    first, second = stage.crew.start(), stage.crew.start()
    for number in range(20):
        stage.client.post("/Users", {"userName": f"u{number}"})
    stage.wait_for_all()
    assert len(stage.receiver.seen) == 20
    stage.crew.kill(first)
    stage.client.post("/Users", {"userName": "after"})
    # The second worker may repeat the event at which the first was killed: at least once, and nothing is missing.
    stage.receiver.wait(lambda: len(stage.receiver.seen) >= 21)
    stage.wait_for_all()
    stage.crew.kill(second)
    last = stage.crew.start()
    stage.client.post("/Users", {"userName": "last"})
    stage.wait_for_all()
    last.terminate()
    assert last.wait(10) == 0
    stage.check()


def test_the_worker_ends_with_its_parent(stage: DeliveryStage) -> None:
    command = f"{sys.executable} -m flask deliver --with-parent & echo $!; sleep 4; exec sleep 60"
    parent = subprocess.Popen(
        ["sh", "-c", command], cwd=ROOT, env=clean_environment(stage.server.settings), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    deliverer = int(parent.stdout.readline())
    stage.client.post("/Users", {"userName": "ann"})
    stage.receiver.wait(lambda: len(stage.receiver.seen) == 1)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{deliverer}") and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{deliverer}")
