"""The journal: one append-only row per change, written in the transaction of the change."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.datetimes import now
from schemas.json import to_text
from schemas.text import fold
from storage.sql.fragments import Sql, where
from storage.sql.tables import columns

# Entries that change at most so many members are found by each of them.
FEW = 50
NAMED = "SELECT resource FROM journal WHERE folded = ? AND type = 'User'"
PARTLY = "SELECT resource FROM journal WHERE type = 'User' AND instr(folded, ?)"
OF_MEMBER = (
    "seq IN (SELECT entry FROM journal_members WHERE member IN ({0})) "
    "OR many = 1 AND EXISTS (SELECT 1 FROM ({0}) named WHERE instr(changes, named.resource))"
)
SHOWN_MEMBERS = 5


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

    Actors are `key:ID`, `console:SESSION`, `command:OSUSER`, `address:ADDRESS` (of an unknown caller), `delivery`.
    `received` is "" where there is no request.
    """

    actor: str
    request: str
    received: str = ""


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """Which entries: those of a resource, of a part of a name, of a request, a type, an action; before a number.

    `user` is a userName in any case. It and `name` select also the entries of groups that the user joined or left (in a
    change of at most a thousand members).
    """

    resource: str = ""
    name: str = ""
    user: str = ""
    type: str = ""
    action: str = ""
    request: str = ""
    before: int = 0

    @property
    def statement(self) -> Sql:
        """The SELECT of the entries, the newest first; a plus sign keeps SQLite from using that column's index."""
        chosen = where(
            ("resource = ?", self.resource),
            (f"(instr(folded, ?) OR {OF_MEMBER.format(PARTLY)})", fold(self.name)),
            (f"(resource IN ({NAMED}) OR {OF_MEMBER.format(NAMED)})", fold(self.user)),
            ("request = ?", self.request),
            ("+type = ?", self.type),
            ("+action = ?", self.action),
            ("seq < ?", self.before),
        )
        return Sql(f"SELECT {columns(JournalEntry)} FROM journal WHERE ") + chosen + " ORDER BY seq DESC"


def append(
    connection: sqlite3.Connection,
    at: str,
    author: Author,
    action: str,
    subject: tuple[str, str, str],
    changes: dict[str, Any],
) -> int:
    """Write an entry and return its number; `subject` is the type, id and name of the changed object."""
    members = changes.get("members", {}) if subject[0] == "Group" else {}
    moved = members.get("added", 0) + members.get("removed", 0)
    done = connection.execute(
        "INSERT INTO journal (at, actor, request, action, type, resource, name, folded, changes, many) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (at, author.actor, author.request, action, *subject, fold(subject[2]), to_text(changes), moved > FEW),
    )
    seq = done.lastrowid or 0
    if 0 < moved <= FEW:
        listed = json.dumps([*members["addedIds"], *members["removedIds"]])
        connection.execute("INSERT OR IGNORE INTO journal_members SELECT value, ? FROM json_each(?)", (seq, listed))
    return seq


def count_again(connection: sqlite3.Connection, author: Author, action: str, subject: tuple[str, str, str]) -> bool:
    """Add 1 to the `times` of the newest entry about an object, if it has this author and action and is of this minute.

    Return whether there was such an entry.
    """
    done = connection.execute(
        "UPDATE journal SET changes = json_set(changes, '$.times.after', (changes ->> '$.times.after') + 1) "
        "WHERE seq = (SELECT max(seq) FROM journal WHERE resource = ?) AND type = ? AND actor = ? AND action = ? "
        "AND at >= ?",
        (subject[1], subject[0], author.actor, action, now()[: len("2026-11-24T09:32")]),
    )
    return bool(done.rowcount)


def entries(connection: sqlite3.Connection, query: JournalQuery, limit: int) -> list[JournalEntry]:
    """Return the newest entries that match, the newest first."""
    sql = query.statement + Sql(" LIMIT ?", (limit,))
    return [_entry(row) for row in connection.execute(sql.text, sql.parameters)]


def member_names(connection: sqlite3.Connection, found: Iterable[JournalEntry]) -> dict[str, str]:
    """Return, by id, the names of the first members that each entry of a group names, deleted ones too."""
    moved = [entry.changes["members"] for entry in found if entry.type == "Group" and "members" in entry.changes]
    ids = {one for each in moved for name in ("addedIds", "removedIds") for one in each.get(name, ())[:SHOWN_MEMBERS]}
    rows = connection.execute(
        "SELECT j.value, coalesce((SELECT coalesce(document ->> '$.userName', document ->> '$.displayName') "
        "FROM resources WHERE id = j.value), (SELECT name FROM journal WHERE resource = j.value ORDER BY seq DESC "
        "LIMIT 1)) FROM json_each(?) j",
        (json.dumps(sorted(ids)),),
    )
    return {identifier: name for identifier, name in rows if name}


def _entry(row: Sequence[Any]) -> JournalEntry:
    return JournalEntry(*(*row[:-1], json.loads(row[-1])))


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return each top-level attribute that differs, with its value before and after."""
    names = [name for name in {**before, **after} if name != "schemas" and before.get(name) != after.get(name)]
    return {name: {"before": before.get(name), "after": after.get(name)} for name in names}
