"""Writers that record acknowledged changes, and a comparison of those with the stored resources."""

import random
import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.support.client import Answer, ScimClient
from tests.support.resources import patch_op
from tests.support.server import PerchServer

# The error of a connection that breaks: the write may or may not have happened.
UNKNOWN = requests.RequestException


@dataclass
class Writer:
    """A client with its own users and a shared group: creates, changes and deletes users, adds and removes members."""

    number: int
    group: str
    random: random.Random
    titles: dict[str, str] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    acknowledged: int = 0
    refused: list[Answer] = field(default_factory=list)
    count: int = 0

    def run(self, client: ScimClient, stop: threading.Event) -> None:
        """Write until told to stop or the server is gone."""
        while not stop.is_set():
            try:
                self.step(client)
            except UNKNOWN:
                return

    def step(self, client: ScimClient) -> None:
        settled = sorted(set(self.titles) - self.doubtful)
        action = self.random.choice((self.create, self.create, self.change, self.join, self.leave, self.delete))
        if action == self.create or not settled:
            self.create(client)
        else:
            action(client, self.random.choice(settled))

    def create(self, client: ScimClient, identifier: str = "") -> None:
        self.count += 1
        title = f"title {self.count}"
        user = {"userName": f"writer-{self.number}-{self.count}@example.com", "title": title, **_whole(title)}
        answer = client.post("/Users", user)
        if self._noted(answer, 201):
            self.titles[answer.body["id"]] = title

    def change(self, client: ScimClient, identifier: str) -> None:
        self.count += 1
        title = f"title {self.count}"
        self.doubtful.add(identifier)
        operation = {"op": "replace", "value": {"title": title, **_whole(title)}}
        if self._noted(client.patch(f"/Users/{identifier}", patch_op(operation)), 200):
            self.titles[identifier] = title
            self.doubtful.remove(identifier)

    def join(self, client: ScimClient, identifier: str) -> None:
        self.doubtful.add(identifier)
        operation = {"op": "add", "path": "members", "value": [{"value": identifier}]}
        if self._noted(client.patch(f"/Groups/{self.group}", patch_op(operation)), 200, 204):
            self.members.add(identifier)
            self.doubtful.remove(identifier)

    def leave(self, client: ScimClient, identifier: str) -> None:
        self.doubtful.add(identifier)
        operation = {"op": "remove", "path": f'members[value eq "{identifier}"]'}
        if identifier not in self.members:
            self.doubtful.remove(identifier)
        elif self._noted(client.patch(f"/Groups/{self.group}", patch_op(operation)), 200, 204):
            self.members.remove(identifier)
            self.doubtful.remove(identifier)

    def delete(self, client: ScimClient, identifier: str) -> None:
        self.doubtful.add(identifier)
        if self._noted(client.delete(f"/Users/{identifier}"), 204):
            self.doubtful.remove(identifier)
            self.deleted.add(identifier)
            self.members.discard(identifier)
            del self.titles[identifier]

    def _noted(self, answer: Answer, *statuses: int) -> bool:
        if answer.status in statuses:
            self.acknowledged += 1
            return True
        self.refused.append(answer)
        return False


def _whole(title: str) -> dict[str, Any]:
    """Return values for two tables that follow the title, so that half a write is noticed."""
    name = title.replace(" ", "-")
    return {"displayName": title, "emails": [{"value": f"{name}@example.com", "type": "work"}]}


def make_writers(client: ScimClient, number: int, seed: int) -> list[Writer]:
    """Return writers that share one group."""
    group = client.post("/Groups", {"displayName": f"shared {seed}"}).body["id"]
    return [Writer(index, group, random.Random(seed * 1000 + index)) for index in range(number)]


def compare(client: ScimClient, writers: list[Writer]) -> None:
    """Check over SCIM that acknowledged changes are stored, and doubtful ones either wholly or not at all."""
    users = everybody(client)
    group = client.get(f"/Groups/{writers[0].group}").body
    members = {member["value"] for member in group.get("members", [])}
    for user in users.values():
        expected = _whole(user["title"])
        assert (user["displayName"], user["emails"]) == (expected["displayName"], expected["emails"]), user
    for writer in writers:
        settled = set(writer.titles) - writer.doubtful
        assert {i: users.get(i, {}).get("title") for i in settled} == {i: writer.titles[i] for i in settled}
        assert not writer.deleted & users.keys()
        assert members & settled == writer.members - writer.doubtful
    assert members <= users.keys()


def everybody(client: ScimClient) -> dict[str, Any]:
    """Return all users by id, read page by page, without the epoch in their tags, which each restore moves."""
    found: dict[str, Any] = {}
    while True:
        page = client.get(f"/Users?startIndex={len(found) + 1}&count=1000").body
        found.update((user["id"], user) for user in page.get("Resources", []))
        for user in page.get("Resources", []):
            user["meta"]["version"] = user["meta"]["version"].partition(".")[0]
        if len(found) >= page["totalResults"] or not page.get("Resources"):
            return found


def check_file(database: Path) -> None:
    """Check that the file is sound."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def in_threads(server: PerchServer, writers: list[Writer], stop: threading.Event) -> list[threading.Thread]:
    """Start each writer in a thread with its own connection."""
    threads = [
        threading.Thread(target=writer.run, args=(server.client(key=server.key), stop), daemon=True)
        for writer in writers
    ]
    for thread in threads:
        thread.start()
    return threads
