"""Planned faults: which requests fail on purpose, how, and how often."""

from dataclasses import dataclass
from sqlite3 import Connection

from schemas.datetimes import now
from schemas.errors import NotFound
from storage.sql.tables import fetch_all, table


@dataclass(slots=True)
class Fault:
    """A fault: the requests that it hits (`*` for any) and what happens then; `delay` and `retryAfter` in seconds."""

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

    def __post_init__(self) -> None:
        self.drop = bool(self.drop)

    @property
    def left(self) -> int | None:
        """How many more requests it will hit; None for all."""
        return None if self.times is None else max(self.times - self.used, 0)


def insert(
    connection: Connection,
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
    values = {"method": method, "path": path, "key": key, "status": status, "retryAfter": retry_after, "delay": delay,
              "drop": int(drop), "times": times, "created": now()}  # fmt: skip
    identifier = table(connection, "faults").insert(values).last_pk
    (found,) = fetch_all(connection, Fault, "FROM faults WHERE id = ?", identifier)
    return found


def list_all(connection: Connection) -> list[Fault]:
    """Return all faults, used-up ones too, the oldest first."""
    return fetch_all(connection, Fault, "FROM faults ORDER BY id")


def candidates(connection: Connection, method: str, key: str | None) -> list[Fault]:
    """Return the faults, not used up, for a method and a key, the oldest first; the caller compares the path."""
    chosen = "method IN ('*', ?) AND (key IS NULL OR key = ?) AND (times IS NULL OR used < times)"
    return fetch_all(connection, Fault, f"FROM faults WHERE {chosen} ORDER BY id", method, key)


def use(connection: Connection, identifier: int) -> bool:
    """Count one use of a fault inside a write; False when another request took the last one."""
    used = connection.execute(
        "UPDATE faults SET used = used + 1 WHERE id = ? AND (times IS NULL OR used < times) RETURNING id", (identifier,)
    )
    return used.fetchone() is not None


def clear(connection: Connection, identifier: int | None = None) -> int:
    """Delete one fault or all; return how many.

    :raises NotFound: when there is no fault with that id.
    """
    if identifier is None:
        return connection.execute("DELETE FROM faults").rowcount
    count = connection.execute("DELETE FROM faults WHERE id = ?", (identifier,)).rowcount
    if not count:
        raise NotFound(f"There is no fault {identifier}; flask faults list shows them.")
    return count
