"""Where events are pushed to: each webhook with how far it is, and a queue of what could not be delivered yet."""

import json
import sqlite3
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from schemas.datetimes import now
from schemas.errors import NotFound
from storage import events
from storage.events import Event

COLUMNS = (
    "id, url, kinds, format, secret, oldSecret, oldUntil, created, position, paused, reason, "
    "failures, failingSince, nextTry, delivered, lastDelivered"
)
CHANGEABLE = frozenset(COLUMNS.split(", ")) - {"id", "created"}


class Webhook(NamedTuple):
    """A webhook; every event up to `position` is delivered, not wanted, or in its queue. Times are seconds since 1970.

    `kinds` is a JSON array, empty for all; `failures` counts attempts that failed since the last that did not.
    """

    id: str
    url: str
    kinds: str
    format: str
    secret: str
    oldSecret: str | None
    oldUntil: float | None
    created: str
    position: int
    paused: str | None
    reason: str | None
    failures: int
    failingSince: float | None
    nextTry: float
    delivered: int
    lastDelivered: str | None

    def wants(self, kind: str) -> bool:
        """Tell whether events of a kind are pushed there."""
        wanted = json.loads(self.kinds)
        return not wanted or kind in wanted

    def secrets(self) -> list[str]:
        """Return the secrets that sign now: the present one, and the one before while both count."""
        old = self.oldSecret if (self.oldUntil or 0) > time.time() else None
        return [self.secret, old] if old else [self.secret]


class Queued(NamedTuple):
    """An event that waits for its next attempt, or for an earlier one about the same subject."""

    event: int
    subject: str
    attempts: int
    since: float
    nextTry: float


def insert(
    connection: sqlite3.Connection, identifier: str, url: str, kinds: Sequence[str], form: str, secret: str
) -> None:
    """Add a webhook, which gets what happens from now on."""
    connection.execute(
        "INSERT INTO webhooks (id, url, kinds, format, secret, created, position) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (identifier, url, json.dumps(list(kinds)), form, secret, now(), events.last(connection)),
    )


def every(connection: sqlite3.Connection) -> list[Webhook]:
    """Return all webhooks, the oldest first."""
    return [Webhook(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM webhooks ORDER BY created, id")]


def get(connection: sqlite3.Connection, identifier: str) -> Webhook:
    """Return a webhook.

    :raises NotFound: when there is none.
    """
    row = connection.execute(f"SELECT {COLUMNS} FROM webhooks WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        raise NotFound(f"There is no webhook '{identifier[:100]}'; `flask webhooks list` shows them.")
    return Webhook(*row)


def change(connection: sqlite3.Connection, identifier: str, **values: object) -> None:
    """Change columns of a webhook."""
    unknown = values.keys() - CHANGEABLE
    if unknown:
        raise ValueError(f"no columns: {unknown}")
    columns = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE webhooks SET {columns} WHERE id = ?", [*values.values(), identifier])


def delete(connection: sqlite3.Connection, identifier: str) -> None:
    """Delete a webhook with its queue."""
    connection.execute("DELETE FROM webhooks WHERE id = ?", (identifier,))


def move(connection: sqlite3.Connection, webhook: Webhook, position: int) -> bool:
    """Move a webhook on to a position; False, and nothing is moved, when somebody moved it meanwhile."""
    done = connection.execute(
        "UPDATE webhooks SET position = ? WHERE id = ? AND position = ?", (position, webhook.id, webhook.position)
    )
    return bool(done.rowcount)


def succeeded(connection: sqlite3.Connection, identifier: str) -> None:
    """Note that an event was delivered."""
    connection.execute(
        "UPDATE webhooks SET delivered = delivered + 1, lastDelivered = ?, failures = 0, failingSince = NULL, "
        "nextTry = 0, reason = NULL WHERE id = ?",
        (now(), identifier),
    )


def waiting(connection: sqlite3.Connection, identifier: str) -> int:
    """Return how many events a webhook has not got yet: those queued, and those behind its position."""
    found: int = connection.execute(
        "SELECT (SELECT count(*) FROM webhook_queue WHERE webhook = :id) + "
        "(SELECT count(*) FROM events WHERE seq > (SELECT position FROM webhooks WHERE id = :id))",
        {"id": identifier},
    ).fetchone()[0]
    return found


def due(connection: sqlite3.Connection, identifier: str, moment: float, limit: int) -> list[Queued]:
    """Return what may be tried: of each subject the first that waits, once its time has come; the least tried first."""
    rows = connection.execute(
        "SELECT event, subject, attempts, since, nextTry FROM webhook_queue q WHERE webhook = ? AND nextTry <= ? "
        "AND NOT EXISTS (SELECT 1 FROM webhook_queue e WHERE e.webhook = q.webhook AND e.subject = q.subject "
        "AND e.event < q.event) ORDER BY attempts, event LIMIT ?",
        (identifier, moment, limit),
    )
    return [Queued(*row) for row in rows]


def dequeue_until(connection: sqlite3.Connection, identifier: str, last: int) -> None:
    """Take all events up to one off a webhook's queue: they are no longer kept."""
    connection.execute("DELETE FROM webhook_queue WHERE webhook = ? AND event <= ?", (identifier, last))


def blocked(connection: sqlite3.Connection, identifier: str, subjects: Collection[str]) -> set[str]:
    """Return those subjects of which something waits already."""
    rows = connection.execute(
        "SELECT DISTINCT subject FROM webhook_queue WHERE webhook = ? AND subject IN (SELECT value FROM json_each(?))",
        (identifier, json.dumps(list(subjects))),
    )
    return {subject for (subject,) in rows}


def enqueue(connection: sqlite3.Connection, identifier: str, queued: Queued) -> None:
    """Put an event into a webhook's queue, or its next attempt off."""
    connection.execute("INSERT OR REPLACE INTO webhook_queue VALUES (?, ?, ?, ?, ?, ?)", (identifier, *queued))


def dequeue(connection: sqlite3.Connection, identifier: str, event: int) -> None:
    """Take an event that was delivered out of a webhook's queue."""
    connection.execute("DELETE FROM webhook_queue WHERE webhook = ? AND event = ?", (identifier, event))


def clear(connection: sqlite3.Connection, identifier: str, behind: int) -> None:
    """Take all events behind a number out of a webhook's queue."""
    connection.execute("DELETE FROM webhook_queue WHERE webhook = ? AND event > ?", (identifier, behind))


def renew(connection: sqlite3.Connection, identifier: str) -> None:
    """Let all that waits be tried anew, at once."""
    connection.execute(
        "UPDATE webhook_queue SET attempts = 0, since = ?, nextTry = 0 WHERE webhook = ?", (time.time(), identifier)
    )


def since(connection: sqlite3.Connection, instant: str) -> int:
    """Return the number before the first event at or after a stored instant."""
    row = connection.execute("SELECT min(seq) FROM events WHERE at >= ?", (instant,)).fetchone()
    return events.last(connection) if row[0] is None else int(row[0]) - 1


def subject_of(event: Event) -> str:
    """Return what events are kept in order by."""
    return f"{event.type} {event.subject}"
