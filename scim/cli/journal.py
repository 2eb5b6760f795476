"""`flask journal`: what changed, when, by whom, before and after."""

import json
from dataclasses import asdict

import click

from schemas.datetimes import to_json
from scim.cli.common import command, json_option, print_json, print_table
from scim.web.requests import perch
from storage import journal, keys
from storage.journal import JournalQuery


@click.command("journal")
@click.option("--user", metavar="USERNAME", help="Only what concerns this person, deleted people too.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many, newest first."
)
@json_option
@command
def show(user: str | None, limit: int, as_json: bool) -> None:
    """Show the journal, the newest entry first."""
    with perch().database.read() as connection:
        found = journal.entries(connection, JournalQuery(user=user or ""), limit)
        names = keys.names(connection)
    if as_json:
        print_json([{**asdict(entry), "at": to_json(entry.at)} for entry in found])
        return
    print_table(
        ("WHEN", "WHO", "REQUEST", "WHAT", "ON", "CHANGES"),
        [
            (
                to_json(e.at),
                keys.label(e.actor, names),
                e.request,
                e.action,
                f"{e.type} {e.name}",
                json.dumps(e.changes, ensure_ascii=False)[:200],
            )
            for e in found
        ],
    )
