"""Faults on demand: chosen requests fail on purpose, all others work."""

import threading
import time
from collections import Counter

import pytest
import requests
from flask import Flask

from schemas.errors import InvalidValue
from scim.traffic.faults import matches, read_target
from storage import traffic
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json

USER = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada"}


@pytest.fixture
def faulty(make_app: MakeApp) -> Flask:
    """Perch with PERCH_FAULTS on."""
    return make_app(PERCH_FAULTS="on")


@pytest.fixture
def client(faulty: Flask, make_client: MakeClient) -> ScimClient:
    """An Okta client of that Perch."""
    return make_client("okta", app=faulty)


def recorded(app: Flask) -> list[tuple[int, str | None]]:
    app.extensions["perch.traffic"].writer.flush()
    with app.extensions["perch"].database.read() as connection:
        return [(entry.status, entry.fault) for entry in traffic.entries(connection) if not entry.brief]


def test_a_fault_answers_with_its_status_a_given_number_of_times(faulty: Flask, client: ScimClient) -> None:
    added = run_json(faulty, "faults", "add", "POST /Users", "--status", "429", "--retry-after", "5", "--times", "2")
    assert (added["id"], added["left"]) == (1, 2)
    assert client.get("/Users").status == 200
    for _ in range(2):
        answer = client.post("/Users", USER)
        assert (answer.status, answer.headers["Retry-After"], answer.body["status"]) == (429, "5", "429")
        assert "on purpose" in answer.body["detail"]
    assert client.get("/Users").body["totalResults"] == 0
    assert client.post("/Users", USER).status == 201
    assert recorded(faulty) == [(429, "fault 1: 429")] * 2
    assert [(fault["used"], fault["left"]) for fault in run_json(faulty, "faults", "list")] == [(2, 0)]


def test_a_fault_lasts_until_it_is_cleared(faulty: Flask, client: ScimClient) -> None:
    run_command(faulty, "faults", "add", "*", "--status", "503")
    run_command(faulty, "faults", "add", "/Groups", "--status", "500")
    assert [client.get(path).status for path in ("/Users", "/Groups", "/Schemas")] == [503] * 3
    run_command(faulty, "faults", "clear", "1")
    assert [client.get(path).status for path in ("/Users", "/Groups/")] == [200, 500]
    assert "1 fault cleared" in run_command(faulty, "faults", "clear")
    assert client.get("/Groups").status == 200


def test_a_delay_is_recorded_and_the_request_still_runs(faulty: Flask, client: ScimClient) -> None:
    run_command(faulty, "faults", "add", "GET /Users/*", "--delay", "0.3")
    begun = time.monotonic()
    assert client.get("/Users/nobody").status == 404
    assert time.monotonic() - begun >= 0.3
    assert client.get("/Users").status == 200
    assert recorded(faulty) == [(404, "fault 1: delay 0.3 s")]


def test_a_dropped_connection_is_an_error_inside_the_process(faulty: Flask, client: ScimClient) -> None:
    run_command(faulty, "faults", "add", "POST /Users", "--drop", "--times", "1")
    with pytest.raises(ConnectionResetError):
        client.post("/Users", USER)
    assert client.post("/Users", USER).status == 201
    assert recorded(faulty) == [(0, "fault 1: no answer")]


def test_a_fault_may_be_for_one_key(faulty: Flask, client: ScimClient, make_client: MakeClient) -> None:
    other = make_client("okta", app=faulty)
    run_command(faulty, "faults", "add", "/Users", "--status", "500", "--key", other.key.split("_")[1])
    assert (client.get("/Users").status, other.get("/Users").status) == (200, 500)
    assert run_json(faulty, "faults", "list")[0]["key"] == other.key.split("_")[1]


def test_a_used_up_fault_gives_way_to_the_next_one(faulty: Flask, client: ScimClient) -> None:
    for status in ("500", "503"):
        run_command(faulty, "faults", "add", "GET /Users", "--status", status, "--times", "1")
    assert [client.get("/Users").status for _ in range(3)] == [500, 503, 200]


