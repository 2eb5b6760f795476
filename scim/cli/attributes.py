"""`flask attributes`: the attributes that the workspace declares beside the built-in ones."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from schemas.datetimes import to_json
from schemas.declarations import TYPES, read_declaration
from scim.cli.common import Group, echo, json_option, print_list
from scim.cli.progress import long_write
from scim.service import attributes as service
from scim.service.plan import PlannedChange
from scim.web.requests import perch
from storage import attributes
from storage.database import Connection

group = Group("attributes", help="Custom attributes of users and groups. SCIM clients use them as built-in ones.")


def _subs(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> list[dict[str, str]]:
    """Return the tables of sub-attributes that are given as NAME:TYPE."""
    for text in given:
        if ":" not in text:
            raise click.BadParameter(f"'{text}' is no NAME:TYPE, such as value:string.", ctx, param)
    return [dict(zip(("name", "type"), text.split(":", 1), strict=True)) for text in given]


@group.command("add")
@click.argument("schema")
@click.argument("name")
@click.option("--type", "type", required=True, type=click.Choice(TYPES), help="Of its values.")
@click.option("--resource", type=click.Choice(("User", "Group")), help="Default: what the URN ends with.")
@click.option("--multi-valued", "multiValued", is_flag=True, help="It has a list of values.")
@click.option("--case-exact", "caseExact", is_flag=True, help="Case matters in its texts.")
@click.option("--canonical-value", "canonicalValues", multiple=True, metavar="TEXT", help="A usual value, as a hint.")
@click.option("--unique", is_flag=True, help="No two users (groups) may have the same value.")
@click.option("--indexed", is_flag=True, help="Look-ups by its values are quick.")
@click.option("--description", metavar="TEXT")
@click.option("--sub", multiple=True, metavar="NAME:TYPE", callback=_subs, help="A sub-attribute of the type complex.")
def add(unique: bool, **given: Any) -> None:
    """Declare an attribute, or change its declaration. SCHEMA is the URN, NAME the name under it."""
    table = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items() if value}
    wanted = read_declaration({**table, **({"uniqueness": "server"} if unique else {})})
    with perch().database.read() as connection:
        planned = service.changes(service.declared(connection), [wanted], prune=False)
        _show_consequences(connection, planned)
    _carry_out(planned)
    done = {"add": "declared", "change": "changed"}[planned[0].action] if planned else "nothing to change"
    echo(f"{wanted.full_name}: {done}.")
    if planned and planned[0].action == "add":
        echo(service.PUSH_AGAIN, err=True)


@group.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the declared attributes."""
    with perch().database.read() as connection:
        found = service.declared(connection)
    rows = [(one.resource, one.full_name, service.described(one), one.description) for one in found]
    print_list(as_json, [asdict(one) for one in found], ("RESOURCE", "NAME", "TYPE", "DESCRIPTION"), rows)


@group.command("remove")
@click.argument("name", metavar="SCHEMA:NAME")
@click.option("--prune", is_flag=True, help="Drop the values that users or groups have.")
def remove(name: str, prune: bool) -> None:
    """Remove a declaration with all its values."""
    with perch().database.read() as connection:
        _, found = attributes.find(connection, name)
        planned = [PlannedChange(service.ATTRIBUTE, "remove", found.full_name, found.table(), None)]
        _show_consequences(connection, planned)
    if not prune:
        raise click.ClickException("Nothing was removed; add --prune to remove the declaration and the values.")
    _carry_out(planned)
    echo(f"{found.full_name}: removed.")


@group.command("seen")
@json_option
def seen(as_json: bool) -> None:
    """List what providers sent and Perch dropped. No attribute is declared for it; values are not kept."""
    with perch().database.read() as connection:
        found = service.seen(connection)
    documents = [
        {"schema": one.schema, "name": one.name, "type": one.type, "count": one.count, "key": one.key,
         "last": to_json(one.last)}
        for one in found
    ]  # fmt: skip
    rows = [(one.count, one.name, one.described, one.schema, one.key, to_json(one.last)) for one in found]
    print_list(as_json, documents, ("TIMES", "NAME", "TYPE", "SCHEMA", "KEY", "LAST"), rows)


def _show_consequences(connection: Connection, planned: Sequence[PlannedChange]) -> None:
    for sentence in service.consequences(connection, planned):
        echo(sentence, err=True)


def _carry_out(planned: Sequence[PlannedChange]) -> None:
    with long_write("Changing the attributes") as write:
        service.carry_out(write, planned)
