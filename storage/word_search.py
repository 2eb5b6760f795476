"""Finds users and groups by the beginnings of their words: in the table of words, and in columns with an index."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection

from storage.resources import OF_TYPE
from storage.sql.fragments import Sql

# How many matches are counted exactly, and how many are found at most; a word with more rows in an index is common.
MOST_COUNTED, MOST_FOUND, MOST_ROWS = 1000, 2000, 15_000
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Source:
    """A place of words: the rows of an index that begin with one, their key of the resource, a test of a row `r`."""

    rows: str
    key: str
    test: str

    @property
    def keys(self) -> str:
        """A SELECT of the resources."""
        return f"SELECT DISTINCT {self.key} AS seq FROM {self.rows}"


def _column(type_name: str, name: str) -> Source:
    begins = f"r.{name} >= ? AND r.{name} < ?"
    return Source(f"resources r WHERE {OF_TYPE[type_name]} AND {begins}", "r.seq", f"({begins})")


def _table(table: str, key: str, column: str, of_type: str = "") -> Source:
    rows = f"{table} s WHERE {of_type}s.{column} >= ? AND s.{column} < ?"
    # With the plus signs SQLite takes the few rows of the resource, not the index of the column.
    test = f"EXISTS (SELECT 1 FROM {table} s WHERE s.{key} = r.seq AND +s.{column} >= ? AND +s.{column} < ?)"
    return Source(rows, f"s.{key}", test)


def _words(type_name: str) -> Source:
    return _table("words", "id", "word", f"s.type = '{type_name}' AND ")


SOURCES = {
    "User": (
        *(_column("User", name) for name in ("userName", "displayName", "externalId")),
        _table("emails", "resource", "value"),
        _words("User"),
    ),
    "Group": (_column("Group", "displayName"), _column("Group", "externalId"), _words("Group")),
}


def matches(type_name: str, words: Iterable[str]) -> Sql:
    """Return the condition that each of some words begins a word of `r`."""
    tests, found = [source.test for source in SOURCES[type_name]], Sql("1")
    for word in words:
        found = found + Sql(f" AND ({' OR '.join(tests)})", _range(word) * len(tests))
    return found


def find(connection: Connection, type_name: str, words: Sequence[str]) -> list[int] | None:
    """Return the resources that have a word beginning with each of `words`; None for too many, or without words.

    Too many are more than MOST_FOUND. Rare words are looked up, common ones only for the resources that have the rare
    ones.
    """
    if not words:
        return None
    rows = {word: _rows(connection, type_name, word) for word in words} if len(words) > 1 else {}
    rare = [word for word in words if rows.get(word, MOST_ROWS) < MOST_ROWS]
    if rare:
        found = set.intersection(*(_look_up(connection, type_name, word) for word in rare))
        found = _tested(connection, type_name, found, [word for word in words if word not in rare])
    else:
        first, *others = sorted(words, key=lambda word: rows.get(word, 0))
        found = _look_up(connection, type_name, first, others, MOST_FOUND + 1)
    return sorted(found) if len(found) <= MOST_FOUND else None


def _rows(connection: Connection, type_name: str, word: str) -> int:
    """Return how many rows of all sources begin with a word, MOST_ROWS of each at most."""
    sources = SOURCES[type_name]
    counts = [f"(SELECT count(*) FROM (SELECT 1 FROM {source.rows} LIMIT {MOST_ROWS}))" for source in sources]
    return sum(connection.execute(f"SELECT {', '.join(counts)}", _range(word) * len(sources)).fetchone())


def _look_up(
    connection: Connection, type_name: str, word: str, others: Sequence[str] = (), limit: int = -1
) -> set[int]:
    """Return resources with a word that begins so, and with others; `limit` of each source at most."""
    found, condition = set[int](), matches(type_name, others)
    for source in SOURCES[type_name]:
        sql = source.keys
        if others:
            sql = f"SELECT r.seq FROM ({sql}) f CROSS JOIN resources r ON r.seq = f.seq WHERE {condition.text}"
        rows = connection.execute(f"{sql} LIMIT ?", (*_range(word), *condition.parameters, limit))
        found.update([seq for (seq,) in rows])
    return found


def _tested(connection: Connection, type_name: str, found: set[int], words: Sequence[str]) -> set[int]:
    """Return those resources that have other words, too."""
    if not words or not found:
        return found
    condition = matches(type_name, words)
    sql = f"SELECT r.seq FROM json_each(?) f CROSS JOIN resources r ON r.seq = f.value WHERE {condition.text} LIMIT ?"
    rows = connection.execute(sql, (json.dumps(sorted(found)), *condition.parameters, MOST_FOUND + 1))
    return {seq for (seq,) in rows}


def _range(word: str) -> tuple[str, str]:
    return word, word + LAST_CHARACTER
