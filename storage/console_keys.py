"""Keys that the console lends itself for the length of a test."""

import sqlite3


def discard(connection: sqlite3.Connection, identifier: str) -> None:
    """Delete a key; only for one that no client ever held, since the journal names keys by id."""
    connection.execute("DELETE FROM keys WHERE id = ?", (identifier,))
