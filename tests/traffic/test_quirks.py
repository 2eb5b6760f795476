"""The quirk report, and strict keys, for which there are no tolerances."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from schemas.tolerances import Tolerance
from storage import quirks
from storage.database import Database
from storage.quirks import Quirk
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import ENTERPRISE, patch_op

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"

Request = tuple[str, str, Any]


# A request that needs each tolerance, sent to the user or group of `filled`.
DEVIATIONS: dict[str, Request] = {
    "OPERATION_CASE": ("PATCH", "/Users/{user}", patch_op({"op": "Replace", "path": "title", "value": "x"})),
    "MISSING_SCHEMAS": ("PUT", "/Users/{user}", {"userName": "ada", "title": "x"}),
    "DOTTED_KEYS": ("PATCH", "/Users/{user}", patch_op({"op": "add", "value": {"name.givenName": "x"}})),
    "TEXT_BOOLEAN": ("PUT", "/Users/{user}", {"schemas": [USER], "userName": "ada", "active": "False"}),
    "CREATED_FROM_FILTER": (
        "PATCH", "/Users/{user}",
        patch_op({"op": "replace", "path": 'emails[type eq "work"].value', "value": "a@example.com"}),
    ),
    "REMOVE_WITH_VALUE": (
        "PATCH", "/Groups/{group}", patch_op({"op": "remove", "path": "members", "value": [{"value": "{user}"}]}),
    ),
    "REMOVED_REQUIRED": (
        "PATCH", "/Users/{user}",
        patch_op({"op": "add", "path": "title", "value": "x"}, {"op": "remove", "path": "roles.value"}),
    ),
    "BARE_VALUE": ("PUT", "/Users/{user}", {"schemas": [USER], "userName": "ada", "emails": ["a@example.com"]}),
    "SINGLE_VALUE_ARRAY": (
        "PUT", "/Users/{user}", {"schemas": [USER], "userName": "ada", "name": [{"givenName": "x"}]},
    ),
    "LONE_ELEMENT": (
        "PUT", "/Users/{user}", {"schemas": [USER], "userName": "ada", "emails": {"value": "a@example.com"}},
    ),
    "SEVERAL_PRIMARIES": (
        "PUT", "/Users/{user}",
        {"schemas": [USER], "userName": "ada", "emails": [{"value": it, "primary": True} for it in ("a@b.c", "d@b.c")]},
    ),
    "EMPTY_MANAGER": (
        "PUT", "/Users/{user}",
        {"schemas": [USER, ENTERPRISE], "userName": "ada", "title": "x", ENTERPRISE: {"manager": {"value": ""}}},
    ),
    "JSON_TEXT": (
        "PUT", "/Users/{user}",
        {"schemas": [USER], "userName": "ada", "roles": [{"value": json.dumps({"value": "managed:admin"})}]},
    ),
    "MISPLACED_ATTRIBUTE": ("PUT", "/Users/{user}", {"schemas": [USER], "userName": "ada", "department": "x"}),
    "IGNORED_ID": (
        "PATCH", "/Groups/{group}",
        patch_op({"op": "replace", "value": {"id": "{group}", "displayName": "x"}}),
    ),
    "TRAILING_SLASH": ("PUT", "/Users/{user}/", {"schemas": [USER], "userName": "ada", "title": "x"}),
    "TEXT_BOOLEAN_FILTER": ("GET", "/Users?filter=active%20eq%20%22True%22", None),
    "LITERAL_CASE": ("GET", "/Users?filter=active%20eq%20True", None),
    "FORMER_URN": ("PUT", "/Users/{user}", {"schemas": ["urn:scim:schemas:core:1.0"], "userName": "ada", "title": "x"}),
    "UNKNOWN_PATH": (
        "PATCH", "/Users/{user}",
        patch_op({"op": "add", "path": "urn:x:User:tag", "value": "x"}, {"op": "add", "path": "title", "value": "x"}),
    ),
    "NO_OPERATIONS": ("PATCH", "/Users/{user}", patch_op()),
}  # fmt: skip
# The API has no writable integer; REACTIVATED has a test of its own.
ELSEWHERE = {"TEXT_NUMBER", "REACTIVATED"}


@pytest.fixture
def filled(generic: ScimClient) -> dict[str, str]:
    """Return the ids of a user and of a group with that user."""
    user = generic.post("/Users", {"schemas": [USER], "userName": "ada"}).body["id"]
    members = [{"value": user}]
    group = generic.post("/Groups", {"schemas": [GROUP], "displayName": "all", "members": members}).body["id"]
    return {"user": user, "group": group}


def send(client: ScimClient, request: Request, ids: dict[str, str]) -> Any:
    method, path, body = json.loads(json.dumps(request).replace("{user}", ids["user"]).replace("{group}", ids["group"]))
    return client.request(method, path, body)


def identifier(client: ScimClient) -> str:
    return client.key.split("_")[1]


def state(folder: Path) -> list[Any]:
    """Return all rows that a request can change."""
    with closing(sqlite3.connect(folder / "perch.db")) as connection:
        tables = ("resources", "members", "assignments", "emails", "journal")
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


def test_every_tolerance_has_a_request_that_needs_it() -> None:
    assert {*DEVIATIONS, *ELSEWHERE} == set(Tolerance.__members__)


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_strict_key_is_refused_and_nothing_changes(
    app: Flask, generic: ScimClient, filled: dict[str, str], tmp_path: Path, name: str
) -> None:
    run_command(app, "keys", "set", identifier(generic), "--strict")
    before = state(tmp_path)
    answer = send(generic, DEVIATIONS[name], filled)
    assert answer.status == 400
    assert Tolerance[name].value in answer.body["detail"]
    assert "(RFC " in answer.body["detail"] and "--no-strict" in answer.body["detail"]
    assert answer.body["scimType"]
    assert state(tmp_path) == before
    run_command(app, "keys", "set", identifier(generic), "--no-strict")
    assert send(generic, DEVIATIONS[name], filled).status in (200, 204)
    if name not in ("TEXT_BOOLEAN_FILTER", "LITERAL_CASE", "NO_OPERATIONS"):
        assert state(tmp_path) != before


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_tolerance_is_counted(app: Flask, generic: ScimClient, filled: dict[str, str], name: str) -> None:
    send(generic, DEVIATIONS[name], filled)
    (found,) = quirks_of(app)
    assert name in [quirk["name"] for quirk in found["tolerances"]]


def test_a_strict_key_gets_409_instead_of_a_reactivation(app: Flask, okta: ScimClient, tmp_path: Path) -> None:
    body = {"schemas": [USER], "userName": "ada"}
    okta.post("/Users", {**body, "active": False})
    run_command(app, "keys", "set", identifier(okta), "--strict")
    before = state(tmp_path)
    answer = okta.post("/Users", body)
    assert (answer.status, answer.body["scimType"]) == (409, "uniqueness")
    assert "RFC 7644 section 3.3" in answer.body["detail"]
    assert state(tmp_path) == before


def test_one_bulk_operation_of_a_strict_key_is_refused_alone(app: Flask, generic: ScimClient) -> None:
    run_command(app, "keys", "set", identifier(generic), "--strict")
    people: list[dict[str, Any]] = [{"userName": "ada"}, {"schemas": [USER], "userName": "bob"}]
    operations = [{"method": "POST", "path": "/Users", "bulkId": p["userName"], "data": p} for p in people]
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    answer = generic.post("/Bulk", message)
    assert [result["status"] for result in answer.body["Operations"]] == ["400", "201"]
    assert [user["userName"] for user in generic.get("/Users").body["Resources"]] == ["bob"]


def test_a_strict_key_may_do_what_the_rfc_allows(app: Flask, okta: ScimClient) -> None:
    run_command(app, "keys", "set", identifier(okta), "--strict")
    assert [key["strict"] for key in run_json(app, "keys", "list")] == [True]
    body = {"schemas": [USER], "userName": "ada", "active": True, "roles": ["managed:admin"], "password": "secret"}
    created = okta.post("/Users", body)
    assert created.status == 201
    assert okta.put(f"/Users/{created.body['id']}", created.body).status == 200
    assert okta.get("/Users?filter=active%20eq%20true").status == 200
    assert (okta.get("").status, okta.get("/").status) == (200, 200)
    assert quirks_of(app) == []


def quirks_of(app: Flask, *options: str) -> Any:
    app.extensions["perch.traffic"].writer.flush()
    return run_json(app, "quirks", *options)


@pytest.mark.parametrize("mode", ["off", "errors", "all"])
def test_the_report_counts_tolerances_and_ignored_attributes(
    make_app: MakeApp, make_client: MakeClient, mode: str
) -> None:
    app = make_app(PERCH_TRAFFIC=mode)
    one, other = make_client("okta", app=app), make_client("entra", app=app)
    for number in range(3):
        one.post("/Users", {"userName": f"u{number}", "active": "True", "shoe": number})
    other.post("/Users", {"schemas": [USER], "userName": "x", "hat": 1, "name": {"nick": 2}})
    found: list[dict[str, Any]] = quirks_of(app)
    first, second = sorted(found, key=lambda one: str(one["name"]), reverse=True)
    assert first["key"] == identifier(one)
    shown = [(quirk["name"], quirk["count"], quirk["example"]) for quirk in first["tolerances"]]
    assert shown == [("MISSING_SCHEMAS", 3, ""), ("TEXT_BOOLEAN", 3, "active: 'True'")]
    assert [(quirk["name"], quirk["count"], quirk["example"]) for quirk in first["ignored"]] == [
        ("shoe", 3, "POST /Users")
    ]
    assert first["tolerances"][0]["first"] <= first["tolerances"][0]["last"]
    assert [quirk["name"] for quirk in second["ignored"]] == ["hat", "name.nick"]
    assert quirks_of(app, "--key", identifier(other)) == [second]
    text = run_command(app, "quirks")
    assert "RFC 7643 section 2.3.2" in text and "ignored attribute shoe" in text


def test_the_report_is_empty_without_quirks(app: Flask, generic: ScimClient) -> None:
    generic.post("/Users", {"schemas": [USER], "userName": "ada"})
    assert quirks_of(app) == []
    assert quirks_of(app, "--key", identifier(generic))[0]["tolerances"] == []
    assert app.test_cli_runner().invoke(args=["quirks", "--key", "none"]).exit_code == 1


def test_the_quirks_of_a_key_are_bounded(tmp_path: Path) -> None:
    database = Database(tmp_path / "perch.db")
    seen = [Quirk("k", "ignored", f"a{number}", 1, "", "2026", "2026") for number in range(quirks.NAMES_PER_KEY + 9)]
    with database.write() as connection:
        quirks.add(connection, seen)
        quirks.add(connection, seen[:1])
        found = quirks.report(connection, "k")
        assert len(found) == quirks.NAMES_PER_KEY
        assert found[0].count == 2
        assert len(quirks.report(connection, "k")) == quirks.NAMES_PER_KEY
