"""The organisation's file: mistakes are named with their place, roles are combined as Okta combines them."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from scim.emulator.organisation import InvalidOrganisation, read_organisation

ADA = {"login": "ada@example.com", "givenName": "Ada", "familyName": "Roe"}


@pytest.mark.parametrize(
    ("document", "messages"),
    [
        ([], ["the file: Invalid input type."]),
        ({}, ["people: Missing data for required field."]),
        ({"people": [ADA, {"login": ""}]}, ["people[1].login: must not be empty", "people[1].givenName: Missing"]),
        ({"people": [{**ADA, "status": "gone"}]}, ["people[0].status: Must be one of: active, deactivated."]),
        ({"people": [{**ADA, "age": 3}]}, ["people[0].age: Unknown field."]),
        (
            {"people": [ADA, {**ADA, "login": "ADA@example.com"}]},
            ["the login 'ada@example.com' occurs 2 times; it must be unique."],
        ),
        (
            {"people": [ADA], "groups": [{"name": "A", "members": ["bob"]}]},
            ["groups[0].members[0]: there is no person"],
        ),
        ({"people": [ADA], "app": {"push": ["B"]}}, ["app.push[0]: there is no group 'B' in the file."]),
        ({"people": [ADA], "app": {"groups": [{"group": "B"}]}}, ["app.groups[0]: there is no group 'B'"]),
        (
            {"people": [ADA], "app": {"people": [{"person": "x", "roles": "y"}]}},
            ["app.people[0].roles: Not a valid list."],
        ),
    ],
)
def test_each_mistake_is_named_with_its_place(document: Any, messages: list[str]) -> None:
    with pytest.raises(InvalidOrganisation) as error:
        read_organisation(document)
    for message in messages:
        assert message in str(error.value)


def test_the_command_names_the_file_and_the_place_of_a_mistake(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "org.json"
    for text, message in (("{", "is not JSON"), ('{"people": [{}]}', "people[0].login: Missing data")):
        file.write_text(text)
        result = app.test_cli_runner().invoke(args=["okta", "sync", str(file)])
        assert (result.exit_code, message in result.output) == (1, True), result.output


def test_roles_are_combined_over_groups_unless_assigned_to_the_person() -> None:
    people = [{**ADA, "login": login} for login in ("a", "b", "c", "d")]
    groups = [
        {"name": "X", "members": ["a", "b", "d"]},
        {"name": "Y", "members": ["b"]},
        {"name": "Z", "members": ["c"]},
    ]
    assigned = [{"group": "X", "roles": ["r1", "r2"]}, {"group": "Y", "roles": ["r2", "r3"]}]
    app = {"groups": assigned, "people": [{"person": "d", "roles": ["r9"]}]}
    found = read_organisation({"people": people, "groups": groups, "app": app})
    assert found.assigned() == {"a": ["r1", "r2"], "b": ["r1", "r2", "r3"], "d": ["r9"]}
    people[0]["status"] = "deactivated"
    assert "a" not in read_organisation({"people": people, "groups": groups, "app": app}).assigned()


def person(login: str, **others: str) -> dict[str, str]:
    return {**ADA, "login": login, **others}


OFF, ASIDE, UNPUSHED = "Not created, because deactivated", "Not created, because assigned", "Not pushed, because not in"


@pytest.mark.parametrize(
    ("app", "lines"),
    [
        ({"groups": [{"group": "A"}], "people": [{"person": "alone"}], "push": ["A", "B"]}, [OFF]),
        ({"groups": [{"group": "A"}], "push": ["A", "B"]}, [OFF, ASIDE]),
        ({"people": [{"person": "alone"}], "push": ["B"]}, [OFF, ASIDE, UNPUSHED]),
        ({}, [OFF, ASIDE, UNPUSHED]),
    ],
)
def test_who_is_not_created_and_what_is_not_pushed_is_named_with_the_reason(
    app: dict[str, Any], lines: list[str]
) -> None:
    people = [person("member"), person("alone"), person("off", status="deactivated")]
    groups = [{"name": "A", "members": ["member", "off"]}, {"name": "B", "members": []}]
    found = read_organisation({"people": people, "groups": groups, "app": app}).left_out()
    assert [line[: len(start)] for line, start in zip(found, lines, strict=True)] == lines


def test_of_many_only_five_are_named() -> None:
    people = [person(f"p{number}") for number in range(7)]
    assert read_organisation({"people": people}).left_out() == [
        "Not created, because assigned to the app neither alone nor by a group (7): p0, p1, p2, p3, p4 and 2 more."
    ]
