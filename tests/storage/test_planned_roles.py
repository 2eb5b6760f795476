"""Planned changes of assignments are compared with the roles and logins of everybody before and after the change."""

import random
from collections.abc import Sequence

import pytest
from flask import Flask

from scim.service import plan
from storage import effective_roles, roles
from storage.database import Connection
from storage.journal import Author
from storage.planned_roles import RoleChange, planned_roles
from storage.repository import Repository, Transaction
from tests.support.client import ScimClient
from tests.support.resources import group_id, user_id

SLUGS = ("managed:admin", "managed:editor", "managed:viewer")
AUTHOR = Author("command:test", "test")


def directory(client: ScimClient, chance: random.Random) -> None:
    """Make people, some inactive and some with direct roles, in groups that are nested, some in a circle."""
    ids = [
        user_id(client, f"p{place}@x.example", active=chance.random() < 0.8, roles=chance.sample(SLUGS, place // 8))
        for place in range(12)
    ]
    groups: list[str] = []
    for place in range(6):
        groups.append(group_id(client, f"G{place}", *chance.sample(ids + groups, 3)))
    if chance.random() < 0.5:
        members = {"op": "add", "path": "members", "value": [{"value": groups[5]}]}
        assert client.patch(f"/Groups/{groups[0]}", {"Operations": [members]}).status == 200


def state(connection: Connection) -> tuple[dict[int, set[str]], set[int]]:
    """Return the roles of everybody, and who may log in."""
    rows = connection.execute("SELECT seq, active FROM resources WHERE type = 'User'").fetchall()
    held = effective_roles.held_roles(connection, [seq for seq, _ in rows])
    slugs = {seq: {reason.role for reason in reasons} for seq, reasons in held.items()}
    return slugs, {seq for seq, active in rows if active and slugs[seq]}


def assigned(connection: Connection) -> set[tuple[int, str, str]]:
    return set(connection.execute("SELECT resource, source, role FROM assignments WHERE source <> 'direct'"))


def make(write: Transaction, changes: Sequence[RoleChange], gone: Sequence[str]) -> None:
    for change in changes:
        parts = (change.resource, change.source, change.role)
        if change.assigned:
            roles.assign(write.connection, *parts, "test")
        else:
            roles.unassign(write.connection, *parts)
    for slug in gone:
        write.remove_role(slug, force=True)


@pytest.mark.parametrize("seed", range(25))
def test_a_plan_is_what_happens(app: Flask, generic: ScimClient, seed: int) -> None:
    chance = random.Random(seed)
    directory(generic, chance)
    repository: Repository = app.extensions["perch"].repository
    with repository.writing(AUTHOR) as write:
        everyone = write.connection.execute(
            "SELECT seq, iif(type = 'User', 'manual', 'group') FROM resources"
        ).fetchall()
        for seq, source in chance.sample(everyone, 5):
            roles.assign(write.connection, seq, source, chance.choice(SLUGS), "test")
        there = sorted(assigned(write.connection))
        free = [(*each, slug) for each in everyone for slug in SLUGS if (*each, slug) not in there]
        gone = chance.choice(([], [], [SLUGS[0]], list(SLUGS[:2])))
        chosen = [(*part, True) for part in chance.sample(free, chance.randrange(3))]
        chosen += [(*part, False) for part in chance.sample(there, chance.randrange(3))]
        changes = [RoleChange(*each) for each in chosen if each[2] not in gone]
        planned = planned_roles(write.connection, changes, gone)
        had, could = state(write.connection)
        make(write, changes, gone)
        has, can = state(write.connection)
    assert planned.gain_role == {seq for seq in had if has[seq] - had[seq]}
    assert planned.lose_role == {seq for seq in had if had[seq] - has[seq]}
    assert planned.gain_login == can - could
    assert planned.lose_login == could - can


def test_a_plan_names_the_first_ten(app: Flask, generic: ScimClient) -> None:
    ids = [user_id(generic, f"p{place}@x.example", active=place != 3) for place in range(12)]
    user_id(generic, "other@x.example")
    group_id(generic, "All", *ids)
    with app.extensions["perch"].repository.reading() as snapshot:
        row = snapshot.find("Group", "All")
        found = plan.of_changes(snapshot.connection, [RoleChange(row.seq, "group", "managed:admin", True)])
        assert assigned(snapshot.connection) == set()
    assert found["people"] == {"gainLogin": 11, "loseLogin": 0, "gainRole": 12, "loseRole": 0}
    assert found["names"]["gainRole"] == [f"p{place}@x.example" for place in range(10)]
    assert "p3@x.example" not in found["names"]["gainLogin"] and len(found["names"]["gainLogin"]) == 10
    assert found["names"]["loseRole"] == found["names"]["loseLogin"] == []
