"""Sample organisations: any size, the same for the same seed, with the roles of the catalogue."""

import json

import pytest
from flask import Flask

from scim.emulator.organisation import read_organisation
from scim.emulator.sample import sample_organisation
from tests.support.commands import run_command


@pytest.mark.parametrize("faker", [False, True])
@pytest.mark.parametrize(("people", "groups"), [(1, 0), (1, 1), (40, None), (500, 30)])
def test_the_same_seed_gives_the_same_organisation(people: int, groups: int | None, faker: bool) -> None:
    if faker:
        pytest.importorskip("faker")
    made = sample_organisation(people, groups, seed=5, roles=["x:a", "x:b"], faker=faker)
    assert made == sample_organisation(people, groups, seed=5, roles=["x:a", "x:b"], faker=faker)
    assert made != sample_organisation(people, groups, seed=6, roles=["x:a", "x:b"], faker=faker)
    found = read_organisation(made)
    assert (len(found.people), len(found.groups)) == (people, max(1, people // 40) if groups is None else groups)
    assert all(person.login.isascii() for person in found.people)


def test_the_command_uses_the_roles_of_the_catalogue_unless_some_are_named(app: Flask) -> None:
    run_command(app, "roles", "add", "x:only", "Only")
    made = json.loads(run_command(app, "okta", "sample", "100", "--groups", "10"))
    roles = {role for given in made["app"]["groups"] for role in given["roles"]}
    assert "x:only" in roles
    named = json.loads(run_command(app, "okta", "sample", "100", "--role", "y:named", "--seed", "4"))
    assert {role for given in named["app"]["groups"] for role in given["roles"]} == {"y:named"}
