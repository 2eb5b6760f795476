"""Effective roles and allowed logins equal a model in plain Python after random operations."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app import create_app
from scim.service import roles as catalogue
from storage.journal import Author
from tests.support.client import Answer, ScimClient, wsgi_transport
from tests.support.commands import create_key, scim_path

USER_URN = "urn:perch:scim:schemas:extension:access:1.0:User"
SLUGS = ["managed:admin", "managed:viewer", "Plain"]
AUTHOR = Author("command:model", "model")
NAMES = ["ann", "Bob", "cid", "dot"]
GROUPS = ["A", "B", "C", "D"]

slugs = st.sampled_from(SLUGS)
slug_lists = st.lists(slugs, unique=True)
places = st.integers(0, 3)
many_places = st.frozensets(st.integers(0, 7), max_size=4)


@dataclass
class Person:
    """A user of the model."""

    name: str
    active: bool = True
    direct: list[str] = field(default_factory=list)
    manual: set[str] = field(default_factory=set)


@dataclass
class Team:
    """A group of the model; members are ids of users and groups."""

    name: str
    members: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)


class Model:
    """The state that Perch should have."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.teams: dict[str, Team] = {}

    def above(self, member: str) -> set[str]:
        """Return all groups of a user, nested ones included."""
        found: set[str] = set()
        todo = [member]
        while todo:
            below = todo.pop()
            for identifier, team in self.teams.items():
                if below in team.members and identifier not in found:
                    found.add(identifier)
                    todo.append(identifier)
        return found

    def effective(self, identifier: str) -> set[tuple[str, str, str | None]]:
        """Return each effective role of a user with its source and the group that gives it."""
        person = self.people[identifier]
        own = {(slug, "direct", None) for slug in person.direct} | {(slug, "manual", None) for slug in person.manual}
        return own | {(slug, "group", team) for team in self.above(identifier) for slug in self.teams[team].roles}

    def login_allowed(self, identifier: str) -> bool:
        return self.people[identifier].active and bool(self.effective(identifier))

    def forget(self, identifier: str) -> None:
        self.people.pop(identifier, None)
        self.teams.pop(identifier, None)
        for team in self.teams.values():
            team.members.discard(identifier)


