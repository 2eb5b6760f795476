"""Brings an organisation to a server as a provider would: only what changed, people first, then pushed groups."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim.emulator import bodies
from scim.emulator.bodies import Document
from scim.emulator.client import UNREACHABLE
from scim.emulator.dialects import ENTRA
from scim.emulator.flows import Flows, ProvisioningError
from scim.emulator.organisation import Employee, Group, Organisation
from scim.emulator.state import SyncState

ASSIGN, UPDATE, DEACTIVATE = "assign", "update", "deactivate"
PUSH, WRITE, UNLINK = "push group", "update group", "unlink group"
FATAL_STATUSES = (UNREACHABLE, 401, 403)


class SyncStopped(Exception):
    """The server does not reply or refuses the key, so that no further task can succeed."""


@dataclass(frozen=True, slots=True)
class Task:
    """One change to bring to the server; `id` is the person's or group's in the organisation, `title` its name."""

    kind: str
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task that the server refused, by kind, with the request, the status and the server's detail."""

    task: str
    title: str
    request: str
    status: int
    detail: str


@dataclass(slots=True)
class Summary:
    """The number of tasks done, by kind, and the failed ones."""

    done: Counter[str] = field(default_factory=Counter)
    failures: list[FailedTask] = field(default_factory=list)


class Sync:
    """Brings one organisation to one server."""

    def __init__(self, organisation: Organisation, flows: Flows, state: SyncState) -> None:
        self.flows = flows
        self.is_entra = flows.dialect == ENTRA
        self.state = state
        self.summary = Summary()
        self.maps_roles = organisation.maps_roles
        self.roles = organisation.assigned()
        self.people = {person.id: person for person in organisation.people}
        self.groups = {group.id: group for group in organisation.groups if group.name in set(organisation.pushed)}
        self.ids = {person.login: person.id for person in organisation.people}

    def run(self, progress: Callable[[str, list[Task]], Iterable[Task]] = lambda title, tasks: tasks) -> Summary:
        """Do all tasks, people before groups, since members need ids; `progress` passes the tasks of each title on.

        :raises SyncStopped: when no further task can succeed.
        """
        for title, find_tasks in (("People", self.people_tasks), ("Groups", self.group_tasks)):
            for task in progress(title, find_tasks()):
                self.do(task)
        return self.summary

    def people_tasks(self) -> list[Task]:
        """Return the tasks for people: assign, update profile or roles, deactivate."""
        tasks = []
        assigned = {person.id: person for person in self.people.values() if person.login in self.roles}
        for person in assigned.values():
            record = self.state.people.get(person.id)
            if record is None:
                tasks.append(Task(ASSIGN, person.id, person.login))
            elif not record["active"] or record["sent"] != digest(self.values(person)):
                tasks.append(Task(UPDATE, person.id, person.login))
        left = {key: record for key, record in self.state.people.items() if record["active"] and key not in assigned}
        return tasks + [Task(DEACTIVATE, key, record["login"]) for key, record in left.items()]

    def group_tasks(self) -> list[Task]:
        """Return the tasks for pushed groups: unlink, push, write name or members."""
        known = self.state.groups.items()
        tasks = [Task(UNLINK, key, record["name"]) for key, record in known if key not in self.groups]
        for group in self.groups.values():
            record = self.state.groups.get(group.id)
            if record is None:
                tasks.append(Task(PUSH, group.id, group.name))
            elif record["sent"] != digest([group.name, sorted(member["value"] for member in self.members(group))]):
                tasks.append(Task(WRITE, group.id, group.name))
        return tasks

    def do(self, task: Task) -> None:
        """Do one task and remember it; a refused one is added to the summary's failures.

        :raises SyncStopped: when no further task can succeed.
        """
        work = {
            ASSIGN: self._assign,
            UPDATE: self._update,
            DEACTIVATE: self._deactivate,
            PUSH: self._push,
            WRITE: self._write,
            UNLINK: self._unlink,
        }
        try:
            work[task.kind](task)
            self.summary.done[task.kind] += 1
        except ProvisioningError as error:
            reply = error.reply
            failure = FailedTask(task.kind, task.title, reply.request, reply.status, error.reason)
            self.summary.failures.append(failure)
            if reply.status in FATAL_STATUSES:
                raise SyncStopped(str(error)) from None

    def values(self, person: Employee) -> Document:
        """Return the attributes that the provider writes of a person."""
        body = bodies.smallest_user(person.login, person.givenName, person.familyName)
        body["emails"][0]["value"] = person.email
        body |= {"externalId": person.id, "locale": "en-US", **person.profile}
        if self.maps_roles:
            roles = self.roles.get(person.login, [])
            body["roles"] = [bodies.entra_role(role) for role in roles] if self.is_entra else roles
        return body

    def members(self, group: Group) -> list[dict[str, str]]:
        """Return a group's members as Okta writes them: the assigned people that have an id at the server."""
        logins = [login for login in dict.fromkeys(group.members) if login in self.roles]
        records = [(login, self.state.people.get(self.ids[login])) for login in logins]
        return [bodies.member(record["id"], login) for login, record in records if record]

    def _assign(self, task: Task) -> None:
        values = self.values(self.people[task.id])
        extra = {} if self.is_entra else {"groups": [], "password": bodies.random_password()}
        user = self.flows.assign({**values, **extra})
        self._remember_person(task, user, values)

    def _update(self, task: Task) -> None:
        record, values = self.state.people[task.id], self.values(self.people[task.id])
        try:
            if not record["active"]:
                self.flows.set_active(record["id"], True)
            if record["sent"] != digest(values):
                self.flows.update(record["id"], values)
        except ProvisioningError as error:
            if error.reply.status != 404:
                raise
            # The account was deleted at the server: Okta drops its link and assigns the person again.
            self.state.remember("people", task.id, None)
            self._assign(task)
            return
        self._remember_person(task, record["id"], values)

    def _remember_person(self, task: Task, user: str, values: Mapping[str, Any]) -> None:
        record = {"id": user, "login": task.title, "active": True, "sent": digest(values)}
        self.state.remember("people", task.id, record)

    def _deactivate(self, task: Task) -> None:
        record = self.state.people[task.id]
        try:
            self.flows.set_active(record["id"], False)
        except ProvisioningError as error:
            if error.reply.status != 404:
                raise
        self.state.remember("people", task.id, {**record, "active": False})

    def _push(self, task: Task) -> None:
        group = self.flows.push_group(task.title)
        self.state.remember("groups", task.id, {"id": group, "name": task.title, "members": None, "sent": ""})
        self._write(task)

    def _write(self, task: Task) -> None:
        record, members = self.state.groups[task.id], self.members(self.groups[task.id])
        try:
            self.flows.write_group(record["id"], task.title, members, record["members"])
        except ProvisioningError as error:
            if error.reply.status == 404:
                self.state.remember("groups", task.id, None)  # deleted at the server: the next sync pushes it again
            raise
        ids = sorted(member["value"] for member in members)
        written = {"id": record["id"], "name": task.title, "members": ids, "sent": digest([task.title, ids])}
        self.state.remember("groups", task.id, written)

    def _unlink(self, task: Task) -> None:
        self.flows.unlink_group(self.state.groups[task.id]["id"])
        self.state.remember("groups", task.id, None)


def digest(values: Any) -> str:
    """Return a short digest of JSON values, independent of the order of keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
