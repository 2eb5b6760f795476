"""Events for applications (the outbox): written in the transaction of the change, numbered in the order of commits."""

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from sqlite3 import Connection
from typing import Any, NamedTuple

from schemas.datetimes import now
from schemas.errors import Gone, InvalidValue
from schemas.json import to_text
from storage import receipts
from storage.journal import Author
from storage.sql.tables import fetch_all, first_value

PRUNED_AT_ONCE = 500
BEGINNING = "0"
CURSOR = re.compile(r"evt_([0-9]{1,18})_([0-9a-f]{8})")
EXPIRED = (
    "after: the events after this cursor are not kept any more. Ask for a new one with after=latest, "
    "read /Users again by cursor, and follow from there."
)


class NewEvent(NamedTuple):
    """An event to be written: its kind, type and id of its subject, and its data."""

    kind: str
    type: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event; `seq` is its place in the order of commits, `data` is JSON text.

    `at` is the stored instant of its change, `received` that of the complete request, "" where there was none.
    """

    seq: int
    tag: str
    at: str
    kind: str
    type: str
    subject: str
    action: str
    request: str
    data: str
    received: str = ""

    @property
    def id(self) -> str:
        """The event's id, also the cursor behind it; the tag differs when a restore gives the number once more."""
        return f"evt_{self.seq}_{self.tag}"

    @property
    def named(self) -> dict[str, Any]:
        """The names of the event's subject: id, userName or displayName, externalId."""
        found: dict[str, Any] = json.loads(self.data).get(self.type.lower(), {})
        return found


def append(connection: Connection, author: Author, action: str, events: Iterable[NewEvent]) -> None:
    """Write the events of one change."""
    instant, tag = now(), secrets.token_hex
    connection.executemany(
        "INSERT INTO events (tag, at, kind, type, subject, action, request, data, received) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (tag(4), instant, event.kind, event.type, event.subject, action, author.request, to_text(event.data),
             author.received)
            for event in events
        ],
    )  # fmt: skip


def last(connection: Connection) -> int:
    """Return the number of the newest event ever written, 0 when there was none."""
    return int(first_value(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'events'") or 0)


def first(connection: Connection) -> int:
    """Return the number of the oldest event that is kept; of the next event when none is kept."""
    return int(first_value(connection, "SELECT min(seq) FROM events") or last(connection) + 1)


def cursor_at(connection: Connection, seq: int) -> str:
    """Return the cursor behind the event with a number."""
    tag = _tag(connection, seq)
    return f"evt_{seq}_{tag}" if tag else BEGINNING


def position(connection: Connection, cursor: str) -> int:
    """Return the number of the event before a cursor.

    :raises InvalidValue: for a text that is no cursor.
    :raises Gone: when events after it were pruned, or it was given before a restore.
    """
    found = CURSOR.fullmatch(cursor)
    if found is None and cursor != BEGINNING:
        raise InvalidValue("after: must be latest, oldest, or the cursor of an answer, as it was given.")
    seq = int(found[1]) if found else 0
    is_gone = found[2] != _tag(connection, seq) if found else first(connection) > 1
    if is_gone:
        raise Gone(EXPIRED)
    return seq


def _tag(connection: Connection, seq: int) -> str | None:
    found: str | None = first_value(connection, "SELECT tag FROM events WHERE seq = ?", seq)
    return found


def is_ahead(connection: Connection, cursor: str) -> bool:
    """Tell whether a cursor is behind an event that the file does not have yet."""
    found = CURSOR.fullmatch(cursor)
    return found is not None and int(found[1]) > last(connection)


def after(connection: Connection, seq: int, limit: int) -> list[Event]:
    """Return the oldest events behind a number, in the order in which they were committed."""
    return fetch_all(connection, Event, "FROM events WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)


def get(connection: Connection, seqs: Sequence[int]) -> dict[int, Event]:
    """Return events by number, without those that are not kept any more."""
    rest = "FROM events WHERE seq IN (SELECT value FROM json_each(?))"
    return {event.seq: event for event in fetch_all(connection, Event, rest, json.dumps(seqs))}


def prune(connection: Connection, days: int) -> bool:
    """Delete events older than some days, a bounded number, with their receipts; tell whether there may be more.

    The newest event always stays, so that the cursor behind it works however long nothing happens.
    """
    count, seq = connection.execute(
        "SELECT count(*), max(seq) FROM (SELECT seq, at FROM events ORDER BY seq LIMIT ?) "
        "WHERE at < ? AND seq < (SELECT seq FROM sqlite_sequence WHERE name = 'events')",
        (PRUNED_AT_ONCE, now(-timedelta(days=days))),
    ).fetchone()
    if count:
        receipts.prune(connection, seq)
        connection.execute("DELETE FROM events WHERE seq <= ?", (seq,))
    return bool(count == PRUNED_AT_ONCE)


def forget(connection: Connection, ids: Iterable[str]) -> None:
    """Remove the names of deleted users from their events; kinds, ids and the order stay."""
    connection.executemany(
        "UPDATE events SET data = json_set(json_remove(data, '$.user.externalId'), '$.user.userName', 'forgotten') "
        "WHERE type = 'User' AND subject = ?",
        [(identifier,) for identifier in ids],
    )
