"""`flask attributes`: add, list, remove, seen."""

from typing import Any

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import patch_op, user, user_id

URN = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"


def failed(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=list(arguments))
    return result.exit_code, result.output


def test_an_attribute_is_declared_changed_and_removed(app: Flask, generic: ScimClient) -> None:
    add = ("attributes", "add", URN, "badge", "--type", "string")
    assert run_command(app, *add) == f"{URN}:badge: declared.\n"
    assert run_command(app, *add) == f"{URN}:badge: nothing to change.\n"
    more = ("--case-exact", "--canonical-value", "a", "--canonical-value", "b", "--indexed", "--description", "X")
    assert run_command(app, *add, *more) == f"{URN}:badge: changed.\n"
    assert run_json(app, "attributes", "list") == [
        {"resource": "User", "schema": URN, "name": "badge", "type": "string", "multiValued": False, "caseExact": True,
         "canonicalValues": ["a", "b"], "uniqueness": "none", "indexed": True, "description": "X", "sub": []}
    ]  # fmt: skip
    code, text = failed(app, "attributes", "remove", f"{URN}:badge")
    assert code == 1 and "0 users have a value. Other writes wait for about 1 s." in text and "lost" not in text
    user(generic, "ada", **{URN: {"badge": "7"}})
    code, text = failed(app, "attributes", "remove", f"{URN}:badge")
    assert code == 1 and "1 user has a value; all values are lost" in text and "--prune" in text
    assert len(run_json(app, "attributes", "list")) == 1
    assert run_command(app, "attributes", "remove", f"{URN}:BADGE".upper(), "--prune") == f"{URN}:badge: removed.\n"
    assert run_json(app, "attributes", "list") == []


def test_a_complex_attribute_is_declared(app: Flask) -> None:
    run_command(app, "attributes", "add", URN, "card", "--type", "complex", "--multi-valued", "--unique",
                "--sub", "value:string", "--sub", "lost:boolean", "--resource", "Group")  # fmt: skip
    (card,) = run_json(app, "attributes", "list")
    assert (card["resource"], card["multiValued"], card["uniqueness"]) == ("Group", True, "server")
    assert [(sub["name"], sub["type"]) for sub in card["sub"]] == [("value", "string"), ("lost", "boolean")]
    assert "complex (value, lost), several, unique" in run_command(app, "attributes", "list")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((URN, "badge"), 2, "--type"),
        ((URN, "badge", "--type", "text"), 2, "text"),
        ((URN, "c", "--type", "complex", "--sub", "value"), 2, "NAME:TYPE"),
        ((URN, "c", "--type", "complex", "--sub", "value:list"), 1, "sub[0].type: must be one of"),
        ((URN, "c", "--type", "complex"), 1, "sub: is required"),
        ((CORE, "badge", "--type", "string"), 1, "schema: is a URN that Perch serves itself"),
        (("x", "1", "--type", "string"), 1, "schema: must be a URN"),
    ],
)
def test_a_wrong_declaration_is_refused(app: Flask, arguments: tuple[str, ...], code: int, says: str) -> None:
    found, text = failed(app, "attributes", "add", *arguments)
    assert found == code and says in text
    assert run_json(app, "attributes", "list") == []


def test_duplicates_are_named(app: Flask, generic: ScimClient) -> None:
    run_command(app, "attributes", "add", URN, "badge", "--type", "string")
    for name in ("ada", "bob"):
        user(generic, name, **{URN: {"badge": "7"}})
    code, text = failed(app, "attributes", "add", URN, "badge", "--type", "string", "--unique")
    assert code == 1 and "'7' of ada and bob" in text and "about 1 s" in text


def seen(app: Flask) -> dict[tuple[str, str], dict[str, Any]]:
    app.extensions["perch.traffic"].writer.flush()
    return {(one["schema"], one["name"]): one for one in run_json(app, "attributes", "seen")}