def test_a_missing_key_is_401_before_any_fault(faulty: Flask, client: ScimClient) -> None:
    run_command(faulty, "faults", "add", "*", "--status", "500")
    assert client.get("/Users", {"Authorization": None}).status == 401
    assert client.get("/ServiceProviderConfig", {"Authorization": None}).status == 500


def test_faults_have_no_effect_when_they_are_off(make_app: MakeApp, faulty: Flask, make_client: MakeClient) -> None:
    run_command(faulty, "faults", "add", "*", "--status", "500")
    app = make_app()
    assert make_client("okta", app=app).get("/Users").status == 200
    result = app.test_cli_runner().invoke(args=["faults", "add", "*", "--status", "500"])
    assert result.exit_code == 1 and "PERCH_FAULTS" in result.stderr
    result = app.test_cli_runner().invoke(args=["faults", "list", "--json"])
    assert result.exit_code == 0 and "PERCH_FAULTS" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["POST /Users"],
        ["Users", "--status", "500"],
        ["BREW /Users", "--status", "500"],
        ["GET /Users x", "--status", "500"],
        ["*", "--status", "200"],
        ["*", "--delay", "121"],
        ["*", "--status", "500", "--drop"],
        ["*", "--drop", "--retry-after", "5"],
        ["*", "--drop", "--times", "0"],
        ["*", "--drop", "--key", "nobody"],
    ],
)
def test_a_wrong_fault_is_refused(faulty: Flask, arguments: list[str]) -> None:
    assert faulty.test_cli_runner().invoke(args=["faults", "add", *arguments]).exit_code != 0
    assert run_json(faulty, "faults", "list") == []


@pytest.mark.parametrize(
    ("target", "path", "hit"),
    [
        ("*", "/Users/1", True),
        ("/Users", "/Users", True),
        ("/Users/", "/Users", True),
        ("/Users", "/Users/", True),
        ("/Users", "/Users/1", False),
        ("/Users/*", "/Users/1", True),
        ("/Users/*", "/Users", False),
        ("/Users/*", "/Users/", False),
        ("/Users/*", "/Users/1/", True),
        ("/", "/", True),
        ("/*", "/", True),
        ("/Users*", "/Users", True),
        ("/Users/1", "/Users/1", True),
        ("/Users/1", "/Users/12", False),
    ],
)
def test_a_target_matches_its_paths(target: str, path: str, hit: bool) -> None:
    assert matches(read_target(f"post {target}")[1], path) == hit


def test_a_target_is_a_method_and_a_path() -> None:
    assert read_target("post /Users/") == ("POST", "/Users")
    assert read_target("*") == ("*", "*")
    with pytest.raises(InvalidValue):
        read_target("")


def test_workers_share_the_counts_of_faults(make_server: MakeServer) -> None:
    server = make_server(3, {"PERCH_FAULTS": "on", "PERCH_TRAFFIC": "all"})
    server.start()
    key = server.key
    server.flask("faults", "add", "GET /Users", "--status", "429", "--retry-after", "1", "--times", "7")
    server.flask("faults", "add", "GET /Groups", "--drop", "--times", "5")
    server.flask("faults", "add", "GET /Roles", "--delay", "0.4", "--times", "1")
    found: Counter[tuple[str, int]] = Counter()
    threads = [threading.Thread(target=_ask, args=(server.client(key=key), found)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["/Users", 429] == 7 and found["/Users", 200] == 8 * 6 - 7
    assert found["/Groups", 0] == 5 and found["/Groups", 200] == 8 * 6 - 5
    begun = time.monotonic()
    assert server.client(key=key).get("/Roles").status == 200
    assert time.monotonic() - begun >= 0.4
    assert server.stop() == 0
    assert "Traceback" not in server.log()
    kept = server.flask_json("traffic", "--limit", "1000")
    assert Counter(entry["fault"] for entry in kept if entry["fault"]) == {
        "fault 1: 429": 7,
        "fault 2: no answer": 5,
        "fault 3: delay 0.4 s": 1,
    }


def _ask(client: ScimClient, found: "Counter[tuple[str, int]]") -> None:
    for _ in range(6):
        for path in ("/Users", "/Groups"):
            try:
                status = client.get(path).status
            except requests.ConnectionError:
                status = 0
            with LOCK:
                found[path, status] += 1


LOCK = threading.Lock()
