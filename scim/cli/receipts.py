"""`flask receipts`: from a provider's request to each application's acknowledgement."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

import click

from schemas.datetimes import now, to_json, typed
from schemas.text import fold
from scim.cli.common import Group, echo, json_option, print_json, print_list
from scim.observability.printable import no_formula
from scim.web.requests import perch
from storage import applications, receipts, resources
from storage.receipts import Receipt, seconds_between

FOUND = 1
FIELDS = (
    "user", "people", "application", "event", "requestedAt", "committedAt", "acknowledgedAt", "outcome", "seconds"
)  # fmt: skip
HEADS = ("WHO", "APPLICATION", "REQUESTED", "ACKNOWLEDGED", "OUTCOME", "SECONDS")


@click.group("receipts", cls=Group, invoke_without_command=True)
@click.option("--user", metavar="USERNAME", help="Only withdrawals of this person's access.")
@click.option("--application", metavar="NAME", help="Only this application.")
@click.option("--since", metavar="WHEN", default="", help="Only from this day or instant on (ISO 8601).")
@click.option("--open", "only_open", is_flag=True, help="Only where the person may still be in.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with the percentiles of the seconds at the end.")
@json_option
@click.pass_context
def group(
    context: click.Context, user: str | None, application: str | None, since: str, only_open: bool, as_csv: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Show who heard when somebody lost access, and when. The oldest loss is the first."""
    if context.invoked_subcommand is not None:
        return
    if as_csv and as_json:
        raise click.UsageError("Give either --csv or --json.")
    found = [each for each in _found(user, application, since) if each.open or not only_open]
    if as_csv:
        echo(*_csv(found))
    else:
        rows = [
            (_who(each), each.application, to_json(each.requested),
             to_json(each.acknowledged) if each.acknowledged else "open" if each.open else "", each.outcome,
             each.seconds)
            for each in found
        ]  # fmt: skip
        print_list(as_json, [described(each) for each in found], HEADS, rows)


@group.command("check")
@click.option("--older-than", type=click.FloatRange(min=0), required=True, metavar="SECONDS")
@json_option
@click.pass_context
def check(context: click.Context, older_than: float, as_json: bool) -> None:
    """Exit with 1 if a withdrawal is open for too long. Name who is still in where; for cron."""
    instant = now()
    with perch().database.read() as connection:
        found = [each for each in receipts.list_all(connection) if each.open]
    late = [each for each in found if seconds_between(each.requested, instant) > older_than]
    if as_json:
        print_json([described(each) for each in late])
    else:
        for each in late:
            age = seconds_between(each.requested, instant)
            reason = f" (failed: {each.reason})" if each.reason else ""
            echo(f"{_who(each)} may still be in {each.application}: open for {age:.0f} s{reason}.")
    context.exit(FOUND if late else 0)


def described(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as a JSON document."""
    done = receipt.acknowledged and to_json(receipt.acknowledged)
    values = (
        receipt.user, receipt.people, receipt.application, receipt.event, to_json(receipt.requested),
        to_json(receipt.committed), done, receipt.outcome, receipt.seconds,
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))


def _found(user: str | None, application: str | None, since: str) -> list[Receipt]:
    try:
        instant = typed(since) if since else ""
    except ValueError:
        raise click.UsageError("--since: give a day or an instant in ISO 8601, such as 2026-11-24T09:30Z.") from None
    with perch().database.read() as connection:
        row = resources.find(connection, "User", user) if user else None
        name = applications.get(connection, application).name if application else None
        found = receipts.list_all(connection, since=instant)
    # The name in the events is the one at that time; somebody else may have it now, or nobody.
    if user:
        found = [each for each in found if each.subject == (row and row.id) or fold(each.user or "") == fold(user)]
    return [each for each in found if name in (None, each.application)]


def _who(receipt: Receipt) -> str:
    return receipt.user or f"{receipt.people} people"


def _csv(found: Sequence[Receipt]) -> list[str]:
    """Return the lines of a CSV file (RFC 4180), with the percentiles of the seconds behind an empty one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    rows = [described(each).values() for each in found]
    writer.writerows([no_formula(value) if isinstance(value, str) else value for value in row] for row in rows)
    writer.writerow(())
    seconds = sorted(each.seconds for each in found if each.seconds is not None)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("worst", 1.0)):
        place = max(0, math.ceil(share * len(seconds)) - 1)
        writer.writerow((name, seconds[place] if seconds else ""))
    return text.getvalue().splitlines()
