"""`flask roles` and `flask journal`: manual changes by an operator, and their journal entries."""

from typing import Any

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import group_id, user_id


def fail(app: Flask, *arguments: str, code: int = 1) -> str:
    """Run a command that must fail; return its one line on standard error."""
    result = app.test_cli_runner().invoke(args=list(arguments))
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    if code == 1:
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1, result.stderr
    return str(result.stderr)


def person(client: ScimClient, name: str, *roles: str) -> str:
    return user_id(client, name, roles=list(roles))


def test_the_catalogue_begins_with_managed_roles_and_takes_more(app: Flask) -> None:
    before = run_json(app, "roles", "list")
    assert "managed:admin" in [role["slug"] for role in before]
    run_command(app, "roles", "add", "billing:reader", "Billing reader", "--description", "Sees invoices.")
    added = [role for role in run_json(app, "roles", "list") if role not in before]
    assert added == [
        {"slug": "billing:reader", "name": "Billing reader", "description": "Sees invoices.", "grantedBy": "any"}
    ]
    table = run_command(app, "roles", "list").splitlines()
    assert table[0].split() == ["SLUG", "NAME", "DESCRIPTION", "GRANTED", "BY"]
    assert table[1].startswith("billing:reader ")
    run_command(app, "roles", "remove", "billing:reader")
    assert run_json(app, "roles", "list") == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("roles", "add", "has a space", "Name"), "A slug is 1 to 255 characters without spaces"),
        (("roles", "add", "", "Name"), "A slug is 1 to 255 characters"),
        (("roles", "add", "x" * 256, "Name"), "A slug is 1 to 255 characters"),
        (("roles", "add", "tab\there", "Name"), "A slug is 1 to 255 characters"),
        (("roles", "add", ".", "Name"), "A slug is 1 to 255 characters"),
        (("roles", "add", "..", "Name"), "A slug is 1 to 255 characters"),
        (("roles", "add", "%2e%2E", "Name"), "A slug is 1 to 255 characters"),
        (("roles", "add", "fine", "  "), "A role needs a name."),
        (("roles", "add", "managed:admin", "Again"), "The role 'managed:admin' exists already."),
        (("roles", "edit", "managed:admin", "--name", " "), "A role needs a name."),
        (("roles", "edit", "nothing", "--name", "X"), "There is no role 'nothing'"),
        (("roles", "remove", "nothing"), "There is no role 'nothing'"),
        (("roles", "assign", "--user", "ann", "nothing"), "There is no role 'nothing'"),
        (("roles", "assign", "--user", "ann", "Viewr"), "Did you mean managed:viewer"),
        (
            ("roles", "assign", "--user", "nobody", "managed:admin"),
            "There is no user 'nobody'; the console's page Users lists them all.",
        ),
        (
            ("roles", "assign", "--group", "nobody", "managed:admin"),
            "There is no group 'nobody'; the console's page Groups lists them all.",
        ),
        (
            ("roles", "unassign", "--user", "nobody", "managed:admin"),
            "There is no user 'nobody'; the console's page Users lists them all.",
        ),
        (("roles", "unassign", "--user", "ann", "Viewr"), "Did you mean managed:viewer"),
        (("roles", "explain", "nobody"), "There is no user 'nobody'; the console's page Users lists them all."),
    ],
)
def test_wrong_input_is_one_line(app: Flask, okta: ScimClient, arguments: tuple[str, ...], told: str) -> None:
    person(okta, "ann")
    before = run_json(app, "journal")
    assert told in fail(app, *arguments)
    assert run_json(app, "journal") == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("roles", "assign", "managed:admin"),
        ("roles", "assign", "--user", "ann", "--group", "Support", "managed:admin"),
        ("roles", "edit", "managed:admin"),
        ("roles", "add", "slug"),
    ],
)
def test_wrong_usage_says_how(app: Flask, arguments: tuple[str, ...]) -> None:
    assert "Usage: " in fail(app, *arguments, code=2)


def test_slugs_may_be_long_and_foreign(app: Flask, okta: ScimClient) -> None:
    for slug in ("x" * 255, "rôle:été", "-"):
        run_command(app, "roles", "add", "--", slug, "Name")
        person(okta, f"user of {slug[:5]}", slug)


