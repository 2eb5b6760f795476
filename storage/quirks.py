"""The quirk report: per key, which tolerances its requests needed and which attributes Perch ignored."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from sqlite3 import Connection

from storage.mentions import Mentions
from storage.sql.fragments import where
from storage.sql.tables import columns, fetch_all

# Clients choose the names, so each kind has a limit per key.
NAMES_PER_KEY = 500
DROPPED_PER_KEY = 200
DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Quirk:
    """A habit of a client.

    `kind` is `tolerance` (name of schemas.tolerances), `ignored` (name of an attribute), or `dropped` (full name of an
    attribute that could be declared, with the JSON text of its shape as the example).
    """

    key: str
    kind: str
    name: str
    count: int
    example: str
    first: str
    last: str


def add(connection: Connection, seen: Iterable[Quirk]) -> None:
    """Add new sightings to the counts, with the newest example, up to the limit of a key."""
    for quirk in seen:
        connection.execute(
            f"INSERT INTO quirks ({columns(Quirk)}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
            "WHERE (SELECT count(*) FROM quirks WHERE key = ?1 AND kind = ?2) < ?8 "
            "OR EXISTS (SELECT 1 FROM quirks WHERE key = ?1 AND kind = ?2 AND name = ?3) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count, example = excluded.example, "
            "last = max(last, excluded.last)",
            (*astuple(quirk), DROPPED_PER_KEY if quirk.kind == DROPPED else NAMES_PER_KEY),
        )


def report(connection: Connection, key: str | None = None) -> list[Quirk]:
    """Return the habits of one key or of all, tolerances before ignored attributes, the most frequent first."""
    chosen = where(("key = ?", key))
    rest = f"FROM quirks WHERE {chosen.text} ORDER BY key, kind DESC, count DESC, name"
    return fetch_all(connection, Quirk, rest, *chosen.parameters)


def dropped(connection: Connection) -> list[Quirk]:
    """Return the attributes that Perch dropped and that could be declared, the most frequent first."""
    return fetch_all(connection, Quirk, "FROM quirks WHERE kind = ? ORDER BY count DESC, name, key", DROPPED)


def forget(connection: Connection, names: Iterable[str]) -> None:
    """Remove every example that mentions one of the names as a whole value."""
    mentions = Mentions(names)
    rows = connection.execute("SELECT key, kind, name, example FROM quirks WHERE kind != ?", (DROPPED,))
    found = [place for *place, example in rows if mentions.in_text(example)]
    connection.executemany("UPDATE quirks SET example = '' WHERE key = ? AND kind = ? AND name = ?", found)
