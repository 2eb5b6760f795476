"""Requests of providers and applications; each workload is an operation that checks its answers."""

import itertools
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.bench.directory import person, pick
from tests.bench.load import HttpClient, Operation, WrongAnswer

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
BULK_SIZE = 1000
TOTAL = re.compile(rb'"totalResults":\s*(\d+)')
NEXT = re.compile(rb'"nextCursor":\s*"([^"]+)"')
INACTIVE = re.compile(rb'"active":\s*false')
DECLARED = "urn:example:bench:2.0:User"
DECLARED_NAMES = ("badge", "desk", "cost")
_fresh = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    """A seeded server: its base path, number of people, their ids, and the groups' ids by name."""

    base: str
    people: int
    ids: list[str]
    groups: dict[str, str]

    def users(self, **parameters: object) -> str:
        """Return the path of a list of users."""
        return f"{self.base}/Users?" + "&".join(f"{name}={quote(str(value))}" for name, value in parameters.items())

    def group(self, name: str) -> str:
        """Return the path of a group without its members."""
        return f"{self.base}/Groups/{self.groups[name]}?excludedAttributes=members"


def ask(client: HttpClient, expected: int, method: str, path: str, body: Any = None) -> bytes:
    """Send a request with bytes or a JSON document; return the answer's body.

    :raises WrongAnswer: for another status.
    """
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    status, text = client.ask(method, path, data)
    if status != expected:
        raise WrongAnswer(f"{method} {path}: {status} {text[:500]!r}")
    return text


def expect(condition: bool, what: object) -> None:
    """Raise WrongAnswer unless the condition holds."""
    if not condition:
        raise WrongAnswer(str(what)[:500])


def total(text: bytes) -> int:
    """Return a list's totalResults."""
    found = TOTAL.search(text)
    if found is None:
        raise WrongAnswer(f"no totalResults in {text[:300]!r}")
    return int(found[1])


def fresh_name() -> str:
    """Return a new userName."""
    return f"new{next(_fresh)}.{os.getpid()}@example.com"


def get_user(world: World) -> Operation:
    """GET /Users/{id}."""

    def operation(client: HttpClient, turn: int) -> None:
        number = pick(world.people, turn)
        text = ask(client, 200, "GET", f"{world.base}/Users/{world.ids[number]}")
        expect(world.ids[number].encode() in text and f'"person{number}@example.com"'.encode() in text, text)

    return operation


def look_up(world: World, attribute: str, value: Callable[[int], str], hit: bool) -> Operation:
    """GET /Users?filter=ATTRIBUTE eq "…"."""

    def operation(client: HttpClient, turn: int) -> None:
        number = pick(world.people, turn)
        wanted = value(number) if hit else f"nobody{turn}@example.com"
        text = ask(client, 200, "GET", world.users(filter=f'{attribute} eq "{wanted}"', startIndex=1, count=100))
        expect(total(text) == int(hit) and (world.ids[number].encode() in text) is hit, text)

    return operation


def page(world: World, start: Callable[[int], int], count: int = 100) -> Operation:
    """GET a page of users by index; with count=0 the total alone."""

    def operation(client: HttpClient, turn: int) -> None:
        text = ask(client, 200, "GET", world.users(startIndex=start(turn), count=count))
        expect(total(text) >= world.people and text.count(b'"userName":') == count, text[:300])

    return operation


def cursor_page(world: World) -> Operation:
    """GET the next page by cursor, and the first one after the last."""
    cursors: dict[int, str] = {}

    def operation(client: HttpClient, turn: int) -> None:
        text = ask(client, 200, "GET", world.users(cursor=cursors.get(id(client), ""), count=100))
        found, many = NEXT.search(text), text.count(b'"userName":')
        # Only the last page may be short.
        expect(many == 100 or (0 < many < 100 and found is None), text[:300])
        cursors[id(client)] = found[1].decode() if found else ""

    return operation


