"""Old personal data is pruned, and a deleted person can be erased down to the bytes of the file."""

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask

from scim.service import retention
from scim.traffic.writer import BatchWriter
from storage.database import Database
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.console import PASSWORD, Console

NAME = "zebediah.quill@example.com"
MARKS = [b"zebediah", b"quill", b"zq-external", b"zeb@home.example"]


def person(name: str = NAME) -> dict[str, object]:
    return {
        "userName": name,
        "externalId": "zq-external",
        "name": {"givenName": "Zebediah", "familyName": "Quill"},
        "emails": [{"value": "Zeb@home.example", "type": "home"}, {"value": name, "type": "work"}],
    }


@pytest.fixture
def watched(make_app: MakeApp) -> Flask:
    return make_app(PERCH_TRAFFIC="all")


@pytest.fixture
def client(watched: Flask, make_client: MakeClient) -> ScimClient:
    return make_client("okta", app=watched)


def database(app: Flask) -> Database:
    found: Database = app.extensions["perch"].database
    return found


def settle(app: Flask) -> None:
    """Wait until the recorded traffic is written."""
    app.extensions["perch.traffic"].writer.flush()


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file()).lower()


def test_old_entries_are_pruned_in_batches(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command(app, "keys", "create", "first")
    insert = (
        "INSERT INTO journal (at, actor, request, action, type, resource, name, folded, changes) "
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) "
        "SELECT ?, 'key:x', 'r', 'create', 'User', i, i, i, '{}' FROM n"
    )
    with closing(sqlite3.connect(database(app).path)) as connection, connection:
        connection.execute(insert, ("2020-01-01T00:00:00",))
    monkeypatch.setattr(retention, "SOON", 0)
    kept, pauses = [], []
    for _ in range(4):
        pauses.append(app.extensions["perch.retention"].prune() > 0)
        kept.append(len(run_json(app, "journal", "--limit", "5000")))
    assert kept == [701, 201, 1, 1]
    assert pauses == [False, False, True, True]


def test_entries_are_kept_for_the_days_of_the_setting(make_app: MakeApp) -> None:
    app = make_app(PERCH_JOURNAL_DAYS="30")
    run_command(app, "keys", "create", "first")
    with closing(sqlite3.connect(database(app).path)) as connection, connection:
        for days in (29, 31):
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - days * 86400))
            connection.execute(
                "INSERT INTO journal (at, actor, request, action, type, resource, name, folded, changes) "
                "VALUES (?, '', '', 'create', 'User', '1', ?, '', '{}')",
                (at, f"{days} days"),
            )
    app.extensions["perch.retention"].prune()
    assert [entry["name"] for entry in run_json(app, "journal")] == ["29 days", "first"]


