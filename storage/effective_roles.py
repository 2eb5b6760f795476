"""Who is below a group, and which roles people have for which reasons: now, or before a change of members."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from storage.members import Change
from storage.resources import Row

Reasons = frozenset["Reason"]
NO_CHANGE = Change()


class Reason(NamedTuple):
    """Why somebody has a role: `direct`, `manual`, or a group, of which `group` is the id."""

    role: str
    source: str
    group: str | None


class Person(NamedTuple):
    """A user as events name one."""

    seq: int
    id: str
    userName: str
    externalId: str | None
    active: bool


def reasons(
    connection: sqlite3.Connection, people: Sequence[int], group: int | None = None, undone: Change = NO_CHANGE
) -> dict[int, Reasons]:
    """Return every reason for the roles of users by sequence number; as it was before a change of a group's members."""
    rows = connection.execute(
        """
        WITH RECURSIVE above (below, grp) AS (
            SELECT value, value FROM json_each(:people)
            UNION
            SELECT a.below, m."group" FROM above a JOIN members m ON m.member = a.grp
            WHERE m."group" <> :group OR m.member NOT IN (SELECT value FROM json_each(:added))
            UNION
            SELECT a.below, :group FROM above a WHERE a.grp IN (SELECT value FROM json_each(:removed))
        )
        SELECT a.below, s.role, s.source, iif(s.source = 'group', g.id, NULL)
        FROM above a JOIN assignments s ON s.resource = a.grp JOIN resources g ON g.seq = a.grp
        """,
        {
            "people": json.dumps(people),
            "group": group,
            "added": _listed(undone.added),
            "removed": _listed(undone.removed),
        },
    )
    found: dict[int, set[Reason]] = {}
    for below, role, source, identifier in rows:
        found.setdefault(below, set()).add(Reason(role, source, identifier))
    return {seq: frozenset(found.get(seq, ())) for seq in people}


def inherited_from(connection: sqlite3.Connection, group: int) -> list[str]:
    """Return the slugs of the roles that members of a group get through it: its own, and those of groups above it."""
    rows = connection.execute(
        """
        WITH RECURSIVE above (grp) AS (
            SELECT ? UNION SELECT m."group" FROM above a JOIN members m ON m.member = a.grp
        )
        SELECT DISTINCT s.role FROM above a JOIN assignments s ON s.resource = a.grp AND s.source = 'group'
        ORDER BY s.role
        """,
        (group,),
    )
    return [slug for (slug,) in rows]


def people_below(connection: sqlite3.Connection, seqs: Collection[int], limit: int) -> list[int]:
    """Return the users among some resources and below the groups among them, at most `limit`."""
    rows = connection.execute(
        """
        WITH RECURSIVE down (member, nested) AS (
            SELECT r.seq, r.type = 'Group' FROM json_each(?) s JOIN resources r ON r.seq = s.value
            UNION
            SELECT m.member, m.nested FROM down d JOIN members m ON m."group" = d.member WHERE d.nested
        )
        SELECT member FROM down WHERE NOT nested LIMIT ?
        """,
        (_listed(seqs), limit),
    )
    return [seq for (seq,) in rows]


def persons(connection: sqlite3.Connection, people: Sequence[int]) -> list[Person]:
    """Return users by sequence number, in the order of those."""
    rows = connection.execute(
        "SELECT r.seq, r.id, r.document ->> '$.userName', r.externalId, ifnull(r.active, 0) "
        "FROM json_each(?) s JOIN resources r ON r.seq = s.value ORDER BY r.seq",
        (json.dumps(people),),
    )
    return [Person(seq, identifier, name, external, bool(active)) for seq, identifier, name, external, active in rows]


def person(row: Row, document: dict[str, object]) -> Person:
    """Return a user that was read, as a document says it is."""
    external = document.get("externalId")
    return Person(
        row.seq, row.id, str(document["userName"]), None if external is None else str(external),
        document.get("active") is True,
    )  # fmt: skip


def _listed(seqs: Iterable[int]) -> str:
    return json.dumps(list(seqs))
