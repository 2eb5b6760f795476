"""The example application with a real Perch: it signs people in and out as the events say."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app import create_app
from scim.events.webhooks import WebhookService
from storage.journal import Author
from tests.conftest import MakeServer
from tests.support.server import ROOT, PerchServer, clean_environment

EXAMPLE = ROOT / "examples" / "app.py"
SETTINGS = {"PERCH_WEBHOOKS_ALLOW_PRIVATE": "on", "PERCH_UNKNOWN_ROLES": "create"}


class ExampleApplication:
    """The example, its `flask deliver`, and a browser."""

    def __init__(self, server: PerchServer, port: int) -> None:
        perch = create_app(server.settings).extensions["perch"]
        secret = (
            WebhookService(perch.repository, perch.settings, "http://perch/x", Author("tests", ""))
            .add(f"http://127.0.0.1:{port}/perch")
            .secret
        )
        self.origin = f"http://127.0.0.1:{port}"
        settings = {"PERCH_BASE_URL": server.base_url, "PERCH_KEY": server.key, "PERCH_SECRET": secret}
        command = [sys.executable, "-m", "flask", "--app", str(EXAMPLE), "run", "--port", str(port)]
        deliver = [sys.executable, "-m", "flask", "deliver", "--interval", "0.05"]
        self.processes = [
            subprocess.Popen(line, cwd=ROOT, env=clean_environment(given), stderr=subprocess.DEVNULL)
            for line, given in ((command, settings), (deliver, server.settings))
        ]

    def browser(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        return session

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    def until(self, ask: Any, status: int) -> requests.Response:
        """Ask until the answer has a status."""
        end = time.monotonic() + 40
        while True:
            try:
                answer: requests.Response = ask()
                if answer.status_code == status:
                    return answer
            except requests.ConnectionError:
                pass
            assert time.monotonic() < end
            time.sleep(0.05)


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    found = make_server(settings=SETTINGS)
    found.start()
    return found


@pytest.fixture
def application(server: PerchServer, unused_port: int) -> Iterator[ExampleApplication]:
    client = server.client("okta", server.key)
    assert client.post("/Users", {"userName": "Before@example.com", "roles": ["a"], "active": True}).status == 201
    found = ExampleApplication(server, unused_port)
    yield found
    found.end()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_people_come_and_go_as_perch_says(server: PerchServer, application: ExampleApplication) -> None:
    client, site = server.client("okta", server.key), application.origin
    ann, before = application.browser(), application.browser()
    application.until(lambda: before.post(f"{site}/login", {"userName": "before@example.com"}), 200)
    assert ann.post(f"{site}/login", {"userName": "ann@example.com"}).status_code == 403
    made = client.post("/Users", {"userName": "ann@example.com", "roles": ["a"], "active": True}).body
    answer = application.until(lambda: ann.post(f"{site}/login", {"userName": "Ann@example.com"}), 200)
    assert answer.json() == {"userName": "ann@example.com", "roles": ["a"]}
    client.put(f"/Users/{made['id']}", {"userName": "ann@example.com", "roles": ["a", "b"], "active": True})
    application.until(
        lambda: ann.get(site) if ann.get(site).json()["roles"] == ["a", "b"] else requests.Response(), 200
    )
    client.put(f"/Users/{made['id']}", {"userName": "ann@example.com", "roles": ["a", "b"], "active": False})
    application.until(lambda: ann.get(site), 401)
    assert before.get(site).status_code == 200
    forged = json.dumps({"type": "user.deleted", "data": {"user": {"id": "x"}}})
    assert before.post(f"{site}/perch", forged).status_code == 400


def test_the_example_is_short() -> None:
    code = [line for line in Path(EXAMPLE).read_text().splitlines() if line.strip()]
    assert len(code) <= 66 and os.access(EXAMPLE, os.R_OK)
