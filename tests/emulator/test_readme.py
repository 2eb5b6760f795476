"""The emulator's README is true: its paths, commands, layers, example and numbers."""

import json
import re
import shlex
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest
from click import Command

from scim.cli import entra, okta, profile
from scim.emulator.checks import STEPS
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.organisation import Employee, Group, read_organisation
from tests.support.server import ROOT

ROOM = ROOT / "scim" / "emulator"
README = (ROOM / "README.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w./-]*(?:/|\.(?:py|md|txt)))`", README)))
COMMANDS = re.findall(r"^(?:flask|python) .*", README, re.MULTILINE)
LAYERS = [
    re.findall(r"`(\w+)(?:\.py|/)`", row.split("|")[1])
    for row in re.findall(r"^\| `[^|]*(?:\.py|/)` .*", README, re.MULTILINE)
]
MODULES = {path.stem for path in ROOM.iterdir() if path.suffix == ".py" or path.name == "checks"} - {"__init__"}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_exists(path: str) -> None:
    assert (ROOM / path).exists() or (ROOT / path).exists()


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_exists_with_its_options(line: str) -> None:
    program, *words = shlex.split(line.split(" > ")[0])
    if program == "python":
        assert words[0] == "-m" and find_spec(words[1]) and all((ROOT / path).exists() for path in words[2:])
    else:
        assert {word for word in words if word.startswith("--")} <= options(GROUPS[words[0]].commands[words[1]])


GROUPS = {"okta": okta.group, "entra": entra.group, "profile": profile.group}


def options(command: Command) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_an_option_in_the_text_exists() -> None:
    known = set().union(*(options(command) for group in GROUPS.values() for command in group.commands.values()))
    assert set(re.findall(r"`(--[\w-]+)", README)) <= known


def test_all_commands_are_shown() -> None:
    shown = {tuple(line.split()[1:3]) for line in COMMANDS if line.startswith("flask")}
    assert shown == {(name, command) for name, group in GROUPS.items() for command in group.commands}


def test_every_module_is_in_the_table_and_uses_those_above_it() -> None:
    order = {module: position for position, row in enumerate(LAYERS) for module in row}
    assert set(order) == MODULES
    for module, position in order.items():
        for file in sorted(ROOM.glob(f"{module}/*.py")) or [ROOM / f"{module}.py"]:
            assert all(order[name] <= position for name in imported_modules(file)), file


def imported_modules(file: Path) -> set[str]:
    """The modules of the room that a file imports."""
    text = file.read_text(encoding="utf-8")
    direct = re.findall(r"^from scim\.emulator\.(\w+)", text, re.MULTILINE)
    listed = re.findall(r"^from scim\.emulator import (.*)", text, re.MULTILINE)
    return {*direct, *(name for names in listed for name in names.split(", "))}


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_an_example_is_a_check(example: str) -> None:
    assert example in (ROOM / "checks" / "users.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(("dialect", "words"), [(CUSTOM, "{} checks as a custom app"), (OIN, "{} as an OIN app")])
def test_the_numbers_of_checks(dialect: str, words: str) -> None:
    assert words.format(sum(dialect in check.dialects for step in STEPS for check in step.checks)) in README


def test_the_example_of_the_organisation_file_is_read_and_the_table_names_each_attribute() -> None:
    example = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
    found = read_organisation(example)
    assert found.assigned() == {"ada@example.com": ["managed:admin"]}
    assert found.pushed == ["Support"]
    rows = [row.split("|")[1:3] for row in re.findall(r"^\| `(?:people|groups|app)[.`].*", README, re.MULTILINE)]
    named = {(place.strip(" `"), name) for place, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert named == {
        *(("people", each.name) for each in fields(Employee)), *(("groups", each.name) for each in fields(Group)),
        ("app.groups", "group"), ("app.groups", "roles"), ("app.people", "person"), ("app.people", "roles"),
    }  # fmt: skip
