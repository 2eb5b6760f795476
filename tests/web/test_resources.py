"""What HTTP adds to the operations: entity tags, conditions, versions, projection, statuses, bounds, memberships."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_json
from tests.support.statements import traced

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
Body = dict[str, Any]


def user(client: ScimClient, user_name: str, **more: Any) -> Body:
    answer = client.post("/Users", {"userName": user_name, **more})
    assert answer.status == 201, answer
    body: Body = answer.body
    return body


def group(client: ScimClient, name: str, *members: str) -> Body:
    answer = client.post("/Groups", {"displayName": name, "members": [{"value": member} for member in members]})
    assert answer.status == 201, answer
    body: Body = answer.body
    return body


def patch(op: str, path: str | None = None, value: Any = None) -> Body:
    operation = {"op": op, "path": path, "value": value}
    return {"Operations": [{key: item for key, item in operation.items() if item is not None}]}


def refused(answer: Answer, status: int, scim_type: str | None = None, detail: str = "") -> None:
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert answer.body["schemas"] == [ERROR]
    assert answer.body["status"] == str(status)
    assert answer.body.get("scimType") == scim_type, answer
    assert detail in answer.body["detail"], answer


# Entity tags and conditions (RFC 7644 section 3.14, RFC 9110 section 13)

CHANGES: dict[str, Body | None] = {
    "PUT": {"userName": "ann", "title": "T"},
    "PATCH": patch("replace", "title", "T"),
    "DELETE": None,
}


def tag_of(kind: str, current: str) -> str:
    """A header's value of some kind, for a resource with that entity tag."""
    version = current.removeprefix('W/"').split(".")[0]
    return {
        "current": current,
        "strong": current.removeprefix("W/"),
        "bare": current.removeprefix("W/").strip('"'),
        "listed": f'W/"7.7", {current}',
        "star": "*",
        "other epoch": f'W/"{version}.99"',
        "old": 'W/"0.0"',
        "old list": 'W/"0.0", "77.1"',
        "nonsense": "[]",
    }[kind]


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("kind", ["current", "strong", "bare", "listed", "star", "other epoch"])
def test_if_match_lets_through(okta: ScimClient, method: str, kind: str) -> None:
    ann = user(okta, "ann")
    condition = {"If-Match": tag_of(kind, ann["meta"]["version"])}
    assert okta.request(method, f"/Users/{ann['id']}", CHANGES[method], condition).status in (200, 204)


@pytest.mark.parametrize("method", [*CHANGES, "GET"])
@pytest.mark.parametrize("kind", ["old", "old list", "nonsense"])
def test_if_match_refuses(okta: ScimClient, method: str, kind: str) -> None:
    ann = user(okta, "ann")
    path = f"/Users/{ann['id']}"
    answer = okta.request(method, path, CHANGES.get(method), {"If-Match": tag_of(kind, ann["meta"]["version"])})
    refused(answer, 412, detail="If-Match: the resource has changed")
    assert okta.get(path).body == ann


@pytest.mark.parametrize("kind", ["current", "strong", "bare", "listed", "star"])
def test_if_none_match_answers_304(okta: ScimClient, kind: str) -> None:
    ann = user(okta, "ann")
    answer = okta.get(f"/Users/{ann['id']}", {"If-None-Match": tag_of(kind, ann["meta"]["version"])})
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, None, ann["meta"]["version"])


@pytest.mark.parametrize("kind", ["old", "old list", "nonsense", "other epoch"])
def test_if_none_match_answers_what_is_new(okta: ScimClient, kind: str) -> None:
    ann = user(okta, "ann")
    answer = okta.get(f"/Users/{ann['id']}", {"If-None-Match": tag_of(kind, ann["meta"]["version"])})
    assert (answer.status, answer.body) == (200, ann)


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(("kind", "passes"), [("current", False), ("star", False), ("old", True)])
def test_if_none_match_on_writes(okta: ScimClient, method: str, kind: str, passes: bool) -> None:
    ann = user(okta, "ann")
    condition = {"If-None-Match": tag_of(kind, ann["meta"]["version"])}
    answer = okta.request(method, f"/Users/{ann['id']}", CHANGES[method], condition)
    if passes:
        assert answer.status in (200, 204)
    else:
        refused(answer, 412)
        assert okta.get(f"/Users/{ann['id']}").body == ann


