"""`flask backup` and `flask restore`."""

from pathlib import Path

import click

from scim.cli.common import command
from scim.web.requests import perch
from storage import backup as files
from storage.backup import Contents

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command("backup")
@file_argument
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@command
def backup(file: Path, force: bool) -> None:
    """Write everything to FILE, while the server runs."""
    contents = files.backup(perch().database, file, force=force)
    click.echo(f"{file}: {_described(contents)}.")


@click.command("restore")
@file_argument
@click.option("--force", is_flag=True, help="Replace the database that is there.")
@click.option("--discard", is_flag=True, help="Do not keep the database that is replaced.")
@command
def restore(file: Path, force: bool, discard: bool) -> None:
    """Bring FILE back, while no server runs."""
    contents, kept = files.restore(perch().database, file, force=force, keep=not discard)
    click.echo(f"{perch().database.path}: {_described(contents)}.")
    if kept:
        click.echo(f"The database before is kept as {kept}.")
    click.echo("Access keys revoked since the backup open again: see flask keys list.", err=True)


def _described(contents: Contents) -> str:
    return f"workspace {contents.workspace}, {contents.users} users, {contents.groups} groups"
