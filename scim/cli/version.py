"""`flask version`: which Perch this is, and on what it runs."""

import platform

import click

from scim.cli.common import Command, command_without_database, echo, json_option, print_json
from scim.settings import VERSION
from storage import integrity


@click.command("version", cls=Command)
@json_option
@command_without_database
def version(as_json: bool) -> None:
    """Show the versions of Perch and what it runs on. This needs no database."""
    found = {"version": VERSION, "python": platform.python_version(), **integrity.versions()}
    if as_json:
        print_json(found)
    else:
        echo("Perch {version}, Python {python}, SQLite {sqlite}, schema {schema}".format_map(found))
