"""Finds users and groups by the beginnings of their words: in the table of words, and in columns with an index."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.resources import OF_TYPE
from storage.sql.fragments import Sql

# How many matches are counted exactly, and how many rows of each typed word are counted to find the rarest.
MOST_COUNTED, MOST_COMPARED = 1000, 5000
LAST_CHARACTER = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Source:
    """A place of words: `look_up` leads from a range of an index to rows of `r`, `test` tells it of one row of `r`."""

    look_up: str
    test: str


def _column(type_name: str, name: str) -> Source:
    begins = f"r.{name} >= ? AND r.{name} < ?"
    return Source(f"resources r WHERE {OF_TYPE[type_name]} AND {begins}", f"({begins})")


def _table(name: str, key: str, begins: str) -> Source:
    look_up = f"{name} s CROSS JOIN resources r ON r.seq = s.{key} WHERE {begins}"
    return Source(look_up, f"EXISTS (SELECT 1 FROM {name} s WHERE s.{key} = r.seq AND {begins})")


def _words(type_name: str) -> Source:
    return _table("words", "id", f"s.type = '{type_name}' AND s.word >= ? AND s.word < ?")


SOURCES = {
    "User": (
        *(_column("User", name) for name in ("userName", "displayName", "externalId")),
        _table("emails", "resource", "s.value >= ? AND s.value < ?"),
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


def find(connection: sqlite3.Connection, type_name: str, words: Sequence[str]) -> list[int] | None:
    """Return the resources of which each of some words begins a word; None if there are more than MOST_COUNTED.

    The rarest of the words is looked up, and the others only for the resources that have it.
    """
    if len(words) > 1:
        words = sorted(words, key=lambda word: _rows(connection, type_name, word))
    found, others = set[int](), matches(type_name, words[1:])
    for source in SOURCES[type_name]:
        sql = f"SELECT DISTINCT r.seq FROM {source.look_up} AND ({others.text}) LIMIT {MOST_COUNTED + 1}"
        found.update(seq for (seq,) in connection.execute(sql, (*_range(words[0]), *others.parameters)))
        if len(found) > MOST_COUNTED:
            return None
    return sorted(found)


def _rows(connection: sqlite3.Connection, type_name: str, word: str) -> int:
    """Return how many rows of all sources begin with a word, MOST_COMPARED of each at most."""
    sources = SOURCES[type_name]
    counts = [f"(SELECT count(*) FROM (SELECT 1 FROM {each.look_up} LIMIT {MOST_COMPARED}))" for each in sources]
    row = connection.execute(f"SELECT {', '.join(counts)}", _range(word) * len(sources)).fetchone()
    return sum(row)


def _range(word: str) -> tuple[str, str]:
    return word, word + LAST_CHARACTER
