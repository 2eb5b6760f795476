"""`flask forget`: erase a deleted person from the journal and the recorded requests."""

import click

from scim.cli.common import Command, author, echo
from scim.web.requests import perch
from storage import retention


@click.command("forget", cls=Command)
@click.argument("username")
def forget(username: str) -> None:
    """Erase a deleted person from journal and requests. USERNAME is any that they had."""
    with perch().repository.writing(author()) as write:
        erased = write.forget(username)
    if not erased:
        echo("Perch has no entries under that name.")
        return
    echo(
        f"Erased {erased.journal} journal entries and {erased.traffic} requests, and the mentions in {erased.mentions} "
        "other entries. Older backups still contain them."
    )
    if not retention.overwrite(perch().database.connection):
        echo("A reader is active: erased data stays in the write-ahead log until the next checkpoint.", err=True)
