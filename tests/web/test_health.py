"""/healthz, /readyz, and the callers that may read /metrics."""

import os
from typing import Any

import pytest
from flask import Flask

from scim.settings import VERSION
from scim.web import health
from storage.database import Database
from tests.conftest import MakeApp
from tests.support.commands import create_key, run_command
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
    assert document["version"] == VERSION
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
