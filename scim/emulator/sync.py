"""Brings an organisation to a server exactly as Okta would: only what changed, people first, then pushed groups."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim.emulator import bodies
from scim.emulator.client import UNREACHABLE
from scim.emulator.flows import Flows, Refused
from scim.emulator.organisation import Group, Organisation, Person
from scim.emulator.state import State

ASSIGN, UPDATE, DEACTIVATE = "assign", "update", "deactivate"
PUSH, WRITE, UNLINK = "push group", "update group", "unlink group"
HOPELESS = (UNREACHABLE, 401, 403)


class Stopped(Exception):
    """There is no use in going on: no server, or no way in."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to bring to the server; `key` is the id in Okta, `title` what people call it."""

    kind: str
    key: str
    title: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that the server did not accept, in its own words."""

    task: Task
    request: str
    status: int
    detail: str


@dataclass(slots=True)
class Summary:
    """What a run did, and what failed."""

    done: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


class Sync:
    """One organisation on its way to one server."""

    def __init__(self, organisation: Organisation, flows: Flows, state: State) -> None:
        self.organisation = organisation
        self.flows = flows
        self.state = state
        self.summary = Summary()
        self.roles = organisation.assigned()
        self.people = {person.id: person for person in organisation.people}
        self.groups = {group.id: group for group in organisation.groups if group.name in set(organisation.pushed)}
        self.keys = {person.login: person.id for person in organisation.people}

    def people_tasks(self) -> list[Task]:
        """Return what is to do for people: assignments, changed profiles and roles, and who is to be deactivated."""
        tasks = []
        for person in self.organisation.people:
            entry = self.state.people.get(person.id)
            if person.login not in self.roles:
                continue
            if entry is None:
                tasks.append(Task(ASSIGN, person.id, person.login))
            elif not entry["active"] or entry["sent"] != digest(self.values(person)):
                tasks.append(Task(UPDATE, person.id, person.login))
        return tasks + [
            Task(DEACTIVATE, key, entry["login"])
            for key, entry in self.state.people.items()
            if entry["active"] and not self._is_assigned(key)
        ]

    def group_tasks(self) -> list[Task]:
        """Return what is to do for pushed groups; members are people who are at the server."""
        tasks = []
        for group in self.groups.values():
            entry = self.state.groups.get(group.id)
            if entry is None:
                tasks.append(Task(PUSH, group.id, group.name))
            elif entry["sent"] != digest([group.name, sorted(member["value"] for member in self.members(group))]):
                tasks.append(Task(WRITE, group.id, group.name))
        gone = (item for item in self.state.groups.items() if item[0] not in self.groups)
        return [Task(UNLINK, key, entry["name"]) for key, entry in gone] + tasks

    def do(self, task: Task) -> None:
        """Do one task and remember it; what the server refuses is kept for the summary.

        :raises Stopped: when no other task could succeed either.
        """
        work = {ASSIGN: self._assign, UPDATE: self._update, DEACTIVATE: self._deactivate}
        more = {PUSH: self._push, WRITE: self._write, UNLINK: self._unlink}
        try:
            {**work, **more}[task.kind](task)
            self.summary.done[task.kind] += 1
        except Refused as refused:
            exchange = refused.exchange
            self.summary.failures.append(Failure(task, exchange.request, exchange.status, refused.why))
            if exchange.status in HOPELESS:
                raise Stopped(str(refused)) from None

    def values(self, person: Person) -> dict[str, Any]:
        """Return the attributes that Okta writes of a person."""
        body = bodies.suite_user(person.login, person.givenName, person.familyName)
        body["emails"] = [{"primary": True, "value": person.email, "type": "work"}]
        body |= {"externalId": person.id, "locale": "en-US", **person.profile}
        if self.organisation.maps_roles:
            body["roles"] = self.roles.get(person.login, [])
        return body

    def members(self, group: Group) -> list[dict[str, str]]:
        """Return a group's members as Okta writes them: those who are assigned and have an id at the server."""
        logins = [login for login in dict.fromkeys(group.members) if login in self.roles]
        known = [(login, self.state.people.get(self.keys[login])) for login in logins]
        return [bodies.member(entry["id"], login) for login, entry in known if entry]

    def _is_assigned(self, key: str) -> bool:
        person = self.people.get(key)
        return person is not None and person.login in self.roles

    def _assign(self, task: Task) -> None:
        values = self.values(self.people[task.key])
        identifier = self.flows.assign({**values, "groups": [], "password": bodies.placeholder()})
        self._keep_person(task, identifier, values)

    def _update(self, task: Task) -> None:
        entry, values = self.state.people[task.key], self.values(self.people[task.key])
        try:
            if not entry["active"]:
                self.flows.activate(entry["id"], True)
            if entry["sent"] != digest(values):
                self.flows.update(entry["id"], values)
        except Refused as refused:
            if refused.exchange.status != 404:
                raise
            # Somebody deleted the account at the server: Okta's link is dead, and the person is assigned anew.
            self.state.keep("people", task.key, None)
            self._assign(task)
            return
        self._keep_person(task, entry["id"], values)

    def _keep_person(self, task: Task, identifier: str, values: Mapping[str, Any]) -> None:
        entry = {"id": identifier, "login": task.title, "active": True, "sent": digest(values)}
        self.state.keep("people", task.key, entry)

    def _deactivate(self, task: Task) -> None:
        entry = self.state.people[task.key]
        try:
            self.flows.activate(entry["id"], False)
        except Refused as refused:
            if refused.exchange.status != 404:
                raise
        self.state.keep("people", task.key, {**entry, "active": False})

    def _push(self, task: Task) -> None:
        identifier = self.flows.push_group(task.title)
        self.state.keep("groups", task.key, {"id": identifier, "name": task.title, "members": None, "sent": ""})
        self._write(task)

    def _write(self, task: Task) -> None:
        entry, members = self.state.groups[task.key], self.members(self.groups[task.key])
        try:
            self.flows.write_group(entry["id"], task.title, members, entry["members"])
        except Refused as refused:
            if refused.exchange.status == 404:
                self.state.keep("groups", task.key, None)  # deleted at the server: the next run pushes it anew
            raise
        ids = sorted(member["value"] for member in members)
        kept = {"id": entry["id"], "name": task.title, "members": ids, "sent": digest([task.title, ids])}
        self.state.keep("groups", task.key, kept)

    def _unlink(self, task: Task) -> None:
        self.flows.unlink_group(self.state.groups[task.key]["id"])
        self.state.keep("groups", task.key, None)


def digest(values: Any) -> str:
    """Return a short text that differs when the values do."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
