"""What docs/decisions.md says of writes, as clients see it; its other lines are tested with their endpoints."""

from typing import Any

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import BULK, group, patch, patch_op, refused, user
from tests.support.server import ROOT

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"


@pytest.mark.parametrize(
    ("endpoint", "body"), [("/Users", {"userName": "ann", "externalId": "7"}), ("/Groups", {"displayName": "G"})]
)
def test_a_resource_that_is_created_again_gets_a_new_id(okta: ScimClient, endpoint: str, body: dict[str, Any]) -> None:
    ids = []
    for _ in range(3):
        ids.append(okta.post(endpoint, body).body["id"])
        assert okta.delete(f"{endpoint}/{ids[-1]}").status == 204
    assert len(set(ids)) == 3
    for identifier in ids:
        refused(okta.get(f"{endpoint}/{identifier}"), 404)


@pytest.mark.parametrize("name", ["Team", "TEAM", "tEAM"])
def test_two_groups_of_one_name_are_409(generic: ScimClient, name: str) -> None:
    group(generic, "Team")
    other = f"/Groups/{group(generic, 'Other')['id']}"
    refused(generic.post("/Groups", {"displayName": name}), 409, "uniqueness", "displayName")
    refused(generic.put(other, {"displayName": name}), 409, "uniqueness", "displayName")
    refused(generic.patch(other, patch("replace", "displayName", name)), 409, "uniqueness", "displayName")
    assert generic.get(other).body["displayName"] == "Other"


def test_a_member_is_shown_with_its_present_name(generic: ScimClient) -> None:
    ann, inner = user(generic, "ann", displayName="Ann")["id"], group(generic, "Inner")["id"]
    sent = [{"value": ann, "display": "sent"}, {"value": inner, "display": "sent", "type": "User"}]
    crew = generic.post("/Groups", {"displayName": "G", "members": sent}).body
    path = f"/Groups/{crew['id']}"
    answers = [crew, generic.put(path, {**crew, "members": sent}).body]
    answers += [generic.patch(path, patch(op, "members", sent)).body for op in ("add", "replace")]
    for body in answers:
        assert [(each["display"], each["type"]) for each in body["members"]] == [("Ann", "User"), ("Inner", "Group")]
    generic.patch(f"/Users/{ann}", patch("replace", "displayName", "Anna"))
    generic.patch(f"/Users/{ann}", patch("replace", "userName", "anna"))
    assert generic.get(path).body["members"][0]["display"] == "Anna"
    generic.patch(f"/Users/{ann}", patch("remove", "displayName"))
    assert "display" not in generic.get(path).body["members"][0]


@pytest.mark.parametrize("path", ["/Roles", "/Schemas/x", "/Nothing", "/.search", "/Bulk", "/", "/Users/1/2", "/Me"])
def test_a_bulk_operation_elsewhere_is_400_by_itself(generic: ScimClient, path: str) -> None:
    operations = [
        {"method": "POST", "path": path, "bulkId": "1", "data": {"userName": "ann"}},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "bob"}},
    ]
    answer = generic.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    first, second = answer.body["Operations"]
    assert (answer.status, first["status"], second["status"]) == (200, "400", "201")
    assert first["response"]["scimType"] == "invalidPath" and "/Users" in first["response"]["detail"]


ROLES = [{"value": "managed:admin"}, {"value": "managed:viewer"}]
OF_ADMIN = 'roles[value eq "managed:admin"]'


@pytest.mark.parametrize("operation", [{}, {"value": None}, {"value": ""}])
def test_a_role_is_not_replaced_by_nothing(generic: ScimClient, operation: dict[str, Any]) -> None:
    ann = user(generic, "ann", roles=ROLES)
    answer = generic.patch(f"/Users/{ann['id']}", patch_op({"op": "replace", "path": OF_ADMIN, **operation}))
    if operation:
        assert [role["value"] for role in answer.body["roles"]] == ["managed:viewer"]
    else:
        refused(answer, 400, "invalidValue", "value: is required for replace")
        assert generic.get(f"/Users/{ann['id']}").body == ann


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (f"{OF_ADMIN}.value", ["managed:viewer"]),
        (f"{OF_ADMIN}.VALUE", ["managed:viewer"]),
        (f"{USER_URN}:{OF_ADMIN}.value", ["managed:viewer"]),
        ('roles[value eq "managed:editor"].value', ["managed:admin", "managed:viewer"]),
        ("roles.value", []),
    ],
)
def test_a_role_without_its_value_is_withdrawn(app: Flask, entra: ScimClient, path: str, left: list[str]) -> None:
    ann = user(entra, "ann", roles=ROLES)
    change = patch_op({"op": "remove", "path": path})
    run_command(app, "keys", "set", entra.key.split("_")[1], "--strict")
    refused(entra.patch(f"/Users/{ann['id']}", change), 400, "mutability", "required sub-attribute")
    assert entra.get(f"/Users/{ann['id']}").body == ann
    run_command(app, "keys", "set", entra.key.split("_")[1], "--no-strict")
    answer = entra.patch(f"/Users/{ann['id']}", change)
    assert (answer.status, [role["value"] for role in answer.body.get("roles", [])]) == (200, left)


def test_the_readme_links_the_page() -> None:
    assert "](docs/decisions.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(len(line.split("|")) == 5 for line in page_rows())


def page_rows() -> list[str]:
    page = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8").partition("## Deviations")[0]
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) > 15
    return rows
