"""Values of the whole deployment: its id, its epoch, its secret, the hash of the console password."""

import time
from sqlite3 import Connection


def get(connection: Connection, name: str) -> str | int | None:
    """Return a workspace value by name, or None when it was never set."""
    row = connection.execute("SELECT value FROM workspace WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def put(connection: Connection, name: str, value: str | int) -> None:
    """Set a workspace value."""
    connection.execute("INSERT OR REPLACE INTO workspace VALUES (?, ?)", (name, value))


def epoch(connection: Connection) -> int:
    """Return the epoch, the second part of entity tags."""
    found: int = connection.execute("SELECT value FROM workspace WHERE name = 'epoch'").fetchone()[0]
    return found


def move_epoch(connection: Connection) -> None:
    """Move the epoch on, which makes derived attributes of other resources out of date."""
    connection.execute("UPDATE workspace SET value = value + 1 WHERE name = 'epoch'")


def era(connection: Connection) -> int:
    """Return the era of the file, which each restore moves on; 0 before the first."""
    return int(get(connection, "era") or 0)


def begin_era(connection: Connection) -> None:
    """Begin an era: epochs, and versions of resources that change, are larger than any that were given before.

    Changes that a restore lost gave some, too, and how many is unknown; so the era is the time, in microseconds.
    """
    begun = max(time.time_ns() // 1000, era(connection) + 1, epoch(connection) + 1)
    put(connection, "era", begun)
    put(connection, "epoch", begun)