def search(
    world: World, text: str, matches: Callable[[Any], bool], expected: Callable[[int], bool] | None, count: int = 10
) -> Operation:
    """GET the first users that match a filter; `expected` tells which persons' numbers must match."""
    many = None if expected is None else sum(map(expected, range(world.people)))

    def operation(client: HttpClient, turn: int) -> None:
        answer = ask(client, 200, "GET", world.users(filter=text, count=count))
        found = json.loads(answer)["Resources"]
        expect(len(found) == count and all(map(matches, found)), answer[:300])
        expect(total(answer) == many if many is not None else total(answer) >= count, answer[:300])

    return operation


def post_user(world: World) -> Operation:
    """POST /Users."""

    def operation(client: HttpClient, turn: int) -> None:
        name = fresh_name()
        sent = {**person(turn), "userName": name, "password": "secret12", "groups": [], "active": True}
        text = ask(client, 201, "POST", f"{world.base}/Users", sent)
        expect(name.encode() in text and b'"id":' in text, text)

    return operation


def post_declared(world: World) -> Operation:
    """POST /Users with a value for each declared attribute."""

    def operation(client: HttpClient, turn: int) -> None:
        _post_declared(world, client, turn)

    return operation


def _post_declared(world: World, client: HttpClient, turn: int) -> str:
    name = fresh_name()
    values = {each: f"{each} {name}" for each in DECLARED_NAMES}
    sent = {**person(turn), "userName": name, "password": "secret12", "groups": [], "active": True, DECLARED: values}
    text = ask(client, 201, "POST", f"{world.base}/Users", sent)
    expect(json.loads(text)[DECLARED] == values, text)
    return name


def look_up_declared(world: World) -> Operation:
    """GET /Users?filter=URN:badge eq "…"."""
    names: list[str] = []

    def operation(client: HttpClient, turn: int) -> None:
        if len(names) < 20:
            names.append(_post_declared(world, client, turn))
        name = names[turn % len(names)]
        text = ask(client, 200, "GET", world.users(filter=f'{DECLARED}:badge eq "badge {name}"', count=100))
        expect(total(text) == 1 and f'"{name}"'.encode() in text, text)

    return operation


def put_user(world: World) -> Operation:
    """PUT /Users/{id} with a change."""

    def operation(client: HttpClient, turn: int) -> None:
        number = pick(world.people, turn)
        sent = {**person(number), "title": f"Title {next(_fresh)}"}
        text = ask(client, 200, "PUT", f"{world.base}/Users/{world.ids[number]}", sent)
        expect(sent["title"].encode() in text, text)

    return operation


def patch_user(world: World) -> Operation:
    """PATCH /Users/{id} with a change."""

    def operation(client: HttpClient, turn: int) -> None:
        title = f"Title {next(_fresh)}"
        body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": {"title": title}}]}
        text = ask(client, 200, "PATCH", f"{world.base}/Users/{world.ids[pick(world.people, turn)]}", body)
        expect(title.encode() in text, text)

    return operation


def come_and_go(world: World) -> Operation:
    """POST a user and DELETE it: one operation of two requests."""

    def operation(client: HttpClient, turn: int) -> None:
        sent = {**person(turn), "userName": fresh_name(), "groups": []}
        made = json.loads(ask(client, 201, "POST", f"{world.base}/Users", sent))
        ask(client, 204, "DELETE", f"{world.base}/Users/{made['id']}")

    return operation


def okta_session(world: World) -> Operation:
    """Look a person up, POST, GET, PUT with another role, PATCH inactive: one operation of five requests."""

    def operation(client: HttpClient, turn: int) -> None:
        name = fresh_name()
        text = ask(client, 200, "GET", world.users(filter=f'userName eq "{name}"', startIndex=1, count=100))
        expect(total(text) == 0, text)
        sent = {**person(turn), "userName": name, "active": True, "roles": [{"value": "managed:viewer"}]}
        path = f"{world.base}/Users/{json.loads(ask(client, 201, 'POST', f'{world.base}/Users', sent))['id']}"
        read = json.loads(ask(client, 200, "GET", path))
        changed = json.loads(ask(client, 200, "PUT", path, {**read, "roles": [{"value": "managed:editor"}]}))
        expect("managed:editor" in str(changed["roles"]) and "managed:viewer" not in str(changed["roles"]), changed)
        _deactivate(client, path, turn)

    return operation


