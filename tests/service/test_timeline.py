"""A person's timeline and the answer to "why": ten histories, random ones against the truth, and old journals."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from scim.service.login_reasons import Timeline, timeline
from storage import effective_roles, resources
from storage.journal import Author
from storage.migrations import history as migration
from storage.migrations import recording
from storage.sql.tables import utilities
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import create_users, group_id, patch, user_id

KEY = "key okta test"
COMMAND = r"\S+ on the command line"
AT = r"20\d\d-\d\d-\d\d at \d\d:\d\d UTC"
BEFORE = rf"since before {AT}\."


def timeline_of(app: Flask, identifier: str, type_name: str = "User") -> Timeline:
    with app.extensions["perch"].database.read() as connection:
        row = resources.get(connection, type_name, identifier)
        return timeline(connection, row)


def why(app: Flask, identifier: str) -> str:
    found = timeline_of(app, identifier).why
    assert found is not None
    return found.sentence


def told(app: Flask, identifier: str, type_name: str = "User") -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Return the entries with an effect, the oldest first: what the author did, roles gained and lost."""
    found = timeline_of(app, identifier, type_name)
    return [
        ("".join(found.words.phrase(moment)), moment.gained, moment.lost)
        for moment in reversed(found.moments)
        if moment.gained or moment.lost
    ]


class Story:
    """Grace, her groups and an administrator on the command line."""

    def __init__(self, app: Flask, client: ScimClient) -> None:
        self.app, self.client, self.groups = app, client, dict[str, str]()
        self.grace = ""

    def create(self, *roles: str, **more: Any) -> None:
        self.grace = user_id(self.client, "grace", displayName="Grace", roles=list(roles), **more)

    def group(self, name: str, *members: str) -> None:
        self.groups[name] = group_id(self.client, name, *(self.groups.get(member, self.grace) for member in members))

    def add(self, group: str, member: str = "") -> None:
        self._patch(group, patch("add", "members", [{"value": self.groups.get(member, self.grace)}]))

    def remove(self, group: str, member: str = "") -> None:
        self._patch(group, patch("remove", f'members[value eq "{self.groups.get(member, self.grace)}"]'))

    def _patch(self, group: str, body: dict[str, Any]) -> None:
        assert self.client.patch(f"/Groups/{self.groups[group]}", body).status in (200, 204)

    def change(self, **values: Any) -> None:
        assert self.client.patch(f"/Users/{self.grace}", patch("replace", None, values)).status == 200

    def flask(self, *arguments: str) -> None:
        run_command(self.app, "roles", *arguments)


@pytest.fixture
def story(app: Flask, okta: ScimClient) -> Story:
    return Story(app, okta)


def taken_out(story: Story) -> None:
    story.create()
    story.group("Support", "grace")
    story.flask("assign", "--group", "Support", "managed:viewer")
    story.remove("Support")


def deactivated(story: Story) -> None:
    story.create("managed:viewer")
    story.change(active=False)


def never(story: Story) -> None:
    story.create()
    story.group("Support", "grace")
    story.change(title="Admiral")


def created_inactive(story: Story) -> None:
    story.create(active=False)


def withdrawn_by_hand(story: Story) -> None:
    story.create()
    story.flask("assign", "--user", "grace", "managed:viewer")
    story.flask("unassign", "--user", "grace", "managed:viewer")


def taken_by_provider(story: Story) -> None:
    story.create("managed:viewer", "managed:editor")
    story.client.put(f"/Users/{story.grace}", {"userName": "grace", "displayName": "Grace", "roles": []})


def role_removed(story: Story) -> None:
    story.create()
    story.group("Support", "grace")
    story.flask("assign", "--group", "Support", "managed:viewer")
    story.flask("remove", "--force", "managed:viewer")


def renamed_out_of_a_rule(story: Story) -> None:
    story.create()
    story.group("Support", "grace")
    with story.app.extensions["perch"].repository.writing(Author("command:x", "r")) as write:
        write.set_rule("sup*", ["managed:viewer"])
    story._patch("Support", patch("replace", "displayName", "Helpdesk"))


