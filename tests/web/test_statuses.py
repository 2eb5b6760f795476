"""Statuses and errors of all endpoints: 404, 405 with Allow, 413, 415, 400, trailing slashes."""

import gzip
import socket

import pytest

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.resources import group, patch, refused, user
from tests.support.server import PerchServer

JSON = {"Content-Type": "application/json"}


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


BODIES = [
    ("POST", "/Users"), ("PUT", "/Users/1"), ("PATCH", "/Users/1"), ("POST", "/Groups"), ("PUT", "/Groups/1"),
    ("PATCH", "/Groups/1"), ("POST", "/Bulk"), ("POST", "/.search"), ("POST", "/Roles/.search"),
]  # fmt: skip


@pytest.mark.parametrize(
    "coding", ["gzip", "GZIP", "x-gzip", "br", "deflate", "identity, gzip", "gzip, identity", " ,zstd", "gzip;q=1"]
)
def test_an_encoded_body_is_415_and_names_identity(okta: ScimClient, coding: str) -> None:
    events = okta.beside_scim()
    for client, method, path in [*((okta, *one) for one in BODIES), (events, "POST", "/events/poll")]:
        # What the body holds does not matter: it is refused before it is read.
        for data in (gzip.compress(b'{"userName": "x"}'), b'{"userName": "x"}', b"{"):
            answer = client.request(method, path, headers={"Content-Encoding": coding, **JSON}, data=data)
            refused(answer, 415, detail="Content-Encoding: ")
            assert answer.headers["Accept-Encoding"] == "identity", path
    assert okta.get("/Users").body["totalResults"] == 0


@pytest.mark.parametrize("coding", ["identity", "Identity", "", " ", ",", "identity,IDENTITY", " identity , "])
def test_a_body_that_is_not_encoded_is_accepted(okta: ScimClient, coding: str) -> None:
    headers = {"Content-Encoding": coding}
    assert okta.post("/Users", {"userName": "x"}, headers).status == 201
    assert okta.post("/.search", {}, headers).status == 200


def test_several_headers_of_encodings_count_together(perch_server: PerchServer) -> None:
    client = perch_server.client(key=perch_server.key)
    with socket.create_connection(("127.0.0.1", int(perch_server.origin.rpartition(":")[2]))) as sock:
        lines = [
            f"POST {client.base_path}/Users HTTP/1.1", "Host: x", f"Authorization: Bearer {client.key}",
            "Content-Type: application/json", "Content-Encoding: identity", "Content-Encoding: gzip",
            "Content-Length: 2", "Connection: close", "", "{}",
        ]  # fmt: skip
        sock.sendall("\r\n".join(lines).encode())
        answer = sock.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 415 ") and b"\r\nAccept-Encoding: identity\r\n" in answer


def test_an_answer_without_content_has_no_type(okta: ScimClient) -> None:
    people = [user(okta, f"u{number}")["id"] for number in range(201)]
    one, path = group(okta, "G", *people), f"/Users/{people[0]}"
    tag = {"If-None-Match": okta.get(path).headers["ETag"]}
    answers = [
        (304, okta.get(path, tag)),
        (304, okta.get("/Roles/managed:admin", {"If-None-Match": "*"})),
        (204, okta.patch(f"/Groups/{one['id']}", patch("replace", "displayName", "H"))),
        (204, okta.delete(path)),
        (204, okta.delete(f"/Groups/{one['id']}")),
    ]
    for status, answer in answers:
        assert (answer.status, answer.body, answer.headers.get("Content-Type")) == (status, None, None)


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
