"""Requests: what clients sent and why it failed, as it happens; one in full, as a curl command, and sent again."""

from flask import Response, current_app
from werkzeug.wrappers import Response as BaseResponse

from schemas.errors import ScimError
from schemas.tolerances import Tolerance
from scim.console import warnings
from scim.console.blueprint import console
from scim.console.traffic import MODES, in_words, mode
from scim.console.web import database, number, onward, page, parameter
from scim.traffic import summaries
from scim.traffic.replay import as_curl, pretty, replay
from scim.traffic.summaries import below_base
from scim.web.requests import base_url, origin
from storage import keys, quirks, traffic
from storage.traffic import TrafficQuery

PER_PAGE = 50
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@console.get("/requests", endpoint="requests")
def show_requests() -> Response:
    """List the newest requests; the first page keeps itself up to date."""
    query = TrafficQuery(
        errors=parameter("show") == "errors",
        key=parameter("key"),
        method=parameter("method") if parameter("method") in METHODS else "",
        text=parameter("q"),
        before=number("before", 0),
    )
    with database().read() as connection:
        found = traffic.entries(connection, query, PER_PAGE + 1)
        known = keys.list_all(connection)
        warned = warnings.found(connection)
    entries = in_words(found[:PER_PAGE])
    return page(
        "requests.html", entries=entries, more=len(found) > PER_PAGE, query=query, keys=known, methods=METHODS,
        mode=mode(), modes=MODES, below_base=below_base, warned=warned,
    )  # fmt: skip


@console.get("/requests/quirks")
def habits() -> Response:
    """Show which tolerances each key's requests needed, and which attributes Perch ignored."""
    with database().read() as connection:
        found = quirks.report(connection, parameter("key") or None)
        names = {key.id: key.name for key in keys.list_all(connection)}
    return page("quirks.html", quirks=found, names=names, tolerances=_tolerances())


@console.get("/requests/<int:seq>")
def one_request(seq: int) -> Response:
    """Show a request and its answer in full."""
    with database().read() as connection:
        entry = traffic.get(connection, seq)
        replays = traffic.entries(connection, TrafficQuery(replay_of=seq), limit=20)
    return page(
        "request.html", entry=entry, doing=summaries.of_entry(entry), curl=as_curl(entry, base_url()), replays=replays,
        below_base=below_base, pretty=pretty, tolerances=_tolerances(),
    )  # fmt: skip


@console.post("/requests/<int:seq>/replay")
def send_again(seq: int) -> BaseResponse:
    """Send a request again, with the rights of its key."""
    with database().read() as connection:
        entry = traffic.get(connection, seq)
    try:
        made = replay(current_app._get_current_object(), entry, origin())  # type: ignore[attr-defined]
    except ScimError as error:
        return onward("one_request", error.detail, "bad", seq=seq)
    tone = "bad" if made.failed else "good"
    return onward("one_request", f"Sent again; the answer was {made.status}.", tone, seq=made.seq)


def _tolerances() -> dict[str, str]:
    return {tolerance.name: tolerance.value for tolerance in Tolerance}
