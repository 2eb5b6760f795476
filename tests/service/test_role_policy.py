"""Roles that clients write back as GET shows them, and filters over the names that GET shows."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import patch_op, refused, user, user_id
from tests.support.statements import traced

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
STORED: dict[str, list[dict[str, Any]]] = {
    "bare": [{"value": "managed:viewer"}, {"value": "managed:admin"}],
    "with type and primary": [{"value": "managed:viewer", "type": "T", "primary": True}, {"value": "managed:admin"}],
    "with a display of its own": [{"value": "managed:viewer", "display": "Seer", "type": "T"}],
}


def puts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ways to write back all roles that a body shows: a whole body, or the operations of a PATCH."""
    roles = body["roles"]
    found = [body, {"userName": body["userName"], "roles": roles}]
    for op in ("add", "replace"):
        found.append(patch_op({"op": op, "path": "roles", "value": roles}))
        found.append(patch_op({"op": op, "path": f"{CORE}:roles", "value": roles}))
        found.append(patch_op({"op": op, "value": {"roles": roles}}))
        found.append(patch_op({"op": op, "value": {CORE: {"roles": roles}}}))
        found.append(patch_op(*({"op": op, **operation} for role in roles for operation in of_one(role))))
    return found


def of_one(role: Any) -> list[dict[str, Any]]:
    """Return the parts of operations that set one role, through filters, to what it is."""
    slug = role if isinstance(role, str) else role["value"]
    path = f'roles[value eq "{slug}"]'
    parts = {} if isinstance(role, str) else role
    return [{"path": path, "value": role}, *({"path": f"{path}.{name}", "value": parts[name]} for name in parts)]


def state(folder: Path) -> list[Any]:
    with closing(sqlite3.connect(folder / "perch.db")) as connection:
        tables = ("resources", "assignments", "journal", "events")
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@pytest.mark.parametrize("shape", ["strings", "objects"])
@pytest.mark.parametrize("stored", STORED)
def test_roles_written_back_as_shown_change_nothing(
    app: Flask, make_client: MakeClient, tmp_path: Path, stored: str, shape: str
) -> None:
    client = make_client("generic", "--roles-as", shape)
    created = user(client, "ann", roles=STORED[stored])
    path = f"/Users/{created['id']}"
    before = state(tmp_path)
    for body in puts(client.get(path).body):
        answer = client.request("PATCH" if "Operations" in body else "PUT", path, body)
        assert (answer.status, answer.body) == (200, created), body
        assert state(tmp_path) == before, body
    run_command(app, "roles", "edit", "managed:viewer", "--name", "Onlooker")
    shown = make_client("entra").get(path).body["roles"][0]["display"]
    assert shown == STORED[stored][0].get("display", "Onlooker")


def test_roles_written_back_after_a_change_of_name_change_nothing(app: Flask, entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=['managed:viewer'])}"
    for name in ("Onlooker", "Reader"):
        run_command(app, "roles", "edit", "managed:viewer", "--name", name)
        shown = entra.get(path).body
        assert shown["roles"] == [{"value": "managed:viewer", "display": name}]
        assert entra.put(path, shown).body == shown


@pytest.mark.parametrize("sent", [{"display": "Viewer"}, {"displayName": "Viewer"}, {"display": "Viewer", "type": "T"}])
def test_a_sent_display_that_is_the_catalogues_is_not_the_clients_own(
    app: Flask, entra: ScimClient, sent: dict[str, str]
) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=[{'value': 'managed:viewer', **sent}])}"
    run_command(app, "roles", "edit", "managed:viewer", "--name", "Onlooker")
    assert entra.get(path).body["roles"][0]["display"] == "Onlooker"


def test_a_display_that_differs_from_the_one_shown_is_kept(app: Flask, entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=['managed:viewer'])}"
    for sent, later in (("viewer", "viewer"), ("Seer", "Seer"), ("Viewer", "Onlooker")):
        body = patch_op({"op": "replace", "path": 'roles[value eq "managed:viewer"].display', "value": sent})
        assert entra.patch(path, body).body["roles"][0]["display"] == sent
        run_command(app, "roles", "edit", "managed:viewer", "--name", "Onlooker")
        assert entra.get(path).body["roles"][0]["display"] == later
        run_command(app, "roles", "edit", "managed:viewer", "--name", "Viewer")


def test_a_role_that_a_write_creates_is_shown_with_its_later_name(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_UNKNOWN_ROLES="create")
    client = make_client("entra", app=app)
    created = user(client, "ann", roles=[{"value": "new", "display": "New"}, {"value": "plain"}])
    assert [role["display"] for role in created["roles"]] == ["New", "plain"]
    run_command(app, "roles", "edit", "new", "--name", "Newer")
    shown = client.get(f"/Users/{created['id']}").body
    assert [role["display"] for role in shown["roles"]] == ["Newer", "plain"]


