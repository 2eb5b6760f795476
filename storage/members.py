"""The members of groups, one row each; a change of one member costs one row, whatever the group's size."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.errors import InvalidValue
from storage import workspace
from storage.sql.fragments import among

NAMED_IN_JOURNAL = 1000
AT_ONCE = 5000

# How members change, and their ids: "add", "remove", or all of a group replaced.
Edit = tuple[str, Sequence[str]]


@dataclass(slots=True)
class Change:
    """The members that came and went: their resources' sequence numbers."""

    added: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def note(self, added: Iterable[int] = (), removed: Iterable[int] = ()) -> None:
        """Take a further step into the balance."""
        for seq in removed:
            self.added.discard(seq) if seq in self.added else self.removed.add(seq)
        for seq in added:
            self.removed.discard(seq) if seq in self.removed else self.added.add(seq)


class Membership(NamedTuple):
    """A group above a resource: itself, whether the resource is a member of it directly, and its names."""

    group: int
    id: str
    display: str
    direct: int


def edit(connection: sqlite3.Connection, group: int, edits: Iterable[Edit]) -> Change:
    """Make edits of a group's members, each before the next one is asked for; return what they come to.

    :raises InvalidValue: naming ids that no user or group has.
    """
    change = Change()
    for kind, ids in edits:
        if kind == "add":
            add(connection, group, ids, change)
        elif kind == "remove":
            remove(connection, group, ids, change)
        else:
            replace(connection, group, ids, change)
    if change:
        workspace.move_epoch(connection)
    return change


def add(connection: sqlite3.Connection, group: int, ids: Sequence[str], change: Change) -> None:
    """Add members by id, those already there included.

    :raises InvalidValue: naming ids that no user or group has; nothing is added then.
    """
    listed = json.dumps(ids)
    _refuse_unknown(connection, listed)
    rows = connection.execute(
        "INSERT OR IGNORE INTO members SELECT ?, r.seq, r.type = 'Group' FROM json_each(?) j "
        "JOIN resources r ON r.id = j.value RETURNING member",
        (group, listed),
    )
    change.note(added=[seq for (seq,) in rows.fetchall()])


def remove(connection: sqlite3.Connection, group: int, ids: Sequence[str], change: Change) -> None:
    """Remove members by id; ids that are not members are passed over."""
    rows = connection.execute(
        'DELETE FROM members WHERE "group" = ? AND member IN '
        "(SELECT r.seq FROM json_each(?) j JOIN resources r ON r.id = j.value) RETURNING member",
        (group, json.dumps(ids)),
    )
    change.note(removed=[seq for (seq,) in rows.fetchall()])


def replace(connection: sqlite3.Connection, group: int, ids: Sequence[str], change: Change) -> None:
    """Make the members exactly those ids; only the difference is written.

    :raises InvalidValue: naming ids that no user or group has.
    """
    rows = connection.execute(
        'DELETE FROM members WHERE "group" = ? AND member NOT IN '
        "(SELECT r.seq FROM json_each(?) j JOIN resources r ON r.id = j.value) RETURNING member",
        (group, json.dumps(ids)),
    )
    change.note(removed=[seq for (seq,) in rows.fetchall()])
    add(connection, group, ids, change)


def _refuse_unknown(connection: sqlite3.Connection, listed: str) -> None:
    unknown = connection.execute(
        "SELECT j.value FROM json_each(?) j WHERE NOT EXISTS (SELECT 1 FROM resources r WHERE r.id = j.value) LIMIT 4",
        (listed,),
    ).fetchall()
    if unknown:
        names = ", ".join(f"'{str(value)[:100]}'" for (value,) in unknown[:3])
        more = " and more" if len(unknown) > 3 else ""
        raise InvalidValue(f"members: no user or group has the id {names}{more}; push these people first.")


def elements(connection: sqlite3.Connection, group: int) -> Iterable[tuple[str, str, str | None]]:
    """Yield each member's id, type and displayName, without building the whole list."""
    yield from connection.execute(
        "SELECT r.id, r.type, r.document ->> '$.displayName' "
        'FROM members m JOIN resources r ON r.seq = m.member WHERE m."group" = ?',
        (group,),
    )


def everyone(connection: sqlite3.Connection, group: int) -> Change:
    """Return the change that takes all members out of a group."""
    rows = connection.execute('SELECT member FROM members WHERE "group" = ?', (group,))
    return Change(removed={member for (member,) in rows})


def count(connection: sqlite3.Connection, group: int, limit: int) -> int:
    """Return how many members a group has, counting to `limit` at most."""
    sql = 'SELECT count(*) FROM (SELECT 1 FROM members WHERE "group" = ? LIMIT ?)'
    found: int = connection.execute(sql, (group, limit)).fetchone()[0]
    return found


