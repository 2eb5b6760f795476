"""Which commands create a database: `flask init` and `flask restore`; any other says what is missing and where."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from tests.conftest import MakeApp
from tests.support.commands import run_command, run_json
from tests.support.server import ROOT, run_flask

# Words for the arguments that a command requires.
ARGUMENTS = {
    "TOML": str(ROOT / "examples" / "workspace.toml"),
    "FILE": "copy.db", "NAME": "name", "SLUG": "a:b", "ID": "x", "SECRET": "x", "NO": "1",
    "USERNAME": "ada@example.com",
    "TARGET": "POST /Users", "URL": "https://app.example.com/hook", "PEOPLE": "3", "ORG.json": "org.json",
    "SCHEMA": "urn:a1:User", "SCHEMA:NAME": "urn:a1:User:x", "PROFILE": "interop",
}  # fmt: skip
OPTIONS = {("webhooks", "replay"): ["--from", "oldest"], ("roles", "assign"): ["--user", "x"],
           ("roles", "unassign"): ["--user", "x"], ("roles", "edit"): ["--name", "x"],
           ("attributes", "add"): ["--type", "string"],
           ("keys", "set"): ["--name", "x"], ("deliver",): ["--once"],
           ("faults", "add"): ["--status", "500"]}  # fmt: skip
CREATE = {("init",), ("restore",)}
# These start servers on files of their own: tests/operations/test_follow.py.
OWN = {("follow",), ("drill",)}
NEED_NONE = {("settings",), ("version",), ("okta", "sample")}


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below one, and each group that is a command itself, with the words that call it."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield path, command
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from leaves(child, (*path, name))
    else:
        yield path, command


def words(path: tuple[str, ...], command: click.Command) -> list[str]:
    """Return a call of a command with all that it requires."""
    required = [each for each in command.params if isinstance(each, click.Argument) and each.required]
    named = [ARGUMENTS[str(each.metavar or each.human_readable_name)] for each in required]
    return [*path, *OPTIONS.get(path, []), *named]


EVERY = dict(leaves(create_app({"PERCH_DATABASE": "unused.db"}).cli))
COMMANDS = {path: words(path, command) for path, command in EVERY.items() if path not in OWN}
REFUSED = sorted(COMMANDS.keys() - CREATE - NEED_NONE)


def invoke(app: Flask, arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(folder)
    return app.test_cli_runner().invoke(args=arguments)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder but for the organisation that `flask okta sync` reads."""
    (tmp_path / "org.json").write_text('{"people": [], "groups": []}')
    return tmp_path


@pytest.mark.parametrize("path", REFUSED, ids=" ".join)
@pytest.mark.parametrize("given", [True, False], ids=["given", "default"])
def test_a_command_without_a_database_creates_nothing(
    path: tuple[str, ...], given: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    app = create_app({"PERCH_DATABASE": str(folder / "my.db")} if given else {})
    result = app.test_cli_runner().invoke(args=COMMANDS[path])
    assert result.exit_code == 1, (result.output, result.exception)
    said = result.output if path == ("doctor",) else result.stderr.strip().splitlines()[-1]
    assert str(folder / ("my.db" if given else "perch.db")) in said
    assert ("the value of PERCH_DATABASE" if given else "the default") in said
    assert "Set PERCH_DATABASE" in said and "flask init" in said
    assert [each.name for each in folder.iterdir()] == ["org.json"]


@pytest.mark.parametrize("path", sorted(NEED_NONE), ids=" ".join)
def test_a_command_that_needs_no_database_asks_for_none(
    path: tuple[str, ...], folder: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert invoke(make_app(opened=False), COMMANDS[path], folder, monkeypatch).exit_code == 0
    assert [each.name for each in folder.iterdir()] == ["org.json"]


@pytest.mark.parametrize(
    "path",
    [("okta", "test"), ("okta", "import"), ("okta", "sync"), ("entra", "test"), ("profile", "test")],
    ids=" ".join,
)
def test_a_command_for_another_server_asks_for_none(
    path: tuple[str, ...], folder: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ["--url", "http://127.0.0.1:9/x/scim/v2", "--key", "k"]
    result = invoke(make_app(opened=False, PERCH_FUSE="on"), [*COMMANDS[path], *other], folder, monkeypatch)
    assert "PERCH_DATABASE" not in result.output and "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit | None)
    assert not list(folder.glob("*.db*"))


@pytest.mark.parametrize("kind", ["empty", "folder", "link to nothing", "missing folder"])
def test_what_is_no_database_is_left_alone(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "perch.db"
    if kind == "empty":
        file.touch()
    elif kind == "folder":
        file.mkdir()
    elif kind == "missing folder":
        file.mkdir()
        file = file / "missing" / "perch.db"
    else:
        file.symlink_to(tmp_path / "elsewhere.db")
    result = run_flask(file, "fuse", "status")
    assert result.returncode == 1 and str(file) in result.stderr and result.stdout == ""
    assert [each.name for each in tmp_path.iterdir()] == ["perch.db"]
    assert kind != "empty" or file.stat().st_size == 0


def test_init_and_restore_create_one(make_app: MakeApp, tmp_path: Path) -> None:
    first = make_app(opened=False, PERCH_DATABASE=str(tmp_path / "first.db"))
    assert "Base URL" in run_command(first, "init")
    run_command(first, "backup", str(tmp_path / "copy.db"))
    second = make_app(opened=False, PERCH_DATABASE=str(tmp_path / "second.db"))
    run_command(second, "restore", str(tmp_path / "copy.db"))
    assert run_json(second, "workspace")["id"] == run_json(first, "workspace")["id"]


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("", False), ("http://perch.example.com", False), ("https://localhost:8443", False),
        ("https://192.168.1.7", False), ("https://[fd00::1]", False), ("https://perch", False),
        ("https://perch.internal", False), ("https://perch.example.com", True), ("https://8.8.8.8:8443", True),
    ],
)  # fmt: skip
def test_init_says_whether_okta_can_reach_it(url: str, reachable: bool, make_app: MakeApp) -> None:
    result = make_app(PERCH_PUBLIC_URL=url).test_cli_runner().invoke(args=["init"])
    assert result.exit_code == 0
    assert ("Okta cannot reach" not in result.stderr) is reachable
    assert reachable or "PERCH_PUBLIC_URL" in result.stderr
