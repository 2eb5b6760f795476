"""A person's timeline says what happened to groups, roles and login, and why the login is not allowed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from scim.service import timeline
from scim.service.timeline import Timeline
from storage import effective_roles, journal, resources
from storage.journal import JournalQuery
from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import patch_op


@dataclass
class World:
    """A workspace with Grace, who has no role yet, and a key named Okta."""

    app: Flask
    okta: ScimClient
    grace: str

    def line(self) -> Timeline:
        with self.app.extensions["perch"].database.read() as connection:
            return timeline.of_person(connection, resources.get(connection, "User", self.grace))

    def group(self, name: str, members: list[str] | None = None, role: str = "") -> str:
        made = self.okta.post("/Groups", {"displayName": name, "members": [{"value": one} for one in members or []]})
        if role:
            run_command(self.app, "roles", "assign", "--group", name, role)
        return str(made.body["id"])

    def members(self, group: str, op: str, *ids: str) -> None:
        for one in ids:
            value = {"value": [{"value": one}]} if op == "add" else {}
            path = "members" if op == "add" else f'members[value eq "{one}"]'
            answer = self.okta.patch(f"/Groups/{group}", patch_op({"op": op, "path": path, **value}))
            assert answer.status in (200, 204), answer.body

    def put(self, **values: Any) -> None:
        assert self.okta.put(f"/Users/{self.grace}", {"userName": "grace", "active": True, **values}).status == 200


@pytest.fixture
def world(app: Flask, make_client: MakeClient) -> World:
    okta = make_client("okta", app=app)
    return World(app, okta, okta.post("/Users", {"userName": "grace"}).body["id"])


def nothing(world: World) -> None:
    world.group("Support", [world.grace])


def taken_out(world: World) -> None:
    group = world.group("Support", [world.grace], "managed:viewer")
    world.members(group, "remove", world.grace)


def group_deleted(world: World) -> None:
    group = world.group("Support", [world.grace], "managed:viewer")
    world.okta.delete(f"/Groups/{group}")


def withdrawn_from_group(world: World) -> None:
    world.group("Support", [world.grace], "managed:viewer")
    run_command(world.app, "roles", "unassign", "--group", "Support", "managed:viewer")


def withdrawn_by_hand(world: World) -> None:
    run_command(world.app, "roles", "assign", "--user", "grace", "managed:viewer")
    run_command(world.app, "roles", "unassign", "--user", "grace", "managed:viewer")


def removed_from_catalogue(world: World) -> None:
    world.group("Support", [world.grace], "managed:viewer")
    run_command(world.app, "roles", "remove", "managed:viewer", "--force")


def sent_without(world: World) -> None:
    world.put(roles=["managed:viewer"])
    world.put(roles=[])


def inner_taken_out(world: World) -> None:
    inner = world.group("Inner", [world.grace])
    outer = world.group("Outer", [inner], "managed:viewer")
    world.members(outer, "remove", inner)


def deactivated(world: World) -> None:
    world.group("Support", [world.grace], "managed:viewer")
    world.put(active=False)


def still_allowed(world: World) -> None:
    first = world.group("One", [world.grace], "managed:viewer")
    world.group("Two", [world.grace], "managed:viewer")
    world.members(first, "remove", world.grace)


def direct_role_removed(world: World) -> None:
    world.put(roles=["managed:viewer"])
    run_command(world.app, "roles", "remove", "managed:viewer", "--force")


def inner_group_deleted(world: World) -> None:
    inner = world.group("Inner", [world.grace])
    world.group("Outer", [inner], "managed:viewer")
    world.okta.delete(f"/Groups/{inner}")


def middle_taken_out_of_many(world: World) -> None:
    inner = world.group("Inner", [world.grace])
    others = [world.okta.post("/Users", {"userName": f"q{number}"}).body["id"] for number in range(60)]
    outer = world.group("Outer", [*others, inner], "managed:viewer")
    world.okta.patch(f"/Groups/{outer}", patch_op({"op": "remove", "path": "members"}))


def reactivated_without_role(world: World) -> None:
    taken_out(world)
    world.put(active=False)
    world.put(active=True)


def deactivated_without_role(world: World) -> None:
    taken_out(world)
    world.put(active=False)


def twice(world: World) -> None:
    taken_out(world)
    world.put(roles=["managed:viewer"])
    world.put(roles=[])


CASES: list[tuple[Callable[[World], None], str]] = [
    (nothing, "Never had a role."),
    (taken_out, "took grace out of Support."),
    (group_deleted, "deleted the group Support."),
    (withdrawn_from_group, "withdrew the role from the group Support."),
    (withdrawn_by_hand, "withdrew the role by hand."),
    (removed_from_catalogue, "removed the role from the catalogue."),
    (sent_without, "sent other roles."),
    (inner_taken_out, "took a group around grace out of Outer."),
    (deactivated, "Deactivated by key "),
    (still_allowed, ""),
    (twice, "sent other roles."),
    (direct_role_removed, "on the command line removed the role from the catalogue."),
    (inner_group_deleted, "deleted the group Inner."),
    (middle_taken_out_of_many, "took a group around grace out of Outer."),
    (reactivated_without_role, "took grace out of Support."),
    (deactivated_without_role, "Deactivated by key "),
]


@pytest.mark.parametrize(("history", "why"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_the_page_says_why(world: World, history: Callable[[World], None], why: str) -> None:
    history(world)
    found = world.line()
    if why.startswith(("Never", "Deactivated")) or not why:
        assert found.why.startswith(why) and bool(found.why) == bool(why)
    else:
        assert found.why.startswith("Lost the last role on 20") and found.why.endswith(why), found.why


def test_memberships_and_roles_are_told_in_order(world: World) -> None:
    group = world.group("Support", role="managed:viewer")
    world.members(group, "add", world.grace)
    world.members(group, "remove", world.grace)
    left, joined, created = world.line().moments
    assert (left.left, left.lost, left.login) == (("Support",), ("managed:viewer",), False)
    assert (joined.joined, joined.gained, joined.login) == (("Support",), ("managed:viewer",), True)
    assert joined.because.endswith("put grace into Support")
    assert (created.entry.action, created.gained, created.login) == ("create", (), None)


@pytest.mark.parametrize("size", [49, 50, 51, 1001, 1500])
def test_a_change_of_many_is_told_without_a_row_for_each(world: World, size: int) -> None:
    group = world.group("Everybody", role="managed:viewer")
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {"userName": f"p{n}"}} for n in range(size - 1)
    ]
    made = [
        world.okta.post("/Bulk", {"Operations": operations[at : at + 500]}).body
        for at in range(0, len(operations), 500)
    ]
    others = [result["location"].rpartition("/")[2] for each in made for result in each["Operations"]]
    last = world.okta.post("/Users", {"userName": "last"}).body["id"]
    values = [{"value": one} for one in (world.grace, *others[:-1], last)]
    world.okta.patch(f"/Groups/{group}", patch_op({"op": "replace", "path": "members", "value": values}))
    with world.app.extensions["perch"].database.read() as connection:
        (rows,) = connection.execute("SELECT count(*) FROM journal_members").fetchone()
    assert rows == (size if size <= 50 else 0)
    for person in (world.grace, last):
        found = World(world.app, world.okta, person).line()
        assert found.moments[0].joined == ("Everybody",) and found.moments[0].login is True, person
    world.okta.patch(f"/Groups/{group}", patch_op({"op": "remove", "path": "members"}))
    assert world.line().why.endswith("took grace out of Everybody.")


def test_where_the_journal_no_longer_reaches_it_says_so(world: World) -> None:
    taken_out(world)
    with world.app.extensions["perch"].database.write() as connection:
        connection.execute("DELETE FROM journal")
        assert connection.execute("SELECT count(*) FROM journal_members").fetchone() == (0,)
    run_command(world.app, "roles", "add", "a:b", "Other")
    assert world.line().why.startswith("No role since before 20")
    assert (
        world.okta.patch(f"/Users/{world.grace}", patch_op({"op": "replace", "value": {"active": False}})).status == 200
    )
    assert world.line().why.startswith("Deactivated by key ")
    with world.app.extensions["perch"].database.write() as connection:
        connection.execute("DELETE FROM journal WHERE type = 'User'")
    assert world.line().why.startswith("Deactivated since before 20")


@pytest.mark.parametrize("seed", range(12))
def test_the_replay_agrees_with_what_was_true_after_each_change(world: World, seed: int) -> None:
    """The roles that the replay finds between two entries are those that the file had then."""
    rng, held = random.Random(seed), {}
    groups = [world.group(f"G{number}") for number in range(4)]
    roles = ["managed:viewer", "managed:editor", "managed:admin"]

    def remember() -> None:
        with world.app.extensions["perch"].database.read() as connection:
            row = resources.get(connection, "User", world.grace)
            last = journal.entries(connection, JournalQuery(), 1)[0].seq
            found = effective_roles.held_roles(connection, [row.seq])[row.seq]
            held[last] = {reason.role for reason in found}

    def step() -> None:
        group, role, kind = rng.choice(groups), rng.choice(roles), rng.randrange(6)
        name = f"G{groups.index(group)}"
        if kind == 0:
            world.members(group, "add", world.grace)
        elif kind == 1:
            world.members(group, "remove", world.grace)
        elif kind == 2:
            run_command(world.app, "roles", "assign", "--group", name, role)
        elif kind == 3:
            run_command(world.app, "roles", "unassign", "--group", name, role)
        elif kind == 4:
            inner = rng.choice(groups)
            world.members(group, rng.choice(("add", "remove")), inner)
        else:
            world.put(roles=rng.sample(roles, rng.randrange(3)))

    for _ in range(40):
        step()
        remember()
    found, current = world.line(), held[max(held)]
    changes = {moment.entry.seq: (set(moment.gained), set(moment.lost)) for moment in found.moments}
    for seq in sorted(held, reverse=True):
        assert current == held[seq], json.dumps([seq, sorted(current), sorted(held[seq])])
        earlier = max((other for other in held if other < seq), default=0)
        for each in sorted((s for s in changes if earlier < s <= seq), reverse=True):
            gained, lost = changes[each]
            current = (current - gained) | lost
