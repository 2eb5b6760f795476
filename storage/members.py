"""The members of groups, one row each: adding one member to a group of any size writes one row."""

import json
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Any, NamedTuple

from schemas.errors import InvalidValue, TooMany
from storage import workspace
from storage.resources import COLUMNS, ResourceRow
from storage.sql.fragments import in_list
from storage.sql.tables import first_value

NAMED_IN_JOURNAL = 1000
AT_ONCE = 5000

# An edit of members: "add" or "remove" with ids; "replace" and "clear" make the ids the only members.
Edit = tuple[str, Sequence[str]]


@dataclass(slots=True)
class MemberChange:
    """The members that were added and removed, by sequence number."""

    added: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)

    def note(self, added: Iterable[int] = (), removed: Iterable[int] = ()) -> None:
        """Add a step: a member that is added and removed cancels out."""
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


def edit(connection: Connection, group: int, edits: Iterable[Edit]) -> MemberChange:
    """Make edits of a group's members, each before the next one is asked for; return the whole change.

    :raises InvalidValue: naming ids that no user or group has.
    """
    change = MemberChange()
    for kind, ids in edits:
        if kind != "add":
            remove(connection, group, ids, change, others=kind != "remove")
        if kind != "remove":
            add(connection, group, ids, change)
    if change:
        workspace.move_epoch(connection)
    return change


def add(connection: Connection, group: int, ids: Sequence[str], change: MemberChange) -> None:
    """Add members by id; ids that are members already stay.

    :raises InvalidValue: naming ids that no user or group has; nothing is added then.
    """
    listed = json.dumps(ids)
    unknown = connection.execute(
        "SELECT j.value FROM json_each(?) j WHERE NOT EXISTS (SELECT 1 FROM resources r WHERE r.id = j.value) LIMIT 4",
        (listed,),
    ).fetchall()
    if unknown:
        names = ", ".join(f"'{str(value)[:100]}'" for (value,) in unknown[:3])
        more = " and more" if len(unknown) > 3 else ""
        raise InvalidValue(f"members: no user or group has the id {names}{more}; push these people first.")
    rows = connection.execute(
        "INSERT OR IGNORE INTO members SELECT ?, r.seq, r.type = 'Group' FROM json_each(?) j "
        "JOIN resources r ON r.id = j.value RETURNING member",
        (group, listed),
    )
    change.note(added=[seq for (seq,) in rows.fetchall()])


def remove(
    connection: Connection, group: int, ids: Sequence[str], change: MemberChange, *, others: bool = False
) -> None:
    """Remove members by id, or all `others`; ids of no member are ignored."""
    rows = connection.execute(
        f'DELETE FROM members WHERE "group" = ? AND member {"NOT IN" if others else "IN"} '
        "(SELECT r.seq FROM json_each(?) j JOIN resources r ON r.id = j.value) RETURNING member",
        (group, json.dumps(ids)),
    )
    change.note(removed=[seq for (seq,) in rows.fetchall()])


def elements(connection: Connection, group: int) -> Iterable[tuple[str, str, str | None]]:
    """Yield each member's id, type and displayName, without building the whole list."""
    yield from connection.execute(
        "SELECT r.id, r.type, r.document ->> '$.displayName' "
        'FROM members m JOIN resources r ON r.seq = m.member WHERE m."group" = ?',
        (group,),
    )


def everyone(connection: Connection, group: int) -> MemberChange:
    """Return the change that removes all members of a group."""
    rows = connection.execute('SELECT member FROM members WHERE "group" = ?', (group,))
    return MemberChange(removed={member for (member,) in rows})


def count(connection: Connection, group: int, limit: int) -> int:
    """Return how many members a group has, counting to `limit` at most."""
    sql = 'SELECT count(*) FROM (SELECT 1 FROM members WHERE "group" = ? LIMIT ?)'
    return int(first_value(connection, sql, group, limit))


def page(connection: Connection, group: int, offset: int, count: int) -> list[ResourceRow]:
    """Return `count` members of a group after the first `offset`, in the order of their creation."""
    rows = connection.execute(
        f'SELECT {COLUMNS} FROM (SELECT member FROM members WHERE "group" = ? ORDER BY member LIMIT ? OFFSET ?) m '
        "CROSS JOIN resources r ON r.seq = m.member ORDER BY r.seq",
        (group, count, offset),
    )
    return [ResourceRow(*row) for row in rows]


