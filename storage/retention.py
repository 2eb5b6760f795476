"""How long personal data is kept: old journal entries are pruned, and a deleted person can be forgotten at once."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from sqlite3 import Connection
from typing import Any

from schemas.datetimes import now
from schemas.errors import Conflict
from schemas.text import fold, spellings
from storage import events, history, quirks, receipts, sessions, traffic
from storage.sql.tables import first_value

PRUNED_AT_ONCE = 500
FORGOTTEN = "forgotten"
LISTED = "(SELECT value FROM json_each(?))"
FORGET_ADDRESS = (
    "UPDATE journal SET actor = replace(actor, 'address:' || :address, 'address:' || :instead), "
    "resource = replace(resource, :address, :instead), name = replace(name, :address, :instead), "
    "folded = replace(folded, lower(:address), :instead), changes = replace(changes, :value, :mark) "
    "WHERE type = 'Console' AND (actor = 'address:' || :address OR resource = :address OR instr(changes, :value))"
)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many entries of journal and traffic were erased, and from how many other journal entries a name was."""

    journal: int
    mentions: int
    traffic: int

    def __bool__(self) -> bool:
        return bool(self.journal or self.mentions or self.traffic)


def prune(connection: Connection, days: int) -> bool:
    """Delete journal entries older than some days, a bounded number; tell whether there may be more."""
    done = connection.execute(
        "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE at < ? ORDER BY at LIMIT ?)",
        (now(-timedelta(days=days)), PRUNED_AT_ONCE),
    )
    return done.rowcount == PRUNED_AT_ONCE


def forget(connection: Connection, name: str) -> Erased:
    """Erase a deleted person, by any userName that they had, in any case, from journal, traffic and quirks.

    An address from which people signed in to the console, or tried to, is erased likewise.

    :raises Conflict: while the person exists, under this or another name.
    """
    ids = _deleted_ids(connection, name)
    words = {form for word in (name, *ids, *_words(connection, ids)) for form in spellings(word)}
    authors = _authors(connection, {fold(word) for word in words})
    found = sorted(words.union(authors))
    for module in (events, receipts, history):
        module.forget(connection, ids)
    sql = f"DELETE FROM journal WHERE type = 'User' AND resource IN {LISTED}"
    entries = connection.execute(sql, (json.dumps(ids),)).rowcount
    sessions.forget_address(connection, name, FORGOTTEN)
    mentions = connection.execute(FORGET_ADDRESS, {"address": name, **_replaced(name)}).rowcount
    # Elsewhere, such as in entries of groups, a word is replaced where it is a whole value.
    sql = "UPDATE journal SET changes = replace(changes, :value, :mark) WHERE instr(changes, :value)"
    mentions += sum(connection.execute(sql, _replaced(word)).rowcount for word in found)
    mentions += _forget_author(connection, authors)
    seen = traffic.forget(connection, found)
    quirks.forget(connection, found)
    return Erased(entries, mentions, seen)


def _deleted_ids(connection: Connection, name: str) -> list[str]:
    """Return the ids of the users that had a userName; refuse one of a user who exists."""
    if first_value(connection, "SELECT 1 FROM resources WHERE userName = ?", fold(name)):
        raise Conflict(f"'{name}' exists; delete the user first, then forget them.")
    sql = "SELECT DISTINCT resource FROM journal WHERE type = 'User' AND folded = ?"
    ids = [identifier for (identifier,) in connection.execute(sql, (fold(name),))]
    sql = f"SELECT document ->> '$.userName' FROM resources WHERE id IN {LISTED} ORDER BY seq"
    if now_called := first_value(connection, sql, json.dumps(ids)):
        raise Conflict(f"'{name}' is now called '{now_called}' and exists; delete that user first.")
    return ids


def _words(connection: Connection, ids: Iterable[str]) -> Iterator[str]:
    """Yield the other names of a person: every userName, externalId and email address in the journal."""
    for identifier in ids:
        for name, changes in connection.execute("SELECT name, changes FROM journal WHERE resource = ?", (identifier,)):
            yield name
            for attribute, change in json.loads(changes).items():
                if attribute in ("userName", "externalId", "emails"):
                    yield from _texts([change.get("before"), change.get("after")])


def _replaced(word: str) -> dict[str, str]:
    """Return the values of a statement that replaces a word, and a JSON string of that word alone."""
    return {"value": json.dumps(word, ensure_ascii=False), "mark": json.dumps(FORGOTTEN), "instead": FORGOTTEN}


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in the value of an attribute; of an object its `value`."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        yield from _texts(value.get("value"))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _authors(connection: Connection, folded: set[str]) -> list[str]:
    """Return the persons of the console's acts and sessions whose name, in any case, is one of some names.

    A provider may write a name in another case than the one that it pushed.
    """
    sql = "SELECT substr(actor, 8) FROM {} WHERE actor GLOB 'person:*' UNION "
    rows = connection.execute(f"{sql.format('journal')}{sql.format('assignments')}SELECT person FROM console_sessions")
    return [person for (person,) in rows if fold(person) in folded]


def _forget_author(connection: Connection, names: Iterable[str]) -> int:
    """Erase a person from the acts in the console of which they are the author, and end their sessions."""
    listed = (json.dumps([f"person:{name}" for name in names]),)
    sql = f"UPDATE {{}} SET actor = 'person:{FORGOTTEN}' WHERE actor IN {LISTED}"
    connection.execute(sql.format("assignments"), listed)
    for name in names:
        sessions.close_person(connection, name)
    return connection.execute(sql.format("journal"), listed).rowcount


def overwrite(connection: Connection) -> bool:
    """Empty the write-ahead log, which still has the erased pages; return False when a reader prevented it."""
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
