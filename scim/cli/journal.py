"""`flask journal`: every change and sensitive act, with its time, its author, and the values before and after."""

import json
from dataclasses import asdict

import click

from schemas.datetimes import to_json
from scim.cli.common import Command, json_option, print_list
from scim.web.requests import perch
from storage import history, journal, keys
from storage.journal import JournalQuery

# The types whose names are no words.
TYPES = {"AccessKey": "Access key", "Fault": "Planned fault", "GroupRule": "Group rule"}
HEADS = ("WHEN", "WHO", "REQUEST", "WHAT", "ON", "CHANGES")


@click.command("journal", cls=Command)
@click.option("--user", metavar="USERNAME", help="Only entries about this person, who may be deleted.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Number of entries at most.")
@json_option
def show(user: str | None, limit: int, as_json: bool) -> None:
    """Show the journal, the newest entry first."""
    with perch().database.read() as connection:
        query = history.about(connection, history.named_people(connection, user)) if user else JournalQuery()
        found = journal.entries(connection, query, limit)
        names = keys.names(connection)
    documents = [{**asdict(entry), "at": to_json(entry.at)} for entry in found]
    rows = [
        (to_json(entry.at), keys.label(entry.actor, names), entry.request, entry.action,
         f"{TYPES.get(entry.type, entry.type)} {entry.name}", json.dumps(entry.changes, ensure_ascii=False)[:200])
        for entry in found
    ]  # fmt: skip
    print_list(as_json, documents, HEADS, rows)