def test_removal_names_who_holds_the_role(app: Flask, okta: ScimClient) -> None:
    for number in range(7):
        person(okta, f"u{number}", "managed:viewer")
    told = fail(app, "roles", "remove", "managed:viewer")
    assert "user u0 (direct), user u1 (direct)" in told
    assert "and 2 more" in told
    run_command(app, "roles", "remove", "managed:viewer", "--force")
    assert okta.get("/Roles/managed:viewer").status == 404
    withdrawn = [entry for entry in run_json(app, "journal") if entry["action"] == "unassign"]
    assert [entry["name"] for entry in withdrawn] == [f"u{number}" for number in reversed(range(7))]
    assert withdrawn[0]["changes"] == {"roles.direct": {"before": ["managed:viewer"], "after": []}}


def test_explain_tells_every_reason(app: Flask, okta: ScimClient) -> None:
    ann = person(okta, "ann", "managed:viewer")
    inner = group_id(okta, "Inner", ann)
    group_id(okta, "Outer", inner)
    run_command(app, "roles", "assign", "--user", "ann", "managed:editor")
    run_command(app, "roles", "assign", "--group", "Outer", "managed:viewer")
    reasons = run_json(app, "roles", "explain", "ANN")
    told = [(reason["role"], reason["source"], reason["path"]) for reason in reasons]
    assert told == [
        ("managed:editor", "manual", []),
        ("managed:viewer", "direct", []),
        ("managed:viewer", "group", ["Inner", "Outer"]),
    ]
    assert reasons[0]["actor"].startswith("command:")
    assert reasons[1]["actor"].startswith("key:")
    assert reasons[1]["by"].startswith("key okta test (")
    assert all(reason["since"].endswith("Z") for reason in reasons)
    table = run_command(app, "roles", "explain", "ann")
    assert "Inner < Outer" in table
    assert "key okta test (" in table


def test_explain_says_why_before_it_names_roles(app: Flask, okta: ScimClient) -> None:
    ann = person(okta, "ann")
    assert run_command(app, "roles", "explain", "ANN").startswith("ann may not log in. Never had a role.\nROLE")
    run_command(app, "roles", "assign", "--user", "ann", "managed:editor")
    assert run_command(app, "roles", "explain", "ann").startswith("ann: May log in since 20")
    okta.patch(f"/Users/{ann}", {"Operations": [{"op": "replace", "value": {"active": False}}]})
    first, heads, role = run_command(app, "roles", "explain", "ann").splitlines()
    assert first.startswith("ann may not log in. Deactivated by key okta test on 20")
    assert heads.startswith("ROLE") and role.startswith("managed:editor")
    assert [reason["role"] for reason in run_json(app, "roles", "explain", "ann")] == ["managed:editor"]


