"""Webhooks: the position of each, and its queue of undelivered events."""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from sqlite3 import Connection

from schemas.datetimes import now
from schemas.errors import NotFound
from storage import events
from storage.events import Event
from storage.locks import delivery_lock_path, is_locked
from storage.sql.tables import fetch, fetch_all, first_value, table, update

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook; every event up to `position` is delivered, not wanted, or in its queue. Times are seconds since 1970.

    `kinds` is a JSON array, empty for all; `failures` counts the attempts that failed since the last success.
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
        """Tell whether the webhook gets events of a kind."""
        wanted = json.loads(self.kinds)
        return not wanted or kind in wanted

    def secrets(self) -> list[str]:
        """Return the secrets that sign now: the present one, and the old one until it ends."""
        old = self.oldSecret if (self.oldUntil or 0) > time.time() else None
        return [self.secret, old] if old else [self.secret]


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event that waits for its next attempt, or for an earlier event about the same subject."""

    event: int
    subject: str
    attempts: int
    since: float
    nextTry: float


def insert(connection: Connection, identifier: str, url: str, kinds: Sequence[str], form: str, secret: str) -> None:
    """Add a webhook, which gets the events from now on."""
    values = {"id": identifier, "url": url, "kinds": json.dumps(list(kinds)), "format": form, "secret": secret,
              "created": now(), "position": events.last(connection)}  # fmt: skip
    table(connection, "webhooks").insert(values)


def list_all(connection: Connection) -> list[Webhook]:
    """Return all webhooks, the oldest first."""
    return fetch_all(connection, Webhook, "FROM webhooks ORDER BY created, id")


def get(connection: Connection, identifier: str) -> Webhook:
    """Return a webhook.

    :raises NotFound: when there is none.
    """
    found = fetch(connection, Webhook, "FROM webhooks WHERE id = ?", identifier)
    if found is None:
        raise NotFound(f"There is no webhook '{identifier[:100]}'; `flask webhooks list` shows them.")
    return found


def change(connection: Connection, identifier: str, **values: object) -> None:
    """Set columns of a webhook."""
    update(connection, "webhooks", identifier, values)


def delete(connection: Connection, identifier: str) -> None:
    """Delete a webhook with its queue."""
    table(connection, "webhooks").delete(identifier)


def move(connection: Connection, webhook: Webhook, position: int) -> bool:
    """Move a webhook on to a position; False, and nothing is moved, when it was moved since it was read."""
    done = connection.execute(
        "UPDATE webhooks SET position = ? WHERE id = ? AND position = ?", (position, webhook.id, webhook.position)
    )
    return bool(done.rowcount)


def succeeded(connection: Connection, identifier: str) -> None:
    """Note that an event was delivered."""
    connection.execute(
        "UPDATE webhooks SET delivered = delivered + 1, lastDelivered = ?, failures = 0, failingSince = NULL, "
        "nextTry = 0, reason = NULL WHERE id = ?",
        (now(), identifier),
    )


def waiting(connection: Connection, identifier: str) -> int:
    """Return how many events a webhook has not got yet: those in its queue, and those behind its position.

    Events have numbers without gaps, and only the oldest ones are deleted.
    """
    queued = first_value(connection, "SELECT count(*) FROM webhook_queue WHERE webhook = ?", identifier)
    position = first_value(connection, "SELECT position FROM webhooks WHERE id = ?", identifier)
    return int(queued) + max(0, events.last(connection) - max(int(position), events.first(connection) - 1))


def waits_since(connection: Connection, identifier: str) -> str | None:
    """Return the instant of the oldest event that a webhook has not got yet; None when nothing waits."""
    sql = (
        "SELECT min(at) FROM events WHERE seq IN ("
        "(SELECT min(seq) FROM events WHERE seq > (SELECT position FROM webhooks WHERE id = ?1)), "
        "(SELECT q.event FROM webhook_queue q JOIN events e ON e.seq = q.event WHERE q.webhook = ?1 "
        "ORDER BY q.event LIMIT 1))"
    )
    found: str | None = first_value(connection, sql, identifier)
    return found


def deliverer(connection: Connection, file: Path) -> str:
    """Return "ok" while a process delivers the events, else "missing"; "not needed" while no webhook wants any."""
    needed = first_value(connection, "SELECT 1 FROM webhooks WHERE paused IS NULL LIMIT 1")
    return "not needed" if not needed else "ok" if is_delivering(file) else MISSING


def is_delivering(file: Path) -> bool:
    """Tell whether a process delivers the events of a database."""
    return is_locked(delivery_lock_path(file))


def due(connection: Connection, identifier: str, moment: float, limit: int) -> list[QueuedEvent]:
    """Return the events to try: of each subject the first that waits, if it is due; the least tried first."""
    rest = (
        "FROM webhook_queue q WHERE webhook = ? AND nextTry <= ? "
        "AND NOT EXISTS (SELECT 1 FROM webhook_queue e WHERE e.webhook = q.webhook AND e.subject = q.subject "
        "AND e.event < q.event) ORDER BY attempts, event LIMIT ?"
    )
    return fetch_all(connection, QueuedEvent, rest, identifier, moment, limit)


def dequeue_until(connection: Connection, identifier: str, last: int) -> None:
    """Remove all events up to one from a webhook's queue: they are no longer kept."""
    connection.execute("DELETE FROM webhook_queue WHERE webhook = ? AND event <= ?", (identifier, last))


def blocked(connection: Connection, identifier: str, subjects: Collection[str]) -> set[str]:
    """Return those subjects that have an event in the queue already."""
    rows = connection.execute(
        "SELECT DISTINCT subject FROM webhook_queue WHERE webhook = ? AND subject IN (SELECT value FROM json_each(?))",
        (identifier, json.dumps(list(subjects))),
    )
    return {subject for (subject,) in rows}


def enqueue(connection: Connection, identifier: str, queued: QueuedEvent) -> None:
    """Put an event into a webhook's queue, or change its next attempt there."""
    values = (identifier, *astuple(queued))
    connection.execute("INSERT OR REPLACE INTO webhook_queue VALUES (?, ?, ?, ?, ?, ?)", values)


def dequeue(connection: Connection, identifier: str, event: int) -> None:
    """Remove an event that was delivered from a webhook's queue."""
    connection.execute("DELETE FROM webhook_queue WHERE webhook = ? AND event = ?", (identifier, event))


def clear(connection: Connection, identifier: str, behind: int) -> None:
    """Remove all events behind a number from a webhook's queue."""
    connection.execute("DELETE FROM webhook_queue WHERE webhook = ? AND event > ?", (identifier, behind))


def renew(connection: Connection, identifier: str) -> None:
    """Make all events of a webhook's queue due now, as if they were never tried."""
    connection.execute(
        "UPDATE webhook_queue SET attempts = 0, since = ?, nextTry = 0 WHERE webhook = ?", (time.time(), identifier)
    )


def since(connection: Connection, instant: str) -> int:
    """Return the number before the first event at or after a stored instant."""
    first = first_value(connection, "SELECT min(seq) FROM events WHERE at >= ?", instant)
    return events.last(connection) if first is None else int(first) - 1


def subject_of(event: Event) -> str:
    """Return the subject of an event; events with the same subject are delivered in order."""
    return f"{event.type} {event.subject}"
