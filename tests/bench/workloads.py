"""What a provider and an application do, each as one operation that checks its answer."""

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.bench.directory import person, pick
from tests.bench.load import Connection, Operation, WrongAnswer

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_SIZE = 1000
_fresh = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    """The seeded server: its base path, how many people, their ids and the groups' ids."""

    base: str
    people: int
    ids: list[str]
    groups: dict[str, str]

    def users(self, **parameters: object) -> str:
        """Return the path of a list of users."""
        return f"{self.base}/Users?" + "&".join(f"{name}={quote(str(value))}" for name, value in parameters.items())


def ask(connection: Connection, expected: int, method: str, path: str, body: Any = None) -> Any:
    """Send a request; return the answer's JSON, or raise WrongAnswer for another status."""
    data = json.dumps(body).encode() if body is not None else b""
    status, text = connection.ask(method, path, data)
    if status != expected:
        raise WrongAnswer(f"{method} {path}: {status} {text[:500]!r}")
    return text


def expect(condition: bool, what: object) -> None:
    """Raise WrongAnswer unless the condition holds."""
    if not condition:
        raise WrongAnswer(str(what)[:500])


def fresh_name() -> str:
    """Return a userName that no run has used."""
    return f"new{next(_fresh)}.{os.getpid()}@example.com"


def get_user(world: World) -> Operation:
    """GET /Users/{id}."""

    def operation(connection: Connection, turn: int) -> None:
        identifier = world.ids[pick(world.people, turn)]
        text = ask(connection, 200, "GET", f"{world.base}/Users/{identifier}")
        expect(identifier.encode() in text, text)

    return operation


def look_up(world: World, attribute: str, value: Callable[[int], str], hit: bool) -> Operation:
    """GET /Users?filter=ATTRIBUTE eq "…"."""

    def operation(connection: Connection, turn: int) -> None:
        wanted = value(pick(world.people, turn)) if hit else f"nobody{turn}@example.com"
        path = world.users(filter=f'{attribute} eq "{wanted}"', startIndex=1, count=100)
        text = ask(connection, 200, "GET", path)
        expect((b'"totalResults":1,' if hit else b'"totalResults":0,') in text, text)

    return operation


def page(world: World, start: Callable[[int], int], count: int = 100) -> Operation:
    """GET a page of users by index."""

    def operation(connection: Connection, turn: int) -> None:
        text = ask(connection, 200, "GET", world.users(startIndex=start(turn), count=count))
        expect(f'"itemsPerPage":{count},'.encode() in text, text[:300])

    return operation


def cursor_page(world: World) -> Operation:
    """GET the page after a page, by cursor, wherever the last one ended."""
    cursors: dict[int, str] = {}

    def operation(connection: Connection, turn: int) -> None:
        client = id(connection)
        text = ask(connection, 200, "GET", world.users(cursor=cursors.get(client, ""), count=100))
        found = json.loads(text)
        expect(bool(found["Resources"]), text[:300])
        cursors[client] = found.get("nextCursor", "")

    return operation


def search(world: World, text: str, count: int = 10) -> Operation:
    """GET the first few users that match a filter."""

    def operation(connection: Connection, turn: int) -> None:
        found = ask(connection, 200, "GET", world.users(filter=text, count=count))
        expect(b'"totalResults":' in found and b'"Resources":[{' in found, found[:300])

    return operation


def post_user(world: World) -> Operation:
    """POST /Users."""

    def operation(connection: Connection, turn: int) -> None:
        name = fresh_name()
        sent = {**person(turn), "userName": name, "password": "secret12", "groups": [], "active": True}
        text = ask(connection, 201, "POST", f"{world.base}/Users", sent)
        expect(name.encode() in text, text)

    return operation


def put_user(world: World) -> Operation:
    """PUT /Users/{id} with a change."""

    def operation(connection: Connection, turn: int) -> None:
        number = pick(world.people, turn)
        sent = {**person(number), "title": f"Title {next(_fresh)}"}
        text = ask(connection, 200, "PUT", f"{world.base}/Users/{world.ids[number]}", sent)
        expect(sent["title"].encode() in text, text)

    return operation


