"""The table of commands, whose modules are imported on demand, is complete."""

from click import Context
from flask import Flask

from scim import cli
from tests.support.server import ROOT


def test_each_command_is_found_under_its_name(app: Flask) -> None:
    context = Context(app.cli)
    assert app.cli.list_commands(context) == sorted(cli.COMMANDS)
    for name in cli.COMMANDS:
        command = app.cli.get_command(context, name)
        assert command is not None and command.name == name and command.get_short_help_str()


def test_each_module_has_a_command() -> None:
    shared = {"__init__", "common", "oauth", "plans", "players", "progress", "sync"}
    modules = {file.stem for file in (ROOT / "scim" / "cli").glob("*.py")} - shared
    assert modules == {place.partition(".")[0] for place in cli.COMMANDS.values()}


def test_help_lists_all_commands_and_an_unknown_one_is_an_error(app: Flask) -> None:
    runner = app.test_cli_runner()
    listed = runner.invoke(args=["--help"]).output
    assert all(f"\n  {name} " in listed for name in cli.COMMANDS)
    assert runner.invoke(args=["no-such-command"]).exit_code == 2
