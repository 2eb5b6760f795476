"""Journal entries as lines of the JSON log: after the commit, once, and personal only where that is allowed."""

import json
from typing import Any

import pytest
from flask import Flask

from schemas.errors import Conflict
from storage.journal import Author
from storage.repository import Repository
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.commands import run_command, run_json
from tests.support.console import PASSWORD, Console
from tests.support.resources import BULK, user_id

SUBJECT = ("Workspace", "x", "a name")
AUTHOR = Author("command:root", "request-1")


def lines(text: str) -> list[dict[str, Any]]:
    """Return the lines about journal entries."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in found if line["message"] == "journal"]


@pytest.fixture
def logged(make_app: MakeApp) -> Flask:
    return make_app(PERCH_LOG_FORMAT="json", PERCH_ADMIN_PASSWORD=PASSWORD)


def repository(app: Flask) -> Repository:
    found: Repository = app.extensions["perch"].repository
    return found


def test_each_entry_is_a_line_without_personal_values(
    logged: Flask, make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    okta = make_client("okta", app=logged)
    ann = user_id(okta, "ann@example.com")
    Console(logged).sign_in("wrong")
    Console(logged).sign_in()
    written = capfd.readouterr().err
    assert "ann@example.com" not in written and "127.0.0.1" not in written
    found = lines(written)
    assert [(line["actor"].partition(":")[0], line["type"], line["action"]) for line in found] == [
        ("command", "AccessKey", "create"), ("key", "User", "create"), ("address", "Console", "sign-in refused"),
        ("address", "Console", "sign-in"),
    ]  # fmt: skip
    assert found[1]["resource"] == ann and "userName" in found[1]["changed"]
    assert "resource" not in found[2] and len(found[3]["resource"]) == 12
    entries = list(reversed(run_json(logged, "journal")))
    assert [(line["seq"], line["time"], line["requestId"]) for line in found] == [
        (entry["seq"], entry["at"], entry["request"]) for entry in entries
    ]


def test_personal_values_are_logged_where_they_may_be(
    make_app: MakeApp, make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    app = make_app(PERCH_LOG_FORMAT="json", PERCH_LOG_PERSONAL="on", PERCH_ADMIN_PASSWORD=PASSWORD)
    user_id(make_client("okta", app=app), "ann\u202e@example.com")
    Console(app).sign_in("wrong")
    written = capfd.readouterr().err
    _, made, refused = lines(written)
    assert made["changes"]["userName"] == {"before": None, "after": "ann\u202e@example.com"}
    assert "\u202e" not in written
    assert (refused["actor"], refused["resource"]) == ("address:127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("settings", [("auto", "info"), ("text", "info"), ("json", "error")])
def test_otherwise_nothing_is_logged(
    make_app: MakeApp, settings: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    app = make_app(PERCH_LOG_FORMAT=settings[0], PERCH_LOG_LEVEL=settings[1])
    run_command(app, "keys", "create", "k")
    assert lines(capfd.readouterr().err) == []


def test_a_line_comes_after_the_commit_and_not_for_what_is_undone(
    logged: Flask, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = repository(logged)
    with pytest.raises(Conflict), kept.writing(AUTHOR) as write:
        write.note("first", SUBJECT, {})
        raise Conflict("undone")
    with kept.writing(AUTHOR) as write:
        write.note("second", SUBJECT, {})
        with pytest.raises(Conflict), kept.writing(AUTHOR) as inner:
            inner.note("third", SUBJECT, {})
            raise Conflict("undone")
        with kept.writing(AUTHOR) as inner:
            inner.note("fourth", SUBJECT, {})
        assert lines(capfd.readouterr().err) == []
    assert [line["action"] for line in lines(capfd.readouterr().err)] == ["second", "fourth"]


def test_a_bulk_request_logs_what_was_kept(
    logged: Flask, make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    okta = make_client("okta", app=logged)
    capfd.readouterr()
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": str(number), "data": {"userName": name}}
        for number, name in enumerate(["a", "A", "b"])
    ]
    assert okta.post("/Bulk", {"schemas": [BULK], "Operations": operations}).status == 200
    assert len(lines(capfd.readouterr().err)) == 2


def test_a_server_whose_log_is_json_logs_its_entries(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    server.start()
    server.client(key=server.key).post("/Users", {"userName": "ann@example.com"})
    server.stop()
    found = lines(server.log())
    assert [(line["type"], line["action"]) for line in found][-1:] == [("User", "create")]
    assert "ann@example.com" not in server.log()
