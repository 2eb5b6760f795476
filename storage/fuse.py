"""The state of the safety fuse: how many users were lost lately, and whether it is blown or released."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from storage import workspace

BLOWN, RELEASED = "fuse_blown", "fuse_released"


@dataclass(frozen=True, slots=True)
class FuseState:
    """How many users were `lost` (stopped being active) since `start`, out of how many; in seconds since 1970.

    `blown` has the facts recorded when the fuse blew, or is None; `released_until` is 0 if it never was released.
    """

    start: int
    lost: int
    active: int
    blown: dict[str, Any] | None
    released_until: int


def read(connection: sqlite3.Connection, since: int) -> FuseState:
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


def blow(connection: sqlite3.Connection, facts: dict[str, Any]) -> bool:
    """Record that the fuse is blown; return False when it was blown already."""
    if workspace.get(connection, BLOWN):
        return False
    workspace.put(connection, BLOWN, json.dumps(facts))
    return True


def release(connection: sqlite3.Connection, until: int) -> None:
    """Reset the fuse, and let everything through until an instant."""
    workspace.put(connection, BLOWN, "")
    workspace.put(connection, RELEASED, until)
