"""Events applied to a snapshot give the same people as GET /Users, even with concurrent writers."""

import random
import threading
import time
from typing import Any

import pytest
from flask import Flask

from storage import changes as record
from tests.conftest import MakeApp, MakeServer
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, scim_path
from tests.support.picture import Picture, server_picture
from tests.support.server import PerchServer

SLUGS = ("a", "b", "c")


class RandomChanges:
    """Random changes of people, groups and roles, by SCIM and by command."""

    def __init__(self, client: ScimClient, app: Flask | None, seed: int, label: str = "") -> None:
        self.client, self.app, self.label = client, app, label
        self.dice = random.Random(seed)
        self.users: list[str] = []
        self.groups: list[str] = []
        self.count = 0

    def step(self) -> None:
        actions = [self.create_user, self.create_group, self.members, self.members, self.active, self.roles, self.title]
        actions += [self.delete_user, self.rename] + ([self.by_command] * 2 if self.app else [])
        if self.dice.random() < 0.05:
            actions.append(self.delete_group)
        self.dice.choice(actions)()

    def name(self) -> str:
        self.count += 1
        return f"{self.label}x{self.count}"

    def some(self, known: list[str], most: int = 3) -> list[str]:
        return self.dice.sample(known, min(len(known), self.dice.randint(0, most)))

    def create_user(self) -> None:
        roles = self.dice.sample(SLUGS, self.dice.randint(0, 2))
        body = {"userName": self.name(), "active": self.dice.random() < 0.8, "roles": roles}
        self.users.append(self.client.post("/Users", body).body["id"])

    def create_group(self) -> None:
        members = [{"value": each} for each in self.some(self.users + self.groups)]
        self.groups.append(self.client.post("/Groups", {"displayName": self.name(), "members": members}).body["id"])

    def change(self, where: str, /, **operation: Any) -> None:
        assert self.client.patch(where, {"Operations": [operation]}).status in (200, 204)

    def members(self) -> None:
        for group in self.some(self.groups, 1):
            chosen = [{"value": each} for each in self.some(self.users + self.groups, 4)]
            op = self.dice.choice(("add", "replace", "remove"))
            self.change(f"/Groups/{group}", op=op, path="members", value=chosen)

    def active(self) -> None:
        for user in self.some(self.users, 1):
            self.change(f"/Users/{user}", op="replace", path="active", value=self.dice.random() < 0.5)

    def roles(self) -> None:
        for user in self.some(self.users, 1):
            value = [{"value": slug} for slug in self.dice.sample(SLUGS, self.dice.randint(0, 2))]
            self.change(f"/Users/{user}", op="replace", path="roles", value=value)

    def title(self) -> None:
        for user in self.some(self.users, 1):
            self.change(f"/Users/{user}", op="replace", path="title", value=self.name())

    def rename(self) -> None:
        for user in self.some(self.users, 1):
            self.change(f"/Users/{user}", op="replace", path="userName", value=self.name())

    def delete_user(self) -> None:
        for user in self.some(self.users, 1):
            self.users.remove(user)
            assert self.client.delete(f"/Users/{user}").status == 204

    def delete_group(self) -> None:
        for group in self.some(self.groups, 1):
            self.groups.remove(group)
            assert self.client.delete(f"/Groups/{group}").status == 204

    def by_command(self) -> None:
        assert self.app is not None
        kind, known = self.dice.choice((("--user", self.users), ("--group", self.groups)))
        for identifier in self.some(known, 1):
            document = self.client.get(f"/{'Users' if kind == '--user' else 'Groups'}/{identifier}").body
            name = document.get("userName") or document["displayName"]
            verb = self.dice.choice(("assign", "assign", "unassign"))
            run_command(self.app, "roles", verb, kind, name, self.dice.choice(SLUGS))


@pytest.mark.parametrize(("seed", "many"), [(1, 500), (2, 500), (3, 1), (4, 0)])
def test_events_give_the_same_picture_as_the_server(
    seed: int, many: int, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "MANY", many)
    app = make_app()
    for slug in SLUGS:
        run_command(app, "roles", "add", slug, slug.upper())
    client = ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "x", "--idp", "generic"))
    listener = client.beside_scim()
    cursor = listener.get("/events?after=latest").body["cursor"]
    changes, picture = RandomChanges(client, app, seed), Picture(client)
    for _ in range(6):
        for _ in range(25):
            changes.step()
        while True:
            page = listener.get(f"/events?after={cursor}&limit=40").body
            cursor = page["cursor"]
            for event in page["events"]:
                picture.apply(event)
            if not page["more"]:
                break
        expected = server_picture(client)
        assert picture.users == expected
        if many == 500:
            # Nobody may log in without an event that says so; the last event counts.
            allowed = {identifier: picture.login.get(identifier, False) for identifier in expected}
            assert allowed == {key: active and bool(roles) for key, (_, active, roles) in expected.items()}


class Writers:
    """Concurrent writers, each with its own people and groups."""

    def __init__(self, server: PerchServer, count: int) -> None:
        self.server = server
        self.stop = threading.Event()
        self.failures: list[Exception] = []
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def write(self, number: int) -> None:
        try:
            changes = RandomChanges(self.server.client(key=self.server.key), None, number, f"w{number}-")
            while not self.stop.is_set():
                changes.step()
        except Exception as error:
            self.failures.append(error)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures


def test_a_snapshot_and_later_events_miss_no_concurrent_write(make_server: MakeServer) -> None:
    perch_server = make_server(settings={"PERCH_UNKNOWN_ROLES": "create"})
    perch_server.start()
    client = perch_server.client(key=perch_server.key)
    listener = client.beside_scim()
    writers = Writers(perch_server, 3)
    try:
        time.sleep(1)
        cursor = listener.get("/events?after=latest").body["cursor"]
        picture, seen = Picture(client, server_picture(client)), []
        end = time.monotonic() + 4
        while True:
            if time.monotonic() > end:
                writers.end()
            page = listener.get(f"/events?after={cursor}&limit=500&wait=1").body
            cursor = page["cursor"]
            for event in page["events"]:
                seen.append(int(event["id"].split("_")[1]))
                picture.apply(event)
            if writers.stop.is_set() and not page["events"]:
                break
    finally:
        writers.stop.set()
    assert seen == list(range(seen[0], seen[0] + len(seen))) and len(seen) > 50
    assert picture.users == server_picture(client)
