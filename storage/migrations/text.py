"""Stored text in the forms of schemas/text.py: folded before without regard to composed and decomposed characters."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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


class Stored(NamedTuple):
    """A column of compared text, the key of its table, and a condition on the rows."""

    table: str
    column: str
    key: Sequence[str] = ("seq",)
    condition: str = "1"


def normalised(db: SqliteUtils) -> None:
    """Store compared text in its new form.

    When several resources now have one name, the oldest gets it; the others wait in `namesakes`.
    """
    NAMESAKES(db)
    connection: sqlite3.Connection = db.conn
    for type_name, name in (("User", "userName"), ("Group", "displayName")):
        _names(connection, type_name, name)
        _renew(connection, Stored("resources", "externalId", condition=f"type = '{type_name}'"), compose)
    _renew(connection, Stored("resources", "displayName", condition="type = 'User'"), fold)
    for part in ("value", "type"):
        _renew(connection, Stored("emails", part, ("resource", "position")), fold)
    _renew(connection, Stored("journal", "folded"), fold)
    _slugs(connection)


def _renew(connection: sqlite3.Connection, stored: Stored, form: Callable[[str], str]) -> None:
    rows = " AND ".join(f"{key} = ?" for key in stored.key)
    connection.executemany(
        f"UPDATE {stored.table} SET {stored.column} = ? WHERE {rows}",
        [(new, *key) for new, _, *key in _changed(connection, stored, form)],
    )


def _changed(connection: sqlite3.Connection, stored: Stored, form: Callable[[str], str]) -> list[tuple[Any, ...]]:
    """Return the new and the old text of each row that changes, with its key."""
    sql = (
        f"SELECT {stored.column}, {', '.join(stored.key)} FROM {stored.table} "
        f"WHERE {stored.condition} AND {NOT_ASCII.format(stored.column)}"
    )
    return [(form(old), old, *key) for old, *key in connection.execute(sql) if form(old) != old]


def _names(connection: sqlite3.Connection, type_name: str, column: str) -> None:
    changed = _changed(connection, Stored("resources", column, condition=f"type = '{type_name}'"), fold)
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
    for slug, former, seq in _changed(connection, Stored("roles", "slug"), compose):
        done = connection.execute("UPDATE OR IGNORE roles SET slug = ? WHERE seq = ?", (slug, seq))
        if done.rowcount:
            connection.execute("UPDATE assignments SET role = ? WHERE role = ?", (slug, former))
            connection.execute(
                'UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary")) '
                "FROM assignments WHERE resource = seq) WHERE seq IN (SELECT resource FROM assignments WHERE role = ?)",
                (slug,),
            )


STEPS = {"m015_normalised": normalised}
