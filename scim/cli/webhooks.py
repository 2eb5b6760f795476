"""`flask webhooks`: where events are pushed to."""

import click
from flask.cli import AppGroup

from schemas.events import KINDS
from scim.cli.common import command, json_option, origin, perch, print_json, print_table
from scim.events.webhooks import OVERLAP_HOURS, SET, STANDARD, Desk, described
from storage.webhooks import Webhook

group = AppGroup("webhooks", help="Webhooks: where `flask deliver` pushes events to.")
identifier_argument = click.argument("identifier", metavar="ID")


def desk() -> Desk:
    """Return where the deployment's webhooks are handled."""
    found = perch()
    return Desk(found.database, found.settings, f"{origin()}/{found.workspace}")


@group.command("add")
@click.argument("url")
@click.option("--events", "wanted", metavar="KIND,KIND", default="", help="Only these kinds; default: all.")
@click.option("--format", "form", type=click.Choice([STANDARD, SET]), default=STANDARD, show_default=True,
              help="Standard Webhooks, or security event tokens (RFC 8935).")  # fmt: skip
@json_option
@command
def add(url: str, wanted: str, form: str, as_json: bool) -> None:
    """Push events to URL from now on; print the secret that signs them, this once."""
    found = desk().add(url, [kind.strip() for kind in wanted.split(",") if kind.strip()], form)
    _show_secret(found, as_json)


@group.command("list")
@json_option
@command
def show(as_json: bool) -> None:
    """List the webhooks: how far they are, and what is wrong."""
    found = desk().list_all()
    if as_json:
        print_json(found)
        return
    columns = ("id", "state", "waiting", "delivered", "format", "url", "reason")
    print_table([name.upper() for name in columns], [[each[name] for name in columns] for each in found])


@group.command("kinds")
@command
def list_kinds() -> None:
    """List the kinds of events."""
    perch().open()
    print_table(("EVENT", "MEANING"), list(KINDS.items()))


@group.command("remove")
@identifier_argument
@command
def remove(identifier: str) -> None:
    """Remove a webhook."""
    click.echo(f"{identifier} {desk().remove(identifier).url}: removed.")


@group.command("test")
@identifier_argument
@command
def test(identifier: str) -> None:
    """Send an event that says nothing, now, and show the answer."""
    outcome = desk().test(identifier)
    text = f"{outcome.status or 'no answer'} {outcome.text}".strip()
    if not outcome.delivered:
        raise click.ClickException(text)
    click.echo(text)


@group.command("replay")
@identifier_argument
@click.option("--from", "begin", required=True, metavar="WHERE", help="A cursor, oldest, latest, or an instant.")
@command
def replay(identifier: str, begin: str) -> None:
    """Send everything again from an event on; `--from latest` skips all that waits."""
    click.echo(f"{identifier}: {desk().replay(identifier, begin)} events to send.")


@group.command("rotate")
@identifier_argument
@click.option("--overlap", type=click.FloatRange(0, 720), default=OVERLAP_HOURS, show_default=True, metavar="HOURS",
              help="How long the old secret signs too.")  # fmt: skip
@json_option
@command
def rotate(identifier: str, overlap: float, as_json: bool) -> None:
    """Make a new secret and print it, this once; both sign for a while."""
    _show_secret(desk().rotate(identifier, overlap), as_json)


@group.command("pause")
@identifier_argument
@command
def pause(identifier: str) -> None:
    """Send nothing until resumed."""
    click.echo(f"{identifier} {desk().pause(identifier).url}: paused.")


@group.command("resume")
@identifier_argument
@command
def resume(identifier: str) -> None:
    """Go on with a paused or failing webhook, at once."""
    click.echo(f"{identifier} {desk().resume(identifier).url}: resumed.")


def _show_secret(found: Webhook, as_json: bool) -> None:
    secret = {"secret": found.secret} if found.format == STANDARD else {"keys": f"{desk().issuer}/jwks.json"}
    if as_json:
        print_json({**described(found, 0), **secret})
        return
    click.echo(f"{found.id} {found.url}")
    click.echo("".join(secret.values()))
    if found.format == SET:
        return
    click.echo("The secret is shown this once; copy it into the receiver now.", err=True)
