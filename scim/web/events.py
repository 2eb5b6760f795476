"""/{workspace}/events: events for applications, by cursor or as security event tokens, and the signing keys."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from flask import Blueprint, Response, current_app, g

from schemas.errors import InvalidValue, Unavailable
from schemas.json import to_text
from scim.events import documents, receipts, streams, tokens
from scim.events.waiting import LONGEST, EventWaiter
from scim.events.webhooks import WebhookService
from scim.traffic.recorder import Recorder
from scim.web.requests import MESSAGE, issuer, parameters, perch, read_json
from storage import events
from storage.database import Connection, Database
from storage.errors import SOON
from storage.events import BEGINNING, Event
from storage.journal import Author

blueprint = Blueprint("events", __name__)

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
NO_PLACE = {"Retry-After": "2"}


class Page(NamedTuple):
    """Events in the order of commits, the cursor after them, and whether more follow."""

    events: Sequence[Event]
    cursor: str
    more: bool


@blueprint.get("/events", strict_slashes=False)
def follow() -> Response:
    """Answer the events after a cursor; if there are none, wait up to `wait` seconds for one."""
    asked, database = parameters(), perch().database
    limit = _number(asked, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    wait = _number(asked, "wait", 0, 0, int(LONGEST))
    page = _page(database, asked.get("after", ""), limit)
    headers = {}
    if wait and not page.events and asked["after"] != "latest":
        with database.read() as connection:
            last = events.position(connection, page.cursor)
        headers = {} if waiting().wait(last, wait) else NO_PLACE
        page = _page(database, page.cursor, limit)
    document = {
        "events": [documents.document(event) for event in page.events], "cursor": page.cursor, "more": page.more
    }  # fmt: skip
    return Response(to_text(document), headers=headers, content_type="application/json")


@blueprint.post("/events/poll", strict_slashes=False)
def poll() -> Response:
    """Answer the caller's stream of security event tokens (RFC 8936 section 2)."""
    database, key = perch().database, g.context.key.id
    asked = streams.read_poll(read_json(MESSAGE))
    found = streams.poll(database, key, asked)
    headers = {}
    if not found.events and asked.max_events and not asked.at_once:
        headers = {} if waiting().wait(found.last, LONGEST) else NO_PLACE
        # The acknowledgements are stored already.
        found = streams.poll(database, key, replace(asked, acknowledged=(), refused=()))
    signing = tokens.signing_key(perch().repository, g.context.author)
    signer = tokens.TokenSigner(signing, issuer(), f"{issuer()}/events/{key}")
    sets = {event.id: signer.sign(event) for event in found.events}
    body = json.dumps({"sets": sets, "moreAvailable": found.more})
    return Response(body, headers=headers, content_type="application/json")


@blueprint.post("/events/<event>/receipt", strict_slashes=False)
def receive_receipt(event: str) -> Response:
    """Keep what an application reports about an event: whether the person's access has ended there."""
    read = receipts.read_receipt(read_json(MESSAGE))
    receipts.report(perch().database, g.context.key, event, read)
    return Response(status=204)


@blueprint.get("/jwks.json", strict_slashes=False)
def jwks() -> Response:
    """Answer the public signing keys of the deployment (RFC 7517 section 5); public."""
    body = json.dumps(tokens.published(perch().database))
    return Response(body, headers={"Cache-Control": "public, max-age=300"}, content_type="application/jwk-set+json")


def waiting() -> EventWaiter:
    """Return the event waiter of this process, made at its first use."""
    extensions = current_app.extensions
    found: EventWaiter | None = extensions.get("perch.waiting")
    if found is None:
        alive = extensions.get("perch.alive", lambda: True)
        found = extensions["perch.waiting"] = EventWaiter(perch().database, alive)
    return found


def webhook_service(author: Author) -> WebhookService:
    """Return the service for the deployment's webhooks, whose acts have that author."""
    return WebhookService(perch().repository, perch().settings, issuer(), author)


def _page(database: Database, cursor: str, limit: int) -> Page:
    with database.read() as connection:
        if cursor == "latest":
            return Page((), events.cursor_at(connection, events.last(connection)), False)
        if cursor == "oldest":
            start = events.first(connection) - 1
        elif cursor:
            start = _position(database, connection, cursor)
        else:
            raise InvalidValue("after: send after=latest for a cursor to begin with, then the cursor of each answer.")
        found = events.after(connection, start, limit + 1)
    shown = found[:limit]
    behind = shown[-1].id if shown else cursor if cursor != "oldest" else BEGINNING
    return Page(shown, behind, len(found) > limit)


def _position(database: Database, connection: Connection, cursor: str) -> int:
    """Return the number of the event before a cursor, and note that the caller has it."""
    if not database.follows:
        start = events.position(connection, cursor)
        recorder: Recorder = current_app.extensions["perch.traffic"]
        recorder.writer.pulled(g.context.key.id, start)
        return start
    # The primary may have given a cursor that this follower has not reached.
    if events.is_ahead(connection, cursor):
        raise Unavailable("after: this follower does not have that event yet; repeat the request.", SOON)
    return events.position(connection, cursor)


def _number(asked: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    text = asked.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or int(text[:19]) < low:
        raise InvalidValue(f"{name}: must be a whole number from {low} to {high}.")
    return min(int(text[:19]), high)
