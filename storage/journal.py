"""The journal: one append-only row per change, written in the transaction of the change."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from schemas.datetimes import now
from schemas.json import to_text
from schemas.text import fold
from storage.sql.fragments import Sql, where
from storage.sql.tables import columns

LISTED = "(SELECT value FROM json_each(?))"
OF_MEMBERS = f"seq IN (SELECT entry FROM journal_members WHERE member IN {LISTED})"


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A change: when, by whom, in which request; `changes` maps an attribute to its value before and after."""

    seq: int
    at: str
    actor: str
    request: str
    action: str
    type: str
    resource: str
    name: str
    changes: dict[str, Any]


# Not frozen: when a request's body is read, its author is known already.
@dataclass(slots=True)
class Author:
    """The author of a change: the actor, the id of the request, and the stored instant when it was read completely.

    Actors are `key:ID`, `person:NAME` (in the console), `console:SESSION`, `command:OSUSER`, `address:ADDRESS` (of an
    unknown caller), `delivery`.
    `received` is "" where there is no request, and for one that only reads.
    """

    actor: str
    request: str
    received: str = ""


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """Which entries: those of a resource, a request, a type, an action; before a sequence number.

    `name` is a part of a name in any case. `people` are ids, and select also the entries of groups that these people
    joined or left, `crowds` entries by number. An entry needs one of these three, if any is given.
    """

    resource: str = ""
    name: str = ""
    type: str = ""
    action: str = ""
    request: str = ""
    before: int = 0
    people: Sequence[str] | None = None
    crowds: Sequence[int] = ()

    @property
    def statement(self) -> Sql:
        """The SELECT of the entries, the newest first; a plus sign keeps SQLite from using that column's index."""
        chosen = where(
            ("resource = ?", self.resource),
            ("request = ?", self.request),
            ("+type = ?", self.type),
            ("+action = ?", self.action),
            ("seq < ?", self.before),
        )
        return Sql(f"SELECT {columns(JournalEntry)} FROM journal WHERE ") + chosen + self._about + " ORDER BY seq DESC"

    @property
    def _about(self) -> Sql:
        people = json.dumps(self.people or ())
        any_of = [("instr(folded, ?)", fold(self.name))] if self.name else []
        if self.people is not None:
            any_of += [(f"resource IN {LISTED}", people), (OF_MEMBERS, people)]
            any_of += [(f"seq IN {LISTED}", json.dumps(self.crowds))]
        condition = " OR ".join(text for text, _ in any_of)
        return Sql(f" AND ({condition})" if any_of else "", tuple(value for _, value in any_of))


def append(
    connection: Connection, at: str, author: Author, action: str, subject: tuple[str, str, str], changes: dict[str, Any]
) -> int:
    """Write an entry and return its number; `subject` is the type, id and name of the changed object."""
    done = connection.execute(
        "INSERT INTO journal (at, actor, request, action, type, resource, name, folded, changes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (at, author.actor, author.request, action, *subject, fold(subject[2]), to_text(changes)),
    )
    return done.lastrowid or 0


def count_again(connection: Connection, author: Author, action: str, subject: tuple[str, str, str]) -> bool:
    """Add 1 to the `times` of an object's newest entry if it has this author, action and minute; tell whether so."""
    done = connection.execute(
        "UPDATE journal SET changes = json_set(changes, '$.times.after', (changes ->> '$.times.after') + 1) "
        "WHERE seq = (SELECT max(seq) FROM journal WHERE resource = ?) AND type = ? AND actor = ? AND action = ? "
        "AND at >= ?",
        (subject[1], subject[0], author.actor, action, now()[: len("2026-11-24T09:32")]),
    )
    return bool(done.rowcount)


def entries(connection: Connection, query: JournalQuery, limit: int) -> list[JournalEntry]:
    """Return the newest entries that match, the newest first."""
    sql = query.statement + Sql(" LIMIT ?", (limit,))
    return [entry_of(row) for row in connection.execute(sql.text, sql.parameters)]


def entry_of(row: Sequence[Any]) -> JournalEntry:
    """Return the entry of a row, whose last column is JSON text."""
    return JournalEntry(*(*row[:-1], json.loads(row[-1])))


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return each top-level attribute that differs, with its value before and after."""
    names = [name for name in {**before, **after} if name != "schemas" and before.get(name) != after.get(name)]
    return {name: {"before": before.get(name), "after": after.get(name)} for name in names}