def _deactivate(client: HttpClient, path: str, turn: int) -> None:
    operations = [{"op": "replace", "value": {"active": False}}]
    body = json.dumps({"schemas": [PATCH_OP], "Operations": operations}).encode()
    status, text = client.ask("PATCH", path, body)
    # A peer may answer 204; then every fiftieth time a GET checks the result.
    if status == 204 and turn % 50 == 0:
        status, text = client.ask("GET", path)
    expect(status == 204 or (status == 200 and INACTIVE.search(text) is not None), f"PATCH {path}: {status} {text!r}")


def members(world: World, group: str) -> Operation:
    """Remove a member of a group and add it again: one operation of two requests."""
    path, identifier_of_group = world.group(group), world.groups[group].encode()
    asking = f"{path.partition('?')[0]}?attributes=members"

    def operation(client: HttpClient, turn: int) -> None:
        identifier = world.ids[turn % 100]
        add = [{"op": "add", "path": "members", "value": [{"value": identifier}]}]
        out = [{"op": "remove", "path": f'members[value eq "{identifier}"]'}]
        for operations in (out, add):
            text = ask(client, 200, "PATCH", path, {"schemas": [PATCH_OP], "Operations": operations})
            expect(identifier_of_group in text and b'"members"' not in text, text[:300])
            if turn == 0:
                there = identifier.encode() in ask(client, 200, "GET", asking)
                expect(there is (operations is add), f"{identifier} in {group}: {there}")

    return operation


def rename(world: World, group: str) -> Operation:
    """Rename a group as Okta does, by a replace without path."""

    def operation(client: HttpClient, turn: int) -> None:
        value = {"id": world.groups[group], "displayName": f"{group} {next(_fresh)}"}
        body = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "value": value}]}
        text = ask(client, 200, "PATCH", world.group(group), body)
        expect(value["displayName"].encode() in text, text[:300])

    return operation


def get_group(world: World, group: str) -> Operation:
    """GET a group without its members."""

    def operation(client: HttpClient, turn: int) -> None:
        text = ask(client, 200, "GET", world.group(group))
        expect(world.groups[group].encode() in text and b'"members"' not in text, text[:300])

    return operation


def read_group(world: World, group: str, size: int) -> Operation:
    """GET a group with all its members."""

    def operation(client: HttpClient, turn: int) -> None:
        text = ask(client, 200, "GET", world.group(group).partition("?")[0])
        expect(text.count(b'"value":') == size, f"{text.count(b'value')} members instead of {size}")

    return operation


def _listed(ids: list[str]) -> str:
    """Return members as JSON text; called before the measurement begins."""
    return json.dumps([{"value": identifier} for identifier in ids])


def _group(name: str, listed: str) -> bytes:
    return f'{{"schemas":["{GROUP}"],"displayName":"{name}","members":{listed}}}'.encode()


def post_group(world: World, size: int) -> Operation:
    """POST a group with `size` members."""
    listed = _listed(world.ids[:size])

    def operation(client: HttpClient, turn: int) -> None:
        name, path = fresh_name(), f"{world.base}/Groups?excludedAttributes=members"
        made = json.loads(ask(client, 201, "POST", path, _group(name, listed)))
        expect(made["displayName"] == name, made)

    return operation


def put_group(world: World, group: str, size: int) -> Operation:
    """PUT a group with `size` members, at odd turns with one."""
    lists = (_listed(world.ids[:size]), _listed(world.ids[-1:]))

    def operation(client: HttpClient, turn: int) -> None:
        name = f"{group} {next(_fresh)}"
        text = ask(client, 200, "PUT", world.group(group), _group(name, lists[turn % 2]))
        expect(name.encode() in text, text[:300])

    return operation


def bulk(world: World) -> Operation:
    """Create a thousand people in one request."""

    def operation(client: HttpClient, turn: int) -> None:
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {**person(n), "userName": fresh_name()}}
            for n in range(BULK_SIZE)
        ]
        text = ask(client, 200, "POST", f"{world.base}/Bulk", {"schemas": [BULK], "Operations": operations})
        expect(text.count(b'"status":"201"') == BULK_SIZE, text[:300])

    return operation