def direct_role_removed(story: Story) -> None:
    story.create("managed:viewer")
    story.flask("remove", "--force", "managed:viewer")


def group_deleted(story: Story) -> None:
    story.create()
    story.group("Support", "grace")
    story.flask("assign", "--group", "Support", "managed:viewer")
    story.client.delete(f"/Groups/{story.groups['Support']}")


def outer_group_left(story: Story) -> None:
    story.create()
    story.group("Inner", "grace")
    story.group("Middle", "Inner")
    story.group("Outer", "Middle")
    story.flask("assign", "--group", "Outer", "managed:viewer")
    story.remove("Outer", "Middle")


def inner_group_deleted(story: Story) -> None:
    outer_group_left(story)
    story.add("Outer", "Middle")
    story.client.delete(f"/Groups/{story.groups['Middle']}")


def group_role_withdrawn(story: Story) -> None:
    story.create()
    story.group("Support", "grace")
    story.flask("assign", "--group", "Support", "managed:viewer")
    story.flask("unassign", "--group", "Support", "managed:viewer")


def reactivated(story: Story) -> None:
    story.create("managed:viewer")
    story.change(active=False)
    assert (
        story.client.post(
            "/Users", {"userName": "grace", "displayName": "Grace", "active": True, "roles": ["managed:viewer"]}
        ).status
        == 201
    )


def still_has_one(story: Story) -> None:
    taken_out(story)
    story.flask("assign", "--user", "grace", "managed:viewer")


def deactivated_without_role(story: Story) -> None:
    taken_out(story)
    story.change(active=False)


def reactivated_without_role(story: Story) -> None:
    deactivated_without_role(story)
    story.change(active=True)


