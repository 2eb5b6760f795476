"""The recorded traffic: modes, bounds, replays, and `flask traffic`."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from schemas.datetimes import now
from schemas.errors import NotFound
from scim.traffic import writer as traffic_writer
from scim.traffic.replay import as_curl
from scim.traffic.summaries import of_entry
from scim.traffic.writer import BatchWriter
from storage import traffic
from storage.database import Database
from storage.traffic import TrafficEntry, TrafficQuery
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import run_command, run_json
from tests.support.server import ROOT, clean_environment

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PASSWORD = "1mz050nq-long"


def person(user_name: str, **more: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": user_name, **more}


def kept(app: Flask, limit: int = 100, **options: Any) -> list[TrafficEntry]:
    """Return the recorded entries, newest first, after waiting for the writer."""
    app.extensions["perch.traffic"].writer.flush()
    with app.extensions["perch"].database.read() as connection:
        return traffic.entries(connection, TrafficQuery(**options), limit)


@pytest.fixture
def watched(make_app: MakeApp) -> Flask:
    """Perch that records all traffic."""
    return make_app(PERCH_TRAFFIC="all")


@pytest.fixture
def client(watched: Flask, make_client: MakeClient) -> ScimClient:
    """An Okta client of that Perch."""
    return make_client("okta", app=watched)


def test_a_request_is_recorded_in_full(watched: Flask, client: ScimClient) -> None:
    sent = person("Ada", password=PASSWORD, active="True")
    assert client.post("/Users?x=1", sent, {"X-Request-Id": "r-1"}).status == 201
    (entry,) = kept(watched)
    assert (entry.method, entry.path) == ("POST", f"{client.base_path}/Users?x=1")
    assert (entry.key, entry.keyName, entry.idp) == (client.key.split("_")[1], "okta test", "okta")
    assert (entry.status, entry.requestId, entry.reason) == (201, "r-1", None)
    assert 0 < entry.duration < 10_000
    assert json.loads(entry.request or "") == {**sent, "password": "***"}
    assert json.loads(entry.response or "")["userName"] == "Ada"
    assert entry.responseSize == len((entry.response or "").encode())
    assert entry.tolerances == {"TEXT_BOOLEAN": "active: 'True'"}
    assert entry.headers["User-Agent"] == "Okta SCIM Client 1.0.0"
    assert "Authorization" not in entry.headers
    assert not entry.failed


def test_ignored_attributes_are_recorded(watched: Flask, client: ScimClient) -> None:
    body = person(
        "Ada",
        shoeSize=44,
        id="x",
        meta={},
        groups=[{"value": "x"}],
        name={"givenName": "A", "nick": "x", "none": None},
        emails=[{"value": "a@b", "colour": "red"}],
        password=PASSWORD,
        **{"urn:acme:1.0:User": {"badge": 1}, "nothing": ""},
    )
    created = client.post("/Users", body)
    assert created.status == 201
    assert kept(watched)[0].ignored == ["shoeSize", "urn:acme:1.0:User", "name.nick", "emails.colour"]
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    value = {"hat": 1, "displayName": "A", enterprise: {"badge": 2}}
    operations = {"Operations": [{"op": "replace", "value": value}]}
    assert client.patch(f"/Users/{created.body['id']}", operations).status == 200
    assert kept(watched)[0].ignored == ["hat", f"{enterprise}:badge"]


def test_a_refused_request_is_recorded_with_its_reason(watched: Flask, client: ScimClient) -> None:
    answer = client.get("/Users/nobody")
    entry = kept(watched)[0]
    assert entry.failed and entry.status == 404
    assert entry.reason == answer.body["detail"]


@pytest.mark.parametrize("path", ["/Bulk", "/Bulk/", "//Bulk", "/Bulk?x=/Users", "/Bulk/?x"])
def test_failed_bulk_operations_are_recorded_as_errors(make_app: MakeApp, make_client: MakeClient, path: str) -> None:
    app = make_app()
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": name, "data": person("same", password=PASSWORD)} for name in "ab"
    ]
    answer = make_client("generic", app=app).post(path, {"schemas": [], "Operations": operations})
    assert answer.status == 200
    (entry,) = kept(app, errors=True)
    assert (entry.reason or "").startswith("1 of 2 operations failed; the first: userName: ")
    assert PASSWORD not in (entry.request or "")


@pytest.mark.parametrize(
    ("mode", "statuses"), [("off", []), ("errors", [401, 404, 201, 200]), ("all", [401, 404, 201, 200])]
)
def test_each_mode_records_its_requests(
    make_app: MakeApp, make_client: MakeClient, mode: str, statuses: list[int]
) -> None:
    app = make_app(PERCH_TRAFFIC=mode)
    client = make_client("okta", app=app)
    stranger = ScimClient(wsgi_transport(app), client.base_path, "perch_0123456789_" + "x" * 43, "okta")
    client.get("/Users")
    client.post("/Users", person("ada"))
    client.get("/Users/nobody")
    assert stranger.post("/Users", person("eve", password=PASSWORD)).status == 401
    app.test_client().get("/healthz")
    entries = kept(app)
    # Two queues are written by one thread, whenever it wakes.
    assert sorted(entry.status for entry in entries) == sorted(statuses)
    assert all(entry.brief == (mode == "errors" and entry.status < 400) for entry in entries)


def test_an_invalid_key_is_not_recorded(app: Flask, tmp_path: Path) -> None:
    secret = "x" * 20 + "SECRET" + "y" * 20
    for header in (f"Bearer perch_0123456789_{secret}", f"Basic {secret}", secret):
        client = ScimClient(wsgi_transport(app), f"/{app.extensions['perch'].workspace}/scim/v2", "", "okta")
        client.get(f"/Users?k=perch_0123456789_{secret}", {"Authorization": header})
    entries = kept(app)
    assert [(entry.status, entry.key, entry.request) for entry in entries] == [(401, None, None)] * 3
    assert of_entry(entries[0]) == "Somebody without a valid key lists the users"
    assert secret not in dump(tmp_path)


def test_no_secret_is_recorded(watched: Flask, client: ScimClient, tmp_path: Path) -> None:
    client.post("/Users", person("Ada", password=PASSWORD, displayName=client.key))
    client.put("/Users/x", {"password": PASSWORD})
    client.patch("/Users/x", {"Operations": [{"op": "Replace", "path": "password", "value": PASSWORD}]})
    client.get(f"/Users?filter=password%20eq%20%22{PASSWORD}%22")
    client.get(f"/Users/{client.key}")
    client.request("POST", "/Users", data=b'{"password": "' + PASSWORD.encode())
    client.request("POST", "/Users", json={"password": PASSWORD}, headers={"Content-Type": "text/plain"})
    assert len(kept(watched)) == 7
    text = dump(tmp_path)
    assert PASSWORD not in text
    assert client.key.split("_", 2)[2] not in text


def dump(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "perch.db")) as connection:
        tables = [row for table in ("traffic", "quirks") for row in connection.execute(f"SELECT * FROM {table}")]
    return json.dumps(tables)


def test_a_body_of_a_wrong_content_type_is_recorded(watched: Flask, client: ScimClient) -> None:
    assert client.request("POST", "/Users", person("a"), {"Content-Type": "text/plain"}).status == 415
    assert json.loads(kept(watched)[0].request or "") == person("a")


def test_the_number_of_entries_is_bounded(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_TRAFFIC="all", PERCH_TRAFFIC_KEEP="5")
    client = make_client("okta", app=app)
    for number in range(12):
        client.get(f"/Users?startIndex={number + 1}")
    app.extensions["perch.traffic"].writer.flush()
    app.extensions["perch.traffic"].writer.flush(prune=True)
    assert [entry.path[-2:] for entry in kept(app)] == ["12", "11", "10", "=9", "=8"]


STRANGER = {"Authorization": None}


def test_strangers_have_a_quota_of_their_own(
    make_app: MakeApp, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "STRANGERS", 4)
    app = make_app(PERCH_TRAFFIC="all", PERCH_TRAFFIC_KEEP="6", PERCH_FAILED_KEYS="5")
    client = make_client("okta", app=app)
    sent = ({"Authorization": None}, {"Authorization": "wrong"}, {"Authorization": client.key[:-1]})
    writer = app.extensions["perch.traffic"].writer
    for number in range(9):
        client.get(f"/Users?n={number}")
        for header in sent:
            client.get(f"/Users?stranger={number}", header)
            client.get(f"/ServiceProviderConfig?stranger={number}", header)
        writer.flush(prune=True)
    entries = kept(app)
    assert [entry.path[-1] for entry in entries if entry.key] == ["8", "7", "6", "5", "4", "3"]
    assert [entry.path[-10:] for entry in entries if not entry.key] == ["stranger=8"] * 4
    assert {entry.status for entry in entries if not entry.key} == {200, 429}


def test_a_flood_of_strangers_takes_only_a_share_of_the_queue(
    watched: Flask, client: ScimClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(traffic_writer, "MOST_WAITING", 20)
    monkeypatch.setattr(traffic, "STRANGERS", 5)
    writer = watched.extensions["perch.traffic"].writer
    writer._thread = threading.current_thread()
    for _ in range(3):
        for number in range(30):
            client.get(f"/Users?stranger={number}", STRANGER)
        for number in range(10):
            client.get(f"/Users?n={number}")
        writer.flush()
    assert (len(kept(watched)), writer.dropped, caplog.text) == (3 * (5 + 10), 0, "")


def test_pruning_takes_the_same_time_however_many_are_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "perch.db")
    row = traffic.row_of(TrafficEntry(now(), "k", None, None, "GET", "/", 200, 1.0))
    with database.write() as connection:
        traffic.append(connection, [row] * 5000)
        steps = [0]
        connection.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 100)
        traffic.prune(connection, 5000, 7)
        traffic.prune(connection, 4999, 7)
        connection.set_progress_handler(None, 0)
        assert traffic.entries(connection, limit=10_000)[-1].seq == 2
        assert steps[0] < 20


def test_old_entries_are_pruned(tmp_path: Path) -> None:
    database = Database(tmp_path / "perch.db")
    instants = ["2020-01-01T00:00:00", "2020-01-02T00:00:00", now()]
    rows = [traffic.row_of(TrafficEntry(at, None, None, None, "GET", "/", 200, 1.0)) for at in instants]
    with database.write() as connection:
        traffic.append(connection, rows)
        traffic.prune(connection, 100, 7)
        assert [entry.at for entry in traffic.entries(connection)] == instants[2:]
        connection.execute("UPDATE traffic SET at = '2020-01-03'")
        traffic.prune(connection, 100, 7)
        assert traffic.entries(connection) == []
        traffic.prune(connection, 100, 7)


def test_entries_are_found_by_key_errors_and_number(
    watched: Flask, client: ScimClient, make_client: MakeClient
) -> None:
    other = make_client("generic", app=watched)
    for path in ("/Users", "/Users/x", "/Groups"):
        client.get(path)
        other.get(path)
    key = other.key.split("_")[1]
    assert [entry.seq for entry in kept(watched, key=key)] == [6, 4, 2]
    assert [entry.seq for entry in kept(watched, errors=True)] == [4, 3]
    assert [entry.seq for entry in kept(watched, key=key, errors=True)] == [4]
    assert [entry.seq for entry in kept(watched, before=4, limit=2)] == [3, 2]
    assert [entry.seq for entry in kept(watched, after=4)] == [5, 6]
    with pytest.raises(NotFound), watched.extensions["perch"].database.read() as connection:
        traffic.get(connection, 99)


def test_entries_of_a_forgotten_person_are_deleted(watched: Flask, client: ScimClient) -> None:
    client.post("/Users", person("Zoë@Example.com"))
    client.get("/Users?filter=userName%20eq%20%22zo%c3%ab%40example.com%22")
    client.get("/Users?filter=userName+eq+%22Zo%C3%AB@example.com%22")
    client.get("/Users")
    client.get("/Users?filter=userName%20eq%20%22bob%22")
    kept(watched)
    with watched.extensions["perch"].database.write() as connection:
        assert traffic.forget(connection, ["Zoë@Example.com"]) == 4
    assert [entry.method for entry in kept(watched)] == ["GET"]


class TestWriter:
    """The queue of entries and the thread that writes them."""

    def writer(self, tmp_path: Path) -> BatchWriter:
        entry = TrafficEntry(now(), None, None, None, "GET", "/", 200, 1.0)
        return BatchWriter(Database(tmp_path / "perch.db"), lambda item: (traffic.row_of(entry), ()), 100, 7)

    def count(self, writer: BatchWriter) -> int:
        with writer.database.read() as connection:
            return traffic.last(connection)

    def test_the_thread_writes_by_itself(self, tmp_path: Path) -> None:
        writer = self.writer(tmp_path)
        writer.put("x", 1)
        end = time.monotonic() + 60
        while self.count(writer) == 0 and time.monotonic() < end:
            time.sleep(0.02)
        assert self.count(writer) == 1

    def test_a_full_queue_drops_entries(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        writer = self.writer(tmp_path)
        writer._thread = threading.current_thread()
        for _ in range(traffic_writer.MOST_WAITING + 3):
            writer.put("x", 1)
        writer.put("x", traffic_writer.MOST_BYTES)
        writer.flush()
        assert self.count(writer) == traffic_writer.MOST_WAITING
        assert writer.dropped == 4
        assert "4 requests were not recorded" in caplog.text

    def test_a_failing_database_fails_no_request(
        self, watched: Flask, client: ScimClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object) -> None:
            raise sqlite3.OperationalError("no such table")

        monkeypatch.setattr(traffic, "append", fail)
        assert [client.get("/Users").status for _ in range(3)] == [200] * 3
        watched.extensions["perch.traffic"].writer.flush()
        monkeypatch.undo()
        client.get("/Groups")
        assert "The recorded requests could not be written" in caplog.text
        assert kept(watched)[0].path.endswith("/Groups")

    def test_an_entry_that_cannot_be_made_is_skipped(self, tmp_path: Path) -> None:
        writer = self.writer(tmp_path)
        make = writer.prepare
        writer.prepare = lambda item: make(item) if item != "bad" else 1 / 0  # type: ignore[assignment,return-value]
        writer._thread = threading.current_thread()
        for item in ("good", "bad", "good"):
            writer.put(item, 1)
        writer.flush()
        assert self.count(writer) == 2


def test_a_curl_command_holds_no_secret(watched: Flask, client: ScimClient) -> None:
    client.post("/Users?a=b", person("O'Ada", password=PASSWORD))
    shown = as_curl(kept(watched)[0], "https://perch.example.com/w/scim/v2")
    assert shown.startswith("curl -X POST 'https://perch.example.com/w/scim/v2/Users?a=b'")
    assert '-H "Authorization: Bearer $KEY"' in shown
    assert "O'\"'\"'Ada" in shown
    assert client.key not in shown and PASSWORD not in shown


def test_no_header_turns_a_request_into_a_replay(app: Flask, make_client: MakeClient) -> None:
    client = make_client("okta")
    client.key = "wrong"
    assert client.get("/Users", {"perch.replay": "1", "Perch-Replay": "1"}).status == 401


class TestCommands:
    """`flask traffic`."""

    def test_the_list_has_summaries_and_filters(self, watched: Flask, client: ScimClient) -> None:
        client.get("/Users?startIndex=1&count=2")
        client.post("/Users", person("Ada", shoe=4))
        client.get("/Users/nobody")
        kept(watched)
        listed = run_json(watched, "traffic")
        assert [entry["status"] for entry in listed] == [404, 201, 200]
        assert listed[2]["doing"] == "Okta tests the connection"
        assert listed[0]["at"].endswith("Z")
        assert [entry["seq"] for entry in run_json(watched, "traffic", "--errors")] == [3]
        assert [entry["seq"] for entry in run_json(watched, "traffic", "--limit", "1")] == [3]
        assert run_json(watched, "traffic", "--key", "other") == []
        text = run_command(watched, "traffic")
        assert "Okta tests the connection" in text and "ignored: shoe" in text

    def test_show_explains_one_entry(self, watched: Flask, client: ScimClient) -> None:
        client.post("/Users", person("Ada", shoe=4, active="true"))
        kept(watched)
        text = run_command(watched, "traffic", "show", "1")
        for part in ("Okta creates Ada", '"userName": "Ada"', "Bearer $KEY", "shoe", "RFC 7643 section 2.3.2"):
            assert part in text
        assert run_json(watched, "traffic", "show", "1")["curl"].startswith("curl -X POST http")
        assert watched.test_cli_runner().invoke(args=["traffic", "show", "9"]).exit_code == 1


@pytest.mark.parametrize("workers", [3])
def test_workers_record_every_request_and_write_the_rest_when_they_stop(make_server: MakeServer, workers: int) -> None:
    server = make_server(workers, {"PERCH_TRAFFIC": "all", "PERCH_FUSE": "off"})
    server.start()
    key = server.key
    threads = [threading.Thread(target=_talk, args=(server.client(key=key), number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.stop() == 0
    with closing(sqlite3.connect(server.database)) as connection:
        (count, paths) = connection.execute("SELECT count(*), count(DISTINCT path) FROM traffic").fetchone()
    assert (count, paths) == (8 * 40, 8 * 40)
    assert "traffic" not in server.log()


def _talk(client: ScimClient, number: int) -> None:
    for turn in range(40):
        client.post(f"/Users?n={number}-{turn}", person(f"u{number}-{turn}"))


def test_follow_prints_each_new_entry(make_server: MakeServer) -> None:
    server = make_server(1, {"PERCH_TRAFFIC": "all"})
    server.start()
    client = server.client("okta", server.create_key("okta"))
    command = [sys.executable, "-m", "flask", "traffic", "--follow", "--json"]
    environment = clean_environment(server.settings)
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for number in range(3):
                client.get(f"/Users?n={number}")
                assert json.loads(process.stdout.readline())["path"].endswith(f"/Users?n={number}")
        finally:
            process.kill()
