"""`flask backup` and `flask restore`."""

from pathlib import Path

import click

from scim.cli.common import Command, command, command_without_database, echo
from scim.cli.progress import Progress
from scim.web.requests import perch
from storage import backup

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command("backup", cls=Command)
@file_argument
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@command
def create(file: Path, force: bool) -> None:
    """Write a copy of the database to FILE; the server may run."""
    with Progress() as progress:
        contents = backup.backup(perch().database, file, force=force, on_progress=progress)
    echo(f"{file}: {_described(contents)}.")


@click.command("restore", cls=Command)
@file_argument
@click.option("--force", is_flag=True, help="Replace the existing database.")
@click.option("--discard", is_flag=True, help="Delete the replaced database instead of keeping it.")
@command_without_database
def restore(file: Path, force: bool, discard: bool) -> None:
    """Replace the database with FILE; the server must be stopped."""
    with Progress() as progress:
        contents, kept = backup.restore(perch().database, file, force=force, keep=not discard, on_progress=progress)
    echo(f"{perch().database.path}: {_described(contents)}.")
    if kept:
        echo(f"The replaced database is kept as {kept}.")
    echo("Access keys revoked since the backup work again; check them with flask keys list.", err=True)


def _described(contents: backup.Contents) -> str:
    # PERCH_WORKSPACE, where it is set, is the id in the base URL, whatever the file says.
    workspace = perch().settings["PERCH_WORKSPACE"] or contents.workspace
    return f"workspace {workspace}, {contents.users} users, {contents.groups} groups"