@pytest.mark.parametrize(
    ("happen", "answer"),
    [
        (taken_out, f"Lost the last role on {AT} because {KEY} took Grace out of Support."),
        (deactivated, f"Deactivated by {KEY} on {AT}."),
        (never, "Never had a role."),
        (created_inactive, f"Created as deactivated by {KEY} on {AT}. Grace has no role either."),
        (withdrawn_by_hand, f"Lost the last role on {AT} because {COMMAND} withdrew the role Viewer."),
        (taken_by_provider, f"Lost the last role on {AT} because {KEY} took away the roles Editor and Viewer."),
        (
            role_removed,
            f"Lost the last role on {AT} because {COMMAND} removed the role Viewer from the catalogue, which the group "
            "Support had.",
        ),
        (
            renamed_out_of_a_rule,
            f"Lost the last role on {AT} because {KEY} renamed a group to Helpdesk, which no longer gives the role "
            "Viewer by the rule sup*.",
        ),
        (
            direct_role_removed,
            f"Lost the last role on {AT} because {COMMAND} removed the role Viewer from the catalogue.",
        ),
        (group_deleted, f"Lost the last role on {AT} because {KEY} deleted the group Support."),
        (outer_group_left, f"Lost the last role on {AT} because {KEY} took the group Middle out of Outer."),
        (inner_group_deleted, f"Lost the last role on {AT} because {KEY} deleted the group Middle."),
        (
            group_role_withdrawn,
            f"Lost the last role on {AT} because {COMMAND} withdrew the role Viewer from the group Support.",
        ),
        (reactivated, f"May log in since {AT} because {KEY} re-activated Grace."),
        (still_has_one, f"May log in since {AT} because {COMMAND} gave Grace the role Viewer."),
        (deactivated_without_role, f"Deactivated by {KEY} on {AT}. Grace has no role either."),
        (reactivated_without_role, f"Lost the last role on {AT} because {KEY} took Grace out of Support."),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_why(story: Story, happen: Callable[[Story], None], answer: str) -> None:
    happen(story)
    found = why(story.app, story.grace)
    assert re.fullmatch(answer.replace(".", r"\.").replace("*", r"\*"), found), found
    reason = timeline_of(story.app, story.grace).why
    assert reason is not None
    if not reason.entry:
        return
    entry = journal(story.app)[reason.entry]
    assert f"{entry['at'][:10]} at {entry['at'][11:16]} UTC" in found
    if "Support" in found or "Middle" in found:
        assert entry["name"] in found and entry["type"] == "Group"


def journal(app: Flask) -> dict[int, Any]:
    entries = json.loads(run_command(app, "journal", "--limit", "10000", "--json"))
    return {entry["seq"]: entry for entry in entries}


def test_an_unknown_role_that_was_left_out_is_no_role(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_UNKNOWN_ROLES="ignore")
    grace = user_id(make_client("okta", app=app), "grace", roles=["no:such"])
    assert why(app, grace) == "Never had a role."


def test_a_role_from_two_groups_is_lost_with_the_second(story: Story) -> None:
    story.create()
    for name in ("A", "B"):
        story.group(name, "grace")
        story.flask("assign", "--group", name, "managed:viewer")
    story.remove("A")
    assert why(story.app, story.grace).endswith(f"{KEY} put Grace into A.") is False
    story.remove("B")
    assert why(story.app, story.grace).endswith(f"{KEY} took Grace out of B.")
    assert told(story.app, story.grace) == [
        ("gave the role Viewer to the group A", ("managed:viewer",), ()),
        ("took Grace out of B", (), ("managed:viewer",)),
    ]


def test_a_group_has_a_timeline_of_its_own_and_of_groups_above(story: Story) -> None:
    story.create()
    story.group("Inner", "grace")
    story.flask("assign", "--group", "Inner", "managed:viewer")
    story.group("Outer")
    story.flask("assign", "--group", "Outer", "managed:editor")
    story.add("Outer", "Inner")
    story.client.delete(f"/Groups/{story.groups['Outer']}")
    assert told(story.app, story.groups["Inner"], "Group") == [
        ("gave the role Viewer to the group Inner", ("managed:viewer",), ()),
        ("put Inner into Outer", ("managed:editor",), ()),
        ("deleted the group Outer", (), ("managed:editor",)),
    ]


@pytest.mark.parametrize("size", [19, 20, 21, 1200])
def test_a_change_of_any_size_is_told_to_each_member(story: Story, size: int) -> None:
    story.create()
    others = create_users(story.client, [f"p{number}" for number in range(size - 1)], displayName="Grace")
    last = others[-1]
    team = group_id(story.client, "Team", *others, story.grace)
    story.flask("assign", "--group", "Team", "managed:viewer")
    story.client.put(f"/Groups/{team}", {"displayName": "Team", "members": []})
    for one in (story.grace, last):
        assert told(story.app, one) == [
            ("gave the role Viewer to the group Team", ("managed:viewer",), ()),
            ("took Grace out of Team", (), ("managed:viewer",)),
        ]
    with story.app.extensions["perch"].database.read() as connection:
        rows = connection.execute("SELECT count(*) FROM journal_members").fetchone()[0]
        crowds = connection.execute("SELECT count(*), sum(length(added)) FROM journal_crowds").fetchone()
    assert (rows, *crowds) == ((2 * size, 0, None) if size <= 20 else (0, 2, 16 * size))


def test_a_group_in_a_change_of_many_is_found(story: Story) -> None:
    story.create()
    story.group("Inner", "grace")
    others = create_users(story.client, [f"p{number}" for number in range(30)])
    story.groups["Outer"] = group_id(story.client, "Outer", *others, story.groups["Inner"])
    story.flask("assign", "--group", "Outer", "managed:viewer")
    story.client.put(f"/Groups/{story.groups['Outer']}", {"displayName": "Outer", "members": []})
    assert why(story.app, story.grace).endswith(f"{KEY} took the group Inner out of Outer.")


def forget_before(app: Flask, condition: str) -> None:
    with app.extensions["perch"].database.write() as connection:
        connection.execute(f"DELETE FROM journal WHERE {condition}")


def test_where_the_journal_ends_the_answer_says_so(story: Story) -> None:
    taken_out(story)
    forget_before(story.app, "type <> 'Group' OR action <> 'patch'")
    assert why(story.app, story.grace).endswith(f"{KEY} took Grace out of Support.")
    forget_before(story.app, "1")
    assert re.fullmatch(f"No role {BEFORE}", why(story.app, story.grace))
    story.flask("assign", "--user", "grace", "managed:viewer")
    forget_before(story.app, "1")
    assert re.fullmatch(f"May log in {BEFORE}", why(story.app, story.grace))
    story.change(active=False)
    forget_before(story.app, "1")
    assert re.fullmatch(f"Deactivated {BEFORE}", why(story.app, story.grace))
    with story.app.extensions["perch"].database.read() as connection:
        left = [
            connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("journal_members", "journal_crowds")
        ]
    assert left == [0, 0]


def test_a_journal_of_an_older_version_is_understood(story: Story) -> None:
    outer_group_left(story)
    migrate_again(story.app)
    assert why(story.app, story.grace).endswith(f"{KEY} took the group Middle out of Outer.")
    others = create_users(story.client, [f"p{number}" for number in range(30)])
    story.groups["Many"] = group_id(story.client, "Many", *others, story.groups["Inner"])
    story.flask("assign", "--group", "Many", "managed:viewer")
    story.remove("Many", "Inner")
    migrate_again(story.app)
    assert why(story.app, story.grace).endswith(f"{KEY} took the group Inner out of Many.")
    assert told(story.app, others[3])[0][1] == ("managed:viewer",)


def test_what_an_older_version_did_not_name_is_not_claimed(story: Story) -> None:
    story.create()
    others = create_users(story.client, [f"p{number}" for number in range(1100)])
    crowd = group_id(story.client, "Crowd", *others)
    story.flask("assign", "--group", "Crowd", "managed:viewer")
    story.client.delete(f"/Groups/{crowd}")
    migrate_again(story.app)
    assert why(story.app, others[5]).endswith("deleted the group Crowd.")
    assert re.fullmatch(f"No role {BEFORE}", why(story.app, others[-1]))
    later = user_id(story.client, "later")
    assert why(story.app, later) == "Never had a role."


def migrate_again(app: Flask) -> None:
    """Make the tables as the migration makes them from an older version's journal."""
    with app.extensions["perch"].database.write() as connection:
        for gone in ("TABLE journal_members", "TABLE journal_crowds", "TRIGGER journal_delete", "INDEX journal_turns"):
            connection.execute(f"DROP {gone}")
        recording.STEPS["m020_journal_members"](utilities(connection))
        migration.members_of_entries(utilities(connection))


SLUGS = ["managed:viewer", "managed:editor", "managed:admin"]


class World:
    """People and nested groups that change at random; after each change the truth is written down."""

    def __init__(self, story: Story, seed: int) -> None:
        self.story, self.random = story, random.Random(seed)
        self.people = create_users(story.client, [f"p{number}" for number in range(3)])
        self.extras = create_users(story.client, [f"extra{number}" for number in range(25)])
        self.groups = {name: group_id(story.client, name) for name in "ABCD"}
        self.truth = {identifier: [self.roles(identifier)] for identifier in self.people}

    def roles(self, identifier: str) -> tuple[frozenset[str], bool]:
        with self.story.app.extensions["perch"].database.read() as connection:
            row = resources.get(connection, "User", identifier)
            held = effective_roles.held_roles(connection, [row.seq])[row.seq]
        found = frozenset(role.role for role in held)
        return found, bool(row.active and found)

    def step(self) -> None:
        make = [self.members, self.members, self.members, self.person, self.by_hand, self.to_group, self.delete]
        self.random.choice(make)()
        for identifier, states in self.truth.items():
            state = self.roles(identifier)
            if state != states[-1]:
                states.append(state)

    def members(self) -> None:
        name = self.random.choice("ABCD")
        pool = [*self.people, *(one for other, one in self.groups.items() if other != name)]
        chosen = [{"value": one} for one in self.random.sample(pool, 2)]
        if self.random.random() < 0.3:
            chosen += [{"value": one} for one in self.extras]
        body = patch(self.random.choice(["add", "replace"]), "members", chosen)
        if self.random.random() < 0.4:
            body = patch("remove", f'members[value eq "{chosen[0]["value"]}"]')
        assert self.story.client.patch(f"/Groups/{self.groups[name]}", body).status in (200, 204)

    def person(self) -> None:
        value: dict[str, Any] = {"roles": self.random.sample(SLUGS, self.random.randrange(3))}
        if self.random.random() < 0.5:
            value = {"active": self.random.random() < 0.5}
        path = f"/Users/{self.random.choice(self.people)}"
        assert self.story.client.patch(path, patch("replace", None, value)).status == 200

    def by_hand(self) -> None:
        holder = ("--user", f"p{self.random.randrange(3)}")
        self.story.flask(self.random.choice(["assign", "unassign"]), *holder, self.random.choice(SLUGS))

    def to_group(self) -> None:
        holder = ("--group", self.random.choice("ABCD"))
        self.story.flask(self.random.choice(["assign", "assign", "unassign"]), *holder, self.random.choice(SLUGS))

    def delete(self) -> None:
        if self.random.random() < 0.3:
            slug = self.random.choice(SLUGS)
            self.story.flask("remove", "--force", slug)
            self.story.flask("add", slug, slug)
            return
        name = self.random.choice("ABCD")
        self.story.client.delete(f"/Groups/{self.groups[name]}")
        self.groups[name] = group_id(self.story.client, name)


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_are_replayed_as_they_were(story: Story, seed: int) -> None:
    world = World(story, seed)
    for _ in range(60):
        world.step()
    for again in (False, True):
        if again:
            migrate_again(story.app)
        for identifier, states in world.truth.items():
            assert replayed(story.app, identifier) == states


def replayed(app: Flask, identifier: str) -> list[tuple[frozenset[str], bool]]:
    """Return all roles and whether a login is allowed, from the creation on, as the moments have them."""
    held, login = frozenset[str](), False
    found = [(held, login)]
    for moment in reversed(timeline_of(app, identifier).moments):
        held = (held | set(moment.gained)) - set(moment.lost)
        login = login if moment.login is None else moment.login
        if (held, login) != found[-1]:
            found.append((held, login))
    return found


def test_a_role_by_hand_and_by_rules_is_lost_with_the_last_reason(story: Story) -> None:
    def rule(pattern: str, *slugs: str) -> None:
        with story.app.extensions["perch"].repository.writing(Author("command:x", "r")) as write:
            write.set_rule(pattern, slugs)

    story.create()
    story.group("Support", "grace")
    story.flask("assign", "--group", "Support", "managed:viewer")
    rule("sup*", "managed:viewer")
    story.flask("unassign", "--group", "Support", "managed:viewer")
    rule("Support", "managed:viewer", "managed:editor")
    rule("SUP*")
    assert told(story.app, story.grace) == [
        ("gave the role Viewer to the group Support", ("managed:viewer",), ()),
        ("gave the role Editor to the group Support by the rule Support", ("managed:editor",), ()),
    ]
    rule("support")
    assert [lost for _, _, lost in told(story.app, story.grace)][2:] == [("managed:editor",), ("managed:viewer",)]
    assert re.fullmatch(
        rf"Lost the last role on {AT} because x on the command line withdrew the role Viewer from the group Support, "
        r"which had it by the rule Support\.", why(story.app, story.grace),
    )  # fmt: skip
    rule("Support", "managed:viewer")
    story.flask("assign", "--group", "Support", "managed:viewer")
    story.flask("remove", "--force", "managed:viewer")
    assert [gained for _, gained, _ in told(story.app, story.grace)][-2:] == [("managed:viewer",), ()]
