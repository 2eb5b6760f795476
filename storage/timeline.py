"""The journal entries that concern a person, and the present state that they led to."""

import json
import sqlite3
from dataclasses import dataclass, field

from storage.journal import JournalEntry
from storage.resources import ResourceRow
from storage.sql.tables import columns

MOST = 5000
SELECT = f"SELECT {columns(JournalEntry)} FROM journal"
LISTED = "(SELECT value FROM json_each(:ids))"
# Each entry is parsed once, however many ids are looked for.
NAMED = " OR ".join(
    f"EXISTS (SELECT 1 FROM json_each(changes, '$.members.{name}') WHERE value IN {LISTED})"
    for name in ("addedIds", "removedIds")
)
ROLES = "('assign', 'unassign', 'delete')"


@dataclass(slots=True)
class Concerned:
    """A person's entries, the newest first, and the present memberships and roles of all that they name.

    `above` maps a person or group to the groups directly around it, `roles` to its own pairs of source and slug, all by
    id. `removed` has request and slug of each role that was removed from the catalogue. `complete` says that no entry
    was left out.
    """

    entries: list[JournalEntry]
    above: dict[str, set[str]] = field(default_factory=dict)
    roles: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    removed: set[tuple[str, str]] = field(default_factory=set)
    complete: bool = True


def concerning(connection: sqlite3.Connection, user: ResourceRow) -> Concerned:
    """Return the entries about a person, about the groups around them, and about groups that they were in."""
    found = Concerned([])
    entries = _select(connection, "resource = :ids", user.id)
    seen, new = {user.id}, {user.id}
    while new:
        listed = json.dumps(sorted(new))
        entries += _select(connection, f"seq IN (SELECT entry FROM journal_members WHERE member IN {LISTED})", listed)
        entries += _select(connection, f"many = 1 AND ({NAMED})", listed)
        for member, group in connection.execute(
            "SELECT r.id, g.id FROM resources r JOIN members m ON m.member = r.seq "
            f'JOIN resources g ON g.seq = m."group" WHERE r.id IN {LISTED}',
            {"ids": listed},
        ):
            found.above.setdefault(member, set()).add(group)
        entries += _select(connection, f"resource IN {LISTED} AND action IN {ROLES}", listed)
        groups = {entry.resource for entry in entries if entry.type == "Group"}
        groups |= {group for entry in entries for group in entry.changes.get("groups", {}).get("before") or ()}
        groups |= {group for member in new for group in found.above.get(member, ())}
        new = groups - seen
        seen |= new
    listed = json.dumps(sorted(seen - {user.id}))
    entries += _select(connection, f"many = 1 AND resource IN {LISTED}", listed)
    _add_roles(connection, found, seen)
    ordered = {entry.seq: entry for entry in sorted(entries, key=lambda entry: -entry.seq)}
    found.entries, found.complete = list(ordered.values())[:MOST], len(ordered) <= MOST
    return found


def first(connection: sqlite3.Connection) -> str | None:
    """Return the instant of the oldest entry that is kept."""
    row = connection.execute("SELECT at FROM journal ORDER BY seq LIMIT 1").fetchone()
    return str(row[0]) if row else None


def _select(connection: sqlite3.Connection, chosen: str, ids: str) -> list[JournalEntry]:
    rows = connection.execute(f"{SELECT} WHERE {chosen} ORDER BY seq DESC LIMIT {MOST + 1}", {"ids": ids})
    return [JournalEntry(*(*row[:-1], json.loads(row[-1]))) for row in rows]


def _add_roles(connection: sqlite3.Connection, found: Concerned, ids: set[str]) -> None:
    values = {"ids": json.dumps(sorted(ids))}
    for identifier, source, role in connection.execute(
        "SELECT r.id, a.source, a.role FROM resources r JOIN assignments a ON a.resource = r.seq "
        f"WHERE r.id IN {LISTED}",
        values,
    ):
        found.roles.setdefault(identifier, set()).add((source, role))
    rows = connection.execute("SELECT request, resource FROM journal WHERE type = 'Role' AND action = 'delete'")
    found.removed = set(rows.fetchall())
