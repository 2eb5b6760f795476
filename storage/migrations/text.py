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
# ASCII text has its form already. No document is read: to fold a text that casefold gave is to fold the text itself,
# save for the Greek iota subscript before another accent, an order in which nobody writes them.
NOT_ASCII = "{0} IS NOT NULL AND length(CAST({0} AS BLOB)) <> length({0})"


def normalised(db: SqliteUtils) -> None:
    """Fold the columns that are compared anew.

    Of resources whose names are now the same the oldest gets the folded name; the others wait in `namesakes`.
    """
    NAMESAKES(db)
    connection: sqlite3.Connection = db.conn
    for type_name, name in (("User", "userName"), ("Group", "displayName")):
        _names(connection, type_name, name)
        _renew(connection, "resources", "externalId", ("seq",), compose, f"type = '{type_name}'")
    _renew(connection, "resources", "displayName", ("seq",), fold, "type = 'User'")
    for part in ("value", "type"):
        _renew(connection, "emails", part, ("resource", "position"), fold)
    _renew(connection, "journal", "folded", ("seq",), fold)
    _slugs(connection)


def _renew(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    keys: Sequence[str],
    form: Callable[[str], str],
    condition: str = "1",
) -> None:
    changed = _changed(connection, table, column, keys, form, condition)
    rows = " AND ".join(f"{key} = ?" for key in keys)
    connection.executemany(f"UPDATE {table} SET {column} = ? WHERE {rows}", [(new, *key) for new, _, *key in changed])


def _changed(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    keys: Sequence[str],
    form: Callable[[str], str],
    condition: str = "1",
) -> list[tuple[Any, ...]]:
    """Return the new and the old text of each row that changes, with its key."""
    sql = f"SELECT {column}, {', '.join(keys)} FROM {table} WHERE {condition} AND {NOT_ASCII.format(column)}"
    return [(form(old), old, *key) for old, *key in connection.execute(sql) if form(old) != old]


def _names(connection: sqlite3.Connection, type_name: str, column: str) -> None:
    changed = _changed(connection, "resources", column, ("seq",), fold, f"type = '{type_name}'")
    for name, former, seq in sorted(changed, key=lambda row: row[-1]):
        sql = f"SELECT seq FROM resources WHERE type = ? AND {column} = ?"
        holder = connection.execute(sql, (type_name, name)).fetchone()
        if holder is None:
            _assign(connection, column, (name, seq))
            continue
        newer = max(seq, *holder)
        if newer != seq:
            # The older one gets the folded name, and the newer one a form that no look-up asks for: that of the older.
            _assign(connection, column, (None, newer), (name, seq), (former, newer))
        connection.execute("INSERT OR REPLACE INTO namesakes VALUES (?, ?, ?)", (newer, type_name, name))


def _assign(connection: sqlite3.Connection, column: str, *values: Sequence[Any]) -> None:
    connection.executemany(f"UPDATE resources SET {column} = ? WHERE seq = ?", values)


def _slugs(connection: sqlite3.Connection) -> None:
    """Compose the slugs of the catalogue; if one is taken, both stay, since applications know roles by their slugs."""
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for slug, former, seq in _changed(connection, "roles", "slug", ("seq",), compose):
        done = connection.execute("UPDATE OR IGNORE roles SET slug = ? WHERE seq = ?", (slug, seq))
        if done.rowcount:
            connection.execute("UPDATE assignments SET role = ? WHERE role = ?", (slug, former))
            connection.execute(
                'UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary")) '
                "FROM assignments WHERE resource = seq) WHERE seq IN (SELECT resource FROM assignments WHERE role = ?)",
                (slug,),
            )


STEPS = {"m015_normalised": normalised}
