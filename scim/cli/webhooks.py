"""`flask webhooks`: the addresses that receive events."""

import click

from schemas.events import KINDS
from scim.cli.common import Group, author, echo, json_option, print_json, print_list, print_table
from scim.events.webhooks import NO_DELIVERER, OVERLAP_HOURS, SET, STANDARD, WebhookService
from scim.web.events import webhook_service
from scim.web.requests import perch
from storage.webhooks import Webhook

group = Group("webhooks", help="Webhooks: addresses that `flask deliver` pushes events to.")
identifier_argument = click.argument("identifier", metavar="ID")


def service() -> WebhookService:
    """Return the service for the deployment's webhooks."""
    return webhook_service(author())


@group.command("add")
@click.argument("url")
@click.option("--events", "wanted", metavar="KIND,KIND", default="", help="Only these kinds; default: all.")
@click.option("--format", "form", type=click.Choice([STANDARD, SET]), default=STANDARD, show_default=True,
              help="Standard Webhooks, or security event tokens (RFC 8935).")  # fmt: skip
@json_option
def add(url: str, wanted: str, form: str, as_json: bool) -> None:
    """Push events to URL from now on; print the signing secret once."""
    found = service().add(url, [kind.strip() for kind in wanted.split(",") if kind.strip()], form)
    _show_secret(found, as_json)


@group.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the webhooks with their state, waiting events and last error."""
    found = service().list_all()
    columns = ("id", "state", "waiting", "delivered", "format", "url", "reason")
    print_list(as_json, found, [name.upper() for name in columns], [[each[name] for name in columns] for each in found])


@group.command("kinds")
def list_kinds() -> None:
    """List the kinds of events."""
    perch().open()
    print_table(("EVENT", "MEANING"), list(KINDS.items()))


@group.command("remove")
@identifier_argument
def remove(identifier: str) -> None:
    """Remove a webhook."""
    echo(f"{identifier} {service().remove(identifier).url}: removed.")


@group.command("test")
@identifier_argument
def test(identifier: str) -> None:
    """Send a test event now and show the answer."""
    result = service().test(identifier)
    if not result.delivered:
        raise click.ClickException(str(result))
    echo(str(result))


@group.command("replay")
@identifier_argument
@click.option("--from", "begin", required=True, metavar="WHERE", help="Cursor, ISO 8601 instant, oldest or latest.")
def replay(identifier: str, begin: str) -> None:
    """Send all events again from an event on. `--from latest` skips the waiting events."""
    echo(f"{identifier}: {service().replay(identifier, begin)} events to send.")


@group.command("rotate")
@identifier_argument
@click.option("--overlap", type=click.FloatRange(0, 720), default=OVERLAP_HOURS, show_default=True, metavar="HOURS",
              help="How long the old secret also signs.")  # fmt: skip
@json_option
def rotate(identifier: str, overlap: float, as_json: bool) -> None:
    """Make a new secret and print it once. The old one also signs for some hours."""
    _show_secret(service().rotate(identifier, overlap), as_json)


@group.command("pause")
@identifier_argument
def pause(identifier: str) -> None:
    """Pause a webhook; its events wait until it is resumed."""
    echo(f"{identifier} {service().pause(identifier).url}: paused.")


@group.command("resume")
@identifier_argument
def resume(identifier: str) -> None:
    """Resume a paused webhook, or retry a failing one at once."""
    echo(f"{identifier} {service().resume(identifier).url}: resumed.")


def _show_secret(found: Webhook, as_json: bool) -> None:
    secret = {"secret": found.secret} if found.format == STANDARD else {"keys": f"{service().issuer}/jwks.json"}
    with perch().database.read() as connection:
        shown = service().described(connection, found)
    if shown["state"] == NO_DELIVERER:
        echo("No flask deliver runs, so events wait until one does.", err=True)
    if as_json:
        print_json({**shown, **secret})
        return
    echo(f"{found.id} {found.url}")
    echo("".join(secret.values()))
    if found.format == STANDARD:
        echo("Copy the secret into the receiver now; it is not shown again.", err=True)