def test_conditions_hold_for_groups_and_roles_too(okta: ScimClient) -> None:
    one = group(okta, "G")
    path = f"/Groups/{one['id']}"
    refused(okta.patch(path, patch("replace", "displayName", "H"), {"If-Match": 'W/"9.9"'}), 412)
    refused(okta.delete(path, {"If-Match": 'W/"9.9"'}), 412)
    assert okta.get(path, {"If-None-Match": one["meta"]["version"]}).status == 304
    role = okta.get("/Roles/managed:admin")
    assert okta.get("/Roles/managed:admin", {"If-None-Match": role.headers["ETag"]}).status == 304


def test_the_entity_tag_is_the_version_everywhere(okta: ScimClient) -> None:
    created = okta.post("/Users", {"userName": "ann"})
    path = f"/Users/{created.body['id']}"
    answers = [
        created, okta.get(path), okta.put(path, CHANGES["PUT"]), okta.patch(path, patch("replace", "title", "X")),
    ]  # fmt: skip
    for answer in answers:
        assert answer.headers["ETag"] == answer.body["meta"]["version"]
    versions = [answer.body["meta"]["version"] for answer in answers]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


# A write that changes nothing (RFC 7644 section 3.5.2: the version stays)

FULL: Body = {
    "userName": "ann", "title": "Boss", "active": True, "roles": ["managed:admin"], "externalId": "x",
    "name": {"givenName": "A"}, "emails": [{"value": "a@b", "type": "work", "primary": True}],
    ENTERPRISE: {"department": "D", "manager": {"value": "m"}},
}  # fmt: skip
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
def test_nothing_changed_nothing_moved(app: Flask, okta: ScimClient, method: str, body: Body) -> None:
    ann = user(okta, "ann", **{key: value for key, value in FULL.items() if key != "userName"})
    entries = run_json(app, "journal")
    answer = okta.request(method, f"/Users/{ann['id']}", body)
    assert (answer.status, answer.body) == (200, ann)
    assert run_json(app, "journal") == entries


def test_an_unchanged_group_keeps_its_version(okta: ScimClient) -> None:
    ann = user(okta, "ann")["id"]
    one = group(okta, "G", ann)
    path = f"/Groups/{one['id']}"
    same = [
        ("PUT", {"displayName": "G", "members": [{"value": ann, "display": "x"}]}),
        ("PATCH", patch("add", "members", [{"value": ann}])),
        ("PATCH", patch("remove", "members", [{"value": "unknown"}])),
        ("PATCH", patch("replace", None, {"displayName": "G"})),
        (
            "PATCH",
            {
                "Operations": [
                    {"op": "remove", "path": "members"},
                    *patch("add", "members", [{"value": ann}])["Operations"],
                ]
            },
        ),
    ]
    for method, body in same:
        answer = okta.request(method, path, body)
        assert (answer.status, answer.body) == (200, one), body


# Projection on every operation (RFC 7644 section 3.9)


def test_projection_on_all_operations(okta: ScimClient) -> None:
    asked, left_out = "?attributes=userName,emails.type", f"?excludedAttributes=emails,{ENTERPRISE},title"
    created = okta.post("/Users" + asked, FULL).body
    path = f"/Users/{created['id']}"
    picked = [
        created,
        okta.get(path + asked).body,
        okta.put(path + asked, FULL).body,
        okta.patch(path + asked, patch("replace", "title", "Boss")).body,
        okta.get("/Users" + asked).body["Resources"][0],
        okta.post("/Users/.search", {"attributes": ["USERNAME", "emails.type"]}).body["Resources"][0],
    ]
    for document in picked:
        assert document == {
            "id": created["id"], "schemas": document["schemas"], "userName": "ann", "emails": [{"type": "work"}],
        }  # fmt: skip
    for document in (
        okta.get(path + left_out).body,
        okta.put(path + left_out, FULL).body,
        okta.patch(path + left_out, patch("replace", "title", "Boss")).body,
        okta.get("/Users" + left_out).body["Resources"][0],
    ):
        assert document.keys().isdisjoint({"emails", "title", ENTERPRISE})
        assert document.keys() >= {"id", "meta", "userName", "roles", ACCESS}


