"""What one request may cost: bytes and values of bodies, names, memberships and sizes of pages."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from scim.service import representation
from storage import search
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import create_users, group_id, patch, refused, user_id
from tests.support.statements import traced

MIB = 1024 * 1024
RING = 12


def padded(document: dict[str, Any], size: int) -> bytes:
    """Return a JSON document of a size in bytes, filled up with an attribute that nobody knows."""
    text = json.dumps({**document, "padding": ""})
    return text.replace('"padding": ""', '"padding": "' + "x" * (size - len(text)) + '"').encode()


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("POST", "/.search", MIB // 4),
        ("POST", "/Users/.search", MIB // 4),
        ("POST", "/Groups/.search", MIB // 4),
        ("POST", "/Roles/.search", MIB // 4),
        ("POST", "events", MIB // 4),
        ("POST", "/Users", 2 * MIB),
        ("PUT", "/Users/{user}", 2 * MIB),
        ("PATCH", "/Users/{user}", 2 * MIB),
        ("POST", "/Groups", 3 * MIB),
        ("PATCH", "/Groups/{group}", 3 * MIB),
        ("POST", "/Bulk", 3 * MIB),
    ],
)
def test_bodies_have_a_largest_size(
    method: str, path: str, size: int, make_app: MakeApp, make_client: MakeClient
) -> None:
    client = make_client(app=make_app(PERCH_MAX_BODY=str(3 * MIB)))
    if path == "events":
        client, path = client.beside_scim(), "/events/poll"
    else:
        path = path.format(user=user_id(client, "ann"), group=group_id(client, "g"))
    fits = client.request(method, path, data=padded({"returnImmediately": True}, size))
    assert fits.status in (200, 201, 400), fits
    refused(client.request(method, path, data=padded({}, size + 1)), 413, detail=f"larger than {size} bytes")


@pytest.mark.parametrize("name", ["attributes", "excludedAttributes"])
def test_at_most_200_names(name: str, generic: ScimClient) -> None:
    ann = user_id(generic, "ann")
    for count, status in ((200, 200), (201, 400)):
        names = [f"x{number}" for number in range(count)]
        for answer in (
            generic.get(f"/Users?{name}={','.join(names)}"),
            generic.get(f"/Users/{ann}?{name}={','.join(names)}"),
            generic.post("/Users/.search", {name: names}),
            generic.post("/.search", {name: [",".join(names[:150]), *names[150:]]}),
        ):
            assert answer.status == status, answer
            if status == 400:
                refused(answer, 400, "invalidValue", f"{name}: has 201 names")


def test_an_operation_of_bulk_has_as_many_values_as_a_request(generic: ScimClient) -> None:
    emails = [{"value": f"{number}@example.com"} for number in range(10_001)]
    members = [{"value": user_id(generic, "ann")}] * 10_001
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "many", "emails": emails}},
        {"method": "POST", "path": "/Groups", "bulkId": "2", "data": {"displayName": "many", "members": members}},
        {"method": "POST", "path": "/Users", "bulkId": "3", "data": {"userName": "few", "emails": emails[:9000]}},
    ]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    answer = generic.post("/Bulk", body)
    assert [each["status"] for each in answer.body["Operations"]] == ["413", "201", "201"]
    assert "20000 values" in answer.body["Operations"][0]["response"]["detail"]


@pytest.fixture
def ring(app: Flask, generic: ScimClient) -> ScimClient:
    """A ring of groups, each inside the next and with one person; one of the groups has a role."""
    people = create_users(generic, [f"p{number}" for number in range(RING)])
    groups = [group_id(generic, f"ring {number}", people[number]) for number in range(RING)]
    for number, group in enumerate(groups):
        inner = groups[(number + 1) % RING]
        assert generic.patch(f"/Groups/{group}", patch("add", "members", [{"value": inner}])).status in (200, 204)
    run_command(app, "roles", "assign", "--group", "ring 0", "managed:admin")
    return generic


def test_a_page_over_nested_groups_takes_as_many_statements_as_one_person(app: Flask, ring: ScimClient) -> None:
    counts = []
    for count in (1, RING):
        run_command(app, "roles", "edit", "managed:admin", "--name", f"Admin {count}")
        with traced(app) as statements:
            page = ring.get(f"/Users?count={count}").body["Resources"]
        counts.append(sum("members" in text or "assignments" in text for text in statements))
        for person in page:
            kinds = [group["type"] for group in person["groups"]]
            assert kinds == ["direct"] + ["indirect"] * (RING - 1)
            assert [group["display"] for group in person["groups"][1:]] == sorted(
                (group["display"] for group in person["groups"][1:]), key=lambda name: int(name.split()[1])
            )
    assert counts[1] <= counts[0]


def test_a_page_with_too_many_memberships_is_refused(ring: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representation, "MOST_REASONS", RING * 3)
    refused(ring.get(f"/Users?count={RING}"), 400, "tooMany", "count")
    refused(ring.get(f"/Users?count={RING}&attributes=groups"), 400, "tooMany", "count")
    for path in (
        "/Users?count=3", f"/Users?count={RING}&attributes=userName", "/Users?count=1",
        f"/Users?count={RING}&excludedAttributes=groups,roles,urn:perch:scim:schemas:extension:access:1.0:User",
    ):  # fmt: skip
        assert ring.get(path).status == 200, path
    monkeypatch.setattr(representation, "MOST_REASONS", 1)
    person = ring.get("/Users?count=1").body["Resources"][0]
    assert ring.patch(f"/Users/{person['id']}", patch("replace", "active", False)).status == 200


def test_names_that_need_no_groups_read_none(app: Flask, ring: ScimClient) -> None:
    with traced(app) as statements:
        assert ring.get(f"/Users?count={RING}&attributes=userName,emails").status == 200
    assert not [text for text in statements if "FROM members" in text and "FROM resources r" not in text]


def large_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_DOCUMENTS", 3000)
    monkeypatch.setattr(search, "FETCHED", 3)


def long_derived_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representation, "MOST_DERIVED", 3000)


def many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representation, "MOST_MEMBERS", 1500)


@pytest.mark.parametrize(
    ("bound", "path"),
    [
        (large_documents, "/Users?"),
        (large_documents, "/Users?attributes=userName&"),
        (large_documents, "/Users?cursor=&"),
        (large_documents, "/Users?sortBy=userName&"),
        (large_documents, '/Users?filter=userName%20sw%20"p"&'),
        (long_derived_parts, "/Users?"),
        (long_derived_parts, "/Users?attributes=groups&"),
        (many_members, "/Groups?"),
        (many_members, "/Groups?attributes=members&"),
    ],
)
def test_a_page_has_a_largest_size(
    bound: Callable[[pytest.MonkeyPatch], None], path: str, generic: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [user_id(generic, f"p{number}", title="t" * 800) for number in range(6)]
    for number in range(6):
        group_id(generic, f"g{number}", *people)
    assert generic.get(f"{path}count=6").status == 200
    bound(monkeypatch)
    refused(generic.get(f"{path}count=6"), 400, "tooMany", "count")
    assert generic.get(f"{path}count=1").status == 200
