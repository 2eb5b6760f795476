"""The console's page of attributes, and attributes on the pages of users and groups."""

import re

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.console import Console, text_of
from tests.support.resources import user, user_id

URN = "urn:acme:badges:2.0:User"
TEAM = "urn:acme:teams:2.0:Group"


def form_of(admin: Console, name: str) -> dict[str, str]:
    """Return the fields of the form that declares an attribute."""
    for form in re.findall(r"<form.*?</form>", admin.get("/attributes").text, re.DOTALL):
        if f'aria-label="Declare {name}"' in form:
            return dict(re.findall(r'name="(key|sent|schema)"[^>]* value="([^"]*)"', form))
    raise AssertionError(f"no form declares {name}")


def test_one_step_declares_what_was_dropped(admin: Console, console_app: Flask, okta: ScimClient) -> None:
    sent = {URN: {"badge": "7", "cards": [{"value": "x", "lost": True}]}, "colour": "red"}
    user(okta, "ada", **sent)
    console_app.extensions["perch.traffic"].writer.flush()
    assert "Force Sync" in text_of(admin.get("/attributes"))
    for name in ("badge", "cards", "colour"):
        assert f"'{name}' is declared" in text_of(admin.post("/attributes", form_of(admin, name)))
    again = user(okta, "bob", **sent)
    assert again[URN] == sent[URN]
    assert again["urn:ietf:params:scim:schemas:extension:custom:2.0:User"] == {"colour": "red"}
    page = text_of(admin.get("/attributes"))
    assert "No provider has sent" in page and "complex (value, lost), several" in page


@pytest.mark.parametrize("urn", ["urn:custom:x", "urn:acme:badges:1.0", "urn:acme:2.0:Users"])
@pytest.mark.parametrize("place", ["/Users", "/Groups"])
def test_a_urn_without_its_resource_type_is_declared_in_one_step(
    admin: Console, console_app: Flask, okta: ScimClient, urn: str, place: str
) -> None:
    sent = {"userName": "ada", "displayName": "Ada", urn: {"one": 1, "two": ["x"]}}
    made = okta.post(place, sent).body
    console_app.extensions["perch.traffic"].writer.flush()
    assert "'one' is declared" in text_of(admin.post("/attributes", form_of(admin, "one")))
    okta.put(f"{place}/{made['id']}", {**sent, urn: {"one": 1, "two": ["x"], "three": True}})
    console_app.extensions["perch.traffic"].writer.flush()
    for name in ("two", "three"):
        assert f"'{name}' is declared" in text_of(admin.post("/attributes", form_of(admin, name)))
    assert {one["resource"] for one in run_json(console_app, "attributes", "list")} == {place[1:-1]}
    assert okta.put(f"{place}/{made['id']}", sent).body[urn] == sent[urn]


def test_an_attribute_that_nobody_sent_is_not_declared(admin: Console, console_app: Flask) -> None:
    form = {"key": "x", "sent": f"{URN}:badge", "schema": URN}
    assert admin.post("/attributes", form).status_code == 404
    assert run_json(console_app, "attributes", "list") == []


@pytest.mark.parametrize("schema", ["", "colours", "urn:ietf:params:scim:schemas:core:2.0:User", "urn:perch:x:User"])
def test_a_wrong_schema_is_shown_on_the_page(admin: Console, console_app: Flask, okta: ScimClient, schema: str) -> None:
    user(okta, "ada", colour="red")
    console_app.extensions["perch.traffic"].writer.flush()
    answer = admin.post("/attributes", {**form_of(admin, "colour"), "schema": schema})
    assert answer.status_code == 400 and "schema:" in text_of(answer)
    assert run_json(console_app, "attributes", "list") == []


def test_what_no_declaration_would_find_has_no_form(admin: Console, console_app: Flask, okta: ScimClient) -> None:
    user(okta, "ada", **{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"shoe": "7"}, URN: {"a": 1.5}})
    console_app.extensions["perch.traffic"].writer.flush()
    page = admin.get("/attributes")
    assert text_of(page).count("Map it to another attribute") == 2 and "Declare shoe" not in page.text


def test_pages_of_users_and_groups_show_them(admin: Console, console_app: Flask, okta: ScimClient) -> None:
    run_command(console_app, "attributes", "add", URN, "badge", "--type", "string", "--description", "Of the gate")
    run_command(console_app, "attributes", "add", TEAM, "costs", "--type", "integer", "--multi-valued")
    ada = user_id(okta, "ada", **{URN: {"badge": "<7>"}})
    team = okta.post("/Groups", {"displayName": "A", TEAM: {"costs": [17, 18]}}).body["id"]
    page = admin.get(f"/users/{ada}").text
    assert "&lt;7&gt;" in page and 'title="Of the gate"' in page
    assert "costs" in text_of(admin.get(f"/groups/{team}")) and "17" in text_of(admin.get(f"/groups/{team}"))
    assert f"{TEAM}" in text_of(admin.get("/journal?type=Attribute"))
