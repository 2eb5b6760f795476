"""`flask events`: the events for applications, and the key that signs them."""

import click

from schemas.datetimes import to_json
from scim.cli.common import Group, author, echo, json_option, print_list
from scim.events import tokens
from scim.events.documents import document
from scim.web.requests import perch
from storage import events


@click.group("events", cls=Group, invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of events.")
@click.option("--after", metavar="CURSOR", help="Show the events after this cursor; default: the newest ones.")
@json_option
@click.pass_context
def group(context: click.Context, limit: int, after: str | None, as_json: bool) -> None:
    """Show the events for applications, the oldest first."""
    if context.invoked_subcommand is not None:
        return
    with perch().database.read() as connection:
        begin = events.position(connection, after) if after else max(0, events.last(connection) - limit)
        found = events.after(connection, begin, limit)
    rows = []
    for event in found:
        name = event.named.get("userName") or event.named.get("displayName") or event.subject
        rows.append((event.id, to_json(event.at), event.kind, name))
    print_list(as_json, [document(event) for event in found], ("EVENT", "AT", "WHAT", "WHOM"), rows)


@group.command("rotate-signing-key")
@click.option("--overlap", type=click.FloatRange(0, 720), default=tokens.OVERLAP_HOURS, show_default=True,
              metavar="HOURS", help="How long the old key stays in jwks.json; 0 if it was stolen.")  # fmt: skip
def rotate_signing_key(overlap: float) -> None:
    """Make a new key for security event tokens. Receivers find it in jwks.json beside the old one."""
    kid = tokens.rotate(perch().repository, author(), overlap)
    if overlap:
        signs = f"published now, signs in {tokens.MINUTES_BEFORE} minutes"
        echo(f"{kid}: {signs}; a key before it stays published for {overlap:g} hours.")
    else:
        echo(f"{kid}: signs from now on; receivers must refuse tokens of the old key.")
