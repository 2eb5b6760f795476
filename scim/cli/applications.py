"""`flask applications`: the applications that must hear of withdrawals."""

import click

from schemas.datetimes import to_json
from scim.cli.common import Group, author, echo, json_option, print_list
from scim.service import applications as application_service
from scim.web.requests import perch
from storage import applications

group = Group("applications", help="Applications that must hear when somebody loses access.")


@group.command("add")
@click.argument("name")
@click.option("--webhook", metavar="ID", help="The webhook by which it is told.")
@click.option("--key", metavar="ID", help="The access key with which it asks for events, and sends receipts.")
@click.option("--asks", is_flag=True, help="It asks Perch at each sign-in, so it need not be told.")
def add(name: str, webhook: str | None, key: str | None, asks: bool) -> None:
    """Name an application. Withdrawals from now on need its acknowledgement."""
    if not (webhook or key) or (asks and not key) or (asks and webhook):
        raise click.UsageError("Give --webhook ID, --key ID (or both), or --asks --key ID.")
    made = application_service.add(perch().repository, author(), name, webhook, key, asks)
    echo(f"{made.name}: added.")


@group.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the applications."""
    with perch().database.read() as connection:
        found = applications.list_all(connection)
    documents = [
        {"name": each.name, "webhook": each.webhook, "key": each.key, "asks": bool(each.asks),
         "created": to_json(each.created)}
        for each in found
    ]  # fmt: skip
    print_list(as_json, documents, ("NAME", "WEBHOOK", "KEY", "ASKS", "CREATED"))


@group.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove an application with its receipts. Its webhook and its key stay."""
    found = application_service.remove(perch().repository, author(), name)
    echo(f"{found.name}: removed.")
