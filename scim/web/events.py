"""Where applications ask for events: /{workspace}/events, its RFC 8936 form, and the keys that sign tokens."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response

from schemas.errors import InvalidValue
from schemas.json import to_text
from scim.events import documents, streams, tokens
from scim.events.waiting import LONGEST, EventWaiter
from scim.service.context import Context
from scim.web.call import Call
from scim.web.wire import base_of, parameters, read_json
from storage import events as outbox
from storage.events import BEGINNING, Event

blueprint = Blueprint("events", __name__, url_prefix="/<workspace>")

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
NO_PLACE = {"Retry-After": "2"}


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of commits, the cursor behind them, and whether more wait."""

    events: Sequence[Event]
    cursor: str
    more: bool


@blueprint.get("/events", strict_slashes=False)
def follow(call: Call) -> Response:
    """The events behind a cursor; with `wait`, once there are any."""
    asked, caller = parameters(call.sent), call.context
    limit = _number(asked, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    wait = _number(asked, "wait", 0, 0, int(LONGEST))
    page = _page(caller, asked.get("after", ""), limit)
    headers = {}
    if wait and not page.events and asked["after"] != "latest":
        headers = {} if waiting(call).wait(_seq(caller, page.cursor), wait) else NO_PLACE
        page = _page(caller, page.cursor, limit)
    document = {
        "events": [documents.document(event) for event in page.events], "cursor": page.cursor, "more": page.more
    }  # fmt: skip
    return Response(to_text(document), headers=headers, content_type="application/json")


@blueprint.post("/events/poll", strict_slashes=False)
def poll(call: Call) -> Response:
    """The stream of security event tokens of the asking key (RFC 8936 section 2)."""
    caller = call.context
    asked = streams.read_poll(read_json(call))
    found = streams.poll(caller.database, caller.key.id, asked)
    headers = {}
    if not found.events and asked.max_events and not asked.at_once:
        headers = {} if waiting(call).wait(found.last, LONGEST) else NO_PLACE
        found = streams.poll(caller.database, caller.key.id, streams.without_acknowledgements(asked))
    signer = tokens.TokenSigner(
        tokens.signing_key(caller.database), issuer(call), f"{issuer(call)}/events/{caller.key.id}"
    )
    sets = {event.id: signer.sign(event) for event in found.events}
    body = json.dumps({"sets": sets, "moreAvailable": found.more})
    return Response(body, headers=headers, content_type="application/json")


@blueprint.get("/jwks.json")
def jwks(call: Call) -> Response:
    """The public keys of the deployment (RFC 7517 section 5); needs no access key."""
    body = json.dumps(tokens.published(call.database))
    return Response(body, headers={"Cache-Control": "public, max-age=300"}, content_type="application/jwk-set+json")


def issuer(call: Call) -> str:
    """Return the workspace's URL, which is the issuer of its tokens; jwks.json lies below it."""
    return base_of(call.sent, call.settings, call.workspace).removesuffix("/scim/v2")


def waiting(call: Call) -> EventWaiter:
    """Return this process's places to wait at."""
    found: EventWaiter | None = call.extensions.get("perch.waiting")
    if found is None:
        alive = call.extensions.get("perch.alive", lambda: True)
        found = call.extensions["perch.waiting"] = EventWaiter(call.database, alive)
    return found


def _page(caller: Context, cursor: str, limit: int) -> Page:
    """Return the events behind a cursor.

    :raises Gone: when some of them are not kept any more.
    """
    with caller.database.read() as connection:
        if cursor == "latest":
            return Page((), outbox.cursor_at(connection, outbox.last(connection)), False)
        if cursor == "oldest":
            start = outbox.first(connection) - 1
        elif cursor:
            start = outbox.position(connection, cursor)
        else:
            raise InvalidValue("after: send after=latest for a cursor to begin with, then the cursor of each answer.")
        found = outbox.after(connection, start, limit + 1)
    events = found[:limit]
    behind = events[-1].id if events else cursor if cursor != "oldest" else BEGINNING
    return Page(events, behind, len(found) > limit)


def _seq(caller: Context, cursor: str) -> int:
    with caller.database.read() as connection:
        return outbox.position(connection, cursor)


def _number(asked: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = asked.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or int(text[:19]) < low:
        raise InvalidValue(f"{name}: must be a whole number from {low} to {high}.")
    return min(int(text[:19]), high)
