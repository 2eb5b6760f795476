"""Receipts with real processes: gunicorn, the deliverer and four applications, while an Okta deactivates 300 people."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.receiver import Receiver
from tests.support.resources import create_users
from tests.support.server import ROOT, PerchServer, clean_environment

PEOPLE = 300


@contextmanager
def deliverer(server: PerchServer) -> Iterator[None]:
    command = [sys.executable, "-m", "flask", "deliver", "--interval", "0.05"]
    process = subprocess.Popen(command, cwd=ROOT, env=clean_environment(server.settings), stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Puller:
    """An application that follows the events by cursor."""

    def __init__(self, server: PerchServer) -> None:
        made = server.flask_json("keys", "create", "Pull", "--idp", "generic", "--access", "read")
        server.flask("applications", "add", "Pull", "--key", made["id"])
        self.client = server.client("generic", made["key"])
        self.path = server.scim_path.removesuffix("/scim/v2") + "/events"
        self.cursor = self.ask("latest")["cursor"]

    def ask(self, after: str) -> Any:
        headers = {"Authorization": f"Bearer {self.client.key}"}
        _, _, body = self.client.transport("GET", f"{self.path}?after={after}&limit=200", headers, None)
        return json.loads(body)

    def step(self) -> None:
        answer = self.ask(self.cursor)
        self.cursor = answer["cursor"]


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    found = make_server(workers=2, settings={"PERCH_WEBHOOKS_ALLOW_PRIVATE": "on", "PERCH_WEBHOOK_TIMEOUT": "2"})
    found.start()
    return found


def named(server: PerchServer, name: str, receiver: Receiver) -> str:
    """Add a webhook and its application; return the webhook's id."""
    hook = server.flask_json("webhooks", "add", receiver.url, "--events", "login.withdrawn,user.deactivated")
    receiver.secret = hook["secret"]
    server.flask("applications", "add", name, "--webhook", hook["id"])
    return str(hook["id"])


def open_in(server: PerchServer) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {name: set() for name in ("Prompt", "Slow", "Dead", "Pull")}
    for each in server.flask_json("receipts", "--open"):
        found[each["application"]].add(each["user"])
    return found


def until_equal(ask: Any, expected: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while (found := ask()) != expected:
        assert time.monotonic() < end, found
        time.sleep(0.3)


def test_the_open_list_is_exactly_that_of_those_who_did_not_answer(server: PerchServer) -> None:
    okta = server.client("okta", server.key)
    names = [f"p{number}" for number in range(PEOPLE)]
    ids = dict(zip(names, create_users(okta, names, roles=["managed:admin"], active=True), strict=True))
    slow_for = {"p50", "p150"}
    hold = threading.Event()

    def slow(event: dict[str, Any]) -> int:
        time.sleep(0.01)
        return 503 if event["data"]["user"]["userName"] in slow_for and not hold.is_set() else 204

    prompt, slowly, dead = Receiver(), Receiver(slow), Receiver(lambda event: 500)
    for name, receiver in (("Prompt", prompt), ("Dead", dead)):
        named(server, name, receiver)
    slow_hook = named(server, "Slow", slowly)
    puller = Puller(server)
    begun = time.time()
    with deliverer(server):
        with ThreadPoolExecutor(4) as pool:
            leave = {"Operations": [{"op": "replace", "value": {"active": False}}]}
            answers = pool.map(lambda identifier: okta.patch(f"/Users/{identifier}", leave).status, ids.values())
            assert set(answers) == {200}
        for _ in range(3):
            puller.step()
        expected = {"Prompt": set(), "Slow": slow_for, "Dead": set(names), "Pull": set(names)}
        found = open_in(server)
        assert found["Dead"] == set(names) and found["Slow"] >= slow_for
        until_equal(lambda: {**open_in(server), "Pull": set(names)}, expected)
    server.kill()
    server.start()
    kept = open_in(server)
    assert kept["Prompt"] == set() and kept["Slow"] == slow_for and kept["Dead"] == set(names)
    for _ in range(6):
        puller.step()
    until_equal(lambda: open_in(server)["Pull"], set())
    hold.set()
    server.flask("webhooks", "resume", slow_hook)
    with deliverer(server):
        until_equal(lambda: open_in(server), {**kept, "Slow": set(), "Pull": set()})
    every = server.flask_json("receipts")
    assert len(every) == 4 * PEOPLE
    for each in every:
        assert each["requestedAt"] <= each["committedAt"]
        if each["acknowledgedAt"]:
            assert each["committedAt"] <= each["acknowledgedAt"]
            assert 0 <= each["seconds"] <= time.time() - begun
    assert metric(server, 'perch_withdrawals_open{application="Dead"}') == PEOPLE
    assert metric(server, 'perch_withdrawal_seconds_count{application="Prompt"}') == PEOPLE
    for receiver in (prompt, slowly, dead):
        receiver.stop()


def metric(server: PerchServer, name: str) -> float:
    _, _, body = server.client().transport("GET", "/metrics", {}, None)
    (line,) = [line for line in body.decode().splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])
