"""Rules that give roles to every group whose name matches a pattern, also to groups that come later."""

import json
from collections.abc import Sequence
from sqlite3 import Connection
from typing import NamedTuple

from schemas.text import fold
from storage.resources import COLUMNS, ResourceRow

SELECT = (
    "SELECT g.seq, g.pattern, (SELECT json_group_array(role) FROM (SELECT role FROM rule_roles WHERE rule = g.seq "
    "ORDER BY role)) FROM group_rules g"
)


class GroupRule(NamedTuple):
    """A rule: a pattern of group names, in which `*` stands for any text, and the slugs of the roles that it gives."""

    seq: int
    pattern: str
    roles: tuple[str, ...]


class RuleStep(NamedTuple):
    """A role that a rule gives to a group, or withdraws from it."""

    row: ResourceRow
    rule: GroupRule
    role: str
    assigned: bool


def matches(pattern: str, name: str) -> bool:
    """Tell whether a group's name matches a pattern; both are folded (schemas.text)."""
    head, *rest = pattern.split("*")
    if not rest:
        return name == head
    *inner, tail = rest
    if not name.startswith(head):
        return False
    at = len(head)
    for part in inner:
        found = name.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(name) - at >= len(tail) and name.endswith(tail)


def list_all(connection: Connection) -> list[GroupRule]:
    """Return all rules in the order of their patterns."""
    return [_rule(*row) for row in connection.execute(f"{SELECT} ORDER BY g.folded")]


def find(connection: Connection, pattern: str) -> GroupRule:
    """Return the rule with a pattern, in any case; a rule with the number 0 and no roles where there is none."""
    row = connection.execute(f"{SELECT} WHERE g.folded = ?", (fold(pattern),)).fetchone()
    return _rule(*row) if row else GroupRule(0, pattern, ())


def _rule(seq: int, pattern: str, roles: str) -> GroupRule:
    return GroupRule(seq, pattern, tuple(json.loads(roles)))


def store(connection: Connection, pattern: str, roles: Sequence[str]) -> GroupRule:
    """Keep a rule in place of the one with the same pattern, or end it, where there are no roles."""
    connection.execute(
        "INSERT INTO group_rules (pattern, folded) VALUES (?, ?) ON CONFLICT DO UPDATE SET pattern = excluded.pattern",
        (pattern, fold(pattern)),
    )
    rule = find(connection, pattern)
    connection.execute("DELETE FROM rule_roles WHERE rule = ?", (rule.seq,))
    connection.executemany("INSERT INTO rule_roles VALUES (?, ?)", [(rule.seq, role) for role in roles])
    if not roles:
        connection.execute("DELETE FROM group_rules WHERE seq = ?", (rule.seq,))
    return rule._replace(roles=tuple(sorted(roles)))


def steps_of(connection: Connection, before: GroupRule, after: GroupRule) -> list[RuleStep]:
    """Return the changes of groups' roles that a change of a rule brings, in the order of the groups' creation."""
    gone, fresh = set(before.roles) - set(after.roles), set(after.roles) - set(before.roles)
    steps = [(before, role, False) for role in sorted(gone)] + [(after, role, True) for role in sorted(fresh)]
    if not steps:
        return []
    folded = fold(after.pattern)
    names = connection.execute("SELECT seq, displayName FROM resources r WHERE r.type = 'Group'")
    seqs = json.dumps([seq for seq, name in names if matches(folded, name)])
    sql = f"SELECT {COLUMNS} FROM json_each(?) j JOIN resources r ON r.seq = j.value ORDER BY r.seq"
    rows = [ResourceRow(*row) for row in connection.execute(sql, (seqs,))]
    return [RuleStep(row, *step) for row in rows for step in steps]


def steps_of_name(connection: Connection, row: ResourceRow) -> list[RuleStep]:
    """Return the changes of a group's roles that its name brings."""
    rules = list_all(connection)
    if not rules:
        return []
    given = connection.execute("SELECT rule, role FROM assignments WHERE resource = ? AND rule <> 0", (row.seq,))
    had, folded, found = set(given), fold(row.name), []
    for rule in rules:
        has = matches(fold(rule.pattern), folded)
        found += [RuleStep(row, rule, role, has) for role in rule.roles if has != ((rule.seq, role) in had)]
    return found


def of_role(connection: Connection, slug: str) -> list[GroupRule]:
    """Return the rules that give a role."""
    return [rule for rule in list_all(connection) if slug in rule.roles]
