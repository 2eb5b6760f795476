"""The number of SQL statements of each operation, authentication and transaction included."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import pytest
from flask import Flask

from tests.conftest import MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_command
from tests.support.resources import patch_op
from tests.support.statements import traced

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PEOPLE = 100


@dataclass(frozen=True)
class Directory:
    """A hundred people with a role, all in a group with an assigned role, and one person outside it."""

    client: ScimClient
    person: str
    group: str
    outsider: str


def person(name: str, **more: object) -> dict[str, object]:
    emails = [{"value": f"{name}@example.com", "type": "work", "primary": True}]
    return {"schemas": [USER], "userName": name, "externalId": f"x-{name}", "displayName": name, "active": True,
            "emails": emails, "roles": ["managed:viewer"], **more}  # fmt: skip


@pytest.fixture
def directory(app: Flask, make_client: MakeClient) -> Directory:
    client = make_client("okta")
    ids = [client.post("/Users", person(f"p{number}")).body["id"] for number in range(PEOPLE)]
    group = client.post("/Groups", {"displayName": "All", "members": [{"value": one} for one in ids]}).body["id"]
    run_command(app, "roles", "assign", "--group", "All", "managed:admin")
    outsider = client.post("/Users", {"userName": "outsider"}).body["id"]
    # This fills the derived cache: a first read takes two or three statements more.
    assert client.get("/Users?count=1000").status == client.get("/Groups").status == 200
    return Directory(client, ids[0], group, outsider)


def get(of: Directory) -> Answer:
    return of.client.get(f"/Users/{of.person}")


def get_outsider(of: Directory) -> Answer:
    return of.client.get(f"/Users/{of.outsider}")


def not_modified(of: Directory) -> Answer:
    return of.client.get(f"/Users/{of.outsider}", headers={"If-None-Match": "*"})


def by_user_name(of: Directory) -> Answer:
    return of.client.get('/Users?filter=userName%20eq%20"p7"&startIndex=1&count=100')


def by_external_id(of: Directory) -> Answer:
    return of.client.get('/Users?filter=externalId%20eq%20"x-p7"')


def by_email(of: Directory) -> Answer:
    return of.client.get('/Users?filter=emails.value%20eq%20"p7@example.com"')


def missing(of: Directory) -> Answer:
    return of.client.get('/Users?filter=userName%20eq%20"nobody"')


def page(of: Directory) -> Answer:
    return of.client.get("/Users?startIndex=1&count=100")


def deep_page(of: Directory) -> Answer:
    return of.client.get("/Users?startIndex=51&count=10")


def cursor_page(of: Directory) -> Answer:
    return of.client.get("/Users?cursor=&count=10")


def post(of: Directory) -> Answer:
    return of.client.post("/Users", person("new"))


def put(of: Directory) -> Answer:
    return of.client.put(f"/Users/{of.person}", person("p0", title="Engineer"))


def put_same(of: Directory) -> Answer:
    return of.client.put(f"/Users/{of.person}", person("p0"))


def put_roles(of: Directory) -> Answer:
    return of.client.put(f"/Users/{of.person}", person("p0", roles=["managed:admin"]))


def patch(of: Directory) -> Answer:
    return of.client.patch(f"/Users/{of.person}", patch_op({"op": "replace", "value": {"title": "Engineer"}}))


def deactivate(of: Directory) -> Answer:
    return of.client.patch(f"/Users/{of.person}", patch_op({"op": "replace", "value": {"active": False}}))


def delete(of: Directory) -> Answer:
    return of.client.delete(f"/Users/{of.person}")


def get_group(of: Directory) -> Answer:
    return of.client.get(f"/Groups/{of.group}")


def get_group_without_members(of: Directory) -> Answer:
    return of.client.get(f"/Groups/{of.group}?excludedAttributes=members")


def add_member(of: Directory) -> Answer:
    value = [{"value": of.outsider}]
    return of.client.patch(f"/Groups/{of.group}", patch_op({"op": "add", "path": "members", "value": value}))


def remove_member(of: Directory) -> Answer:
    path = f'members[value eq "{of.person}"]'
    return of.client.patch(f"/Groups/{of.group}", patch_op({"op": "remove", "path": path}))


def rename(of: Directory) -> Answer:
    return of.client.patch(f"/Groups/{of.group}", patch_op({"op": "replace", "value": {"displayName": "Everyone"}}))


def delete_group(of: Directory) -> Answer:
    return of.client.delete(f"/Groups/{of.group}")


# All statements of a request: one for the key, two around a read or a write, and the operation's own.
TABLE: dict[Callable[[Directory], Answer], int] = {
    get: 4,
    get_outsider: 4,
    not_modified: 4,
    by_user_name: 4,
    by_external_id: 4,
    by_email: 4,
    missing: 4,
    page: 5,
    deep_page: 7,
    cursor_page: 7,
    post: 16,  # two words more, and no second write of the row
    put: 8,
    put_same: 4,
    put_roles: 18,
    patch: 8,
    deactivate: 14,
    delete: 19,
    get_group: 5,
    get_group_without_members: 4,
    add_member: 25,
    remove_member: 23,
    rename: 16,
    delete_group: 124,  # an event for each of the hundred people who lose a role
}


@pytest.mark.parametrize("operation", TABLE, ids=lambda operation: operation.__name__)
def test_each_operation_takes_its_number_of_statements(
    app: Flask, directory: Directory, operation: Callable[[Directory], Answer]
) -> None:
    with traced(app) as traces:
        assert operation(directory).status < 400
    # SQLite traces a statement once more for each step of its triggers and cascades.
    statements = [text for text, _ in groupby(traces)]
    assert len(statements) == TABLE[operation], "\n".join(statements)
