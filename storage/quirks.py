"""The quirk report: per key, which tolerances its requests needed and which attributes Perch ignored."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

NAMES_PER_KEY = 500
COLUMNS = "key, kind, name, count, example, first, last"


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
    """Count habits seen since; the last example wins. A key's list is bounded, since clients choose the names."""
    for quirk in seen:
        connection.execute(
            f"INSERT INTO quirks ({COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
            "WHERE (SELECT count(*) FROM quirks WHERE key = ?1) < ?8 "
            "OR EXISTS (SELECT 1 FROM quirks WHERE key = ?1 AND kind = ?2 AND name = ?3) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count, example = excluded.example, "
            "last = max(last, excluded.last)",
            (*_values(quirk), NAMES_PER_KEY),
        )


def _values(quirk: Quirk) -> tuple[str | int, ...]:
    return (quirk.key, quirk.kind, quirk.name, quirk.count, quirk.example, quirk.first, quirk.last)


def report(connection: sqlite3.Connection, key: str | None = None) -> list[Quirk]:
    """Return the habits of one key or of all, tolerances before ignored attributes, the most frequent first."""
    condition, values = ("key = ?", [key]) if key is not None else ("1", [])
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM quirks WHERE {condition} ORDER BY key, kind DESC, count DESC, name", values
    )
    return [Quirk(*row) for row in rows]


def clear(connection: sqlite3.Connection, key: str | None = None) -> int:
    """Forget the habits of one key or of all; return how many there were."""
    condition, values = ("key = ?", [key]) if key is not None else ("1", [])
    return connection.execute(f"DELETE FROM quirks WHERE {condition}", values).rowcount


def forget(connection: sqlite3.Connection, words: Iterable[str]) -> None:
    """Take out every example that mentions one of the words, as it is or as JSON writes it."""
    for word in words:
        for text in (word, json.dumps(word)[1:-1]):
            connection.execute("UPDATE quirks SET example = '' WHERE instr(lower(example), lower(?))", (text,))
