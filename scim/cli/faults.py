"""`flask faults`: make chosen requests fail, to test how a client reacts."""

from dataclasses import asdict
from typing import Any

import click

from schemas.datetimes import to_json
from schemas.numbers import LARGEST_INTEGER
from scim.cli.common import Group, author, echo, json_option, print_json, print_list
from scim.traffic.faults import LONGEST_DELAY, described, read_target
from scim.web.requests import perch
from storage import faults, journal, keys
from storage.faults import Fault
from storage.repository import Transaction

OFF = "PERCH_FAULTS is off here, so no request fails on purpose; set PERCH_FAULTS=on for the server and for this."
HEADS = ("ID", "REQUESTS", "KEY", "FAULT", "HIT", "LEFT")

group = Group("faults", help="Planned faults, to test clients. They need PERCH_FAULTS=on.")


@group.command("add")
@click.argument("target")
@click.option("--status", type=click.IntRange(400, 599), help="Answer with this status and change nothing.")
@click.option("--retry-after", type=click.IntRange(min=0), metavar="SECONDS", help="Retry-After of that answer.")
@click.option("--delay", type=click.FloatRange(0, LONGEST_DELAY), default=0.0, metavar="SECONDS", help="Wait first.")
@click.option("--drop", is_flag=True, help="Close the connection without an answer and change nothing.")
@click.option("--times", type=click.IntRange(min=1), help="Number of requests to hit; default: until cleared.")
@click.option("--key", metavar="ID", help="Hit only requests with this key.")
@json_option
def add(target: str, key: str | None, as_json: bool, **effect: Any) -> None:
    """Make requests fail. TARGET is METHOD /PATH, such as "POST /Users", "/Users/*" (any below) or "*" (all)."""
    if not perch().settings["PERCH_FAULTS"]:
        raise click.ClickException(OFF)
    if effect["status"] is None and not effect["drop"] and not effect["delay"]:
        raise click.UsageError("The fault has no effect; give --status, --delay or --drop.")
    if effect["status"] is not None and effect["drop"]:
        raise click.UsageError("A dropped request gets no status; give --status or --drop, not both.")
    if effect["retry_after"] is not None and effect["status"] is None:
        raise click.UsageError("--retry-after needs an answer; add --status.")
    method, path = read_target(target)
    with perch().repository.writing(author()) as write:
        if key is not None:
            keys.get(write.connection, key)
        fault = faults.insert(write.connection, method, path, key=key, **effect)
        _note(write, "create", fault, {}, _values(fault))
    if as_json:
        print_json(_document(fault))
    else:
        echo(f"{described(fault)}, for {fault.method} {fault.path}.")


@group.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the planned faults, including used-up ones."""
    if not perch().settings["PERCH_FAULTS"]:
        echo(OFF, err=True)
    with perch().database.read() as connection:
        found = faults.list_all(connection)
    rows = [
        (one.id, f"{one.method} {one.path}", one.key or "all", described(one).partition(": ")[2], one.used,
         "all" if one.left is None else one.left)
        for one in found
    ]  # fmt: skip
    print_list(as_json, [_document(fault) for fault in found], HEADS, rows)


@group.command("clear")
@click.argument("identifier", metavar="[ID]", type=click.IntRange(1, LARGEST_INTEGER), required=False)
def clear(identifier: int | None) -> None:
    """Remove one planned fault, or all."""
    with perch().repository.writing(author()) as write:
        planned = faults.list_all(write.connection)
        gone = [fault for fault in planned if identifier in (None, fault.id)]
        faults.clear(write.connection, identifier)
        for fault in gone:
            _note(write, "remove", fault, _values(fault), {})
    echo(f"{len(gone)} fault{'' if len(gone) == 1 else 's'} cleared.")


def _values(fault: Fault) -> dict[str, Any]:
    return {name: value for name, value in asdict(fault).items() if value and name not in ("id", "used", "created")}


def _note(write: Transaction, action: str, fault: Fault, before: dict[str, Any], after: dict[str, Any]) -> None:
    name = f"{fault.method} {fault.path}"
    write.note(action, ("Fault", str(fault.id), name), journal.difference(before, after))


def _document(fault: Fault) -> dict[str, Any]:
    return {**asdict(fault), "left": fault.left, "created": to_json(fault.created)}
