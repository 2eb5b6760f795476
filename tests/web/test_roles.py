"""/Roles: the catalogue as Okta's entitlement discovery reads it; read-only over SCIM."""

from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.conftest import MakeServer
from tests.support.client import ScimClient, http_transport
from tests.support.commands import run_command
from tests.support.proxy import normalising_proxy
from tests.support.resources import refused, user

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


# Slugs that a client, a proxy or a router could take for another path.
ODD_SLUGS = [
    "/x/lead", "//x", "x/", "x//", "/", "//", "a//b", "https://app.example/roles/admin", "https://app.example/",
    "urn:x:roles/a", "...", "..a", "a/../b", "../b", "./b", "b/..", "%2E%2Fa", "%2F", "a%2Fb", "a?b#c&d=e", ".search",
    "a;b", "a\\b", "~", "caf\u00e9/\u00fc",
]  # fmt: skip


@pytest.mark.parametrize("slug", ODD_SLUGS)
def test_the_location_of_an_odd_slug_leads_to_it(app: Flask, okta: ScimClient, slug: str) -> None:
    run_command(app, "roles", "add", "--", slug, "A role")
    run_command(app, "keys", "set", okta.key.split("_")[1], "--strict")
    (role,) = okta.get("/Roles?" + urlencode({"filter": 'displayName eq "A role"'})).body["Resources"]
    answer = okta.get(role["meta"]["location"].partition("/scim/v2")[2])
    assert (answer.status, answer.body) == (200, role)
    assert role["id"] == slug


def test_no_slash_behind_roles_is_collapsed(app: Flask, okta: ScimClient) -> None:
    for slug in ("x/lead", "/y/lead", "z//lead"):
        run_command(app, "roles", "add", slug, "A role")
    found = ["/Roles/x/lead", "//Roles/x/lead", "/Roles//y/lead", "//Roles//y/lead", "/Roles/z//lead"]
    assert [okta.get(path).status for path in found] == [200] * len(found)
    missed = ["/Roles//x/lead", "/Roles/x//lead", "/Roles/y/lead", "/Roles///y/lead", "/Roles/z/lead"]
    assert [okta.get(path).status for path in missed] == [404] * len(missed)
    assert okta.get("//Users//").body["totalResults"] == 0


def test_a_final_slash_that_is_none_of_the_slugs_is_tolerated(app: Flask, okta: ScimClient) -> None:
    for slug in ("a", "b", "b/"):
        run_command(app, "roles", "add", slug, "A role")
    assert [okta.get(f"/Roles/{slug}").body["id"] for slug in ("a/", "b", "b/", "b//")] == ["a", "b", "b/", "b/"]
    refused(okta.get("/Roles/c/"), 404)
    run_command(app, "keys", "set", okta.key.split("_")[1], "--strict")
    assert okta.get("/Roles/b/").body["id"] == "b/"
    refused(okta.get("/Roles/a/"), 400, "invalidSyntax", "a trailing slash in the URL")


def test_locations_lead_to_roles_through_gunicorn_and_a_proxy(make_server: MakeServer) -> None:
    server = make_server(settings={"PERCH_UNKNOWN_ROLES": "create"})
    server.start()
    client = server.client("generic", server.key)
    assert user(client, "ann", roles=ODD_SLUGS)["roles"][0]["value"] == ODD_SLUGS[0]
    with normalising_proxy(server.origin) as origin:
        through = ScimClient(http_transport(origin), client.base_path, client.key)
        for role in client.get("/Roles?count=100").body["Resources"]:
            path = role["meta"]["location"].partition("/scim/v2")[2]
            assert client.get(path).body == role, path
            assert through.get(path).body["id"] == role["id"], path


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