def test_projection_reaches_into_extensions(okta: ScimClient) -> None:
    ann = user(okta, "ann", roles=["managed:admin"], **{ENTERPRISE: {"department": "D", "division": "E"}})
    path = f"/Users/{ann['id']}?attributes="
    assert okta.get(path + f"{ENTERPRISE}:department").body[ENTERPRISE] == {"department": "D"}
    assert okta.get(path + f"{ACCESS}:loginAllowed").body[ACCESS] == {"loginAllowed": True}
    assert okta.get(path + f"{ACCESS}:effectiveRoles.value").body[ACCESS] == {
        "effectiveRoles": [{"value": "managed:admin"}]
    }
    both = okta.get(path + "userName&excludedAttributes=emails")
    refused(both, 400, "invalidValue", "cannot be combined")
    assert okta.get(path + "noSuchThing").body.keys() == {"id", "schemas"}


@pytest.mark.parametrize(
    "query", ["excludedAttributes=members", "attributes=displayName", "excludedattributes=Members"]
)
def test_members_left_out_are_not_read(app: Flask, okta: ScimClient, query: str) -> None:
    one = group(okta, "G", user(okta, "ann")["id"])
    for path in (f"/Groups/{one['id']}?{query}", f"/Groups?{query}", f"/Groups?{query}&filter=displayName+eq+%22g%22"):
        with traced(app) as statements:
            assert okta.get(path).status == 200
        assert statements
        assert not [statement for statement in statements if "FROM members m" in statement], path
    with traced(app) as statements:
        okta.get(f"/Groups/{one['id']}")
    assert [statement for statement in statements if "members" in statement]


# Statuses: 401 before 404, 405 with Allow, 413, 415, 400


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
def test_405_says_what_is_allowed(okta: ScimClient, method: str, path: str, allowed: set[str]) -> None:
    answer = okta.request(method, path, {} if method != "GET" else None)
    refused(answer, 405, detail=f"{method} is not possible at")
    assert allowed <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("path", ["/Nothing", "/Users/1/2/3", "/users", "/ResourceTypes/None", "/Schemas/urn:none"])
def test_404_is_an_error_document(okta: ScimClient, path: str) -> None:
    refused(okta.get(path), 404)


@pytest.mark.parametrize(
    "identifier", ["1", "010101001010101011001010101011", "00919288221112222", "%00", "é", "a" * 5000]
)
def test_any_id_may_be_unknown(okta: ScimClient, identifier: str) -> None:
    for kind in ("Users", "Groups", "Roles"):
        refused(okta.get(f"/{kind}/{identifier}"), 404)
    refused(okta.patch(f"/Users/{identifier}", patch("replace", "title", "x")), 404)
    refused(okta.put(f"/Users/{identifier}", {"userName": "x"}), 404)
    refused(okta.delete(f"/Groups/{identifier}"), 404)


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_415(okta: ScimClient, media: str) -> None:
    refused(okta.post("/Users", {"userName": "x"}, {"Content-Type": media}), 415, detail="application/scim+json")


@pytest.mark.parametrize("media", ["application/json", "application/scim+json;charset=UTF-8", "Application/JSON; a=b"])
def test_accepted_media(okta: ScimClient, media: str) -> None:
    answer = okta.post("/Users", {"userName": "x"}, {"Content-Type": media})
    assert (answer.status, answer.headers["Content-Type"]) == (201, "application/scim+json")


def test_413(make_app: MakeApp, make_client: MakeClient) -> None:
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


