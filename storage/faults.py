"""Faults on demand: which requests fail on purpose, how, and how often still."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from schemas.datetimes import now
from schemas.errors import NotFound

COLUMNS = 'id, method, path, key, status, retryAfter, delay, "drop", times, used, created'


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: what it hits (`*` for any) and what it does; `delay` and `retryAfter` are in seconds."""

    id: int
    method: str
    path: str
    key: str | None
    status: int | None
    retryAfter: int | None
    delay: float
    drop: bool
    times: int | None
    used: int
    created: str

    @property
    def left(self) -> int | None:
        """How many requests it will still hit; None for all."""
        return None if self.times is None else max(self.times - self.used, 0)


def insert(
    connection: sqlite3.Connection,
    method: str,
    path: str,
    *,
    key: str | None = None,
    status: int | None = None,
    retry_after: int | None = None,
    delay: float = 0.0,
    drop: bool = False,
    times: int | None = None,
) -> Fault:
    """Add a fault."""
    values = (method, path, key, status, retry_after, delay, int(drop), times, now())
    found = connection.execute(
        'INSERT INTO faults (method, path, key, status, retryAfter, delay, "drop", times, created) '
        f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING {COLUMNS}",
        values,
    ).fetchone()
    return _fault(found)


def every(connection: sqlite3.Connection) -> list[Fault]:
    """Return all faults, used-up ones too, the oldest first."""
    return [_fault(row) for row in connection.execute(f"SELECT {COLUMNS} FROM faults ORDER BY id")]


def candidates(connection: sqlite3.Connection, method: str, key: str | None) -> list[Fault]:
    """Return the faults, not used up, that a method and a key may meet, the oldest first; the path is yet to check."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM faults WHERE method IN ('*', ?) AND (key IS NULL OR key = ?) "
        "AND (times IS NULL OR used < times) ORDER BY id",
        (method, key),
    )
    return [_fault(row) for row in rows]


def use(connection: sqlite3.Connection, identifier: int) -> bool:
    """Count one use of a fault inside a write transaction; False when another request took the last one."""
    used = connection.execute(
        "UPDATE faults SET used = used + 1 WHERE id = ? AND (times IS NULL OR used < times) RETURNING id", (identifier,)
    )
    return used.fetchone() is not None


def clear(connection: sqlite3.Connection, identifier: int | None = None) -> int:
    """Delete one fault or all; return how many.

    :raises NotFound: when there is none of that id.
    """
    if identifier is None:
        return connection.execute("DELETE FROM faults").rowcount
    count = connection.execute("DELETE FROM faults WHERE id = ?", (identifier,)).rowcount
    if not count:
        raise NotFound(f"There is no fault {identifier}; flask faults list shows them.")
    return count


def _fault(row: Any) -> Fault:
    values = list(row)
    values[7] = bool(values[7])
    return Fault(*values)