def changes_of(app: Flask, *options: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the journal, oldest first: action, name of the subject, and changes of roles and members."""
    kept = ("roles", "roles.direct", "roles.manual", "roles.group", "roles.ignored", "members", "groups")
    return [
        (entry["action"], entry["name"], {name: value for name, value in entry["changes"].items() if name in kept})
        for entry in reversed(run_json(app, "journal", *options))
        if entry["type"] != "AccessKey"
    ]


def moved(before: Any, after: Any) -> dict[str, Any]:
    return {"before": before, "after": after}


def test_every_assignment_and_removal_is_in_the_journal(app: Flask, okta: ScimClient) -> None:
    ann = person(okta, "ann", "managed:viewer")
    okta.put(f"/Users/{ann}", {"userName": "ann", "roles": ["managed:admin"]})
    for verb in ("assign", "assign", "unassign", "unassign", "assign"):
        run_command(app, "roles", verb, "--user", "ann", "managed:editor")
    support = group_id(okta, "Support", ann)
    run_command(app, "roles", "assign", "--group", "Support", "managed:analyst")
    okta.delete(f"/Groups/{support}")
    okta.delete(f"/Users/{ann}")
    viewer, admin = [{"value": "managed:viewer"}], [{"value": "managed:admin"}]
    joined = {"added": 1, "removed": 0, "addedIds": [ann], "removedIds": []}
    left = {"added": 0, "removed": 1, "addedIds": [], "removedIds": [ann]}
    by_hand = [
        ("assign", "ann", {"roles.manual": moved([], ["managed:editor"])}),
        ("unassign", "ann", {"roles.manual": moved(["managed:editor"], [])}),
    ]
    about_ann = [
        ("create", "ann", {"roles": moved(None, viewer)}),
        ("replace", "ann", {"roles": moved(viewer, admin)}),
        *by_hand,
        by_hand[0],
        ("create", "Support", {"members": joined}),
        ("delete", "Support", {"members": left, "roles.group": moved(["managed:analyst"], [])}),
        ("delete", "ann", {"roles": moved(admin, None), "roles.manual": moved(["managed:editor"], [])}),
    ]
    assert changes_of(app, "--user", "ANN") == about_ann
    assigned = ("assign", "Support", {"roles.group": moved([], ["managed:analyst"])})
    assert changes_of(app) == [*about_ann[:6], assigned, *about_ann[6:]]


def test_a_deleted_member_is_in_the_journal(app: Flask, okta: ScimClient) -> None:
    ann = person(okta, "ann")
    support = group_id(okta, "Support", ann)
    okta.delete(f"/Users/{ann}")
    assert changes_of(app)[-1] == ("delete", "ann", {"groups": moved([support], [])})


def test_ignored_roles_are_in_the_journal(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_UNKNOWN_ROLES="ignore")
    okta = make_client("okta", app=app)
    ann = person(okta, "ann", "managed:viewer", "no:such")
    okta.put(f"/Users/{ann}", {"userName": "ann", "roles": ["managed:viewer", "no:such"]})
    ignored = {"roles.ignored": moved([], ["no:such"])}
    assert changes_of(app) == [
        ("create", "ann", {"roles": moved(None, [{"value": "managed:viewer"}]), **ignored}),
        ("replace", "ann", ignored),
    ]
    okta.put(f"/Users/{ann}", {"userName": "ann", "active": False})
    okta.post("/Users", {"userName": "ann", "roles": ["no:such"]})
    assert changes_of(app)[-1] == ("reactivate", "ann", ignored)


def test_created_roles_are_in_the_journal(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_UNKNOWN_ROLES="create")
    okta = make_client("okta", app=app)
    okta.post("/Users", {"userName": "ann", "roles": [{"value": "new:role", "display": "New"}]})
    role = run_json(app, "journal")[1]
    assert (role["action"], role["type"], role["resource"], role["name"]) == ("create", "Role", "new:role", "New")


def test_the_catalogue_is_in_the_journal(app: Flask) -> None:
    run_command(app, "roles", "add", "a:b", "AB")
    run_command(app, "roles", "edit", "a:b", "--description", "text")
    run_command(app, "roles", "edit", "a:b", "--description", "text")
    run_command(app, "roles", "edit", "a:b", "--name", "BA", "--description", "")
    run_command(app, "roles", "remove", "a:b")
    entries = [entry for entry in reversed(run_json(app, "journal")) if entry["type"] == "Role"]
    assert [(entry["action"], entry["changes"]) for entry in entries] == [
        ("create", {}),
        ("replace", {"description": moved(None, "text")}),
        ("replace", {"name": moved("AB", "BA"), "description": moved("text", None)}),
        ("delete", {}),
    ]
    assert all(entry["actor"].startswith("command:") for entry in entries)


def test_entries_say_which_key_and_which_request(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "ann"}, {"X-Request-Id": "request-17"})
    okta.post("/Users", {"userName": "ben"})
    ben, ann = run_json(app, "journal")[:2]
    key = next(key for key in run_json(app, "keys", "list") if key["name"] == "okta test")
    assert (ann["actor"], ann["request"]) == (f"key:{key['id']}", "request-17")
    assert ben["request"]
    assert ann["at"].endswith("Z")


def test_a_refused_write_leaves_no_entry(app: Flask, okta: ScimClient) -> None:
    ann = person(okta, "ann", "managed:viewer")
    before = run_json(app, "journal")
    okta.post("/Users", {"userName": "ANN"})
    okta.put(f"/Users/{ann}", {"userName": "ann", "roles": ["no:such"]})
    okta.put(f"/Users/{ann}", {"userName": "ann", "roles": ["managed:viewer"]})
    assert run_json(app, "journal") == before


def test_the_journal_keeps_a_renamed_and_deleted_person(app: Flask, okta: ScimClient) -> None:
    ann = person(okta, "ann")
    okta.put(f"/Users/{ann}", {"userName": "anna"})
    okta.delete(f"/Users/{ann}")
    for name in ("ann", "ANNA"):
        assert [entry["action"] for entry in run_json(app, "journal", "--user", name)] == [
            "delete",
            "replace",
            "create",
        ]
    assert run_json(app, "journal", "--user", "nobody") == []
    assert len(run_json(app, "journal", "--limit", "2")) == 2
    table = run_command(app, "journal", "--user", "ann").splitlines()
    assert table[0].split() == ["WHEN", "WHO", "REQUEST", "WHAT", "ON", "CHANGES"]
    assert len(table) == 4
