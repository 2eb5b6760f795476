"""/healthz, /readyz, and the callers that may read /metrics."""

import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from schemas.errors import InsufficientStorage, Unavailable
from scim.web import health
from storage import workspace
from storage.database import Connection, Database
from tests.conftest import MakeApp
from tests.support.client import ScimClient
from tests.support.commands import create_key, run_command, run_json
from tests.support.deliverer import delivering
from tests.support.other_program import change_file, write_transaction

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


@pytest.fixture(autouse=True)
def no_cached_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)


def database(app: Flask) -> Database:
    found: Database = app.extensions["perch"].database
    return found


def ready(app: Flask) -> tuple[int, dict[str, Any]]:
    answer = app.test_client().get("/readyz")
    document: dict[str, Any] = answer.get_json()
    assert document["status"] == ("ready" if answer.status_code == 200 else "not ready")
    return answer.status_code, document["checks"]


def test_healthz_is_ok(app: Flask) -> None:
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.data) == (200, b"ok\n")


def test_a_sound_deployment_is_ready(app: Flask) -> None:
    assert ready(app) == (200, {"schema": "ok", "file": "ok", "disk": "ok"})


def test_not_ready_when_the_disk_is_full(make_app: MakeApp) -> None:
    status, checks = ready(make_app(PERCH_DISK_FREE="1000000000"))
    assert (status, checks["schema"], checks["file"]) == (503, "ok", "ok")
    assert "PERCH_DISK_FREE" in checks["disk"]


def test_not_ready_when_a_newer_perch_has_migrated_the_file(app: Flask) -> None:
    ready(app)
    change_file(
        database(app), "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('perch', 'm999', '')"
    )
    status, checks = ready(app)
    assert (status, checks["schema"] == "ok") == (503, False)


def test_not_ready_when_migrations_are_pending(app: Flask) -> None:
    ready(app)
    change_file(database(app), "DELETE FROM _sqlite_migrations WHERE name = (SELECT max(name) FROM _sqlite_migrations)")
    assert ready(app)[1]["schema"] != "ok"


def test_not_ready_when_the_file_is_gone(app: Flask) -> None:
    ready(app)
    path = database(app).path
    path.unlink()
    status, checks = ready(app)
    assert status == 503
    assert checks["file"] != "ok"
    assert str(path) not in str(checks)


def test_not_ready_when_another_program_holds_the_writer(make_app: MakeApp) -> None:
    app = make_app(PERCH_WRITE_WAIT="1")
    ready(app)
    with write_transaction(database(app)):
        assert ready(app) == (503, {"schema": "ok", "file": "cannot be written; see the log", "disk": "ok"})
    assert ready(app)[0] == 200


