"""Rules by group name: which names match, and that they hold for groups that come, are renamed and go."""

import pytest
from flask import Flask

from schemas.text import fold
from storage import group_rules, journal
from storage.journal import Author, JournalQuery
from storage.repository import Repository
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import ACCESS, group_id, patch, user_id

AUTHOR = Author("command:test", "test")


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("Support", "Support", True),
        ("Support", "SUPPORT", True),
        ("Support", "Supports", False),
        ("straße", "STRASSE", True),
        ("e\u0301quipe", "ÉQUIPE", True),
        ("team-*", "team-", True),
        ("team-*", "Team-Red", True),
        ("team-*", "a team-red", False),
        ("*-team", "red-TEAM", True),
        ("*-team", "red-team 2", False),
        ("*", "", True),
        ("*", "anything at all", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "ac-b", False),
        ("*ab*ab*", "ab", False),
        ("*ab*ab*", "xabab", True),
        ("**", "x", True),
        ("what?", "whatx", False),
        ("what?", "what?", True),
        ("[ab]", "a", False),
        ("[ab]*", "[AB]c", True),
        ("100%_\\", "100%_\\", True),
        ("a.c", "abc", False),
    ],
)
def test_a_star_stands_for_any_text_and_nothing_else_is_special(pattern: str, name: str, expected: bool) -> None:
    assert group_rules.matches(fold(pattern), fold(name)) is expected


def test_many_stars_take_no_longer_than_the_name_is_long() -> None:
    assert not group_rules.matches("*a" * 400 + "b", "a" * 1000)


def repository(app: Flask) -> Repository:
    found: Repository = app.extensions["perch"].repository
    return found


def set_rules(app: Flask, **rules: tuple[str, ...]) -> None:
    with repository(app).writing(AUTHOR) as write:
        for pattern, slugs in rules.items():
            write.set_rule(pattern, slugs)


