"""Stored text in the forms of schemas/text.py: folded before without regard to composed and decomposed characters."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlite_utils import Database as SqliteUtils

from schemas.text import compose, fold
from storage.migrations.script import script

NAMESAKES = script("""
        CREATE TABLE namesakes (
            resource INTEGER PRIMARY KEY REFERENCES resources (seq) ON DELETE CASCADE,
            type TEXT NOT NULL,
            name TEXT NOT NULL
        );
        CREATE INDEX namesakes_name ON namesakes (type, name)""")

# An index of a column is read for these conditions, not the table; ASCII text is its own folded form already.
NOT_ASCII = "length(CAST({0} AS BLOB)) <> length({0})"
OF_RESOURCES = (
    "SELECT document ->> '$.{0}', {0}, seq FROM resources WHERE seq IN "
    f"(SELECT seq FROM resources WHERE type = '{{1}}' AND {NOT_ASCII}) ORDER BY seq"
)
OF_EMAILS = (
    "SELECT r.document ->> ('$.emails[' || e.position || '].{0}'), e.{0}, e.resource, e.position "
    f"FROM emails e JOIN resources r ON r.seq = e.resource WHERE {NOT_ASCII.format('e.{0}')}"
)

# A new value, and the key of its row.
Changed = list[tuple[Any, ...]]


def normalised(db: SqliteUtils) -> None:
    """Fold the columns that are compared anew from the values as they were sent.

    Of resources whose names are now the same the oldest gets the folded name; the others wait in `namesakes`.
    """
    NAMESAKES(db)
    connection: sqlite3.Connection = db.conn
    for type_name, name in (("User", "userName"), ("Group", "displayName")):
        _names(connection, type_name, name)
        found = _changed(connection, OF_RESOURCES.format("externalId", type_name), compose)
        connection.executemany("UPDATE resources SET externalId = ? WHERE seq = ?", found)
    found = _changed(connection, OF_RESOURCES.format("displayName", "User"), fold)
    connection.executemany("UPDATE resources SET displayName = ? WHERE seq = ?", found)
    for part in ("value", "type"):
        found = _changed(connection, OF_EMAILS.format(part), fold)
        connection.executemany(f"UPDATE emails SET {part} = ? WHERE resource = ? AND position = ?", found)
    found = _changed(connection, f"SELECT name, folded, seq FROM journal WHERE {NOT_ASCII.format('folded')}", fold)
    connection.executemany("UPDATE journal SET folded = ? WHERE seq = ?", found)
    _slugs(connection)


def _changed(connection: sqlite3.Connection, rows: str, form: Callable[[str], str]) -> Changed:
    """Return the new values of a column with the keys of their rows; `rows` selects value, stored form and key."""
    found: Changed = []
    for value, stored, *key in connection.execute(rows):
        compared = form(stored if value is None else value)
        if compared != stored:
            found.append((compared, *key))
    return found


def _names(connection: sqlite3.Connection, type_name: str, column: str) -> None:
    for name, seq in _changed(connection, OF_RESOURCES.format(column, type_name), fold):
        sql = f"SELECT seq FROM resources WHERE type = ? AND {column} = ?"
        holder = connection.execute(sql, (type_name, name)).fetchone()
        if holder is None:
            _assign(connection, column, (name, seq))
            continue
        newer = max(seq, *holder)
        if newer != seq:
            # The older one gets the folded name, and the newer one a form that no look-up asks for: that of the older.
            (former,) = connection.execute(f"SELECT {column} FROM resources WHERE seq = ?", (seq,)).fetchone()
            _assign(connection, column, (None, newer), (name, seq), (former, newer))
        connection.execute("INSERT OR REPLACE INTO namesakes VALUES (?, ?, ?)", (newer, type_name, name))


def _assign(connection: sqlite3.Connection, column: str, *values: Sequence[Any]) -> None:
    connection.executemany(f"UPDATE resources SET {column} = ? WHERE seq = ?", values)


def _slugs(connection: sqlite3.Connection) -> None:
    """Compose the slugs of the catalogue; if one is taken, both stay, since applications know roles by their slugs."""
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for slug, seq in _changed(connection, "SELECT slug, slug, seq FROM roles ORDER BY seq", compose):
        (former,) = connection.execute("SELECT slug FROM roles WHERE seq = ?", (seq,)).fetchone()
        done = connection.execute("UPDATE OR IGNORE roles SET slug = ? WHERE seq = ?", (slug, seq))
        if done.rowcount:
            connection.execute("UPDATE assignments SET role = ? WHERE role = ?", (slug, former))
            connection.execute(
                'UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary")) '
                "FROM assignments WHERE resource = seq) WHERE seq IN (SELECT resource FROM assignments WHERE role = ?)",
                (slug,),
            )


STEPS = {"m015_normalised": normalised}
