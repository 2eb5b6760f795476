"""`flask faults`: make chosen requests fail, to see what a client does then."""

from dataclasses import asdict
from typing import Any

import click
from flask.cli import AppGroup

from schemas.datetimes import to_json
from scim.cli.common import command, json_option, print_json, print_table
from scim.traffic.faults import LONGEST_DELAY, described, read_target
from scim.web.requests import perch
from storage import faults, keys

group = AppGroup("faults", help="Faults on demand, for tests of clients; only where PERCH_FAULTS=on.")


@group.command("add")
@click.argument("target")
@click.option("--status", type=click.IntRange(400, 599), help="Answer with this status; nothing is done.")
@click.option("--retry-after", type=click.IntRange(min=0), metavar="SECONDS", help="Retry-After of that answer.")
@click.option("--delay", type=click.FloatRange(0, LONGEST_DELAY), default=0.0, metavar="SECONDS", help="Wait first.")
@click.option("--drop", is_flag=True, help="Close the connection without an answer; nothing is done.")
@click.option("--times", type=click.IntRange(min=1), help="Hit so many requests; default: until cleared.")
@click.option("--key", metavar="ID", help="Hit only requests with this key.")
@json_option
@command
def add(target: str, key: str | None, as_json: bool, **what: Any) -> None:
    """Let requests fail: TARGET is METHOD /PATH, such as "POST /Users", "/Users/*" (any below) or "*" (all)."""
    _check_on()
    if what["status"] is None and not what["drop"] and not what["delay"]:
        raise click.UsageError("Say how to fail: --status, --delay or --drop.")
    if what["status"] is not None and what["drop"]:
        raise click.UsageError("A dropped request gets no status; choose --status or --drop.")
    if what["retry_after"] is not None and what["status"] is None:
        raise click.UsageError("--retry-after belongs to an answer; add --status.")
    method, path = read_target(target)
    with perch().database.write() as connection:
        if key is not None:
            keys.get(connection, key)
        fault = faults.insert(connection, method, path, key=key, **what)
    if as_json:
        print_json(_plain(fault))
    else:
        click.echo(f"{described(fault)}, for {fault.method} {fault.path}.")


@group.command("list")
@json_option
@command
def show(as_json: bool) -> None:
    """List the faults, used-up ones too."""
    _check_on(only_warn=True)
    with perch().database.read() as connection:
        found = faults.list_all(connection)
    if as_json:
        print_json([_plain(fault) for fault in found])
        return
    rows = [
        (f.id, f"{f.method} {f.path}", f.key or "all", described(f).partition(": ")[2], f.used, _left(f)) for f in found
    ]
    print_table(("ID", "REQUESTS", "KEY", "FAULT", "HIT", "LEFT"), rows)


@group.command("clear")
@click.argument("identifier", metavar="[ID]", type=int, required=False)
@command
def clear(identifier: int | None) -> None:
    """End one fault, or all."""
    with perch().database.write() as connection:
        count = faults.clear(connection, identifier)
    click.echo(f"{count} fault{'' if count == 1 else 's'} cleared.")


def _check_on(only_warn: bool = False) -> None:
    if perch().settings["PERCH_FAULTS"]:
        return
    text = "PERCH_FAULTS is off here, so no request fails on purpose; set PERCH_FAULTS=on for the server and for this."
    if not only_warn:
        raise click.ClickException(text)
    click.echo(text, err=True)


def _left(fault: faults.Fault) -> str:
    return "all" if fault.left is None else str(fault.left)


def _plain(fault: faults.Fault) -> dict[str, Any]:
    return {**asdict(fault), "left": fault.left, "created": to_json(fault.created)}
