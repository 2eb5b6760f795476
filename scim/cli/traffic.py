"""`flask traffic`: the recorded requests as a list, live, or one in full."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import Group, echo, json_option, print_json, print_table
from scim.traffic.replay import as_curl, pretty_lines
from scim.traffic.summaries import below_base, meaning, of_entry, short_reason, what_lacks
from scim.web.requests import base_url, perch
from storage import traffic
from storage.traffic import TrafficEntry, TrafficQuery

POLL_SECONDS = 0.3
BATCH = 500
HEADS = ("NO", "WHEN", "KEY", "STATUS", "MS", "WHAT", "REQUEST", "NOTE")


@click.group("traffic", cls=Group, invoke_without_command=True)
@click.option("--follow", is_flag=True, help="Keep running and show new requests until Ctrl-C.")
@click.option("--errors", is_flag=True, help="Only failed requests.")
@click.option("--key", metavar="ID", help="Only requests with this key.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="Number of requests at most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; with --follow one per line.")
@click.pass_context
def group(context: click.Context, follow: bool, errors: bool, key: str | None, limit: int, as_json: bool) -> None:
    """Show the recorded requests, the newest first. With --follow the newest is the last; see PERCH_TRAFFIC."""
    if context.invoked_subcommand is not None:
        return
    query = TrafficQuery(errors, key or "")
    with perch().database.read() as connection:
        found = traffic.entries(connection, query, limit)
        newest = traffic.last(connection)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            _follow(reversed(found), query, newest, as_json)
    elif as_json:
        print_json([described(entry) for entry in found])
    else:
        print_table(HEADS, [_cells(entry) for entry in found])
        if not found:
            echo(f"No recorded request matches; PERCH_TRAFFIC is {perch().settings['PERCH_TRAFFIC']}.", err=True)


@group.command("show")
@click.argument("number", type=int, metavar="NO")
@json_option
def show(number: int, as_json: bool) -> None:
    """Show one request in full, with a curl command that sends it again."""
    with perch().database.read() as connection:
        entry = traffic.get(connection, number)
    curl = as_curl(entry, base_url())
    if as_json:
        print_json({**described(entry), "curl": curl})
        return
    for name, value in _facts(entry):
        echo(f"{name + ':':<12}{value}")
    _show_body("Request", entry.request, entry.requestSize)
    _show_body("Answer", entry.response, entry.responseSize)
    # The command itself has the line breaks; those of values are quoted in it.
    echo("", "To send it again, set KEY to the access key and run:", *curl.split("\n"))


def _show_body(title: str, body: str | None, size: int) -> None:
    echo("", f"{title}, {size} bytes" + (", not recorded" if size and body is None else ""))
    if body:
        echo(*pretty_lines(body))


def described(entry: TrafficEntry) -> dict[str, Any]:
    """Return an entry as a JSON document, with a sentence about the client's purpose."""
    return {**entry.to_json(), "doing": of_entry(entry)}


def _follow(first: Iterator[TrafficEntry], query: TrafficQuery, newest: int, as_json: bool) -> None:
    """Print the first entries, then new ones, until interrupted."""
    for entry in first:
        _print_line(entry, as_json)
    while True:
        with perch().database.read() as connection:
            found = traffic.entries(connection, replace(query, after=newest), BATCH)
        for entry in found:
            _print_line(entry, as_json)
            newest = entry.seq
        if len(found) < BATCH:
            time.sleep(POLL_SECONDS)


def _print_line(entry: TrafficEntry, as_json: bool) -> None:
    if as_json:
        print_json(described(entry), indent=None)
        return
    number, when, key, status, milliseconds, doing, sent, note = _cells(entry)
    line = f"{number:>5}  {when[11:]}  {key:<14}  {status:<7}  {milliseconds:>7}  {doing}: {sent}"
    echo(*([line, f"{'':<7}{note}"] if note else [line]))


def _cells(entry: TrafficEntry) -> tuple[str, ...]:
    notes = (
        entry.fault,
        short_reason(entry.reason or ""),
        f"replay of {entry.replayOf}" if entry.replayOf else "",
        f"ignored: {', '.join(entry.ignored)}" if entry.ignored else "",
        f"tolerated: {', '.join(entry.tolerances)}" if entry.tolerances else "",
    )
    return (
        str(entry.seq), to_json(entry.at), (entry.keyName or "-")[:20], str(entry.status or "dropped"),
        f"{entry.duration:.1f}", of_entry(entry), f"{entry.method} {below_base(entry.path)}"[:100],
        "; ".join(filter(None, notes)),
    )  # fmt: skip


def _facts(entry: TrafficEntry) -> list[tuple[str, str]]:
    facts = [
        ("Request", f"{entry.seq}, {to_json(entry.at)}, id {entry.requestId or '-'}"),
        ("What", of_entry(entry)),
        ("Key", f"{entry.keyName} ({entry.key}, {entry.idp})" if entry.key else what_lacks(entry.path)),
        ("Sent", f"{entry.method} {entry.path}"),
        *entry.headers.items(),
        ("Status", f"{entry.status or 'no answer'} after {entry.duration:.1f} ms"),
        ("Fault", entry.fault or ""),
        ("Why", entry.reason or ""),
        ("Replay of", str(entry.replayOf or "")),
        ("Ignored", ", ".join(entry.ignored)),
    ]
    facts += [("Tolerated", f"{meaning(name)}: {example}") for name, example in entry.tolerances.items()]
    return [(name, value) for name, value in facts if value]
