"""Statuses and errors of all endpoints: 404, 405 with Allow, 413, 415, 400, trailing slashes."""

import pytest

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.resources import patch, refused, user


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/Users", {"GET", "POST"}),
        ("PUT", "/Users", {"GET", "POST"}),
        ("POST", "/Users/1", {"GET", "PUT", "PATCH", "DELETE"}),
        ("POST", "/Roles", {"GET"}),
        ("DELETE", "/Roles/managed:admin", {"GET"}),
        ("POST", "/Schemas", {"GET"}),
        ("GET", "/Bulk", {"POST"}),
    ],
)
def test_a_405_names_the_allowed_methods(okta: ScimClient, method: str, path: str, allowed: set[str]) -> None:
    answer = okta.request(method, path, {} if method != "GET" else None)
    refused(answer, 405, detail=f"{method} is not possible at")
    assert allowed <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/Nothing", "/Users/1/2/3", "/users", "/ResourceTypes/None", "/Schemas/urn:none"])
def test_a_404_is_a_scim_error(okta: ScimClient, path: str) -> None:
    refused(okta.get(path), 404)


@pytest.mark.parametrize(
    "identifier", ["1", "010101001010101011001010101011", "00919288221112222", "%00", "é", "a" * 5000]
)
def test_an_unknown_id_of_any_form_is_404(okta: ScimClient, identifier: str) -> None:
    for kind in ("Users", "Groups", "Roles"):
        refused(okta.get(f"/{kind}/{identifier}"), 404)
    refused(okta.patch(f"/Users/{identifier}", patch("replace", "title", "x")), 404)
    refused(okta.put(f"/Users/{identifier}", {"userName": "x"}), 404)
    refused(okta.delete(f"/Groups/{identifier}"), 404)


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_other_media_types_are_415(okta: ScimClient, media: str) -> None:
    refused(okta.post("/Users", {"userName": "x"}, {"Content-Type": media}), 415, detail="application/scim+json")


@pytest.mark.parametrize("media", ["application/json", "application/scim+json;charset=UTF-8", "Application/JSON; a=b"])
def test_json_media_types_are_accepted(okta: ScimClient, media: str) -> None:
    answer = okta.post("/Users", {"userName": "x"}, {"Content-Type": media})
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/scim+json")


def test_a_body_over_the_limit_is_413(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_MAX_BODY="2000"))
    fits = {"userName": "x", "title": "t" * 1900}
    assert client.post("/Users", fits).status == 201
    for path in ("/Users", "/Groups", "/Bulk", "/.search"):
        refused(client.post(path, {**fits, "title": "t" * 2000}), 413, detail="PERCH_MAX_BODY")
    assert client.get("/ServiceProviderConfig").body["bulk"]["maxPayloadSize"] == 2000


@pytest.mark.parametrize(
    ("data", "scim_type"),
    [
        (b"", "invalidSyntax"),
        (b"{", "invalidSyntax"),
        (b"[]", "invalidSyntax"),
        (b'"text"', "invalidSyntax"),
        (b"null", "invalidSyntax"),
        (b'{"userName": NaN}', "invalidSyntax"),
        (b"\xff\xfe", "invalidSyntax"),
        (b"[" * 100_000, "invalidSyntax"),
        (b'{"a":' * 100_000, "invalidSyntax"),
        (b'{"userName": 5}', "invalidValue"),
        (b'{"userName": " "}', "invalidValue"),
        (b'{"displayName": "x"}', "invalidValue"),
        (b'{"userName": "x", "active": "perhaps"}', "invalidValue"),
        (b'{"userName": "x", "emails": 5}', "invalidValue"),
        (b'{"userName": "\\ud800"}', "invalidSyntax"),
        (b'{"userName": "x", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}', "invalidValue"),
    ],
)
def test_a_bad_body_is_400_and_changes_nothing(okta: ScimClient, data: bytes, scim_type: str) -> None:
    refused(okta.request("POST", "/Users", data=data or b" "), 400, scim_type)
    assert okta.get("/Users").body["totalResults"] == 0


def test_head_and_trailing_slashes_work_and_me_is_501(okta: ScimClient) -> None:
    ann = user(okta, "ann")
    assert okta.request("HEAD", f"/Users/{ann['id']}").status == 200
    refused(okta.get("/Me"), 501)
    assert okta.get(f"/Users/{ann['id']}/").body["id"] == ann["id"]
    assert okta.get("/Users/").status == 200
    assert okta.post("/Groups/", {"displayName": "G"}).status == 201
