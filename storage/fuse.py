"""The state of the safety fuse: how many users were lost lately, and whether it is blown or released."""

import json
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any, NamedTuple

from schemas.datetimes import from_seconds, to_seconds
from storage import workspace
from storage.sql.tables import fetch_all

BLOWN, RELEASED = "fuse_blown", "fuse_released"


@dataclass(frozen=True, slots=True)
class FuseState:
    """How many users were `lost` (stopped being active) since `start`, out of how many; in seconds since 1970.

    `blown` has the facts recorded when the fuse blew and `refused`, the number of refusals by key, or is None;
    `released_until` is 0 if it never was released.
    """

    start: int
    lost: int
    active: int
    blown: dict[str, Any] | None
    released_until: int


def read(connection: Connection, since: int) -> FuseState:
    """Return the state over the time since an instant, or since the end of a release after it.

    `active` is the largest number of active users in that time.
    """
    released = int(workspace.get(connection, RELEASED) or 0)
    start = max(since, released)
    lost, active = connection.execute(
        "SELECT (SELECT coalesce(sum(lost), 0) FROM activity WHERE second > :start), "
        "(SELECT max(CASE WHEN second > :start THEN peak ELSE active END) FROM activity WHERE second >= "
        "(SELECT coalesce(max(second), 0) FROM activity WHERE second <= :start))",
        {"start": start},
    ).fetchone()
    blown = workspace.get(connection, BLOWN)
    return FuseState(start, lost, active or 0, json.loads(str(blown)) if blown else None, released)


class Loss(NamedTuple):
    """A user who stopped being active and is not active again: the journal's newest entry about that."""

    id: str
    name: str
    actor: str
    action: str
    at: str


def losses(connection: Connection, start: int) -> list[Loss]:
    """Return the users who were lost since an instant, in seconds since 1970, the last one first."""
    rest = """
        FROM (
            SELECT resource AS id, name, actor, action, at, max(seq) AS seq, changes ->> '$.active.after' AS active,
                sum(changes ->> '$.active.before' = 1) AS was_active
            FROM journal WHERE type = 'User' AND changes -> '$.active' IS NOT NULL AND seq >
                ifnull((SELECT seq FROM journal WHERE at < ? ORDER BY seq DESC LIMIT 1), 0)
            GROUP BY resource
        ) WHERE was_active AND active IS NOT 1 ORDER BY seq DESC
        """
    return fetch_all(connection, Loss, rest, from_seconds(start + 1))


def lost_since(connection: Connection, instant: str) -> int:
    """Return how many users were lost since the second of an instant."""
    row = connection.execute("SELECT ifnull(sum(lost), 0) FROM activity WHERE second >= unixepoch(?)", (instant,))
    return int(row.fetchone()[0])


def forgive(connection: Connection, actor: str, since: str, before: int) -> None:
    """Take the users whom an actor lost since an instant out of the count; `before` is `lost_since` at that instant."""
    found = losses(connection, int(to_seconds(since)) - 1)
    others = sum(loss.actor != actor and loss.at >= since for loss in found)
    connection.execute("UPDATE activity SET lost = 0 WHERE second >= unixepoch(?)", (since,))
    newest = "SELECT max(second) FROM activity"
    connection.execute(f"UPDATE activity SET lost = lost + ? WHERE second = ({newest})", (before + others,))


def count_refusal(connection: Connection, key: str) -> None:
    """Count a write of a key that the blown fuse refused."""
    connection.execute(
        "UPDATE workspace SET value = json_patch(value, json_object('refused', "
        "json_object(?1, 1 + ifnull(json_extract(value, ?2), 0)))) WHERE name = ?3 AND value <> ''",
        (key, f'$.refused."{key}"', BLOWN),
    )


def blow(connection: Connection, facts: dict[str, Any]) -> bool:
    """Record that the fuse is blown; return False when it was blown already."""
    if workspace.get(connection, BLOWN):
        return False
    workspace.put(connection, BLOWN, json.dumps(facts))
    return True


def release(connection: Connection, until: int) -> None:
    """Reset the fuse, and accept every loss until an instant."""
    workspace.put(connection, BLOWN, "")
    workspace.put(connection, RELEASED, until)
