"""`flask apply` and `flask export`: the workspace in one file."""

from typing import BinaryIO

import click

from scim.cli.common import Command, Mistakes, echo, json_option
from scim.cli.plans import end_dry_run, print_plan
from scim.cli.progress import long_write
from scim.service import workspace_file
from scim.service.workspace_file import Faults
from scim.web.requests import perch


@click.command("apply", cls=Command)
@click.argument("file", metavar="TOML", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing; exit with 3 if there are changes.")
@click.option("--prune", is_flag=True, help="Remove roles, rules and attributes that the file does not have.")
@json_option
def apply(file: BinaryIO, dry_run: bool, prune: bool, as_json: bool) -> None:
    """Make the workspace that of a file, all or nothing. It has roles, rules and attributes; - is standard input."""
    try:
        wanted = workspace_file.read(file.read())
        with perch().repository.reading() as snapshot:
            planned = workspace_file.plan_of(snapshot.connection, wanted, prune=prune)
        for sentence in planned.consequences:
            echo(sentence, err=True)
        if not dry_run and planned.changes:
            with long_write("Changing the workspace") as write:
                # Planned once more, in the transaction of the changes.
                planned = workspace_file.plan_of(write.connection, wanted, prune=prune)
                workspace_file.carry_out(write, planned)
    except Faults as error:
        raise Mistakes(*error.args) from None
    print_plan(planned.changes, planned.effect, as_json, planned.against)
    if dry_run:
        end_dry_run(planned.changes)


@click.command("export", cls=Command)
def export() -> None:
    """Print the workspace as a file for `flask apply`. It has roles, rules and attributes."""
    with perch().database.read() as connection:
        echo(*workspace_file.export(connection).splitlines())
