"""A short attack finds nothing, and each counter of `make attack` counts a fault that is planted for it."""

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.attack import campaign, run
from tests.attack.campaign import GENERATORS, Campaign, Monitor, compare, damages, make_input, okta_problem
from tests.attack.client import AttackClient
from tests.attack.inputs import Input
from tests.attack.judge import Findings
from tests.attack.world import World
from tests.support.commands import run_command
from tests.support.hostile import ERROR

INPUTS, SEED = 3000, 20261127
# A loaded machine is no fault of Perch.
LOADED_S = 10.0
READ = Input("search", "GET", "{BASE}/Users", (("Authorization", "Bearer {KEY:read}"),))
KEYLESS = Input("search", "POST", "{BASE}/Users", (), "{}")
BULK = replace(READ, method="POST", target="{BASE}/Bulk", body="{}")
LATE = b"The body did not come together with the request's head"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with run.world(tmp_path_factory.mktemp("attack"), 2) as made:
        yield made


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return Findings(tmp_path / "findings", SEED)


def test_a_short_attack_finds_nothing(world: World, findings: Findings) -> None:
    findings.longest = LOADED_S
    Campaign(world, findings, INPUTS, 120, clients=6).run()
    compare(world, findings)
    assert not findings.found, findings.report() + findings.files[0].read_text()[:5000]
    assert findings.inputs >= INPUTS
    assert set(findings.kinds) >= {make_input(SEED, number).kind for number in range(INPUTS)}
    # Inputs that are all refused attack little.
    assert sum(findings.statuses[status] for status in (200, 201, 204)) > INPUTS / 10


def test_inputs_depend_on_seed_and_number_only() -> None:
    made = [make_input(7, number) for number in range(400)]
    assert made == [make_input(7, number) for number in range(400)]
    assert made != [make_input(8, number) for number in range(400)]
    assert [Input.from_json(json.loads(json.dumps(each.to_json()))) for each in made] == made
    assert {each.kind for each in (make_input(7, number) for number in range(3000))} >= {"raw", "console", "events"}
    assert len(GENERATORS) == 15


def scim_error(status: int, written: str = "") -> bytes:
    return json.dumps({"schemas": [ERROR], "status": written or str(status), "detail": "no"}).encode()


class Planted(NamedTuple):
    """A faulty answer, given after some seconds; status 0 closes the connection instead."""

    status: int
    body: bytes = b"{}"
    kind: str = "application/scim+json"
    wait: float = 0


@contextmanager
def faulty_server(planted: Planted) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(planted.wait)
            if planted.status:
                self.send_response(planted.status)
                self.send_header("Content-Type", planted.kind)
                self.send_header("Content-Length", str(len(planted.body)))
                with suppress(OSError):  # a client that hung up
                    self.end_headers()
                    self.wfile.write(planted.body)
            self.close_connection = True

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


HTML = "text/html"
FAULTS = [
    (READ, Planted(500, scim_error(500)), {"5xx"}),
    (READ, Planted(503, scim_error(503)), {"5xx"}),
    (READ, Planted(502, b"<html>", HTML), {"5xx", "no SCIM error"}),
    (READ, Planted(503, LATE), {"5xx", "no SCIM error"}),
    (replace(READ, target="/console/"), Planted(500, b"<html>", HTML), {"5xx"}),
    (BULK, Planted(200, b'{"Operations": [{"status":"500"}]}'), {"5xx"}),
    (READ, Planted(200, wait=0.4), {"over 2 s"}),
    (READ, Planted(404, b"<html>Not found</html>", HTML), {"no SCIM error"}),
    (READ, Planted(404, scim_error(404), "application/json"), {"no SCIM error"}),
    (READ, Planted(404, scim_error(404, "400")), {"no SCIM error"}),
    (READ, Planted(400, b"[]"), {"no SCIM error"}),
    (READ, Planted(400, b"{"), {"no SCIM error"}),
    (replace(READ, target="{WORKSPACE}/events?after=x"), Planted(400, b"no", HTML), {"no SCIM error"}),
    (READ, Planted(0), {"no answer"}),
    (replace(READ, forbidden=True), Planted(200), {"accepted"}),
    (replace(READ, forbidden=True), Planted(204, b""), {"accepted"}),
    (Input("raw", "RAW", "", body="GET / HTTP/1.1\r\nHost: x\r\n\r\n", raw=True), Planted(500), {"5xx"}),
    (READ, Planted(200), set()),
    (READ, Planted(501, scim_error(501)), set()),
    (BULK, Planted(200, b'{"Operations": [{"status": "400"}, {"status": "501"}]}'), set()),
    (KEYLESS, Planted(503, scim_error(503).replace(b"no", LATE)), set()),
    (replace(READ, target="/console/"), Planted(404, b"<html>", HTML), set()),
    (replace(READ, patience=0.2), Planted(200, wait=0.4), set()),
    (replace(READ, forbidden=True), Planted(403, scim_error(403)), set()),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "planted", "found"), FAULTS, ids=range(len(FAULTS)))
