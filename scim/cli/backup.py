"""`flask backup` and `flask restore`."""

import sys
from dataclasses import asdict
from errno import EPIPE
from pathlib import Path

import click

from schemas.errors import ScimError
from scim.cli.common import Command, author, command_without_database, echo
from scim.cli.progress import Progress
from scim.web.requests import perch
from storage import backup, journal, sessions


@click.command("backup", cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def create(file: str, force: bool) -> None:
    """Write a copy of the database to FILE. The server may run; "-" is standard output."""
    perch().database.primary_only()
    with Progress() as progress:
        if file == "-":
            contents = _streamed(progress)
        else:
            contents = backup.backup(perch().database, Path(file), force=force, on_progress=progress)
    _note("backup", "standard output" if file == "-" else str(Path(file).absolute()), contents)
    echo(f"{'Standard output' if file == '-' else file}: {_described(contents)}.", err=file == "-")


def _streamed(progress: Progress) -> backup.Contents:
    if sys.stdout.isatty():
        raise click.UsageError("Standard output is a terminal; send it to a file: flask backup - > perch-backup.db")
    try:
        # Without the buffer of sys.stdout, which Python would try to write once more when it exits.
        with open(sys.stdout.fileno(), "wb", closefd=False) as output:
            return backup.stream(perch().database, output, progress)
    except OSError as error:
        reason = "its reader ended" if error.errno == EPIPE else error.strerror
        raise click.ClickException(
            f"Standard output could not be written, so the backup is incomplete: {reason}."
        ) from None


@click.command("restore", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the existing database.")
@click.option("--discard", is_flag=True, help="Delete the replaced database instead of keeping it.")
@command_without_database
def restore(file: Path, force: bool, discard: bool) -> None:
    """Replace the database with FILE. The server must be stopped."""
    perch().database.primary_only()
    with Progress() as progress:
        contents, kept = backup.restore(perch().database, file, force=force, keep=not discard, on_progress=progress)
    echo(f"{perch().database.path}: {_described(contents)}.")
    _note("restore", str(file.absolute()), contents)
    if kept:
        echo(f"The replaced database is kept as {kept}.")
    echo("Access keys revoked since the backup work again; check them with flask keys list.", err=True)


def _note(action: str, file: str, contents: backup.Contents) -> None:
    """Journal a backup or restore that is done; a full disk must not prevent a backup to another one."""
    values = {"file": file, **asdict(contents)}
    try:
        with perch().repository.writing(author()) as write:
            if action == "restore":
                # A session that was signed out since the backup must not come back.
                sessions.close_all(write.connection)
            write.note(action, ("Workspace", action, Path(file).name), journal.difference({}, values))
    except ScimError as error:
        echo(f"The {action} is done, but the journal could not be written: {error.detail}", err=True)
    perch().database.leave()


def _described(contents: backup.Contents) -> str:
    # PERCH_WORKSPACE, where it is set, is the id in the base URL, whatever the file says.
    workspace = perch().settings["PERCH_WORKSPACE"] or contents.workspace
    return f"workspace {workspace}, {contents.users} users, {contents.groups} groups"
