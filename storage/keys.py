"""Access keys: kept as a SHA-256 digest of their secret, never the secret itself."""

import sqlite3
from datetime import timedelta
from typing import Any, NamedTuple

from schemas.errors import NotFound
from storage.instants import now

COLUMNS = "id, name, digest, idp, access, rolesAs, strict, created, expires, revoked, lastUsed"


class Key(NamedTuple):
    """An access key; instants are stored text, None when they never come."""

    id: str
    name: str
    digest: bytes
    idp: str
    access: str
    rolesAs: str
    strict: int
    created: str
    expires: str | None
    revoked: str | None
    lastUsed: str | None

    @property
    def live(self) -> bool:
        """Whether the key opens anything now: neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or self.expires > now())


def expiry(days: float | None) -> str | None:
    """Return the instant some days from now as stored text; None for never."""
    return None if days is None else now(timedelta(days=days))


def insert(connection: sqlite3.Connection, key: Key) -> Key:
    """Add a key."""
    values = tuple(getattr(key, name.strip()) for name in COLUMNS.split(","))
    connection.execute(f"INSERT INTO keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    return key


def get(connection: sqlite3.Connection, identifier: str) -> Key:
    """Return a key by its id, revoked and expired ones too.

    :raises NotFound: when there is none.
    """
    row = connection.execute(f"SELECT {COLUMNS} FROM keys WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        raise NotFound(f"There is no access key with the id '{identifier[:40]}'.")
    return Key(*row)


def every(connection: sqlite3.Connection) -> list[Key]:
    """Return all keys, the oldest first."""
    return [Key(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM keys ORDER BY created, id")]


def labels(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what to call each key where people read, by the actor that the journal has for it."""
    return {f"key:{key.id}": f"key {key.name} ({key.id})" for key in every(connection)}


def change(connection: sqlite3.Connection, identifier: str, **values: Any) -> Key:
    """Set columns of a key: name, expires, rolesAs, strict, revoked or lastUsed."""
    get(connection, identifier)
    for column in sorted(values.keys() & {"name", "expires", "rolesAs", "strict", "revoked", "lastUsed"}):
        connection.execute(f"UPDATE keys SET {column} = ? WHERE id = ?", (values[column], identifier))
    return get(connection, identifier)
