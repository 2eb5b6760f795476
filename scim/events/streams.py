"""Polling for security event tokens (RFC 8936): what a request asks, and what the key's stream has for it; no Flask."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.errors import Gone, InvalidSyntax
from storage import event_streams
from storage import events as outbox
from storage.database import Connection, Database
from storage.event_streams import EventStream
from storage.events import CURSOR, Event

DEFAULT_EVENTS, MOST_EVENTS = 100, 1000
MOST_AHEAD = 10_000
log = logging.getLogger("perch")


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll request (RFC 8936 section 2.4): how many tokens at most, whether at once, and what is dealt with."""

    max_events: int = DEFAULT_EVENTS
    at_once: bool = False
    acknowledged: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What the stream has: events, whether more wait, and the number of the newest event that was looked at."""

    events: Sequence[Event]
    more: bool
    last: int


def read_poll(document: Any) -> Poll:
    """Read the body of a poll request (RFC 8936 section 2.4).

    :raises InvalidSyntax: when it is not of the form.
    """
    if not isinstance(document, dict):
        raise InvalidSyntax(
            "A poll is a JSON object with maxEvents, returnImmediately, ack and setErrs, each optional."
        )
    most = document.get("maxEvents", DEFAULT_EVENTS)
    acknowledged, refused = document.get("ack", []), document.get("setErrs", {})
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise InvalidSyntax("maxEvents: must be a whole number from 0.")
    if not isinstance(document.get("returnImmediately", False), bool):
        raise InvalidSyntax("returnImmediately: must be true or false.")
    if not isinstance(acknowledged, list) or not all(isinstance(jti, str) for jti in acknowledged):
        raise InvalidSyntax("ack: must be an array of the jti values of tokens.")
    if not isinstance(refused, dict) or not all(isinstance(error, dict) for error in refused.values()):
        raise InvalidSyntax("setErrs: must be an object of jti values with an error object each.")
    errors = tuple((jti, f"{error.get('err')}: {error.get('description')}"[:300]) for jti, error in refused.items())
    return Poll(min(most, MOST_EVENTS), document.get("returnImmediately", False), tuple(acknowledged), errors)


def without_acknowledgements(asked: Poll) -> Poll:
    """Return a poll whose acknowledgements have been dealt with."""
    return replace(asked, acknowledged=(), refused=())


def poll(database: Database, key: str, asked: Poll) -> Found:
    """Deal with the acknowledgements of a poll and return what else its key's stream has; a new one begins now.

    :raises Gone: when events were pruned before they were acknowledged; the stream begins anew now.
    """
    with database.read() as connection:
        stream = event_streams.get(connection, key)
        if stream is not None and not _is_lost(connection, stream) and not asked.acknowledged and not asked.refused:
            return _found(connection, stream, asked.max_events)
    with database.write() as connection:
        stream = event_streams.get(connection, key)
        lost = stream is not None and _is_lost(connection, stream)
        if stream is None or lost:
            stream = EventStream(key, outbox.last(connection), set())
        stream.acknowledge(_known(connection, [*asked.acknowledged, *(jti for jti, _ in asked.refused)]))
        event_streams.put(connection, stream)
        found = _found(connection, stream, asked.max_events)
    for jti, error in asked.refused:
        log.warning("The receiver with the key %s refused the event %r: %r", key, jti[:100], error)
    if lost:
        raise Gone("Events were pruned before you acknowledged them. Read /Users anew; your stream goes on from now.")
    return found


def _is_lost(connection: Connection, stream: EventStream) -> bool:
    return stream.position + 1 < outbox.first(connection)


def _known(connection: Connection, jtis: Sequence[str]) -> list[int]:
    """Return the numbers of the events that these are the ids of; others were never sent and are passed over."""
    places = {int(found[1]): jti for jti in jtis if (found := CURSOR.fullmatch(jti))}
    return [seq for seq, event in outbox.get(connection, list(places)).items() if event.id == places[seq]]


def _found(connection: Connection, stream: EventStream, most: int) -> Found:
    ahead = len(stream.acknowledged)
    candidates = outbox.after(connection, stream.position, min(most + ahead + 1, MOST_AHEAD))
    fresh = [event for event in candidates if event.seq not in stream.acknowledged]
    return Found(fresh[:most], len(fresh) > most, candidates[-1].seq if candidates else stream.position)