def age(path: Path, days: int) -> None:
    """Make all that journal and outbox hold older by some days, as if the machine had slept."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("journal", "events"):
            connection.execute(f"UPDATE {table} SET at = strftime('%Y-%m-%dT%H:%M:%f', at, ?)", (f"-{days} days",))


def rows(path: Path) -> tuple[int, ...]:
    with closing(sqlite3.connect(path)) as connection:
        found: tuple[int, ...] = connection.execute(
            "SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM events)"
        ).fetchone()
        return found


def until_rows(path: Path, expected: tuple[int, ...]) -> None:
    end = time.monotonic() + 60
    while rows(path) != expected:
        assert time.monotonic() < end, rows(path)
        time.sleep(0.05)


@pytest.mark.parametrize("traffic", ["off", "all"])
def test_a_server_to_which_nobody_writes_prunes_what_is_too_old(traffic: str, make_server: MakeServer) -> None:
    server = make_server(workers=1, settings={"PERCH_TRAFFIC": traffic})
    server.start()
    server.client(key=server.key).post("/Users", {"userName": "ada", "active": True})
    assert server.stop() == 0
    age(server.database, 29)
    kept = rows(server.database)
    assert kept[0] >= 2 and kept[1] >= 1
    server.start()
    assert server.stop() == 0
    assert rows(server.database) == kept
    age(server.database, 2)
    server.start()
    # The newest event stays, so that the cursor behind it works.
    until_rows(server.database, (kept[0], 1))
    assert server.stop() == 0
    age(server.database, 335)
    server.start()
    until_rows(server.database, (0, 1))


def test_the_thread_prunes_again_and_again_without_a_request(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command(app, "keys", "create", "old")
    monkeypatch.setattr(retention, "EVERY", 0.1)
    BatchWriter.start(app.extensions["perch.traffic"].writer)
    time.sleep(0.5)
    assert rows(database(app).path)[0] == 1
    age(database(app).path, 366)
    until_rows(database(app).path, (0, 0))


def test_pruning_survives_a_busy_file(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command(app, "keys", "create", "old")
    age(database(app).path, 366)
    database(app).write_wait = 0.1
    with Database(database(app).path).write():
        assert 0 < app.extensions["perch.retention"].prune() <= retention.SOON
    app.extensions["perch.retention"]._next = 0
    assert app.extensions["perch.retention"].prune() > retention.SOON
    assert rows(database(app).path) == (0, 0)


def test_an_existing_person_is_not_forgotten(watched: Flask, client: ScimClient) -> None:
    made = client.post("/Users", person()).body
    result = watched.test_cli_runner().invoke(args=["forget", NAME.upper()])
    assert result.exit_code == 1
    assert "exists" in result.output
    client.put(f"/Users/{made['id']}", {**made, "userName": "new-name"})
    result = watched.test_cli_runner().invoke(args=["forget", NAME])
    assert result.exit_code == 1
    assert "'new-name'" in result.output
    assert run_json(watched, "journal", "--user", NAME)


def test_a_deleted_person_is_forgotten(watched: Flask, client: ScimClient) -> None:
    made = client.post("/Users", person("Old-Name-Of-Quill")).body
    client.put(f"/Users/{made['id']}", {**person(), "nickName": "Zebediah"})
    other = client.post("/Users", {"userName": "other"}).body
    group = client.post("/Groups", {"displayName": "team", "members": [{"value": made["id"]}]}).body
    client.get("/Users?filter=userName%20eq%20%22" + NAME.replace("@", "%40") + "%22")
    client.get(f"/Users/{made['id']}")
    client.get("/Users")
    client.post("/Users", person())
    client.delete(f"/Users/{made['id']}")
    settle(watched)
    assert b"zebediah" in bytes_of(database(watched).path.parent)

    assert "Erased" in run_command(watched, "forget", NAME.title())

    left = bytes_of(database(watched).path.parent)
    # Events keep the bare id, which no longer leads to the person.
    assert [mark for mark in MARKS if mark in left] == []
    journal = run_json(watched, "journal")
    assert journal[0]["action"] == "forget"
    assert journal[0]["changes"]["journal"]["before"] == 3
    assert {entry["name"] for entry in journal} == {"a deleted person", "team", "other", "okta test"}
    joined = next(entry for entry in journal if entry["resource"] == group["id"])
    assert "forgotten" in str(joined["changes"])
    assert client.get(f"/Users/{other['id']}").status == 200


def test_a_person_is_forgotten_by_a_former_name(watched: Flask, client: ScimClient) -> None:
    made = client.post("/Users", person("Old-Name-Of-Quill")).body
    client.put(f"/Users/{made['id']}", person())
    client.delete(f"/Users/{made['id']}")
    settle(watched)
    run_command(watched, "forget", "old-name-of-quill")
    left = bytes_of(database(watched).path.parent)
    assert [mark for mark in MARKS if mark in left] == []


def test_people_whose_names_contain_the_name_are_not_forgotten(watched: Flask, client: ScimClient) -> None:
    made = client.post("/Users", {"userName": "ann@x.org", "externalId": "7", "name": {"givenName": "A"}}).body
    client.get('/Users?filter=userName%20eq%20"ANN%40x.org"')
    client.post("/Groups", {"displayName": "made", "members": [{"value": made["id"]}]})
    client.get(f"/Users/{made['id']}")
    client.post("/Users", {"userName": "ann@x.org"})
    client.delete(f"/Users/{made['id']}")
    settle(watched)
    erased = {entry["seq"] for entry in run_json(watched, "traffic")}
    for name in ("joann@x.org", "jo.ann@x.org", "ann@x.org.uk", "ann"):
        other = client.post("/Users", {"userName": name, "displayName": f"Not {name}", "active": "true"}).body
        client.get(f"/Users?filter=userName eq %22{name}%22&startIndex=1&count=7")
        client.get(f"/Users/{other['id']}")
        client.get(f"/Users/{name}")
        client.post("/Users", {"userName": name})
    client.get("/Groups?count=7")
    settle(watched)
    before = {entry["seq"] for entry in run_json(watched, "traffic")}
    quirks = run_json(watched, "quirks")
    run_command(watched, "forget", "Ann@X.org")
    assert before - {entry["seq"] for entry in run_json(watched, "traffic")} == erased
    assert run_json(watched, "quirks") == quirks


@pytest.mark.parametrize("name", ["ren\u00e9e", "rene\u0301e", "RENE\u0301E"], ids=ascii)
def test_a_person_is_forgotten_in_every_spelling(watched: Flask, client: ScimClient, name: str) -> None:
    identifier = client.post("/Users", {**person("Rene\u0301e"), "displayName": "x"}).body["id"]
    client.post("/Users", {"userName": "boss", "nickName": "Ren\u00e9e"})
    refused = watched.test_cli_runner().invoke(args=["forget", name])
    assert refused.exit_code == 1 and "exists" in refused.output
    for spelling in ("ren\u00e9e", "RENE\u0301E"):
        client.get("/Users?filter=" + quote(f'userName eq "{spelling}"'))
    client.request("POST", "/Users/.search", data=b'{"filter": "userName eq \\"ren\\u00e9e\\""}')
    client.delete(f"/Users/{identifier}")
    settle(watched)
    assert "Erased" in run_command(watched, "forget", name)
    with closing(sqlite3.connect(database(watched).path)) as connection:
        kept = connection.execute("SELECT path, request, response FROM traffic").fetchall()
        assert len(kept) == 0, kept
    assert "ren" not in str(run_json(watched, "journal", "--user", "boss")[0]["changes"]).lower()


def test_forgetting_an_unknown_name_changes_nothing(watched: Flask) -> None:
    assert "no entries" in run_command(watched, "forget", "nobody")
    assert run_json(watched, "journal") == []


def test_addresses_of_the_console_are_forgotten_and_pruned(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD)
    console, other = Console(app), Console(app)
    for visitor, address in ((console, "192.0.2.77"), (other, "192.0.2.7")):
        visitor.client.environ_base = {**visitor.client.environ_base, "REMOTE_ADDR": address}
        visitor.sign_in("wrong")
        visitor.sign_in()
    assert "2 other entries" in run_command(app, "forget", "192.0.2.77")
    left = bytes_of(database(app).path.parent)
    # In the file the request's id, 16 hexadecimal digits, comes right after an address.
    assert not re.search(rb"192\.0\.2\.77(?![0-9a-f]{15}s)", left) and b"192.0.2.7" in left
    assert console.get("/keys").status_code == 200, "the session stays open"
    acts = [(entry["action"], entry["actor"], entry["resource"]) for entry in run_json(app, "journal")]
    assert ("sign-in refused", "address:forgotten", "forgotten") in acts
    assert ("sign-in refused", "address:192.0.2.7", "192.0.2.7") in acts
    later = time.time() + 13 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    app.extensions["perch"].repository.prune(365, 30)
    with database(app).read() as connection:
        for table in ("console_sessions", "console_attempts"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