# Operations on a person with viewer, admin (shown as Boss, by the client) and editor; the slugs that are left.
FILTERED: list[tuple[list[dict[str, Any]], list[str]]] = [
    ([{"op": "remove", "path": 'roles[display eq "Viewer"]'}], ["admin", "editor"]),
    ([{"op": "remove", "path": 'roles[display sw "view" or display co "OSS"]'}], ["editor"]),
    ([{"op": "remove", "path": 'roles[not (display eq "viewer")]'}], ["viewer"]),
    ([{"op": "remove", "path": "roles[display pr]"}], []),
    ([{"op": "remove", "path": "roles[not (display pr)]"}], ["viewer", "admin", "editor"]),
    ([{"op": "remove", "path": 'roles[display eq "Admin"]'}], ["viewer", "admin", "editor"]),
    ([{"op": "remove", "path": "roles", "value": [{"display": "Viewer"}, {"display": "boss"}]}], ["editor"]),
    ([{"op": "replace", "value": {'roles[display eq "Viewer"].value': "managed:analyst"}}],
     ["analyst", "admin", "editor"]),
    ([{"op": "add", "path": "roles", "value": ["managed:analyst"]},
      {"op": "remove", "path": 'roles[display eq "Analyst"]'}], ["viewer", "admin", "editor"]),
    ([{"op": "replace", "path": 'roles[value eq "managed:viewer"].value', "value": "managed:analyst"},
      {"op": "remove", "path": 'roles[display eq "Analyst" or display eq "Viewer"]'}], ["admin", "editor"]),
    ([{"op": "remove", "path": 'roles[value eq "managed:admin"].display'},
      {"op": "remove", "path": 'roles[display eq "Admin"]'}], ["viewer", "editor"]),
]  # fmt: skip


@pytest.mark.parametrize(("operations", "left"), FILTERED)
@pytest.mark.parametrize("shape", ["strings", "objects"])
def test_a_filter_sees_the_names_that_get_shows(
    make_client: MakeClient, shape: str, operations: list[dict[str, Any]], left: list[str]
) -> None:
    client = make_client("generic", "--roles-as", shape)
    roles = ["managed:viewer", {"value": "managed:admin", "display": "Boss"}, "managed:editor"]
    answer = client.patch(f"/Users/{user_id(client, 'ann', roles=roles)}", patch_op(*operations))
    assert answer.status == 200, answer
    found = [role if shape == "strings" else role["value"] for role in answer.body.get("roles", [])]
    assert found == [f"managed:{slug}" for slug in left]


def test_a_display_of_the_clients_own_can_be_withdrawn(entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=[{'value': 'managed:viewer', 'display': 'Seer'}])}"
    answer = entra.patch(path, patch_op({"op": "remove", "path": 'roles[value eq "managed:viewer"].display'}))
    assert answer.body["roles"] == [{"value": "managed:viewer", "display": "Viewer"}]


def test_a_new_role_is_not_shown_with_the_former_ones_name(entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=[{'value': 'managed:viewer', 'type': 'T', 'primary': True}])}"
    for slug, name in (("managed:admin", "Admin"), ("managed:editor", "Editor")):
        body = patch_op({"op": "Replace", "path": 'roles[primary eq "True"].value', "value": slug})
        shown = entra.patch(path, body).body["roles"]
        assert shown == [{"value": slug, "display": name, "type": "T", "primary": True}]


def test_a_display_set_before_the_new_slug_stays(entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=[{'value': 'managed:viewer', 'primary': True}])}"
    for name in ("Seer", "Viewer"):
        operations = [("display", name), ("value", "managed:admin"), ("type", "T")]
        body = patch_op(
            *({"op": "Add", "path": f"roles[primary eq true].{sub}", "value": it} for sub, it in operations)
        )
        shown = entra.patch(path, body).body["roles"]
        assert shown == [{"value": "managed:admin", "display": name, "type": "T", "primary": True}]


def test_a_display_that_was_set_and_removed_again_does_not_stay(entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=[{'value': 'managed:viewer', 'primary': True}])}"
    body = patch_op(
        {"op": "add", "path": "roles[primary eq true].display", "value": "Seer"},
        {"op": "remove", "path": "roles[primary eq true].display"},
        {"op": "replace", "path": "roles[primary eq true].value", "value": "managed:admin"},
    )
    assert entra.patch(path, body).body["roles"] == [{"value": "managed:admin", "display": "Admin", "primary": True}]


def test_a_withdrawal_by_value_with_a_type_that_is_not_stored(entra: ScimClient) -> None:
    path = f"/Users/{user_id(entra, 'ann', roles=['managed:viewer', 'managed:admin'])}"
    listed = [{"value": "managed:viewer", "type": "WindowsAzureActiveDirectoryRole", "displayName": "V"}]
    shown = entra.patch(path, patch_op({"op": "Remove", "path": "roles", "value": listed})).body
    assert [role["value"] for role in shown["roles"]] == ["managed:admin"]


def test_the_catalogue_is_read_once_and_only_for_operations_on_roles(app: Flask, generic: ScimClient) -> None:
    path = f"/Users/{user_id(generic, 'ann', roles=['managed:viewer', 'managed:admin', 'managed:editor'])}"
    counts = []
    for operations in (
        [{"op": "replace", "value": {"active": True, "title": "x"}}],
        [{"op": "replace", "path": f'roles[display eq "{name}"].type', "value": "T"} for name in ("Admin", "Editor")],
    ):
        with traced(app) as statements:
            assert generic.patch(path, patch_op(*operations)).status == 200
        counts.append(sum("FROM json_each" in text and "roles" in text for text in statements))
    # The second looks the names up for the filters, and when it stores the roles.
    assert counts == [0, 2]


@pytest.mark.parametrize("slug", [".", "..", "%2e", "%2E.", ".%2e"])
@pytest.mark.parametrize("setting", ["reject", "create"])
def test_no_write_makes_a_role_that_no_url_reaches(
    make_app: MakeApp, make_client: MakeClient, setting: str, slug: str
) -> None:
    client = make_client("generic", app=make_app(PERCH_UNKNOWN_ROLES=setting))
    refused(client.post("/Users", {"userName": "ann", "roles": [slug]}), 400, "invalidValue", "roles")
    assert client.get("/Roles").body["totalResults"] == 5