def texts(connection: sqlite3.Connection, group: int, base: str) -> Iterator[str]:
    """Yield the elements of a group's `members` as JSON text, some thousand at once: all might take much memory."""
    sql = (
        "SELECT json_group_array(json(iif(name IS NULL, json_object('value', id, '$ref', ref, 'type', type), "
        "json_object('value', id, '$ref', ref, 'display', name, 'type', type)))), max(member), count(*) FROM ("
        "SELECT m.member, r.id, r.type, ? || '/' || r.type || 's/' || r.id AS ref, "
        "r.document ->> '$.displayName' AS name FROM members m JOIN resources r ON r.seq = m.member "
        'WHERE m."group" = ? AND m.member > ? ORDER BY m.member LIMIT ?)'
    )
    last, found = 0, AT_ONCE
    while found == AT_ONCE:
        text, last, found = connection.execute(sql, (base, group, last, AT_ONCE)).fetchone()
        if found:
            yield text[1:-1]


def groups_above(connection: sqlite3.Connection, seqs: Sequence[int]) -> dict[int, list[Membership]]:
    """Return, for each resource, all groups above it, nested ones included; circles end (RFC 7643 section 4.1.2)."""
    listed, values = among(seqs)
    pairs = connection.execute(
        f'SELECT member, "group" FROM members WHERE member IN {listed} ORDER BY member, "group"', values
    ).fetchall()
    groups = _named(connection, {group for _, group in pairs}) if pairs else {}
    found: dict[int, list[Membership]] = {}
    if any(nested for _, nested in groups.values()):
        for below, *membership in _nested_groups_above(connection, seqs):
            found.setdefault(below, []).append(Membership(*membership))
    else:
        # Few groups are inside others; without any, the recursion and its temporary tables are spared.
        for below, group in pairs:
            found.setdefault(below, []).append(groups[group][0])
    return found


def _named(connection: sqlite3.Connection, groups: Collection[int]) -> dict[int, tuple[Membership, bool]]:
    """Return direct memberships of groups, and whether each group is inside another one, with one row per group."""
    listed, values = among(sorted(groups))
    rows = connection.execute(
        "SELECT g.seq, g.id, g.document ->> '$.displayName', EXISTS (SELECT 1 FROM members m WHERE m.member = g.seq) "
        f"FROM resources g WHERE g.seq IN {listed}",
        values,
    )
    return {seq: (Membership(seq, identifier, display, 1), bool(nested)) for seq, identifier, display, nested in rows}


def _nested_groups_above(connection: sqlite3.Connection, seqs: Sequence[int]) -> Iterable[tuple[Any, ...]]:
    return connection.execute(
        """
        WITH RECURSIVE above (below, grp, direct) AS (
            SELECT m.member, m."group", 1 FROM json_each(?) s JOIN members m ON m.member = s.value
            UNION
            SELECT a.below, m."group", 0 FROM above a JOIN members m ON m.member = a.grp
        )
        SELECT a.below, a.grp, g.id, g.document ->> '$.displayName', max(a.direct)
        FROM above a JOIN resources g ON g.seq = a.grp
        WHERE a.below <> a.grp GROUP BY a.below, a.grp ORDER BY a.below, max(a.direct) DESC, a.grp
        """,
        (json.dumps(seqs),),
    )


def paths_above(connection: sqlite3.Connection, seq: int) -> dict[int, tuple[str, ...]]:
    """Return, for each group above a resource, a shortest path of displayNames that leads up to it."""
    found: dict[int, tuple[str, ...]] = {}
    level: dict[int, tuple[str, ...]] = {seq: ()}
    while level:
        above: dict[int, tuple[str, ...]] = {}
        for below, path in level.items():
            for group, name in connection.execute(
                "SELECT m.\"group\", g.document ->> '$.displayName' FROM members m "
                'JOIN resources g ON g.seq = m."group" WHERE m.member = ? ORDER BY g.seq',
                (below,),
            ):
                if group not in found and group != seq:
                    above.setdefault(group, (*path, name))
        found |= above
        level = above
    return found


def journalled(connection: sqlite3.Connection, change: Change) -> dict[str, object]:
    """Return a change for the journal: how many came and went, and the first thousand ids of each."""
    return {
        "added": len(change.added),
        "removed": len(change.removed),
        "addedIds": _ids(connection, change.added),
        "removedIds": _ids(connection, change.removed),
    }


def _ids(connection: sqlite3.Connection, seqs: Iterable[int]) -> list[str]:
    few = sorted(seqs)[:NAMED_IN_JOURNAL]
    sql = "SELECT r.id FROM json_each(?) j JOIN resources r ON r.seq = j.value"
    return [identifier for (identifier,) in connection.execute(sql, (json.dumps(few),))]
