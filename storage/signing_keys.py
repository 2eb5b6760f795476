"""The deployment's keys that sign security event tokens; all are published until they are retired."""

import json
from datetime import timedelta
from sqlite3 import Connection
from typing import Any

from schemas.datetimes import now

# A new key is published for this long before it signs: receivers may have cached the key set.
PUBLISHED_FIRST = timedelta(minutes=10)
LIVE = "(retired IS NULL OR retired > ?)"


def list_all(connection: Connection) -> list[dict[str, Any]]:
    """Return the keys that are not retired as private JWKs (RFC 7517), the newest first."""
    rows = connection.execute(f"SELECT private FROM signing_keys WHERE {LIVE} ORDER BY created DESC, kid", (now(),))
    return [json.loads(text) for (text,) in rows]


def exist(connection: Connection) -> bool:
    """Tell whether there is a key; the first is made when tokens come into use."""
    return connection.execute("SELECT 1 FROM signing_keys LIMIT 1").fetchone() is not None


def signing(connection: Connection) -> dict[str, Any] | None:
    """Return the key that signs now: the newest that was published for long enough, else the oldest, else None."""
    row = connection.execute(
        f"SELECT private FROM signing_keys WHERE {LIVE} "
        "ORDER BY created <= ? DESC, CASE WHEN created <= ? THEN created END DESC, created, kid LIMIT 1",
        (now(), now(-PUBLISHED_FIRST), now(-PUBLISHED_FIRST)),
    ).fetchone()
    return json.loads(row[0]) if row else None


def insert(connection: Connection, jwk: dict[str, Any]) -> None:
    """Add a key."""
    connection.execute(
        "INSERT INTO signing_keys (kid, created, private) VALUES (?, ?, ?)", (jwk["kid"], now(), json.dumps(jwk))
    )


def retire(connection: Connection, instant: str) -> list[str]:
    """Retire all keys at an instant, or earlier where that was set before; return the ids of those that are live."""
    kids = [key["kid"] for key in list_all(connection)]
    connection.execute("UPDATE signing_keys SET retired = min(coalesce(retired, ?1), ?1)", (instant,))
    return kids


def prune(connection: Connection) -> None:
    """Delete retired keys."""
    connection.execute("DELETE FROM signing_keys WHERE retired <= ?", (now(),))
