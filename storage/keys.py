"""Access keys: kept as a SHA-256 digest of their secret, never the secret itself."""

import sqlite3
from datetime import timedelta
from typing import Any, NamedTuple

from schemas.datetimes import now
from schemas.errors import NotFound
from storage.database import Database

COLUMNS = "id, name, digest, idp, access, rolesAs, strict, created, expires, revoked, lastUsed"
CHANGEABLE = frozenset(("name", "expires", "rolesAs", "strict", "revoked", "lastUsed"))


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
        raise NotFound(f"There is no access key with the id '{identifier[:40]}'; `flask keys list` shows them.")
    return Key(*row)


def look_up(database: Database, identifier: str) -> Key | None:
    """Return a key by its id as every request needs it, None when there is none; one statement needs no transaction."""
    with database.read(once=True) as connection:
        row = connection.execute(f"SELECT {COLUMNS} FROM keys WHERE id = ?", (identifier,)).fetchone()
    return Key(*row) if row else None


def note_use(database: Database, identifier: str) -> None:
    """Write that a key was used now, which a power cut may lose.

    :raises Unavailable: at once, when others write.
    """
    with database.write(wait=0, durable=False) as connection:
        change(connection, identifier, lastUsed=now())


def every(connection: sqlite3.Connection) -> list[Key]:
    """Return all keys, the oldest first."""
    return [Key(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM keys ORDER BY created, id")]


def labels(connection: sqlite3.Connection) -> dict[str, str]:
    """Return what to call each key where people read, by the actor that the journal has for it."""
    return {f"key:{key.id}": f"key {key.name} ({key.id})" for key in every(connection)}


def change(connection: sqlite3.Connection, identifier: str, **values: Any) -> Key:
    """Set CHANGEABLE columns of a key.

    :raises NotFound: when there is none.
    """
    unknown = values.keys() - CHANGEABLE
    if unknown:
        raise ValueError(f"no columns: {unknown}")
    columns = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE keys SET {columns} WHERE id = ?", [*values.values(), identifier])
    return get(connection, identifier)


def revoke(connection: sqlite3.Connection, identifier: str) -> Key:
    """Revoke a key, which stops at once; one that was revoked before keeps the instant.

    :raises NotFound: when there is none.
    """
    key = get(connection, identifier)
    return key if key.revoked else change(connection, identifier, revoked=now())


def discard(connection: sqlite3.Connection, identifier: str) -> None:
    """Delete a key; only for one that no client ever held, since the journal names keys by id."""
    connection.execute("DELETE FROM keys WHERE id = ?", (identifier,))
