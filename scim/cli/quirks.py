"""`flask quirks`: which deviations from the RFCs each key sends, and which attributes Perch ignored."""

from collections.abc import Sequence
from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import Command, echo, json_option, print_json, print_table
from scim.traffic.summaries import meaning
from scim.web.requests import perch
from storage import keys, quirks
from storage.keys import Key
from storage.quirks import Quirk


@click.command("quirks", cls=Command)
@click.option("--key", metavar="ID", help="Only this key.")
@json_option
def show(key: str | None, as_json: bool) -> None:
    """Show how each key deviated from the RFCs. That is tolerances and ignored attributes, counted."""
    with perch().database.read() as connection:
        known = keys.list_all(connection) if key is None else [keys.get(connection, key)]
        found = quirks.report(connection, key)
    of_keys = [(one, [quirk for quirk in found if quirk.key == one.id]) for one in known]
    documents = [_document(one, own) for one, own in of_keys if own or key is not None]
    if as_json:
        print_json(documents)
        return
    for each in documents:
        echo(f"{each['name']} ({each['key']}){', strict' if each['strict'] else ''}")
        named = [(quirk, quirk["meaning"]) for quirk in each["tolerances"]]
        named += [(quirk, f"ignored attribute {quirk['name']}") for quirk in each["ignored"]]
        rows = [(quirk["count"], what, quirk["example"], quirk["last"]) for quirk, what in named]
        print_table(("TIMES", "WHAT", "EXAMPLE", "LAST"), rows)
        echo()
    if not documents:
        echo("No key has needed a tolerance, and no attribute was ignored.", err=True)


def _document(key: Key, found: Sequence[Quirk]) -> dict[str, Any]:
    lists: dict[str, list[dict[str, Any]]] = {"tolerance": [], "ignored": [], quirks.DROPPED: []}
    for quirk in found:
        instants = {"first": to_json(quirk.first), "last": to_json(quirk.last)}
        lists[quirk.kind].append({"name": quirk.name, "count": quirk.count, "example": quirk.example, **instants})
    tolerances = [{**each, "meaning": meaning(each["name"])} for each in lists["tolerance"]]
    named = {"key": key.id, "name": key.name, "strict": bool(key.strict)}
    return {**named, "tolerances": tolerances, "ignored": lists["ignored"]}
