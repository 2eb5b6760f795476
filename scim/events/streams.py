"""Polling for security event tokens (RFC 8936): the poll request, and the answer from the key's stream; no Flask."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.errors import Gone, InvalidSyntax
from storage import event_streams, events, receipts
from storage.database import Connection, Database
from storage.event_streams import EventStream
from storage.events import CURSOR, Event

DEFAULT_EVENTS, MAX_EVENTS = 100, 1000
# At most this many events are read behind a stream's position, acknowledged ones included.
MAX_AHEAD = 10_000
# How many tokens a request may acknowledge or refuse; how many refused ones are logged one by one.
MAX_JTIS, LOGGED = 10_000, 10
log = logging.getLogger("perch")


@dataclass(frozen=True, slots=True)
class PollRequest:
    """A poll request (RFC 8936 section 2.4): `at_once` is returnImmediately, `refused` pairs of `jti` and error."""

    max_events: int = DEFAULT_EVENTS
    at_once: bool = False
    acknowledged: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


class PollResult(NamedTuple):
    """Unacknowledged events, whether there are more, and the number of the last event that was read."""

    events: Sequence[Event]
    more: bool
    last: int


def read_poll(document: Any) -> PollRequest:
    """Read the body of a poll request (RFC 8936 section 2.4).

    :raises InvalidSyntax: when it is malformed.
    """
    if not isinstance(document, dict):
        raise InvalidSyntax(
            "The body is not an object. Send a JSON object with maxEvents, returnImmediately, ack and setErrs, each "
            "of them optional."
        )
    most = document.get("maxEvents", DEFAULT_EVENTS)
    acknowledged, refused = document.get("ack", []), document.get("setErrs", {})
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise InvalidSyntax("maxEvents: must be a whole number from 0.")
    if not isinstance(document.get("returnImmediately", False), bool):
        raise InvalidSyntax("returnImmediately: must be true or false.")
    if not isinstance(acknowledged, list) or not all(isinstance(jti, str) for jti in acknowledged):
        raise InvalidSyntax("ack: must be an array of the tokens' jti values.")
    if not isinstance(refused, dict) or not all(isinstance(error, dict) for error in refused.values()):
        raise InvalidSyntax("setErrs: must be an object with a jti value as each name and an error object as value.")
    if len(acknowledged) + len(refused) > MAX_JTIS:
        raise InvalidSyntax(f"ack and setErrs: send at most {MAX_JTIS} jti values in one request.")
    errors = tuple((jti, f"{error.get('err')}: {error.get('description')}"[:300]) for jti, error in refused.items())
    return PollRequest(min(most, MAX_EVENTS), document.get("returnImmediately", False), tuple(acknowledged), errors)


def poll(database: Database, key: str, asked: PollRequest) -> PollResult:
    """Store the acknowledgements of a request, then return the next events; a new stream begins with later events.

    :raises Gone: when unacknowledged events were pruned; the stream restarts with later events.
    """
    with database.read() as connection:
        stream = event_streams.get(connection, key)
        if stream is not None and not _is_lost(connection, stream) and not asked.acknowledged and not asked.refused:
            return _next_events(connection, stream, asked.max_events)
    with database.write() as connection:
        stream = event_streams.get(connection, key)
        lost = stream is not None and _is_lost(connection, stream)
        if stream is None or lost:
            stream = EventStream(key, events.last(connection), set())
        done = _known(connection, asked.acknowledged)
        receipts.acknowledged(connection, "key", key, done)
        stream.acknowledge([*done, *_known(connection, [jti for jti, _ in asked.refused])])
        event_streams.put(connection, stream)
        found = _next_events(connection, stream, asked.max_events)
    _log_refused(key, asked.refused)
    if lost:
        raise Gone(
            "Events were pruned before they were acknowledged. Read /Users again, then poll: the stream restarts now."
        )
    return found


def _log_refused(key: str, refused: Sequence[tuple[str, str]]) -> None:
    for jti, error in refused[:LOGGED]:
        log.warning("The receiver with the key %s refused the event %r: %r", key, jti[:100], error)
    if len(refused) > LOGGED:
        log.warning("The receiver with the key %s refused %d more events", key, len(refused) - LOGGED)


def _is_lost(connection: Connection, stream: EventStream) -> bool:
    """Return whether events behind the stream's position were pruned."""
    return stream.position + 1 < events.first(connection)


def _known(connection: Connection, jtis: Sequence[str]) -> list[int]:
    """Return the numbers of the events with these ids; unknown ids are ignored."""
    places = {int(found[1]): jti for jti in jtis if (found := CURSOR.fullmatch(jti))}
    return [seq for seq, event in events.get(connection, list(places)).items() if event.id == places[seq]]


def _next_events(connection: Connection, stream: EventStream, most: int) -> PollResult:
    ahead = len(stream.acknowledged)
    candidates = events.after(connection, stream.position, min(most + ahead + 1, MAX_AHEAD))
    fresh = [event for event in candidates if event.seq not in stream.acknowledged]
    return PollResult(fresh[:most], len(fresh) > most, candidates[-1].seq if candidates else stream.position)