class RolesMachine(RuleBasedStateMachine):
    """Applies the same operations to Perch, by SCIM and by command, and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.app = create_app({"PERCH_DATABASE": str(Path(self.folder.name) / "perch.db")})
        self.app.extensions["perch"].open()
        self.repository = self.app.extensions["perch"].repository
        self.client = ScimClient(
            wsgi_transport(self.app), scim_path(self.app), create_key(self.app, "m", "--idp", "okta")
        )
        self.model = Model()
        self.asked = 0
        catalogue.add(self.repository, AUTHOR, "Plain", "Plain")

    def teardown(self) -> None:
        for slug in SLUGS:
            self.check_filters(slug)
        self.repository.database.close()
        self.folder.cleanup()

    def person(self, place: int) -> tuple[str, Person]:
        return list(self.model.people.items())[place % len(self.model.people)]

    def team(self, place: int) -> tuple[str, Team]:
        return list(self.model.teams.items())[place % len(self.model.teams)]

    def some(self, chosen: Iterable[int]) -> set[str]:
        known = [*self.model.people, *self.model.teams]
        return {known[place % len(known)] for place in chosen} if known else set()

    def ok(self, answer: Answer, *statuses: int) -> Any:
        assert answer.status in (statuses or (200,)), answer
        return answer.body

    def has_people(self) -> bool:
        return bool(self.model.people)

    def has_teams(self) -> bool:
        return bool(self.model.teams)

    @initialize(direct=slug_lists, roles=slug_lists)
    def begin(self, direct: list[str], roles: list[str]) -> None:
        self.create_person(NAMES[0], direct, True)
        self.create_team(GROUPS[0], frozenset({0}))
        self.create_team(GROUPS[1], frozenset({1}))
        for slug in roles:
            self.assign_to_team(1, slug)

    @rule(name=st.sampled_from(NAMES), direct=slug_lists, active=st.booleans())
    def create_person(self, name: str, direct: list[str], active: bool) -> None:
        holder = next((item for item in self.model.people.items() if item[1].name == name), None)
        answer = self.client.post("/Users", {"userName": name, "active": active, "roles": direct})
        if holder is None:
            self.model.people[self.ok(answer, 201)["id"]] = Person(name, active, list(direct))
        elif active and not holder[1].active:
            assert self.ok(answer, 201)["id"] == holder[0]
            holder[1].active, holder[1].direct = True, list(direct)
        else:
            self.ok(answer, 409)

    @precondition(has_people)
    @rule(place=places, direct=st.none() | slug_lists, active=st.none() | st.booleans())
    def put_person(self, place: int, direct: list[str] | None, active: bool | None) -> None:
        identifier, person = self.person(place)
        sent = {"userName": person.name, "roles": direct, "active": active}
        self.ok(self.client.put(f"/Users/{identifier}", {key: item for key, item in sent.items() if item is not None}))
        person.direct = list(direct or [])
        person.active = person.active if active is None else active

    @precondition(has_people)
    @rule(place=places, op=st.sampled_from(["add", "replace"]), direct=slug_lists, shape=st.integers(0, 3))
    def patch_roles(self, place: int, op: str, direct: list[str], shape: int) -> None:
        identifier, person = self.person(place)
        value: Any = [{"value": slug} for slug in direct] if shape % 2 else direct
        operation = {"op": op, "path": "roles", "value": value} if shape < 2 else {"op": op, "value": {"roles": value}}
        self.ok(self.client.patch(f"/Users/{identifier}", {"Operations": [operation]}))
        kept = person.direct if op == "add" else []
        person.direct = kept + [slug for slug in direct if slug not in kept]

    @precondition(has_people)
    @rule(place=places, slug=slugs, shape=st.integers(0, 3))
    def remove_role_of_person(self, place: int, slug: str, shape: int) -> None:
        identifier, person = self.person(place)
        operation: dict[str, Any] = {"op": "remove", "path": f'roles[value eq "{slug}"]'}
        if shape:
            value = (None, [slug], [{"value": slug}], {"value": slug})[shape]
            operation = {"op": "remove", "path": "roles", "value": value}
        self.ok(self.client.patch(f"/Users/{identifier}", {"Operations": [operation]}))
        person.direct = [held for held in person.direct if held != slug]

    @precondition(has_people)
    @rule(place=places, active=st.booleans())
    def patch_active(self, place: int, active: bool) -> None:
        identifier, person = self.person(place)
        operation = {"op": "replace", "value": {"active": active}}
        self.ok(self.client.patch(f"/Users/{identifier}", {"Operations": [operation]}))
        person.active = active

    @precondition(has_people)
    @rule(place=places)
    def delete_person(self, place: int) -> None:
        identifier, _ = self.person(place)
        self.ok(self.client.delete(f"/Users/{identifier}"), 204)
        self.model.forget(identifier)

    @rule(name=st.sampled_from(GROUPS), chosen=many_places)
    def create_team(self, name: str, chosen: frozenset[int]) -> None:
        members = self.some(chosen)
        body = {"displayName": name, "members": [{"value": member} for member in members]}
        answer = self.client.post("/Groups", body)
        if any(team.name == name for team in self.model.teams.values()):
            self.ok(answer, 409)
        else:
            self.model.teams[self.ok(answer, 201)["id"]] = Team(name, members)

    @precondition(has_teams)
    @rule(place=places, chosen=many_places)
    def put_team(self, place: int, chosen: frozenset[int]) -> None:
        identifier, team = self.team(place)
        team.members = self.some(chosen)
        body = {"displayName": team.name, "members": [{"value": member} for member in team.members]}
        self.ok(self.client.put(f"/Groups/{identifier}", body))

    @precondition(has_teams)
    @rule(place=places, chosen=many_places, op=st.sampled_from(["add", "remove"]))
    def patch_team(self, place: int, chosen: frozenset[int], op: str) -> None:
        identifier, team = self.team(place)
        members = self.some(chosen)
        if not members:
            return
        operation = {"op": op, "path": "members", "value": [{"value": member} for member in members]}
        self.ok(self.client.patch(f"/Groups/{identifier}", {"Operations": [operation]}))
        team.members = team.members | members if op == "add" else team.members - members

    @precondition(has_teams)
    @rule(place=places)
    def delete_team(self, place: int) -> None:
        identifier, _ = self.team(place)
        self.ok(self.client.delete(f"/Groups/{identifier}"), 204)
        self.model.forget(identifier)

    @precondition(has_people)
    @rule(place=places, slug=slugs, assign=st.booleans())
    def by_command(self, place: int, slug: str, assign: bool) -> None:
        identifier, person = self.person(place)
        row = catalogue.find(self.repository, "User", person.name.upper())
        assert row.id == identifier
        with self.repository.writing(AUTHOR) as write:
            change = write.assign if assign else write.unassign
            assert change(row, slug) == ((slug in person.manual) != assign)
        person.manual = person.manual | {slug} if assign else person.manual - {slug}

    @precondition(has_teams)
    @rule(place=places, slug=slugs)
    def assign_to_team(self, place: int, slug: str) -> None:
        _, team = self.team(place)
        row = catalogue.find(self.repository, "Group", team.name.lower())
        with self.repository.writing(AUTHOR) as write:
            assert write.assign(row, slug) == (slug not in team.roles)
        team.roles.add(slug)

    @precondition(has_teams)
    @rule(place=places, slug=slugs)
    def unassign_from_team(self, place: int, slug: str) -> None:
        _, team = self.team(place)
        row = catalogue.find(self.repository, "Group", team.name)
        with self.repository.writing(AUTHOR) as write:
            assert write.unassign(row, slug) == (slug in team.roles)
        team.roles.discard(slug)

    @rule(slug=slugs)
    def remove_from_catalogue(self, slug: str) -> None:
        with self.repository.writing(AUTHOR) as write:
            write.remove_role(slug, force=True)
        catalogue.add(self.repository, AUTHOR, slug, slug)
        for person in self.model.people.values():
            person.direct = [held for held in person.direct if held != slug]
            person.manual.discard(slug)
        for team in self.model.teams.values():
            team.roles.discard(slug)

    @invariant()
    def documents_agree(self) -> None:
        listed = self.ok(self.client.get("/Users"))["Resources"]
        assert {user["id"] for user in listed} == set(self.model.people)
        for user in listed:
            self.check_user(user)
        if listed:
            self.asked += 1
            chosen = listed[self.asked % len(listed)]
            assert self.ok(self.client.get(f"/Users/{chosen['id']}")) == chosen
        self.check_filters(SLUGS[self.asked % len(SLUGS)])

    def check_user(self, user: dict[str, Any]) -> None:
        identifier, person = user["id"], self.model.people[user["id"]]
        told = [(role["value"], role["type"], role.get("source")) for role in user[USER_URN].get("effectiveRoles", [])]
        assert len(told) == len(set(told))
        assert set(told) == self.model.effective(identifier)
        assert user[USER_URN]["loginAllowed"] is self.model.login_allowed(identifier)
        assert user.get("roles", []) == person.direct
        direct = {team for team, kept in self.model.teams.items() if identifier in kept.members}
        groups = {(team, "direct" if team in direct else "indirect") for team in self.model.above(identifier)}
        assert {(group["value"], group["type"]) for group in user.get("groups", [])} == groups

    def check_filters(self, slug: str) -> None:
        people = self.model.people
        holding = {who for who in people if any(role == slug for role, _, _ in self.model.effective(who))}
        inherited = {who for who in people if any(r[:2] == (slug, "group") for r in self.model.effective(who))}
        allowed = {who for who in people if self.model.login_allowed(who)}
        direct = {who for who, person in people.items() if slug in person.direct}
        assert self.found(f'{USER_URN}:effectiveRoles.value eq "{slug}"') == holding
        assert self.found(f'{USER_URN}:effectiveRoles[value eq "{slug}" and type eq "group"]') == inherited
        assert self.found(f"{USER_URN}:loginAllowed eq true") == allowed
        assert self.found(f'{USER_URN}:loginAllowed eq false and not (roles eq "{slug}")') == (
            people.keys() - allowed - direct
        )
        assert self.found(f'roles eq "{slug}"') == direct

    def found(self, question: str) -> set[str]:
        answer = self.client.get("/Users?" + urlencode({"filter": question, "attributes": "id"}))
        return {user["id"] for user in self.ok(answer)["Resources"]}


# Without Phase.shrink, since shrinking a failing sequence takes minutes.
RolesMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
TestRoles = RolesMachine.TestCase
