"""`flask events`: the events for applications."""

import click

from schemas.datetimes import to_json
from scim.cli.common import Command, command, json_option, print_list
from scim.events.documents import document
from scim.web.requests import perch
from storage import events


@click.command("events", cls=Command)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of events.")
@click.option("--after", metavar="CURSOR", help="Show the events after this cursor; default: the newest ones.")
@json_option
@command
def show(limit: int, after: str | None, as_json: bool) -> None:
    """Show the events for applications, the oldest first."""
    with perch().database.read() as connection:
        begin = events.position(connection, after) if after else max(0, events.last(connection) - limit)
        found = events.after(connection, begin, limit)
    rows = []
    for event in found:
        name = event.named.get("userName") or event.named.get("displayName") or event.subject
        rows.append((event.id, to_json(event.at), event.kind, name))
    print_list(as_json, [document(event) for event in found], ("EVENT", "AT", "WHAT", "WHOM"), rows)
