"""/Roles: the catalogue as Okta's entitlement discovery reads it; read-only over SCIM."""

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import refused

ROLE = "urn:okta:scim:schemas:core:1.0:Role"
SLUGS = ["managed:admin", "managed:editor", "managed:viewer", "managed:inbox_agent", "managed:analyst"]


def test_the_list_has_the_whole_catalogue(okta: ScimClient) -> None:
    answer = okta.get("/Roles?startIndex=1&count=100")
    assert (answer.status, answer.body["totalResults"], answer.body["itemsPerPage"]) == (200, 5, 5)
    assert {role["id"] for role in answer.body["Resources"]} == set(SLUGS)
    assert all(role["schemas"] == [ROLE] and role["displayName"] for role in answer.body["Resources"])


def test_a_page_of_roles_says_its_true_size(okta: ScimClient) -> None:
    first = okta.get("/Roles?startIndex=1&count=1").body
    rest = okta.get("/Roles?startIndex=2&count=100").body
    assert (first["itemsPerPage"], rest["itemsPerPage"]) == (1, 4)
    assert {role["id"] for role in first["Resources"] + rest["Resources"]} == set(SLUGS)


@pytest.mark.parametrize("slug", ["billing:reader", "app/lead", "a/b/c", "caf\u00e9:x", "x.y~z"])
def test_a_role_is_found_by_its_slug_and_its_location_leads_to_it(app: Flask, okta: ScimClient, slug: str) -> None:
    run_command(app, "roles", "add", slug, "A role", "--description", "What it is for.")
    role = okta.get(f"/Roles/{slug}")
    assert (role.status, role.body["id"], role.body["description"]) == (200, slug, "What it is for.")
    path = role.body["meta"]["location"].partition("/scim/v2")[2]
    assert okta.get(path).body == role.body


def test_roles_can_be_searched(okta: ScimClient) -> None:
    assert okta.get('/Roles?filter=displayName+eq+"ADMIN"').body["Resources"][0]["id"] == "managed:admin"
    asked = {"filter": 'id sw "managed:"', "sortBy": "id", "attributes": ["displayName"]}
    found = okta.post("/Roles/.search", asked).body
    assert [role["id"] for role in found["Resources"]] == sorted(SLUGS)
    assert all(role.keys() == {"schemas", "id", "displayName"} for role in found["Resources"])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/Roles", "/Roles/managed:admin", "/Roles/no/such"])
def test_writes_of_roles_are_405(okta: ScimClient, method: str, path: str) -> None:
    answer = okta.request(method, path, {} if method != "DELETE" else None)
    refused(answer, 405, detail=f"{method} is not possible at")
    assert "GET" in answer.headers["Allow"]
    assert okta.get("/Roles").body["totalResults"] == 5


def test_an_unknown_role_is_404(okta: ScimClient) -> None:
    refused(okta.get("/Roles/managed:nobody"), 404)
