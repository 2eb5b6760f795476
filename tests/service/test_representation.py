"""An answer is joined from three texts: the stored document, the derived part, and meta."""

import json
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema

from schemas import ResourceType
from schemas.user import ACCESS_URN, ENTERPRISE_URN
from storage.database import Database
from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resource_types import GROUP, RESOURCE_TYPES, USER

ADA = {
    "userName": "ada", "emails": [{"value": "a@x", "primary": True}], "name": {"givenName": "Ada", "familyName": "L"},
    "password": "secret", "roles": ["managed:admin"], "active": True, "x": 1,
    ENTERPRISE_URN: {"department": "D", "manager": {"value": "7"}},
}  # fmt: skip


def stored(app: Flask, identifier: str) -> str:
    database: Database = app.extensions["perch"].database
    with database.read() as connection:
        (text,) = connection.execute("SELECT document FROM resources WHERE id = ?", (identifier,)).fetchone()
    return str(text)


def expected(kind: ResourceType, body: dict[str, Any]) -> str:
    """Return what `dumps` writes of a body, without roles and members, which have rows of their own."""
    document = kind.load(body)
    return str(kind.schema.dumps({key: value for key, value in document.items() if key not in ("roles", "members")}))


def test_the_stored_document_is_what_dumps_wrote(app: Flask, generic: ScimClient) -> None:
    user = generic.post("/Users", ADA).body["id"]
    assert stored(app, user) == expected(USER, ADA)
    generic.put(f"/Users/{user}", {**ADA, "title": "T"})
    assert stored(app, user) == expected(USER, {**ADA, "title": "T"})
    change = {"op": "replace", "path": f"{ENTERPRISE_URN}:department", "value": "E"}
    generic.patch(f"/Users/{user}", {"Operations": [change, {"op": "add", "path": "externalId", "value": "00u"}]})
    manager = {"department": "E", "manager": {"value": "7"}}
    assert stored(app, user) == expected(USER, {**ADA, "title": "T", "externalId": "00u", ENTERPRISE_URN: manager})
    body = {"displayName": "é", "members": [{"value": user}]}
    group = generic.post("/Groups", body).body["id"]
    assert stored(app, group) == expected(GROUP, body)


@pytest.mark.parametrize("provider", ["okta", "generic"])
def test_an_answer_is_joined_from_texts(app: Flask, make_client: MakeClient, provider: str) -> None:
    client = make_client(provider)
    user = client.post("/Users", ADA).body["id"]
    group = client.post("/Groups", {"displayName": "G", "members": [{"value": user}]}).body["id"]
    run_command(app, "roles", "assign", "--group", "G", "managed:viewer")
    for kind, path in ((USER, f"/Users/{user}"), (GROUP, f"/Groups/{group}")):
        status, _, content = client.transport(
            "GET", client.base_path + path, {"Authorization": f"Bearer {client.key}"}, None
        )
        text, body = content.decode(), json.loads(content)
        derived = {key: body[key] for key in ("roles", "groups", *kind.schema.extensions) if key in body}
        derived.pop(ENTERPRISE_URN, None)
        assert status == 200
        assert text.startswith(f'{{"id":"{path.rpartition("/")[2]}",{stored(app, body["id"])[1:-1]},')
        assert f',{kind.derived.dumps(derived)[1:-1]},"meta":' in text


def test_an_answer_is_what_dump_gives(app: Flask, generic: ScimClient) -> None:
    user = generic.post("/Users", ADA).body["id"]
    inner = generic.post("/Groups", {"displayName": "Inner", "members": [{"value": user}]}).body["id"]
    generic.post("/Groups", {"displayName": "Outer", "members": [{"value": inner}]})
    run_command(app, "roles", "assign", "--group", "Outer", "managed:viewer")
    run_command(app, "roles", "assign", "--user", "ada", "managed:editor")
    for kind in RESOURCE_TYPES.values():
        for body in generic.get(kind.endpoint).body["Resources"]:
            assert kind.schema.dump(body) == body
    access = generic.get(f"/Users/{user}").body[ACCESS_URN]
    assert [role["type"] for role in access["effectiveRoles"]] == ["direct", "manual", "group"]


def test_a_read_neither_parses_nor_dumps_what_is_cached(
    generic: ScimClient, okta: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [generic.post("/Users", {**ADA, "userName": f"u{number}"}).body["id"] for number in range(5)]
    generic.post("/Groups", {"displayName": "G", "members": [{"value": each} for each in ids]})

    def answers() -> list[Any]:
        paths = ("/Users", "/Groups", f"/Users/{ids[0]}", "/Users?filter=userName%20eq%20%22u1%22")
        return [client.get(path).body for client in (generic, okta) for path in paths]

    before = answers()
    for name in ("dump", "load"):
        monkeypatch.delattr(Schema, name)
    for module in ("scim.service.representation", "storage.resources"):
        monkeypatch.delattr(f"{module}.json")
    assert answers() == before
