"""The deployment's keys that sign security event tokens; the newest signs, all are published."""

import json
import sqlite3
from typing import Any

from schemas.datetimes import now


def list_all(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return all keys as private JWKs (RFC 7517), the newest first."""
    rows = connection.execute("SELECT private FROM signing_keys ORDER BY created DESC, kid")
    return [json.loads(text) for (text,) in rows]


def exist(connection: sqlite3.Connection) -> bool:
    """Tell whether there is a key; the first is made when tokens come into use."""
    return connection.execute("SELECT 1 FROM signing_keys LIMIT 1").fetchone() is not None


def insert(connection: sqlite3.Connection, jwk: dict[str, Any]) -> None:
    """Add a key, which signs from now on."""
    connection.execute("INSERT INTO signing_keys VALUES (?, ?, ?)", (jwk["kid"], now(), json.dumps(jwk)))
