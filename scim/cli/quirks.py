"""`flask quirks`: which deviations from the RFCs each key sends, and which attributes Perch ignored."""

from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import Command, echo, json_option, print_json, print_table
from scim.traffic.quirks import KeyReport, meaning, report
from scim.web.requests import perch
from storage.quirks import Quirk


@click.command("quirks", cls=Command)
@click.option("--key", metavar="ID", help="Only this key.")
@json_option
def show(key: str | None, as_json: bool) -> None:
    """Show the tolerances that each key needed and the attributes that Perch ignored, with counts and examples."""
    with perch().database.read() as connection:
        found = report(connection, key)
    if as_json:
        print_json([_document(key_report) for key_report in found])
        return
    for key_report in found:
        echo(f"{key_report.name} ({key_report.key}){', strict' if key_report.strict else ''}")
        rows = [(q.count, meaning(q.name), q.example, to_json(q.last)) for q in key_report.tolerances]
        rows += [(q.count, f"ignored attribute {q.name}", q.example, to_json(q.last)) for q in key_report.ignored]
        print_table(("TIMES", "WHAT", "EXAMPLE", "LAST"), rows)
        echo()
    if not found:
        echo("No key has needed a tolerance, and no attribute was ignored.", err=True)


def _document(key_report: KeyReport) -> dict[str, Any]:
    tolerances = [{**_counted(quirk), "meaning": meaning(quirk.name)} for quirk in key_report.tolerances]
    ignored = [_counted(quirk) for quirk in key_report.ignored]
    named = {"key": key_report.key, "name": key_report.name, "strict": key_report.strict}
    return {**named, "tolerances": tolerances, "ignored": ignored}


def _counted(quirk: Quirk) -> dict[str, Any]:
    instants = {"first": to_json(quirk.first), "last": to_json(quirk.last)}
    return {"name": quirk.name, "count": quirk.count, "example": quirk.example, **instants}