def counts(connection: Connection, groups: Sequence[int]) -> dict[int, int]:
    """Return how many direct members each of some groups has."""
    rows = connection.execute(
        'SELECT s.value, (SELECT count(*) FROM members m WHERE m."group" = s.value) FROM json_each(?) s',
        (json.dumps(groups),),
    )
    return dict(rows.fetchall())


def texts(connection: Connection, group: int, base: str) -> Iterator[str]:
    """Yield the elements of a group's `members` as JSON text, 5,000 at a time to bound the memory."""
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


def groups_above(connection: Connection, seqs: Sequence[int], most: float = math.inf) -> dict[int, list[Membership]]:
    """Return, for each resource in a group, all groups above it, direct ones first; circles end (RFC 7643 4.1.2).

    :raises TooMany: when there are more than `most` in all.
    """
    listed = in_list(seqs)
    sql = f'SELECT member, "group" FROM members WHERE member IN {listed.text} ORDER BY member, "group"'
    direct: list[tuple[int, int]] = connection.execute(sql, listed.parameters).fetchall()
    groups = _named(connection, {group for _, group in direct})
    indirect: list[tuple[int, int]] = []
    # Few groups are nested; without one, no recursion with its temporary tables is needed.
    if any(nested for _, nested in groups.values()):
        limit = -1 if most == math.inf else int(most) + 1
        rows = connection.execute(_ABOVE.format(listed.text), (*listed.parameters, limit))
        indirect = sorted(set(rows).difference(direct))
        groups |= _named(connection, {group for _, group in indirect} - groups.keys())
    if len(direct) + len(indirect) > most:
        raise TooMany("The resources have too many memberships for one answer; ask for fewer at once with count.")
    found: dict[int, list[Membership]] = {}
    for below, group in direct:
        found.setdefault(below, []).append(groups[group][0])
    through = {group: groups[group][0]._replace(direct=0) for _, group in indirect}
    for below, group in indirect:
        found[below].append(through[group])
    return {below: [each for each in above if each.group != below] for below, above in found.items()}


_ABOVE = """
    WITH RECURSIVE above (below, grp) AS (
        SELECT member, "group" FROM members WHERE member IN {}
        UNION
        SELECT a.below, m."group" FROM above a JOIN members m ON m.member = a.grp
    )
    SELECT below, grp FROM above LIMIT ?"""


def _named(connection: Connection, groups: Collection[int]) -> dict[int, tuple[Membership, bool]]:
    """Return, for each group, a direct membership of it, and whether the group is inside another one."""
    if not groups:
        return {}
    listed = in_list(sorted(groups))
    rows = connection.execute(
        "SELECT g.seq, g.id, g.document ->> '$.displayName', 1, EXISTS (SELECT 1 FROM members m "
        f"WHERE m.member = g.seq) FROM resources g WHERE g.seq IN {listed.text}",
        listed.parameters,
    )
    return {seq: (Membership(seq, *named), bool(nested)) for seq, *named, nested in rows}


def paths_above(connection: Connection, seq: int) -> dict[int, tuple[str, ...]]:
    """Return, for each group above a resource, a shortest path of displayNames up to it."""
    sql = (
        "SELECT m.\"group\", g.document ->> '$.displayName' FROM members m "
        'JOIN resources g ON g.seq = m."group" WHERE m.member = ? ORDER BY g.seq'
    )
    found: dict[int, tuple[str, ...]] = {}
    waiting: list[tuple[int, tuple[str, ...]]] = [(seq, ())]
    # The list grows while it is read: nearer groups come first.
    for below, path in waiting:
        for group, name in connection.execute(sql, (below,)).fetchall():
            if group not in found and group != seq:
                found[group] = (*path, name)
                waiting.append((group, found[group]))
    return found


def journalled(connection: Connection, change: MemberChange) -> dict[str, Any]:
    """Return a change, if any, as the journal has it: how many joined and left, and the first thousand ids of each."""
    if not change:
        return {}
    found: dict[str, Any] = {"added": len(change.added), "removed": len(change.removed)}
    sql = "SELECT r.id FROM json_each(?) j JOIN resources r ON r.seq = j.value"
    for name, seqs in (("addedIds", change.added), ("removedIds", change.removed)):
        few = json.dumps(sorted(seqs)[:NAMED_IN_JOURNAL])
        found[name] = [identifier for (identifier,) in connection.execute(sql, (few,))]
    return {"members": found}
