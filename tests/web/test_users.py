"""/Users: a write that changes nothing, uniqueness, bounds, re-activation, passwords."""

import json

import pytest
from flask import Flask

from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_json
from tests.support.resources import ENTERPRISE, FULL, Body, group, patch, refused, user

SAME: list[tuple[str, Body]] = [
    ("PUT", FULL),
    ("PUT", {key: value for key, value in FULL.items() if key != "active"}),
    ("PUT", {**{key.upper(): value for key, value in FULL.items() if ":" not in key}, ENTERPRISE: FULL[ENTERPRISE]}),
    ("PUT", {**FULL, "nickName": None, "phoneNumbers": [], "locale": "", "noSuchThing": 1, "password": "secret"}),
    ("PATCH", patch("replace", "title", "Boss")),
    ("PATCH", patch("replace", None, {"active": "True", "title": "Boss"})),
    ("PATCH", patch("add", "roles", ["managed:admin"])),
    ("PATCH", patch("add", "emails", [{"value": "a@b", "type": "work"}])),
    ("PATCH", patch("remove", "nickName")),
    ("PATCH", patch("remove", 'emails[value eq "none"]')),
    ("PATCH", patch("replace", f"{ENTERPRISE}:manager", {"value": "m"})),
    ("PATCH", patch("replace", "password", "secret")),
    ("PATCH", patch("replace", None, {"id": "ignored"})),
]


@pytest.mark.parametrize(("method", "body"), SAME)
def test_a_write_that_changes_nothing_moves_nothing(app: Flask, okta: ScimClient, method: str, body: Body) -> None:
    ann = user(okta, "ann", **{key: value for key, value in FULL.items() if key != "userName"})
    entries = run_json(app, "journal")
    answer = okta.request(method, f"/Users/{ann['id']}", body)
    assert (answer.status, answer.body) == (200, ann)
    assert run_json(app, "journal") == entries


def test_uniqueness_ignores_case_beyond_ascii(okta: ScimClient) -> None:
    user(okta, "STRASSE@example.com")
    refused(okta.post("/Users", {"userName": "straße@EXAMPLE.com"}), 409, "uniqueness", "userName")
    other = user(okta, "other")
    refused(okta.put(f"/Users/{other['id']}", {"userName": "Strasse@example.com"}), 409, "uniqueness")
    group(okta, "Team")
    refused(okta.post("/Groups", {"displayName": "TEAM"}), 409, "uniqueness", "displayName")


@pytest.mark.parametrize(
    ("name", "limit"),
    [("userName", 1024), ("displayName", 1024), ("externalId", 1024), ("title", 65536), ("nickName", 65536)],
)
def test_too_long_text_is_refused(okta: ScimClient, name: str, limit: int) -> None:
    body: Body = {"userName": "x", name: "é" * (limit // 2)}
    made = okta.post("/Users", body)
    assert made.status == 201
    assert made.body[name] == body[name]
    refused(okta.post("/Users", {"userName": "y", name: "é" * (limit // 2) + "a"}), 400, "invalidValue", name)
    refused(
        okta.patch(f"/Users/{made.body['id']}", patch("replace", name, "a" * (limit + 1))), 400, "invalidValue", name
    )


def test_an_okta_post_reactivates_a_deactivated_user(app: Flask, okta: ScimClient) -> None:
    ann = user(okta, "Ann", active=False, title="T")
    one = group(okta, "G", ann["id"])
    again = okta.post("/Users", {"userName": "ANN", "nickName": "N"})
    assert (again.status, again.body["id"], again.body["active"]) == (201, ann["id"], True)
    assert again.headers["Location"].endswith(ann["id"])
    assert (again.body["userName"], again.body["nickName"], "title" in again.body) == ("ANN", "N", False)
    assert again.body["groups"][0]["value"] == one["id"]
    assert run_json(app, "journal")[0]["action"] == "reactivate"
    refused(okta.post("/Users", {"userName": "ann"}), 409, "uniqueness")


@pytest.mark.parametrize(
    ("provider", "active", "sent"),
    [
        ("okta", True, {}),
        ("okta", False, {"active": False}),
        ("entra", False, {}),
        ("generic", False, {"active": True}),
    ],
)
def test_any_other_post_of_a_taken_user_name_is_409(
    make_client: MakeClient, provider: str, active: bool, sent: Body
) -> None:
    client = make_client(provider)
    ann = user(client, "ann", active=active)
    refused(client.post("/Users", {"userName": "Ann", **sent}), 409, "uniqueness")
    assert client.get(f"/Users/{ann['id']}").body == ann


def test_passwords_are_accepted_and_never_stored(app: Flask, okta: ScimClient) -> None:
    secret = "correct horse battery staple"
    ann = okta.post("/Users", {"userName": "ann", "password": secret})
    okta.put(f"/Users/{ann.body['id']}", {"userName": "ann", "password": secret})
    okta.patch(f"/Users/{ann.body['id']}", patch("replace", "password", secret))
    refused(okta.get("/Users?filter=password+pr"), 400, "invalidFilter")
    with app.extensions["perch"].database.read() as connection:
        assert secret not in "\n".join(connection.iterdump())
    assert secret not in json.dumps(ann.body)
