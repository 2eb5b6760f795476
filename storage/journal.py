"""The journal: one append-only row per change, written in the change's own transaction."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.datetimes import now
from schemas.json import to_text

COLUMNS = "seq, at, actor, request, action, type, resource, name, changes"
NAMED = "SELECT resource FROM journal WHERE folded = ? AND type = 'User'"
NAMES_MEMBER = f"type = 'Group' AND EXISTS (SELECT 1 FROM ({NAMED}) named WHERE instr(changes, named.resource))"


@dataclass(frozen=True, slots=True)
class Entry:
    """What changed: when, by whom, in which request; `changes` maps an attribute to what was before and after."""

    seq: int
    at: str
    actor: str
    request: str
    action: str
    type: str
    resource: str
    name: str
    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes: the actor (`key:ID`, `console`, `command:OSUSER`) and the id of the request."""

    actor: str
    request: str


def append(
    connection: sqlite3.Connection,
    author: Author,
    action: str,
    subject: tuple[str, str, str],
    changes: dict[str, Any],
) -> None:
    """Write an entry; `subject` is the type, id and name of what changed."""
    connection.execute(
        "INSERT INTO journal (at, actor, request, action, type, resource, name, folded, changes) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (now(), author.actor, author.request, action, *subject, subject[2].casefold(), to_text(changes)),
    )


def entries(
    connection: sqlite3.Connection, *, resource: str | None = None, user: str | None = None, limit: int = 100
) -> Iterator[Entry]:
    """Yield the newest entries first: of one resource by its id, of a user by userName in any case, or of all.

    A user's are also those of groups that the user joined or left (in a change of at most a thousand members).
    """
    condition, values = "1", []
    if resource is not None:
        condition, values = "resource = ?", [resource]
    elif user is not None:
        condition, values = f"resource IN ({NAMED}) OR {NAMES_MEMBER}", [user.casefold()] * 2
    sql = f"SELECT {COLUMNS} FROM journal WHERE {condition} ORDER BY seq DESC LIMIT ?"
    yield from map(from_row, connection.execute(sql, [*values, limit]))


def from_row(row: Sequence[Any]) -> Entry:
    """Return the entry that a row of COLUMNS holds."""
    return Entry(*(*row[:-1], json.loads(row[-1])))


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return each top-level attribute that differs, with what was before and after."""
    names = [name for name in {**before, **after} if name != "schemas" and before.get(name) != after.get(name)]
    return {name: {"before": before.get(name), "after": after.get(name)} for name in names}