def test_a_faulty_answer_is_counted(sent: Input, planted: Planted, found: set[str], findings: Findings) -> None:
    findings.longest = 0.3 if planted.wait else LOADED_S
    with faulty_server(planted) as port:
        client = AttackClient(port)
        findings.take(sent, client.send(sent.filled(lambda kind, name: "/w")))
        client.close()
    assert set(findings.found) == found, findings.report()
    assert all(run.inputs_of(file, before=False) == [sent] for file in findings.files)


def test_a_worker_that_dies_is_counted(world: World, findings: Findings) -> None:
    monitor = Monitor(world, findings)
    monitor.look()
    assert not findings.found
    os.kill(min(monitor.workers), signal.SIGKILL)
    end = time.monotonic() + 60
    while not findings.found and time.monotonic() < end:
        time.sleep(0.1)
        monitor.look()
    assert set(findings.found) == {"dead worker"}
    world.server.wait_until_healthy()


def test_a_traceback_in_the_log_is_counted(world: World, findings: Findings) -> None:
    monitor = Monitor(world, findings)
    with world.server.log_file.open("a") as log:
        log.write("Traceback (most recent call last):\n")
    monitor.look()
    monitor.look()
    assert findings.found == {"traceback": 1}


def change(world: World) -> None:
    path = f"/Users/{world.ids['CANARY'][2]}"
    world.client.patch(path, {"Operations": [{"op": "replace", "path": "nickName", "value": "stolen"}]})


def delete(world: World) -> None:
    world.client.delete(f"/Users/{world.ids['CANARY'][-1]}")


def rename_role(world: World) -> None:
    run_command(world.app, "roles", "edit", "canary", "--name", "Stolen")


def assign_role(world: World) -> None:
    run_command(world.app, "roles", "assign", "managed:admin", "--user", "canary1@perch.example")


def empty_team(world: World) -> None:
    world.client.patch(f"/Groups/{world.ids['TEAM'][0]}", {"Operations": [{"op": "remove", "path": "members"}]})


@pytest.mark.parametrize("plant", [change, delete, rename_role, assign_role, empty_team])
def test_a_change_of_those_who_must_stay_is_found(plant: Callable[[World], None], world: World) -> None:
    assert world.differences() == []
    plant(world)
    assert world.differences()
    world.expected = {path: world.read(path) for path in world.expected}


def test_a_lost_write_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.write_honestly(world.client, 0) is None
    path = f"/Users/{world.ids['CANARY'][0]}"
    monkeypatch.setitem(world.expected, path, {**world.expected[path], "title": "acknowledged"})
    assert len(world.differences()) == 1
    assert world.write_honestly(world.scim_client("read"), 1) is not None


def test_a_damaged_file_is_found(world: World) -> None:
    # A form of the campaign may do this, too; nobody delivers then, which is no damage.
    run_command(world.app, "webhooks", "replay", world.ids["HOOK"][0], "--from", "oldest")
    assert list(damages(world)) == []
    with closing(sqlite3.connect(world.server.database)) as connection:
        connection.execute("INSERT INTO members VALUES (999999, 999999, 0)")
        connection.commit()
        assert any("dangling" in problem for problem in damages(world))
        connection.execute("DELETE FROM members WHERE member = 999999")
        connection.commit()
    assert list(damages(world)) == []


def test_a_dialogue_that_fails_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.keys, "okta", world.keys["read"])
    assert okta_problem(world, "custom")


@pytest.mark.parametrize("fails", [False, True])
def test_a_finding_is_sent_again_and_decides_the_exit_status(
    fails: bool, world: World, findings: Findings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings.recent.append(KEYLESS)
    findings.add("data", "something")
    monkeypatch.setattr(findings, "recent", findings.recent)

    @contextmanager
    def same(folder: Path, workers: int) -> Iterator[World]:
        yield world

    def found(world: World, findings: Findings) -> None:
        assert findings.kinds == {"search": 1}
        if fails:
            findings.add("data", "planted")

    monkeypatch.setattr(run, "world", same)
    monkeypatch.setattr(run, "compare", found)
    monkeypatch.setattr(campaign, "MONITOR_S", 0.0)
    arguments = ["run", "--replay", str(findings.files[0]), "--to", str(tmp_path / "again")]
    monkeypatch.setattr("sys.argv", arguments)
    assert run.main() == int(fails)