def effective(client: ScimClient, identifier: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = client.get(f"/Users/{identifier}").body[ACCESS].get("effectiveRoles", [])
    return found


def slugs(client: ScimClient, identifier: str) -> list[str]:
    return sorted(role["value"] for role in effective(client, identifier))


def test_a_rule_holds_for_groups_that_are_there_that_come_and_that_are_renamed(app: Flask, generic: ScimClient) -> None:
    ann, bob = (user_id(generic, name) for name in ("ann", "bob"))
    there = group_id(generic, "Sales", ann)
    set_rules(app, **{"sa*": ("managed:editor",)})
    assert slugs(generic, ann) == ["managed:editor"]
    assert effective(generic, ann)[0] | {"display": ""} == {
        "value": "managed:editor", "type": "group", "source": there, "display": "",
    }  # fmt: skip
    come = group_id(generic, "SAles East", bob)
    assert slugs(generic, bob) == ["managed:editor"]
    assert generic.patch(f"/Groups/{come}", patch("replace", "displayName", "East")).status == 200
    assert slugs(generic, bob) == [] and not generic.get(f"/Users/{bob}").body[ACCESS]["loginAllowed"]
    assert generic.put(f"/Groups/{come}", {"displayName": "Sax", "members": [{"value": bob}]}).status == 200
    assert slugs(generic, bob) == ["managed:editor"]
    assert generic.delete(f"/Groups/{come}").status == 204
    assert slugs(generic, bob) == []


def test_several_rules_add_up_and_each_is_a_reason_of_its_own(app: Flask, generic: ScimClient) -> None:
    ann = user_id(generic, "ann")
    identifier = group_id(generic, "Support", ann)
    set_rules(app, **{"Support": ("managed:admin", "managed:editor"), "S*": ("managed:admin",)})
    with repository(app).writing(AUTHOR) as write:
        assert write.assign(write.get("Group", identifier), "managed:admin")
    assert slugs(generic, ann) == ["managed:admin"] * 3 + ["managed:editor"]
    group_roles = generic.get(f"/Groups/{identifier}").body[ACCESS.replace("User", "Group")]["roles"]
    assert [role["value"] for role in group_roles] == ["managed:admin", "managed:editor"]
    rules = [reason["rule"] for reason in run_json(app, "roles", "explain", "ann") if reason["role"] == "managed:admin"]
    assert rules == [None, "S*", "Support"]
    set_rules(app, **{"s*": ()})
    assert slugs(generic, ann) == ["managed:admin"] * 2 + ["managed:editor"]
    with repository(app).writing(AUTHOR) as write:
        assert write.unassign(write.get("Group", identifier), "managed:admin")
        assert not write.unassign(write.get("Group", identifier), "managed:admin")
    assert slugs(generic, ann) == ["managed:admin", "managed:editor"]


def test_inner_groups_inherit_what_a_rule_gives_to_an_outer_one(app: Flask, generic: ScimClient) -> None:
    ann = user_id(generic, "ann")
    inner = group_id(generic, "Inner", ann)
    group_id(generic, "Outer", inner)
    set_rules(app, Outer=("managed:viewer",))
    assert slugs(generic, ann) == ["managed:viewer"]
    found = generic.get(f'/Users?filter={ACCESS}:effectiveRoles.value eq "managed:viewer"').body
    assert [person["id"] for person in found["Resources"]] == [ann]


def test_the_journal_names_the_rule_and_events_tell_who_gained_and_lost(app: Flask, generic: ScimClient) -> None:
    identifier = group_id(generic, "Support", user_id(generic, "ann"))
    set_rules(app, **{"sup*": ("managed:admin",)})
    set_rules(app, **{"sup*": ("managed:editor",)})
    with repository(app).reading() as snapshot:
        found = journal.entries(snapshot.connection, JournalQuery(resource=identifier), 3)
        of_rule = journal.entries(snapshot.connection, JournalQuery(type="GroupRule"), 5)
    assert [(entry.action, entry.changes["roles.group"]["after"]) for entry in found[:2]] == [
        ("assign", ["managed:editor"]),
        ("unassign", []),
    ]
    assert [entry.changes["rule"] for entry in found[:2]] == [
        {"before": None, "after": "sup*"},
        {"before": "sup*", "after": None},
    ]
    assert [(entry.action, entry.changes["roles"]) for entry in of_rule] == [
        ("replace", {"before": ["managed:admin"], "after": ["managed:editor"]}),
        ("create", {"before": [], "after": ["managed:admin"]}),
    ]
    types = [event["type"] for event in run_json(app, "events")]
    assert types[2:] == ["roles.gained", "login.allowed", "roles.lost", "roles.gained"]


def test_a_rule_without_an_effect_changes_no_version(app: Flask, generic: ScimClient) -> None:
    identifier = group_id(generic, "Other")
    before = generic.get(f"/Groups/{identifier}").body["meta"]["version"]
    set_rules(app, **{"sup*": ("managed:admin",)})
    set_rules(app, **{"SUP*": ("managed:admin",)})
    assert generic.get(f"/Groups/{identifier}").body["meta"]["version"] == before
    with repository(app).reading() as snapshot:
        assert [rule.pattern for rule in group_rules.list_all(snapshot.connection)] == ["SUP*"]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"team-*": ["managed:admin"]}, {("delete", "team-*"): []}),
        ({"team-*": ["managed:admin", "managed:editor"]}, {("replace", "team-*"): ["managed:editor"]}),
        ({"a": ["managed:admin"], "*": ["managed:admin"]}, {("delete", "a"): [], ("delete", "*"): []}),
        ({"none*": ["managed:admin"], "*": ["managed:viewer"]}, {("delete", "none*"): []}),
        ({"*": ["managed:viewer"]}, {}),
    ],
)
def test_the_removal_of_a_role_from_a_rule_is_in_the_journal(
    app: Flask, generic: ScimClient, rules: dict[str, list[str]], told: dict[tuple[str, str], list[str]]
) -> None:
    group_id(generic, "team-a")
    with app.extensions["perch"].repository.writing(AUTHOR) as write:
        for pattern, slugs in rules.items():
            write.set_rule(pattern, slugs)
    before = len(run_json(app, "journal", "--limit", "100"))
    run_command(app, "roles", "remove", "managed:admin", "--force")
    journal = run_json(app, "journal", "--limit", "100")
    fresh = [each for each in journal[: len(journal) - before] if each["type"] == "GroupRule"]
    found = {(each["action"], each["name"]): each["changes"]["roles"]["after"] for each in fresh}
    assert found == told


@pytest.mark.parametrize("pattern", ["new-*", "P7*", "straSSe", "É*", "none"])
def test_a_rule_is_set_without_reading_the_others(app: Flask, pattern: str) -> None:
    with app.extensions["perch"].repository.writing(AUTHOR) as write:
        for known in ("straße", "e\u0301*", *(f"p{number}*" for number in range(20))):
            write.set_rule(known, ["managed:admin"])
        seen: list[str] = []
        write.connection.set_trace_callback(seen.append)
        write.set_rule(pattern, ["managed:editor"])
        write.connection.set_trace_callback(None)
        plans = [
            row[3]
            for sql in seen
            if "FROM group_rules" in sql
            for row in write.connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]
        assert group_rules.find(write.connection, pattern).roles == ("managed:editor",)
        assert len(group_rules.list_all(write.connection)) == 22 + (pattern in ("new-*", "none"))
    assert plans and not any(plan.startswith("SCAN g") for plan in plans), plans
