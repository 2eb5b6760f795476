"""The journal entries that concern one person or group: their own, memberships, and roles of the groups above them."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from sqlite3 import Connection
from struct import iter_unpack
from typing import NamedTuple

from schemas.datetimes import now
from schemas.text import fold
from storage.journal import JournalEntry, JournalQuery, entry_of
from storage.members import MemberChange
from storage.migrations.history import FEW, ID
from storage.resources import ResourceRow
from storage.sql.tables import columns, fetch_all, first_value

FOUND_AT_MOST, ID_BYTES = 50, 16
ENTRY = ", ".join(f"j.{name}" for name in columns(JournalEntry).replace('"', "").split(", ") if name != "changes")
EVERY = JournalQuery()
TURNS = "j.action IN ('assign', 'unassign', 'delete')"
# SELECTs of entries; a deletion's entry has roles and outer groups beside the members.
BY_NUMBER = (
    f"SELECT {ENTRY}, iif(j.action = 'delete', json_remove(j.changes, '$.members'), '{{}}') "
    "FROM json_each(?) i CROSS JOIN journal j ON j.seq = i.value"
)
TURNS_OF_GROUPS = (
    f"SELECT {ENTRY}, json_remove(j.changes, '$.members') FROM json_each(?) i "
    f"CROSS JOIN journal j ON j.resource = i.value AND j.type = 'Group' WHERE {TURNS}"
)
# The groups that members are in directly, and the roles that groups give, by id.
GROUPS_AROUND = (
    "SELECT r.id, g.id FROM json_each(?) i CROSS JOIN resources r ON r.id = i.value "
    'CROSS JOIN members m ON m.member = r.seq CROSS JOIN resources g ON g.seq = m."group"'
)
ROLES_GIVEN = (
    "SELECT g.id, a.role FROM json_each(?) i CROSS JOIN resources g ON g.id = i.value "
    "CROSS JOIN assignments a ON a.resource = g.seq AND a.source = 'group'"
)
# Entries that may have changed a person's own roles or activity.
OF_PEOPLE = (
    f"SELECT {ENTRY}, j.changes FROM json_each(?) i CROSS JOIN journal j ON j.resource = i.value AND j.type = 'User' "
    """WHERE instr(j.changes, '"active"') OR instr(j.changes, '"roles')"""
)


@dataclass(slots=True)
class Step:
    """An entry that may concern a person or group; `moved` has those that joined its group (True) or left it.

    `changes` of the entry has no members.
    """

    entry: JournalEntry
    moved: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trail:
    """What the journal and the tables say about a person or group.

    `steps` are the newest first. `above` has the groups that the subject, and each group above it, is in now, `given`
    the roles of these groups now. The steps up to number `known_from` are all there are, those before may lack some;
    `begins` is the time of it. `created` tells whether everything since the creation is known.
    """

    steps: list[Step]
    above: dict[str, set[str]]
    given: dict[str, list[str]]
    known_from: int
    begins: str
    created: bool


class Move(NamedTuple):
    """That a member joined the group of an entry, or left it."""

    entry: int
    member: str
    joined: bool


class Named(NamedTuple):
    """The name of a person or group, from the journal if it is deleted."""

    type: str
    name: str
    exists: int


def append(connection: Connection, entry: int, change: MemberChange) -> None:
    """Store whom a change of members concerns: a row each for a few, one row for many, of 16 bytes a member."""
    if len(change.added) + len(change.removed) > FEW:
        added, added_group = _packed_ids(connection, change.added)
        removed, removed_group = _packed_ids(connection, change.removed)
        values = (entry, added_group or removed_group, added, removed)
        connection.execute("INSERT INTO journal_crowds VALUES (?, ?, 0, ?, ?)", values)
        return
    connection.execute(
        "INSERT INTO journal_members SELECT ?, r.id, j.value > 0 FROM json_each(?) j "
        "JOIN resources r ON r.seq = abs(j.value)",
        (entry, json.dumps([*change.added, *(-seq for seq in change.removed)])),
    )


def forget(connection: Connection, ids: Iterable[str]) -> None:
    """Erase people from the members of entries."""
    for identifier in ids:
        connection.execute("DELETE FROM journal_members WHERE member = ?", (identifier,))
        packed = _packed(identifier)
        sql = "SELECT entry, added, removed FROM journal_crowds WHERE instr(added, ?1) OR instr(removed, ?1)"
        for entry, *lists in connection.execute(sql, (packed,)).fetchall():
            kept = (b"".join(one for one in _unpacked(ids) if one != packed) for ids in lists)
            connection.execute("UPDATE journal_crowds SET added = ?, removed = ? WHERE entry = ?", (*kept, entry))


def trail(connection: Connection, subject: ResourceRow) -> Trail:
    """Return everything that the roles of a person or group depend on, and depended on."""
    first = "SELECT iif(action = 'create', seq, 0) FROM journal WHERE resource = ? ORDER BY seq LIMIT 1"
    created = first_value(connection, first, subject.id) or 0
    moves: dict[int, dict[str, bool]] = {}
    above: dict[str, set[str]] = {}
    level = {subject.id}
    while level:
        found = _moves(connection, level, created)
        for seq, member, joined in found:
            moves.setdefault(seq, {})[member] = bool(joined)
        around = _lists(connection, GROUPS_AROUND, level)
        above |= {member: set(around.get(member, ())) for member in level}
        left = {entry.resource for entry in _entries(connection, BY_NUMBER, {seq for seq, *_ in found})}
        level = left.union(*around.values()) - above.keys()
    entries = _entries(connection, BY_NUMBER, moves) + _entries(connection, TURNS_OF_GROUPS, above)
    entries += _entries(connection, OF_PEOPLE, [subject.id])
    steps = {entry.seq: Step(entry, moves.get(entry.seq, {})) for entry in entries}
    known_from, begins = _reach(connection, subject.id, created)
    newest_first = [steps[seq] for seq in sorted(steps, reverse=True)]
    given = _lists(connection, ROLES_GIVEN, above)
    return Trail(newest_first, above, given, known_from, begins, known_from == created > 0)


def names(connection: Connection, ids: Collection[str]) -> dict[str, Named]:
    """Return the names of people and groups by id, as far as the tables or the journal have them."""
    rows = connection.execute(
        "SELECT i.value, r.type, coalesce(r.document ->> '$.displayName', r.document ->> '$.userName'), 1 "
        "FROM json_each(?1) i CROSS JOIN resources r ON r.id = i.value UNION ALL "
        "SELECT i.value, j.type, j.name, 0 FROM json_each(?1) i CROSS JOIN journal j "
        "ON j.seq = (SELECT max(seq) FROM journal WHERE resource = i.value) "
        "WHERE NOT EXISTS (SELECT 1 FROM resources r WHERE r.id = i.value)",
        (json.dumps(list(ids)),),
    )
    return {identifier: Named(*named) for identifier, *named in rows}


def removed_roles(connection: Connection, slugs: Collection[str]) -> dict[tuple[str, str], str]:
    """Return the name of each of some roles that was removed from the catalogue, by slug and request."""
    rows = connection.execute(
        "SELECT j.resource, j.request, j.name FROM json_each(?) i CROSS JOIN journal j ON j.resource = i.value "
        "WHERE j.action = 'delete' AND j.type = 'Role'",
        (json.dumps(list(slugs)),),
    )
    return {(slug, request): name for slug, request, name in rows}


def named_people(connection: Connection, user_name: str) -> list[str]:
    """Return the ids of the users that have a userName, or had it, in any case."""
    sql = (
        "SELECT resource FROM journal WHERE folded = ?1 AND type = 'User' "
        "UNION SELECT id FROM resources WHERE type = 'User' AND userName = ?1"
    )
    return [identifier for (identifier,) in connection.execute(sql, (fold(user_name),))]


def found_by_name(connection: Connection, part: str) -> list[str]:
    """Return the ids of people and groups with a part of a name, deleted ones too, a bounded number."""
    rows = connection.execute(
        "SELECT id FROM (SELECT id FROM resources WHERE instr(userName, ?1) OR instr(displayName, ?1) LIMIT ?2) UNION "
        "SELECT resource FROM (SELECT resource FROM journal j WHERE instr(folded, ?1) AND action = 'delete' "
        f"AND type IN ('User', 'Group') AND {TURNS} LIMIT ?2)",
        (fold(part), FOUND_AT_MOST),
    )
    return [identifier for (identifier,) in rows]


def about(connection: Connection, ids: Sequence[str], query: JournalQuery = EVERY) -> JournalQuery:
    """Return a query that selects the entries about some people or groups, those of members too."""
    return replace(query, people=ids, crowds=[move.entry for move in crowds_with(connection, ids)] if ids else ())


def crowds_with(connection: Connection, ids: Collection[str], condition: str = "1") -> list[Move]:
    """Return the moves of some people or groups in the changes of many members."""
    wanted = {_packed(identifier): identifier for identifier in ids}
    if len(wanted) == 1:
        # SQLite's search for bytes takes a tenth of the time.
        ((packed, identifier),) = wanted.items()
        sql = (
            f"SELECT entry, instr(added, ?1) > 0 FROM journal_crowds WHERE {condition} "
            "AND (instr(added, ?1) OR instr(removed, ?1))"
        )
        return [Move(entry, identifier, bool(joined)) for entry, joined in connection.execute(sql, (packed,))]
    rows = connection.execute(f"SELECT entry, added, removed FROM journal_crowds WHERE {condition}")
    return [
        Move(entry, wanted[one], joined)
        for entry, added, removed in rows
        for joined, ids_moved in ((True, added), (False, removed))
        for one in _unpacked(ids_moved)
        if one in wanted
    ]


def moves_in(connection: Connection, entries: Sequence[int], ids: Sequence[str]) -> list[Move]:
    """Return the moves of some people or groups in some entries."""
    listed = json.dumps(entries)
    rest = (
        "FROM json_each(?) e CROSS JOIN journal_members m ON m.entry = e.value "
        "WHERE m.member IN (SELECT value FROM json_each(?))"
    )
    few = fetch_all(connection, Move, rest, listed, json.dumps(ids))
    return few + crowds_with(connection, ids, f"entry IN (SELECT value FROM json_each('{listed}'))")


def _moves(connection: Connection, ids: Collection[str], created: int) -> list[Move]:
    """Return all moves of some members, of more than one if they are groups."""
    rest = "FROM json_each(?) i CROSS JOIN journal_members m ON m.member = i.value"
    few = fetch_all(connection, Move, rest, json.dumps(list(ids)))
    nested = "AND nested" if len(ids) > 1 else ""
    return few + crowds_with(connection, ids, f"entry >= {created:d} {nested}")


def _entries(connection: Connection, sql: str, chosen: Iterable[int | str]) -> list[JournalEntry]:
    return [entry_of(row) for row in connection.execute(sql, (json.dumps(list(chosen)),))]


def _lists(connection: Connection, sql: str, ids: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for identifier, other in connection.execute(sql, (json.dumps(list(ids)),)):
        found.setdefault(identifier, []).append(other)
    return found


def _reach(connection: Connection, identifier: str, created: int) -> tuple[int, str]:
    """Return from which entry on everything about a person is known, and the time of that entry.

    An older version did not name everybody in a change of more than a thousand members.
    """
    sql = (
        "SELECT max(entry) FROM journal_crowds WHERE partial AND entry > ?1 "
        "AND NOT instr(added, ?2) AND NOT instr(removed, ?2)"
    )
    (unclear,) = connection.execute(sql, (created, _packed(identifier))).fetchone()
    row = connection.execute("SELECT seq, at FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1", (unclear or created,))
    seq, at = row.fetchone() or (0, now())
    return seq, at


def _packed_ids(connection: Connection, seqs: Collection[int]) -> tuple[bytes, bool]:
    """Return the ids of resources as bytes, and whether a group is among them."""
    sql = "SELECT r.id, r.type = 'Group' FROM json_each(?) i CROSS JOIN resources r ON r.seq = i.value"
    rows = connection.execute(sql, (json.dumps(list(seqs)),)).fetchall()
    return b"".join(_packed(one) for one, _ in rows if ID.fullmatch(one)), any(nested for _, nested in rows)


def _packed(identifier: str) -> bytes:
    # Another text is the id of no member.
    return bytes.fromhex(identifier.replace("-", "")) if ID.fullmatch(identifier) else identifier.encode()


def _unpacked(ids: bytes) -> Iterator[bytes]:
    return (identifier for (identifier,) in iter_unpack(f"{ID_BYTES}s", ids))