def test_readiness_is_cached_for_a_moment(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CACHE_SECONDS", 60.0)
    assert ready(app)[0] == 200
    os.unlink(database(app).path)
    assert ready(app)[0] == 200


# The deliverer


def add_webhook(app: Flask) -> str:
    return str(run_json(app, "webhooks", "add", "https://93.184.216.34/perch")["id"])


def deliverer(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.get_json()["deliverer"]


def test_the_deliverer_is_named_and_does_not_count(app: Flask) -> None:
    assert deliverer(app) == (200, "not needed")
    first, second = add_webhook(app), add_webhook(app)
    assert deliverer(app) == (200, "missing")
    with delivering(app):
        assert deliverer(app) == (200, "ok")
    assert deliverer(app) == (200, "missing")
    run_command(app, "webhooks", "pause", first)
    assert deliverer(app) == (200, "missing")
    run_command(app, "webhooks", "remove", second)
    assert deliverer(app) == (200, "not needed")
    with delivering(app):
        assert deliverer(app) == (200, "not needed")
    run_command(app, "webhooks", "resume", first)
    assert deliverer(app) == (200, "missing")


def test_those_who_look_for_a_deliverer_do_not_see_each_other(app: Flask) -> None:
    add_webhook(app)
    with delivering(app):
        pass
    with ThreadPoolExecutor(4) as threads:
        answers = set(threads.map(lambda _: deliverer(app), range(60)))
    assert answers == {(200, "missing")}


def test_a_deliverer_is_named_even_if_the_file_cannot_be_read(app: Flask) -> None:
    add_webhook(app)
    with delivering(app):
        assert deliverer(app) == (200, "ok")
        database(app).path.unlink()
        assert deliverer(app) == (503, "ok")
    assert deliverer(app) == (503, "missing")


# Whether writes commit


def checked(app: Flask) -> int:
    with closing(sqlite3.connect(database(app).path)) as connection:
        row = connection.execute("SELECT value FROM workspace WHERE name = 'checked'").fetchone()
        return int(row[0]) if row else 0


def commits(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the commits of this process that store something."""
    found: list[str] = []
    put = workspace.put

    def noted(connection: Connection, name: str, value: str | int) -> None:
        found.append(name)
        put(connection, name, value)

    monkeypatch.setattr(workspace, "put", noted)
    return found


def test_a_row_is_committed_once_in_ten_seconds(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    found = commits(app, monkeypatch)
    for _ in range(5):
        assert ready(app)[0] == 200
    assert found == ["checked"] and abs(checked(app) - time.time()) < 60
    monkeypatch.setattr(health, "UNPROVEN_SECONDS", 0.0)
    assert ready(app)[0] == 200
    assert found == ["checked"] * 2


def test_a_process_that_writes_needs_no_row(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command(app, "keys", "create", "x")
    found = commits(app, monkeypatch)
    assert ready(app)[0] == 200
    assert found == []


def limit(app: Flask, spare_pages: int) -> None:
    """Limit the file, in this process, to its present size plus some pages."""
    with database(app).write() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")


def grow(app: Flask) -> None:
    with database(app).write() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS filler (text TEXT)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))")


def test_a_write_that_failed_counts_until_one_succeeds(app: Flask) -> None:
    assert ready(app)[0] == 200
    limit(app, 2)
    with pytest.raises(InsufficientStorage):
        grow(app)
    for _ in range(3):
        assert ready(app) == (503, {"schema": "ok", "file": "cannot be written; see the log", "disk": "ok"})
    with database(app).write():
        pass
    assert ready(app)[0] == 503, "a write that stores nothing proves nothing"
    with database(app).write_progress() as connection:
        workspace.put(connection, "x", 1)
    assert ready(app)[0] == 503, "nor does one that does not wait for the disk"
    with pytest.raises(ZeroDivisionError), database(app).write() as connection:
        workspace.put(connection, "x", 1)
        raise ZeroDivisionError
    assert ready(app)[0] == 503
    limit(app, 1000)
    grow(app)
    assert ready(app)[0] == 200


def test_readiness_finds_out_by_itself_that_writes_succeed_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(app, 2)
    with pytest.raises(InsufficientStorage):
        grow(app)
    limit(app, 1000)
    monkeypatch.setattr(health, "UNPROVEN_SECONDS", 0.0)
    assert ready(app)[0] == 200


def test_errors_of_others_and_refusals_are_no_failed_commits(app: Flask, generic: ScimClient) -> None:
    generic.post("/Users", {"userName": "ada"})
    assert generic.post("/Users", {"userName": "ada"}).status == 409
    with Database(database(app).path).write(), pytest.raises(Unavailable), database(app).write(0.05):
        pass
    assert database(app).write_error == ""
    assert ready(app)[0] == 200


def test_a_busy_writer_is_ready_as_long_as_this_process_commits(make_app: MakeApp) -> None:
    """One connection after the other takes the turn just before the check, which so never gets it."""
    app = make_app(PERCH_WRITE_WAIT="1")
    ready(app)
    db = database(app)
    with write_transaction(db):
        thread = threading.Timer(0.3, lambda: setattr(db, "_last_commit", time.monotonic()))
        thread.start()
        assert ready(app)[0] == 200
        thread.join()
        assert ready(app)[0] == 503


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1"])
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_metrics_are_open_to_callers_on_this_machine(address: str, host: str, app: Flask) -> None:
    answer = app.test_client().get("/metrics", headers={"Host": host}, environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    ("headers", "environ"),
    [
        ({}, ELSEWHERE),
        ({}, {"REMOTE_ADDR": ""}),
        ({"X-Forwarded-For": "127.0.0.1"}, {}),
        ({"X-Real-IP": "127.0.0.1"}, {}),
        ({"Forwarded": "for=127.0.0.1"}, {}),
        ({"Via": "1.1 proxy"}, {}),
        ({"Host": "perch.example.com"}, {}),
        ({"X-Forwarded-For": "127.0.0.1"}, ELSEWHERE),
        ({"Authorization": "Bearer perch_0123456789_wrong"}, ELSEWHERE),
    ],
)
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_metrics_are_401_for_other_callers(
    proxies: str, headers: dict[str, str], environ: dict[str, str], make_app: MakeApp
) -> None:
    answer = (
        make_app(PERCH_TRUSTED_PROXIES=proxies)
        .test_client()
        .get("/metrics", headers=headers, environ_overrides=environ)
    )
    assert answer.status_code == 401
    assert b"perch_users" not in answer.data


@pytest.mark.parametrize("access", ["read", "provision"])
def test_metrics_are_open_to_valid_keys(access: str, app: Flask) -> None:
    key = create_key(app, "monitor", "--access", access)
    client = app.test_client()
    headers = {"Authorization": f"Bearer {key}"}
    assert client.get("/metrics", headers=headers, environ_overrides=ELSEWHERE).status_code == 200
    run_command(app, "keys", "revoke", key.split("_")[1])
    assert client.get("/metrics", headers=headers, environ_overrides=ELSEWHERE).status_code == 401