@pytest.mark.parametrize(
    ("name", "limit"),
    [("userName", 1024), ("displayName", 1024), ("externalId", 1024), ("title", 65536), ("nickName", 65536)],
)
def test_text_is_bounded(okta: ScimClient, name: str, limit: int) -> None:
    body: Body = {"userName": "x", name: "é" * (limit // 2)}
    made = okta.post("/Users", body)
    assert made.status == 201
    assert made.body[name] == body[name]
    refused(okta.post("/Users", {"userName": "y", name: "é" * (limit // 2) + "a"}), 400, "invalidValue", name)
    refused(
        okta.patch(f"/Users/{made.body['id']}", patch("replace", name, "a" * (limit + 1))), 400, "invalidValue", name
    )


def test_uniqueness_ignores_case_beyond_ascii(okta: ScimClient) -> None:
    user(okta, "STRASSE@example.com")
    refused(okta.post("/Users", {"userName": "straße@EXAMPLE.com"}), 409, "uniqueness", "userName")
    other = user(okta, "other")
    refused(okta.put(f"/Users/{other['id']}", {"userName": "Strasse@example.com"}), 409, "uniqueness")
    group(okta, "Team")
    refused(okta.post("/Groups", {"displayName": "TEAM"}), 409, "uniqueness", "displayName")


def test_head_and_me_and_trailing_slashes(okta: ScimClient) -> None:
    ann = user(okta, "ann")
    assert okta.request("HEAD", f"/Users/{ann['id']}").status == 200
    refused(okta.get("/Me"), 501)
    assert okta.get(f"/Users/{ann['id']}/").body["id"] == ann["id"]
    assert okta.get("/Users/").status == 200
    assert okta.post("/Groups/", {"displayName": "G"}).status == 201


def test_discovery_takes_no_filter(okta: ScimClient) -> None:
    for path in ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig"):
        refused(okta.get(path + "?filter=id+pr"), 403)


# Re-activation (the design's section 5)


def test_an_okta_post_brings_a_deactivated_person_back(app: Flask, okta: ScimClient) -> None:
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
def test_everything_else_is_a_conflict(make_client: MakeClient, provider: str, active: bool, sent: Body) -> None:
    client = make_client(provider)
    ann = user(client, "ann", active=active)
    refused(client.post("/Users", {"userName": "Ann", **sent}), 409, "uniqueness")
    assert client.get(f"/Users/{ann['id']}").body == ann


# Groups: members, nesting, size


def test_large_groups_are_patched_with_204(okta: ScimClient) -> None:
    people = [user(okta, f"u{number}")["id"] for number in range(201)]
    one = group(okta, "G", *people[:200])
    path = f"/Groups/{one['id']}"
    small = okta.patch(path, patch("replace", "displayName", "H"))
    assert (small.status, len(small.body["members"])) == (200, 200)
    large = okta.patch(path, patch("add", "members", [{"value": people[200]}]))
    assert (large.status, large.body) == (204, None)
    assert large.headers["ETag"] == okta.get(path).headers["ETag"]
    asked = okta.patch(path + "?attributes=displayName", patch("replace", "displayName", "I"))
    assert (asked.status, asked.body["displayName"]) == (200, "I")
    assert "members" not in okta.patch(path + "?excludedAttributes=members", patch("replace", "displayName", "J")).body
    assert okta.patch(path, patch("remove", f'members[value eq "{people[0]}"]')).status == 200


@pytest.mark.parametrize("name", ["$ref", "display", "type"])
def test_members_are_removed_by_whatever_their_elements_show(okta: ScimClient, name: str) -> None:
    one = group(okta, "G", user(okta, "ann", displayName="Ann")["id"])
    element = one["members"][0]
    answer = okta.patch(f"/Groups/{one['id']}", patch("remove", f'members[{name} eq "{element[name]}"]'))
    assert (answer.status, "members" in answer.body) == (200, False)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_unknown_member_is_named_and_nothing_written(okta: ScimClient, method: str) -> None:
    one = group(okta, "G")
    body: Body = {"displayName": "H", "members": [{"value": user(okta, "ann")["id"]}, {"value": "no-such-id"}]}
    if method == "PATCH":
        body = patch("replace", None, body)
    answer = okta.request(method, "/Groups" if method == "POST" else f"/Groups/{one['id']}", body)
    refused(answer, 400, "invalidValue", "'no-such-id'")
    assert okta.get("/Groups").body["Resources"] == [okta.get(f"/Groups/{one['id']}").body]
    assert okta.get(f"/Groups/{one['id']}").body["meta"] == one["meta"]


def test_nesting_shows_direct_and_indirect(okta: ScimClient) -> None:
    ann = user(okta, "ann", displayName="Ann")["id"]
    inner = group(okta, "Inner", ann)
    outer = group(okta, "Outer", inner["id"])
    assert [(g["display"], g["type"]) for g in okta.get(f"/Users/{ann}").body["groups"]] == [
        ("Inner", "direct"), ("Outer", "indirect"),
    ]  # fmt: skip
    (member,) = okta.get(f"/Groups/{outer['id']}").body["members"]
    assert (member["type"], member["display"]) == ("Group", "Inner")
    assert member["$ref"].endswith(f"/Groups/{inner['id']}")
    for question, names in (
        (f'groups.value eq "{outer["id"]}"', ["ann"]),
        ('groups.display eq "outer"', ["ann"]),
        ('groups[display eq "Outer" and type eq "direct"]', []),
        ('groups[display eq "Outer" and type eq "indirect"]', ["ann"]),
    ):
        found = okta.get("/Users?" + urlencode({"filter": question})).body["Resources"]
        assert [person["userName"] for person in found] == names, question


def test_circles_of_groups_end(okta: ScimClient) -> None:
    ann = user(okta, "ann")["id"]
    first = group(okta, "A", ann)["id"]
    second = group(okta, "B", first)["id"]
    assert okta.patch(f"/Groups/{first}", patch("add", "members", [{"value": second}, {"value": first}])).status == 200
    assert [(g["display"], g["type"]) for g in okta.get(f"/Users/{ann}").body["groups"]] == [
        ("A", "direct"), ("B", "indirect"),
    ]  # fmt: skip
    assert okta.get("/Users?" + urlencode({"filter": 'groups.display eq "B"'})).body["totalResults"] == 1
    assert okta.delete(f"/Groups/{first}").status == 204
    assert "groups" not in okta.get(f"/Users/{ann}").body


def test_deleting_leaves_nothing_dangling(app: Flask, okta: ScimClient) -> None:
    ann, bob = (user(okta, name, emails=[{"value": f"{name}@x"}])["id"] for name in ("ann", "bob"))
    inner = group(okta, "Inner", ann, bob)["id"]
    outer = group(okta, "Outer", inner, ann)
    okta.delete(f"/Users/{ann}")
    after = okta.get(f"/Groups/{outer['id']}").body
    assert [member["value"] for member in after["members"]] == [inner]
    assert after["meta"]["version"].split(".")[0] != outer["meta"]["version"].split(".")[0]
    okta.delete(f"/Groups/{inner}")
    assert "members" not in okta.get(f"/Groups/{outer['id']}").body
    with app.extensions["perch"].database.read() as connection:
        assert connection.execute("SELECT count(*) FROM members").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM emails").fetchone() == (1,)
    refused(okta.delete(f"/Users/{ann}"), 404)


def test_a_members_new_name_moves_the_groups_entity_tag(okta: ScimClient) -> None:
    ann = user(okta, "ann", displayName="Ann")["id"]
    one = group(okta, "G", ann)
    okta.patch(f"/Users/{ann}", patch("replace", "displayName", "Anna"))
    answer = okta.get(f"/Groups/{one['id']}", {"If-None-Match": one["meta"]["version"]})
    assert (answer.status, answer.body["members"][0]["display"]) == (200, "Anna")


def test_passwords_are_taken_and_forgotten(app: Flask, okta: ScimClient) -> None:
    secret = "correct horse battery staple"
    ann = okta.post("/Users", {"userName": "ann", "password": secret})
    okta.put(f"/Users/{ann.body['id']}", {"userName": "ann", "password": secret})
    okta.patch(f"/Users/{ann.body['id']}", patch("replace", "password", secret))
    refused(okta.get("/Users?filter=password+pr"), 400, "invalidFilter")
    with app.extensions["perch"].database.read() as connection:
        assert secret not in "\n".join(connection.iterdump())
    assert secret not in json.dumps(ann.body)
