"""`flask events`: what applications were told lately."""

import click

from schemas.datetimes import to_json
from scim.cli.common import command, json_option, print_json, print_table
from scim.events.documents import document
from scim.web.requests import perch
from storage import events as outbox


@click.command("events")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--after", metavar="CURSOR", help="The ones behind this event; default: the newest.")
@json_option
@command
def events(limit: int, after: str | None, as_json: bool) -> None:
    """Show the events that applications are told, the oldest first."""
    with perch().database.read() as connection:
        begin = outbox.position(connection, after) if after else max(0, outbox.last(connection) - limit)
        found = outbox.after(connection, begin, limit)
    if as_json:
        print_json([document(event) for event in found])
        return
    names = (event.named.get("userName") or event.named.get("displayName") or event.subject for event in found)
    rows = [(event.id, to_json(event.at), event.kind, name) for event, name in zip(found, names, strict=True)]
    print_table(("EVENT", "AT", "WHAT", "WHOM"), rows)
