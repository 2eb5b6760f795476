"""`flask backup` and `flask restore`."""

from dataclasses import asdict
from pathlib import Path

import click

from schemas.errors import ScimError
from scim.cli.common import Command, author, command, command_without_database, echo
from scim.cli.progress import Progress
from scim.web.requests import perch
from storage import backup, journal, sessions

file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@click.command("backup", cls=Command)
@file_argument
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@command
def create(file: Path, force: bool) -> None:
    """Write a copy of the database to FILE; the server may run."""
    with Progress() as progress:
        contents = backup.backup(perch().database, file, force=force, on_progress=progress)
    _note("backup", file, contents)
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
    _note("restore", file, contents)
    if kept:
        echo(f"The replaced database is kept as {kept}.")
    echo("Access keys revoked since the backup work again; check them with flask keys list.", err=True)


def _note(action: str, file: Path, contents: backup.Contents) -> None:
    """Journal a backup or restore that is done; a full disk must not prevent a backup to another one."""
    values = {"file": str(file.absolute()), **asdict(contents)}
    try:
        with perch().repository.writing(author()) as write:
            if action == "restore":
                # A session that was signed out since the backup must not come back.
                sessions.close_all(write.connection)
            write.note(action, ("Workspace", action, file.name), journal.difference({}, values))
    except ScimError as error:
        echo(f"The {action} is done, but the journal could not be written: {error.detail}", err=True)
    perch().database.leave()


def _described(contents: backup.Contents) -> str:
    # PERCH_WORKSPACE, where it is set, is the id in the base URL, whatever the file says.
    workspace = perch().settings["PERCH_WORKSPACE"] or contents.workspace
    return f"workspace {workspace}, {contents.users} users, {contents.groups} groups"
