"""`flask quirks`: which deviations from the RFCs each key sends, and which attributes Perch ignored."""

from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import command, json_option, print_json, print_table
from scim.traffic.quirks import KeyReport, meaning, report
from scim.web.requests import perch
from storage.quirks import Quirk


@click.command("quirks")
@click.option("--key", metavar="ID", help="Only this key.")
@json_option
@command
def show(key: str | None, as_json: bool) -> None:
    """Show per key which tolerances it needed and which attributes were ignored, how often, with an example."""
    with perch().database.read() as connection:
        found = report(connection, key)
    if as_json:
        print_json([described(one) for one in found])
        return
    for one in found:
        click.echo(f"{one.name} ({one.key}){', strict' if one.strict else ''}")
        rows = [(q.count, meaning(q.name), q.example, to_json(q.last)) for q in one.tolerances]
        rows += [(q.count, f"ignored attribute {q.name}", q.example, to_json(q.last)) for q in one.ignored]
        print_table(("TIMES", "WHAT", "EXAMPLE", "LAST"), rows)
        click.echo()
    if not found:
        click.echo("No key has needed a tolerance, and no attribute was ignored.", err=True)


def described(one: KeyReport) -> dict[str, Any]:
    """Return the report of one key as plain data."""
    return {
        "key": one.key,
        "name": one.name,
        "strict": one.strict,
        "tolerances": [{**_counted(quirk), "meaning": meaning(quirk.name)} for quirk in one.tolerances],
        "ignored": [_counted(quirk) for quirk in one.ignored],
    }


def _counted(quirk: Quirk) -> dict[str, Any]:
    instants = {"first": to_json(quirk.first), "last": to_json(quirk.last)}
    return {"name": quirk.name, "count": quirk.count, "example": quirk.example, **instants}
