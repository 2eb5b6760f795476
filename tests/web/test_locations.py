"""The location of a single resource: `meta.location`, `Location` and `Content-Location` (RFC 7643 section 3.1)."""

import pytest
from flask import Flask

from schemas import group as group_schema
from schemas.user import ENTERPRISE_URN, URN
from tests.conftest import MakeApp, MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_command
from tests.support.resources import BULK, group, patch, user

NAMES = ("Location", "Content-Location")
PUBLIC = "https://Perch.example.com"
PROXIES: list[tuple[dict[str, str], dict[str, str], str]] = [
    ({}, {}, "http://localhost"),
    ({}, {"Host": "Perch.Example.net:8000"}, "http://Perch.Example.net:8000"),
    ({"PERCH_PUBLIC_URL": PUBLIC}, {"Host": "inside:8000"}, PUBLIC),
    (
        {"PERCH_TRUSTED_PROXIES": "1"},
        {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "public.example.com", "Host": "inside"},
        "https://public.example.com",
    ),
    ({"PERCH_PUBLIC_URL": PUBLIC, "PERCH_WORKSPACE": "a.b-c_d"}, {}, PUBLIC),
]


def locations(answer: Answer) -> tuple[str | None, str | None]:
    return answer.headers.get(NAMES[0]), answer.headers.get(NAMES[1])


@pytest.mark.parametrize(("settings", "headers", "origin"), PROXIES)
def test_each_answer_with_one_resource_says_where_it_is(
    make_app: MakeApp, make_client: MakeClient, settings: dict[str, str], headers: dict[str, str], origin: str
) -> None:
    client = make_client("okta", app=make_app(**settings))
    created = client.post("/Users", {"userName": "ann", "active": False}, headers)
    path, crew = f"/Users/{created.body['id']}", client.post("/Groups", {"displayName": "G"}, headers)
    answers = [
        (path, created),
        (path, client.post("/Users", {"userName": "ann", "active": True}, headers)),
        (path, client.get(path, headers)),
        (path, client.put(path, {"userName": "ann"}, headers)),
        (path, client.patch(path, patch("replace", "title", "T"), headers)),
        (f"/Groups/{crew.body['id']}", crew),
        (f"/Groups/{crew.body['id']}", client.get(f"/Groups/{crew.body['id']}", headers)),
    ]
    discovered = ("/Roles/managed:admin", "/ServiceProviderConfig", "/ResourceTypes/User", "/ResourceTypes/Role")
    schemas = [f"/Schemas/{urn}" for urn in (URN, ENTERPRISE_URN, group_schema.ACCESS_URN)]
    answers += [(each, client.get(each, headers)) for each in (*discovered, *schemas)]
    for place, answer in answers:
        expected = f"{origin}{client.base_path}{place}"
        assert (*locations(answer), answer.body["meta"]["location"]) == (expected,) * 3


@pytest.mark.parametrize("query", ["?attributes=userName", "?excludedAttributes=meta", "/", "/?attributes=id"])
def test_a_location_depends_neither_on_projection_nor_on_spelling(okta: ScimClient, query: str) -> None:
    ann = user(okta, "ann")
    path, expected = f"/Users/{ann['id']}{query}", (ann["meta"]["location"],) * 2
    assert locations(okta.get(path)) == expected
    assert locations(okta.request("HEAD", path)) == expected
    assert locations(okta.put(path, {"userName": "ann", "title": "T"})) == expected
    assert locations(okta.patch(path, patch("replace", "title", "U"))) == expected
    for name in ("/Schemas/", "/ResourceTypes/"):
        kind = URN.upper() if name == "/Schemas/" else "uSER"
        found = okta.get(name + kind)
        assert locations(found) == (found.body["meta"]["location"],) * 2


@pytest.mark.parametrize("slug", ["billing:reader", "app/lead", "café:x", "a%b", "x?y#z", "ü/ß"])
def test_the_location_of_a_role_is_quoted_as_in_meta(app: Flask, okta: ScimClient, slug: str) -> None:
    run_command(app, "roles", "add", slug, "A role")
    (role,) = [each for each in okta.get("/Roles").body["Resources"] if each["id"] == slug]
    place = role["meta"]["location"]
    found = okta.get(place.partition("/scim/v2")[2])
    assert (found.status, found.body["id"], *locations(found)) == (200, slug, place, place)


def test_a_304_has_its_content_location_only(okta: ScimClient) -> None:
    ann, crew = user(okta, "ann"), group(okta, "G")
    for path, tag in (
        (f"/Users/{ann['id']}", ann["meta"]["version"]),
        (f"/Users/{ann['id']}?attributes=userName", "*"),
        (f"/Groups/{crew['id']}/", "*"),
        ("/Roles/managed:admin", "*"),
    ):
        place = okta.get(path).headers["Content-Location"]
        answer = okta.get(path, {"If-None-Match": tag})
        assert (answer.status, *locations(answer)) == (304, None, place)


def test_other_answers_have_no_location(okta: ScimClient) -> None:
    people = [user(okta, f"u{number}")["id"] for number in range(203)]
    crew = f"/Groups/{group(okta, 'G', *people)['id']}"
    operations = [{"method": "DELETE", "path": f"/Users/{people[1]}"}]
    answers = [
        okta.get("/Users"), okta.get("/Groups?count=1"), okta.get("/"), okta.get("/Schemas"), okta.get("/Roles"),
        okta.post("/.search", {}), okta.post("/Bulk", {"schemas": [BULK], "Operations": operations}),
        okta.get("/Users/nobody"), okta.get("/Nothing"), okta.post("/Users", {"userName": "u2"}), okta.put("/Users"),
        okta.patch(crew, patch("replace", "displayName", "H")), okta.delete(f"/Users/{people[0]}"),
        okta.get("/Users/1", {"Authorization": None}), okta.request("OPTIONS", f"/Users/{people[2]}"),
    ]  # fmt: skip
    for answer in answers:
        assert locations(answer) == (None, None), answer


@pytest.mark.parametrize("path", ["/Users/{}", "/Users/{}/", "Users/{}", "//Users/{}"])
def test_a_bulk_result_has_the_location_of_its_resource(okta: ScimClient, path: str) -> None:
    ann = user(okta, "ann")
    for method, status in (("PATCH", "200"), ("DELETE", "204")):
        operation = {"method": method, "path": path.format(ann["id"]), "data": patch("replace", "title", "T")}
        (result,) = okta.post("/Bulk", {"schemas": [BULK], "Operations": [operation]}).body["Operations"]
        assert (result["status"], result["location"]) == (status, ann["meta"]["location"])


def test_an_international_public_url_is_written_as_a_uri(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_PUBLIC_URL="https://pérch.example"))
    answer = client.post("/Users", {"userName": "ann"})
    expected = f"https://xn--prch-bpa.example{client.base_path}/Users/{answer.body['id']}"
    assert locations(answer) == (expected, expected)
