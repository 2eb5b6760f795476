"""The quirk report: per key, which tolerances its requests needed and which attributes Perch ignored."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from schemas.text import fold
from storage.sql.fragments import where
from storage.sql.tables import columns

NAMES_PER_KEY = 500


@dataclass(frozen=True, slots=True)
class Quirk:
    """A habit of a client; `kind` is `tolerance` (name of schemas.tolerances) or `ignored` (name of an attribute)."""

    key: str
    kind: str
    name: str
    count: int
    example: str
    first: str
    last: str


def add(connection: sqlite3.Connection, seen: Iterable[Quirk]) -> None:
    """Add new sightings to the counts, with the newest example; clients choose the names, so a key has a limit."""
    for quirk in seen:
        connection.execute(
            f"INSERT INTO quirks ({columns(Quirk)}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
            "WHERE (SELECT count(*) FROM quirks WHERE key = ?1) < ?8 "
            "OR EXISTS (SELECT 1 FROM quirks WHERE key = ?1 AND kind = ?2 AND name = ?3) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count, example = excluded.example, "
            "last = max(last, excluded.last)",
            (*astuple(quirk), NAMES_PER_KEY),
        )


def report(connection: sqlite3.Connection, key: str | None = None) -> list[Quirk]:
    """Return the habits of one key or of all, tolerances before ignored attributes, the most frequent first."""
    chosen = where(("key = ?", key))
    sql = f"SELECT {columns(Quirk)} FROM quirks WHERE {chosen.text} ORDER BY key, kind DESC, count DESC, name"
    return [Quirk(*row) for row in connection.execute(sql, chosen.parameters)]


def forget(connection: sqlite3.Connection, words: Iterable[str]) -> None:
    """Remove every example that has one of the words, plain or as JSON writes it."""
    for word in words:
        for text in (word, json.dumps(word)[1:-1]):
            connection.execute("UPDATE quirks SET example = '' WHERE instr(fold(example), ?)", (fold(text),))
