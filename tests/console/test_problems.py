"""What is wrong is on every page of the console, and costs a page little."""

import time
from pathlib import Path

import pytest
from flask import Flask

from scim.console.blueprint import NAVIGATION
from scim.console.warnings import problems
from scim.web import health
from storage import fuse, webhooks
from storage.database import CHECK_HOLDS
from tests.conftest import MakeApp
from tests.support.commands import run_command, run_json
from tests.support.console import Console, text_of
from tests.support.deliverer import delivering

PAGES = [
    "/",
    "/keys",
    "/users",
    "/groups",
    "/roles",
    "/okta",
    "/webhooks",
    "/requests",
    "/journal",
    "/attributes",
    "/sessions",
    "/none",
]
NOBODY = "Nobody delivers events to the webhooks; they wait. Webhooks"


@pytest.fixture
def app(console_app: Flask) -> Flask:
    return console_app


def add_webhook(app: Flask) -> str:
    return str(run_json(app, "webhooks", "add", "https://93.184.216.34/perch")["id"])


def shown(app: Flask) -> list[str]:
    with app.test_request_context():
        return [problem.text for problem in problems()]


def test_the_pages_are_all_pages() -> None:
    assert len(PAGES) == len(NAVIGATION) + 1


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_that_nobody_delivers(path: str, app: Flask, admin: Console) -> None:
    assert NOBODY not in text_of(admin.get(path))
    identifier = add_webhook(app)
    assert NOBODY in text_of(admin.get(path))
    with delivering(app):
        assert NOBODY not in text_of(admin.get(path))
    run_command(app, "webhooks", "pause", identifier)
    assert NOBODY not in text_of(admin.get(path))
    assert f"The webhook {identifier} is paused since" in text_of(admin.get(path))


def test_nobody_learns_it_without_signing_in(app: Flask) -> None:
    add_webhook(app)
    assert NOBODY not in text_of(Console(app).get("/sign-in"))


def test_a_sound_deployment_shows_nothing(app: Flask, admin: Console) -> None:
    assert app.test_client().get("/readyz").status_code == 200
    assert shown(app) == []
    add_webhook(app)
    with delivering(app):
        assert shown(app) == []


def test_failing_webhooks_fuse_and_disk_are_shown(make_app: MakeApp) -> None:
    app = make_app(PERCH_DISK_FREE="1000000000", PERCH_FUSE="on")
    identifier = add_webhook(app)
    database = app.extensions["perch"].database
    with database.write() as connection:
        webhooks.change(connection, identifier, failures=3, reason="evt_1: <b>503")
        fuse.blow(connection, {"at": "2026-11-27T08:00:00.000Z", "lost": 10, "active": 20, "limit": 10, "minutes": 10})
    with delivering(app):
        failing, blown, disk = shown(app)
    assert failing == f"The webhook {identifier} failed 3 times in a row: evt_1: <b>503."
    assert "fuse is blown" in blown and "PERCH_DISK_FREE asks for" in disk


def test_text_of_a_receiver_is_no_markup(app: Flask, admin: Console) -> None:
    identifier = add_webhook(app)
    with app.extensions["perch"].database.write() as connection:
        webhooks.change(connection, identifier, failures=3, reason="<b>503</b>")
    assert "&lt;b&gt;503" in admin.get("/").text and "<b>503" not in admin.get("/").text


def test_what_readyz_found_is_shown_for_a_while(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    found = app.extensions["perch.health"]
    assert app.test_client().get("/readyz").status_code == 200
    monkeypatch.setattr(found, "_found", {"schema": "not the schema", "file": "ok", "disk": "less free"})
    assert shown(app) == ["Perch is not ready (schema); see the log."]
    monkeypatch.setattr(found, "_until", time.monotonic() - 61)
    assert shown(app) == []


def test_a_write_that_failed_is_shown_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CACHE_SECONDS", 0.0)
    assert app.test_client().get("/readyz").status_code == 200
    app.extensions["perch"].database.write_error = "The disk of /data is full."
    assert app.test_client().get("/readyz").status_code == 503
    assert shown(app) == ["The last write failed: The disk of /data is full."]


def test_a_file_that_is_gone_is_an_error_page(app: Flask, admin: Console) -> None:
    Path(app.extensions["perch"].database.path).unlink()
    time.sleep(2 * CHECK_HOLDS)
    answer = admin.get("/users")
    assert answer.status_code == 503 and "is gone" in text_of(answer)
    assert shown(app)[0].startswith("The database file")


def test_it_costs_a_page_little(app: Flask) -> None:
    for _ in range(5):
        add_webhook(app)
    with app.test_request_context():
        times = []
        for _ in range(200):
            begun = time.thread_time()
            problems()
            times.append(time.thread_time() - begun)
    assert sorted(times)[100] < 0.003
