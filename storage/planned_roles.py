"""The users whose roles planned changes of assignments would change, worked out without writing anything."""

import json
from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

KEPT = """a.role NOT IN (SELECT value FROM json_each(:gone)) AND (a.resource, a.source, a.role, a.rule)
    NOT IN (SELECT resource, source, role, rule FROM planned WHERE NOT assigned)"""
PLANNED = """planned (resource, source, role, assigned, rule) AS (
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(:changes))"""
# Everybody and every group with a touched role, before and after the changes.
HOLDING = f"""touched (role) AS (SELECT role FROM planned UNION SELECT value FROM json_each(:gone)),
    holding (after, role, seq) AS (
        SELECT 0, a.role, a.resource FROM touched t JOIN assignments a ON a.role = t.role
        UNION SELECT 1, a.role, a.resource FROM touched t JOIN assignments a ON a.role = t.role WHERE {KEPT}
        UNION SELECT 1, role, resource FROM planned WHERE assigned
        UNION SELECT h.after, h.role, m.member FROM holding h JOIN members m ON m."group" = h.seq)"""
DIFFERENT = """SELECT DISTINCT after, seq FROM (
    SELECT max(after) AS after, seq FROM holding GROUP BY seq, role HAVING count(*) = 1
    ) JOIN resources r USING (seq) WHERE r.type = 'User'"""
# The groups that give their members some role; groups are few, so this takes less than a walk down to all people.
CONFERRING = f"""conferring (seq) AS (
    SELECT a.resource FROM assignments a WHERE a.source = 'group' AND (NOT :after OR {KEPT})
    UNION SELECT resource FROM planned WHERE assigned AND source = 'group' AND :after
    UNION SELECT m.member FROM conferring c JOIN members m ON m."group" = c.seq WHERE m.nested)"""
WITHOUT = f"""SELECT r.seq FROM json_each(:users) u JOIN resources r ON r.seq = u.value WHERE r.active = 1
    AND NOT EXISTS (SELECT 1 FROM assignments a WHERE a.resource = r.seq AND (NOT :after OR {KEPT}))
    AND NOT (:after AND r.seq IN (SELECT resource FROM planned WHERE assigned))
    AND NOT EXISTS (SELECT 1 FROM members m WHERE m.member = r.seq AND m."group" IN (SELECT seq FROM conferring))"""


class RoleChange(NamedTuple):
    """A planned change of one assignment, made or withdrawn, by hand (`rule` is 0) or by the rule with a number."""

    resource: int
    source: str
    role: str
    assigned: bool
    rule: int = 0


class PlannedRoles(NamedTuple):
    """The users, by sequence number, who would gain or lose some role, and those who would gain or lose the login."""

    gain_role: set[int]
    lose_role: set[int]
    gain_login: set[int]
    lose_login: set[int]


def planned_roles(connection: Connection, changes: Sequence[RoleChange], gone: Sequence[str] = ()) -> PlannedRoles:
    """Return the users whom changes of assignments, and the removal of roles by slug, would touch; nothing is written.

    The holders of a touched role are walked over once: with 100,000 of them that takes about half a second.
    """
    values = {"changes": json.dumps(changes), "gone": json.dumps(gone)}
    rows = connection.execute(f"WITH RECURSIVE {PLANNED}, {HOLDING} {DIFFERENT}", values).fetchall()
    gained, lost = ({seq for after, seq in rows if after == state} for state in (1, 0))
    allowed = _without_a_role(connection, gained, {**values, "after": 0})
    withdrawn = _without_a_role(connection, lost, {**values, "after": 1})
    return PlannedRoles(gained, lost, allowed, withdrawn)


def _without_a_role(connection: Connection, users: set[int], values: dict[str, object]) -> set[int]:
    """Return those active users who have no role at all before or after the changes."""
    sql = f"WITH RECURSIVE {PLANNED}, {CONFERRING} {WITHOUT}"
    return {seq for (seq,) in connection.execute(sql, {**values, "users": json.dumps(list(users))})} if users else set()
