"""The example application with a real Perch: it signs people in and out as the events say."""

import json
import os
import re
import signal
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
from tests.support.pages import blocks
from tests.support.ports import unused_port
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


def until(ask: Any, status: int) -> requests.Response:
    """Ask until the answer has a status."""
    end = time.monotonic() + 60
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
def application(server: PerchServer) -> Iterator[ExampleApplication]:
    client = server.client("okta", server.key)
    assert client.post("/Users", {"userName": "Before@example.com", "roles": ["a"], "active": True}).status == 201
    found = ExampleApplication(server, unused_port())
    yield found
    found.end()


def test_people_come_and_go_as_perch_says(server: PerchServer, application: ExampleApplication) -> None:
    client, site = server.client("okta", server.key), application.origin
    ann, before = application.browser(), application.browser()
    until(lambda: before.post(f"{site}/login", {"userName": "before@example.com"}), 200)
    assert ann.post(f"{site}/login", {"userName": "ann@example.com"}).status_code == 403
    made = client.post("/Users", {"userName": "ann@example.com", "roles": ["a"], "active": True}).body
    answer = until(lambda: ann.post(f"{site}/login", {"userName": "Ann@example.com"}), 200)
    assert answer.json() == {"userName": "ann@example.com", "roles": ["a"]}
    client.put(f"/Users/{made['id']}", {"userName": "ann@example.com", "roles": ["a", "b"], "active": True})
    until(lambda: ann.get(site) if ann.get(site).json()["roles"] == ["a", "b"] else requests.Response(), 200)
    client.put(f"/Users/{made['id']}", {"userName": "ann@example.com", "roles": ["a", "b"], "active": False})
    until(lambda: ann.get(site), 401)
    assert before.get(site).status_code == 200
    forged = json.dumps({"type": "user.deleted", "data": {"user": {"id": "x"}}})
    assert before.post(f"{site}/perch", forged).status_code == 400


def page_lines(server: PerchServer, port: int) -> str:
    """Return the lines of docs/your-application.md for the example, for another port of Perch and of the example."""
    (base,) = re.findall(r"^export BASE=.*", "\n".join(blocks(ROOT / "README.md", "sh")), re.MULTILINE)
    lines = "".join(blocks(ROOT / "docs" / "your-application.md", "sh")).splitlines()
    wanted = [line for line in lines if re.match(r"export PERCH_[BSW]", line)]
    (last,) = [line for line in lines if "examples/app.py" in line]
    assert len(wanted) == 3, wanted
    text = "\n".join([base, *wanted, f"exec {last}"])
    return text.replace("http://127.0.0.1:8000", server.origin).replace("5000", str(port))


def settings_of_make_run() -> dict[str, str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r'(PERCH_\w+)="\$\$\{PERCH_\w+-(\w+)\}"', text))


def test_the_lines_of_the_page_end_a_session(make_server: MakeServer, tmp_path: Path) -> None:
    port = unused_port()
    settings = settings_of_make_run()
    assert settings["PERCH_WEBHOOKS_ALLOW_PRIVATE"] == "on"
    server = make_server(settings=settings)
    server.start()
    client, site = server.client("okta", server.key), f"http://127.0.0.1:{port}"
    ada = {"userName": "ada@example.com", "roles": ["managed:editor"], "active": True}
    identifier = client.post("/Users", ada).body["id"]
    # The terminal of the lines has only what `. .venv/bin/activate` gives, and the folder's database.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    terminal = clean_environment({"PERCH_DATABASE": str(server.database), "PATH": path})
    commands = [
        (["sh", "-e", "-c", page_lines(server, port)], terminal),
        ([sys.executable, "-m", "flask", "deliver"], clean_environment(server.settings)),
    ]
    log = (tmp_path / "log").open("wb")
    processes = [
        subprocess.Popen(line, cwd=ROOT, env=given, stderr=log, stdout=log, start_new_session=True)
        for line, given in commands
    ]
    try:
        browser = requests.Session()
        browser.trust_env = False
        until(lambda: browser.post(f"{site}/login", {"userName": "ADA@example.com"}), 200)
        assert browser.get(site).json() == {"userName": "ada@example.com", "roles": ["managed:editor"]}
        client.put(f"/Users/{identifier}", {**ada, "active": False})
        until(lambda: browser.get(site), 401)
        assert browser.post(f"{site}/login", {"userName": "ada@example.com"}).status_code == 403
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def test_the_example_is_short() -> None:
    code = [line for line in Path(EXAMPLE).read_text().splitlines() if line.strip()]
    assert len(code) <= 70 and os.access(EXAMPLE, os.R_OK)
