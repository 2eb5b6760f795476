"""Recorded requests: the live list, one in full with a curl command and a replay, and the quirk report."""

from flask import current_app, url_for
from werkzeug.wrappers import Response

from schemas.errors import ScimError
from schemas.numbers import LARGEST_INTEGER
from scim.console import warnings
from scim.console.blueprint import console
from scim.console.web import number, page, parameter, redirect_to
from scim.traffic.replay import as_curl, pretty_lines, replay, sender
from scim.traffic.summaries import below_base, meaning, of_entry, short_reason, what_lacks
from scim.web.requests import base_url, origin, perch
from storage import keys, quirks, resources, traffic
from storage.database import Connection
from storage.traffic import TrafficEntry, TrafficQuery

PER_PAGE = 50
# Larger numbers have no page, and no place in the database.
NUMBER = f"<int(max={LARGEST_INTEGER}):seq>"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
RECORDING = {
    "off": "Perch records no requests (PERCH_TRAFFIC=off).",
    "errors": "Perch records failed requests, and the first lines of the last 200 others (PERCH_TRAFFIC=errors).",
    "all": "Perch records every request (PERCH_TRAFFIC=all).",
}


def recording() -> str:
    """Return a sentence that says which requests are recorded."""
    return RECORDING[perch().settings["PERCH_TRAFFIC"]]


def described_entries(connection: Connection, query: TrafficQuery, most: int) -> list[tuple[TrafficEntry, str]]:
    """Return the newest matching requests, each with a sentence about the client's purpose."""
    return [(entry, of_entry(entry)) for entry in traffic.entries(connection, query, most)]


@console.get("/requests", endpoint="requests")
def show_requests() -> Response:
    """List the newest requests; the first page refreshes itself."""
    query = TrafficQuery(
        errors=parameter("show") == "errors", key=parameter("key"), text=parameter("q"), subject=parameter("about"),
        method=parameter("method") if parameter("method") in METHODS else "",
        before=number("before", 0, LARGEST_INTEGER),
    )  # fmt: skip
    with perch().database.read() as connection:
        found = described_entries(connection, query, PER_PAGE + 1)
        known = keys.list_all(connection)
        faults = warnings.planned(connection)
    return page(
        "requests.html", entries=found[:PER_PAGE], more=len(found) > PER_PAGE, query=query, keys=known,
        methods=METHODS, recording=recording(), below_base=below_base, faults=faults, short_reason=short_reason,
    )  # fmt: skip


@console.get("/requests/quirks")
def quirk_report() -> Response:
    """Show the tolerances that each key's requests needed, and the attributes that Perch ignored."""
    with perch().database.read() as connection:
        found = quirks.report(connection, parameter("key") or None)
        names = {key.id: key.name for key in keys.list_all(connection)}
    return page("quirks.html", quirks=found, names=names, meaning=meaning)


@console.get(f"/requests/{NUMBER}")
def one_request(seq: int) -> Response:
    """Show a request and its answer in full."""
    with perch().database.read() as connection:
        entry = traffic.get(connection, seq)
        replays = traffic.entries(connection, TrafficQuery(replay_of=seq), limit=20)
        refusal = _refusal(connection, entry)
        is_there = entry.subject in resources.existing(connection, [entry.subject])
    kind = "group" if below_base(entry.path).lower().startswith("/groups") else "user"
    about = url_for(f"console.{kind}", identifier=entry.subject) if is_there else ""
    return page(
        "request.html", entry=entry, doing=of_entry(entry), curl=as_curl(entry, base_url()), replays=replays,
        below_base=below_base, pretty_lines=pretty_lines, meaning=meaning, refusal=refusal,
        about=about, what_lacks=what_lacks(entry.path),
    )  # fmt: skip


def _refusal(connection: Connection, entry: TrafficEntry) -> str:
    """Return why a request cannot be sent again, "" when it can."""
    try:
        sender(connection, entry)
    except ScimError as error:
        return error.detail
    return ""


@console.post(f"/requests/{NUMBER}/replay")
def send_again(seq: int) -> Response:
    """Send a request again, with the rights that its key has now."""
    with perch().database.read() as connection:
        entry = traffic.get(connection, seq)
    try:
        made = replay(current_app._get_current_object(), entry, origin())  # type: ignore[attr-defined]
    except ScimError as error:
        return redirect_to("one_request", error.detail, "bad", seq=seq)
    tone = "bad" if made.failed else "good"
    return redirect_to("one_request", f"Sent again; the answer was {made.status}.", tone, seq=made.seq)