def patch_user(world: World) -> Operation:
    """PATCH /Users/{id} with a change."""

    def operation(connection: Connection, turn: int) -> None:
        title = f"Title {next(_fresh)}"
        body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": {"title": title}}]}
        text = ask(connection, 200, "PATCH", f"{world.base}/Users/{world.ids[pick(world.people, turn)]}", body)
        expect(title.encode() in text, text)

    return operation


def okta_session(world: World) -> Operation:
    """Look a person up, POST, GET, PUT with another role, PATCH inactive: one operation of five requests."""

    def operation(connection: Connection, turn: int) -> None:
        name = fresh_name()
        text = ask(connection, 200, "GET", world.users(filter=f'userName eq "{name}"', startIndex=1, count=100))
        expect(b'"totalResults":0,' in text, text)
        sent = {**person(turn), "userName": name, "active": True, "roles": ["managed:viewer"]}
        made = json.loads(ask(connection, 201, "POST", f"{world.base}/Users", sent))
        path = f"{world.base}/Users/{made['id']}"
        read = json.loads(ask(connection, 200, "GET", path))
        changed = json.loads(ask(connection, 200, "PUT", path, {**read, "roles": ["managed:editor"]}))
        expect(str(changed["roles"]).count("managed:editor") == 1, changed)
        body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": {"active": False}}]}
        text = ask(connection, 200, "PATCH", path, body)
        expect(b'"active":false' in text, text)

    return operation


def members(world: World, group: str) -> Operation:
    """Add a member to a group and take it out again: one operation of two requests."""
    path = f"{world.base}/Groups/{world.groups[group]}?excludedAttributes=members"

    def operation(connection: Connection, turn: int) -> None:
        identifier = world.ids[-1 - turn % 50]
        add = [{"op": "add", "path": "members", "value": [{"value": identifier}]}]
        out = [{"op": "remove", "path": f'members[value eq "{identifier}"]'}]
        for operations in (add, out):
            text = ask(connection, 200, "PATCH", path, {"schemas": [PATCH_OP], "Operations": operations})
            expect(world.groups[group].encode() in text and b'"members"' not in text, text[:300])

    return operation


def rename(world: World, group: str) -> Operation:
    """Rename a group as Okta does: a pathless replace."""
    path = f"{world.base}/Groups/{world.groups[group]}?excludedAttributes=members"

    def operation(connection: Connection, turn: int) -> None:
        value = {"id": world.groups[group], "displayName": f"{group} {next(_fresh)}"}
        body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": value}]}
        text = ask(connection, 200, "PATCH", path, body)
        expect(value["displayName"].encode() in text, text[:300])

    return operation


def get_group(world: World, group: str) -> Operation:
    """GET a group without its members."""

    def operation(connection: Connection, turn: int) -> None:
        path = f"{world.base}/Groups/{world.groups[group]}?excludedAttributes=members"
        text = ask(connection, 200, "GET", path)
        expect(b'"members"' not in text, text[:300])

    return operation


def post_group(world: World, size: int) -> Operation:
    """POST a group with that many members."""
    listed = [{"value": identifier} for identifier in world.ids[:size]]

    def operation(connection: Connection, turn: int) -> None:
        body = {"displayName": fresh_name(), "members": listed}
        path = f"{world.base}/Groups?excludedAttributes=members"
        expect(b"displayName" in ask(connection, 201, "POST", path, body), "no group")

    return operation


def bulk(world: World) -> Operation:
    """Create a thousand people in one request."""

    def operation(connection: Connection, turn: int) -> None:
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {**person(n), "userName": fresh_name()}}
            for n in range(BULK_SIZE)
        ]
        text = ask(connection, 200, "POST", f"{world.base}/Bulk", {"schemas": [BULK], "Operations": operations})
        expect(text.count(b'"status":"201"') == BULK_SIZE, text[:300])

    return operation
