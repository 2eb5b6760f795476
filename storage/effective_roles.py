"""Effective roles: the users below a group, and the roles of users with the reasons, now or before a change."""

import json
from collections.abc import Collection, Sequence
from sqlite3 import Connection
from typing import Any, NamedTuple

from storage.members import MemberChange
from storage.resources import ResourceRow
from storage.sql.tables import first_value

HeldRoles = frozenset["HeldRole"]
NO_CHANGE = MemberChange()


class HeldRole(NamedTuple):
    """A role that a user has, and why: `direct`, `manual`, or through a group, of which `group` is the id."""

    role: str
    source: str
    group: str | None


class NamedUser(NamedTuple):
    """A user as events name one."""

    seq: int
    id: str
    userName: str
    externalId: str | None
    active: bool


def held_roles(
    connection: Connection, users: Sequence[int], group: int | None = None, undone: MemberChange = NO_CHANGE
) -> dict[int, HeldRoles]:
    """Return the roles of users by sequence number, or the roles that they had before a change of a group's members."""
    sql = """
        WITH RECURSIVE above (below, grp) AS (
            SELECT value, value FROM json_each(:users)
            UNION
            SELECT a.below, m."group" FROM above a JOIN members m ON m.member = a.grp
            WHERE m."group" <> :group OR m.member NOT IN (SELECT value FROM json_each(:added))
            UNION
            SELECT a.below, :group FROM above a WHERE a.grp IN (SELECT value FROM json_each(:removed))
        )
        SELECT a.below, s.role, s.source, iif(s.source = 'group', g.id, NULL)
        FROM above a JOIN assignments s ON s.resource = a.grp JOIN resources g ON g.seq = a.grp
        """
    listed = {"users": users, "added": undone.added, "removed": undone.removed}
    values = {"group": group, **{name: json.dumps(list(seqs)) for name, seqs in listed.items()}}
    found: dict[int, set[HeldRole]] = {}
    for below, *role in connection.execute(sql, values):
        found.setdefault(below, set()).add(HeldRole(*role))
    return {seq: frozenset(found.get(seq, ())) for seq in users}


def inherited_from(connection: Connection, group: int) -> list[str]:
    """Return the slugs of the roles that members get through a group: its own, and those of the groups above it."""
    sql = """
        WITH RECURSIVE above (grp) AS (
            SELECT ? UNION SELECT m."group" FROM above a JOIN members m ON m.member = a.grp
        )
        SELECT DISTINCT s.role FROM above a JOIN assignments s ON s.resource = a.grp AND s.source = 'group'
        ORDER BY s.role
        """
    return [slug for (slug,) in connection.execute(sql, (group,))]


# The users in a set of resources, and those below the groups in it.
_DOWN = """
        WITH RECURSIVE down (member, nested) AS (
            SELECT r.seq, r.type = 'Group' FROM json_each(?) s JOIN resources r ON r.seq = s.value
            UNION
            SELECT m.member, m.nested FROM down d JOIN members m ON m."group" = d.member WHERE d.nested
        )
        SELECT {} FROM down WHERE NOT nested LIMIT ?"""


def users_below(connection: Connection, seqs: Collection[int], limit: int) -> list[int]:
    """Return the users in a set of resources, and those below the groups in it, at most `limit`."""
    return [seq for (seq,) in connection.execute(_DOWN.format("member"), (json.dumps(list(seqs)), limit))]


def count_below(connection: Connection, seqs: Collection[int]) -> int:
    """Return how many users are in a set of resources and below the groups in it."""
    return int(first_value(connection, _DOWN.format("count(*)"), json.dumps(list(seqs)), 1))


def named_users(connection: Connection, users: Sequence[int]) -> list[NamedUser]:
    """Return users by sequence number, in the order of the numbers."""
    rows = connection.execute(
        "SELECT r.seq, r.id, r.document ->> '$.userName', r.document ->> '$.externalId', ifnull(r.active, 0) "
        "FROM json_each(?) s JOIN resources r ON r.seq = s.value ORDER BY r.seq",
        (json.dumps(users),),
    )
    return [NamedUser._make((*row[:-1], bool(row[-1]))) for row in rows]


def named_user(row: ResourceRow, document: dict[str, Any]) -> NamedUser:
    """Return the user of a row, with the names in a document."""
    active = document.get("active") is True
    return NamedUser(row.seq, row.id, document["userName"], document.get("externalId"), active)