SENT: list[tuple[Any, set[tuple[str, str, str]]]] = [
    ({URN: {"badge": "7", "level": 3}}, {(URN, "badge", "string"), (URN, "level", "integer")}),
    ({"badge": "2026-11-24T09:30:00Z"}, {(CORE, "badge", "dateTime")}),
    ({f"{URN}:flag": True}, {(URN, "flag", "boolean")}),
    ({f"{URN}:card": {"value": "x", "lost": False}}, {(URN, "card", "complex")}),
    ({URN: {"tags": ["a"], "cards": [{"value": 1}], "none": None, "empty": []}},
     {(URN, "tags", "string"), (URN, "cards", "complex")}),
    ({"urn:acme:badges": {"a": 1.5}}, {("urn:acme:badges", "a", "decimal")}),
    ({"bad name": 1, "x" * 101: 1, "urn:x:User": {"a b": 1}, 'urn:acme:"q":User': {"a": 1}}, set()),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "found"), SENT)
def test_what_is_sent_and_dropped_is_counted(app: Flask, generic: ScimClient, sent: Any, found: Any) -> None:
    ada = user_id(generic, "ada", **sent)
    assert {(*name, one["type"]) for name, one in seen(app).items()} == found
    generic.put(f"/Users/{ada}", {"userName": "ada", **sent})
    generic.patch(f"/Users/{ada}", patch_op({"op": "add", "value": sent}))
    assert {one["count"] for one in seen(app).values()} <= {3}
    assert all(one.keys() == {"schema", "name", "type", "count", "key", "last"} for one in seen(app).values())


def test_paths_of_patch_are_counted(app: Flask, entra: ScimClient) -> None:
    ada = user_id(entra, "ada")
    operations: list[dict[str, Any]] = [
        {"op": "Add", "path": f"{URN}:badge", "value": "7"},
        {"op": "Add", "path": f"{URN}:card.lost", "value": True},
        {"op": "Add", "path": f'{URN}:cards[type eq "secret@x"].value', "value": "x"},
        {"op": "Remove", "path": f"{URN}:gone"},
    ]
    entra.patch(f"/Users/{ada}", patch_op(*operations))
    found = seen(app)
    assert {name: one["type"] for (_, name), one in found.items()} == {
        "badge": "string", "card": "complex", "cards": "complex",
    }  # fmt: skip


def test_no_value_is_kept_and_names_are_bounded(app: Flask, generic: ScimClient) -> None:
    for number in range(5):
        many = {f"{URN[:-5]}x{number}:User": {f"n{number}x{each}": "secret-value" for each in range(90)}}
        user(generic, f"u{number}", **many)
        app.extensions["perch.traffic"].writer.flush()
    assert len(seen(app)) == 200
    with app.extensions["perch"].database.read() as connection:
        rows = connection.execute("SELECT * FROM quirks").fetchall()
    assert not any("secret-value" in str(cell) for row in rows for cell in row)
    assert "secret-value" not in run_command(app, "attributes", "seen")


def test_what_is_declared_is_no_longer_listed(app: Flask, generic: ScimClient) -> None:
    user(generic, "ada", **{URN: {"badge": "7", "level": 1}, "colour": "red"})
    assert len(seen(app)) == 3
    run_command(app, "attributes", "add", URN, "Badge", "--type", "string")
    run_command(app, "attributes", "add", URN, "colour", "--type", "string")
    assert seen(app).keys() == {(URN, "level")}
    assert user(generic, "bob", **{"Colour": "red", URN: {"badge": "8"}})[URN] == {"Badge": "8", "colour": "red"}


def test_the_doctor_names_what_is_dropped(app: Flask, generic: ScimClient) -> None:
    def found() -> dict[str, str]:
        return next(one for one in run_json(app, "doctor")["findings"] if one["check"] == "attributes")

    assert found()["level"] == "ok"
    user(generic, "ada", **{URN: {"badge": "7"}, "badge": 7, "colour": "red"})
    assert len(seen(app)) == 3
    assert found()["level"] == "look" and "2 attributes" in found()["text"] and "badge, colour" in found()["text"]
