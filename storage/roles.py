"""The catalogue of roles, and their assignments: directly over SCIM, by hand, or to a group."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from sqlite3 import Connection, Cursor
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.datetimes import now
from schemas.errors import Conflict, NotFound, Uniqueness, did_you_mean
from schemas.text import compose, fold
from storage import workspace
from storage.resources import COLUMNS, ResourceRow
from storage.sql.fragments import in_list
from storage.sql.tables import columns, fetch, fetch_all

DIRECT, MANUAL, GROUP = "direct", "manual", "group"
# By whom a role may be given: by anybody, only over SCIM and through groups, or only by hand to people.
ANY, SCIM, HAND = "any", "scim", "hand"
MOST_COMPARED = 5000


class Role(NamedTuple):
    """A role of the catalogue."""

    slug: str
    name: str
    description: str | None
    created: str
    grantedBy: str = ANY


class Assignment(NamedTuple):
    """A role assigned to a user or group; `display`, `type` and `primary` are as the client sent them.

    `rule` is the pattern of the rule that gives a group the role, or None.
    """

    resource: int
    source: str
    role: str
    name: str
    display: str | None
    type: str | None
    primary: bool | None
    since: str
    actor: str
    rule: str | None


def add(connection: Connection, slug: str, name: str, description: str | None = None, granted_by: str = ANY) -> Role:
    """Add a role to the catalogue.

    :raises Uniqueness: when the slug exists.
    """
    role = Role(compose(slug), name, description or None, now(), granted_by)
    try:
        connection.execute(
            f"INSERT INTO roles ({columns(Role)}, lastModified) VALUES (?, ?, ?, ?, ?, ?)", (*role, role.created)
        )
    except sqlite3.IntegrityError:
        raise Uniqueness(f"The role '{slug}' exists already.") from None
    workspace.move_epoch(connection)
    return role


def edit(connection: Connection, role: Role) -> None:
    """Keep a role of the catalogue in place of the one with its slug."""
    connection.execute(
        "UPDATE roles SET name = ?, description = ?, grantedBy = ?, version = version + 1, lastModified = ? "
        "WHERE slug = ?",
        (role.name, role.description, role.grantedBy, now(), role.slug),
    )
    workspace.move_epoch(connection)


def get(connection: Connection, slug: str) -> Role:
    """Return a role by its slug, as written or composed.

    :raises NotFound: when the catalogue has none.
    """
    rest = "FROM roles WHERE slug IN (?1, ?2) ORDER BY slug <> ?1 LIMIT 1"
    role = fetch(connection, Role, rest, slug, compose(slug))
    if role is None:
        hint = suggestion(connection, slug)
        raise NotFound(f"There is no role '{slug}' in the catalogue; `flask roles list` shows it.{hint}")
    return role


def assignable(connection: Connection, slug: str, source: str) -> Role:
    """Return a role that people (`manual`) or groups (`group`) may be given.

    :raises NotFound: when the catalogue has none; :raises Conflict: when it may not be given this way.
    """
    role = get(connection, slug)
    if role.grantedBy == SCIM and source == MANUAL:
        raise Conflict(
            f"The role '{role.slug}' is given to people over SCIM only; assign it in the provider, or to a group."
        )
    if role.grantedBy == HAND and source == GROUP:
        raise Conflict(f"The role '{role.slug}' is given to people by hand only; no group may carry it.")
    return role


def catalogue(connection: Connection) -> list[Role]:
    """Return all roles in the order of their slugs."""
    return fetch_all(connection, Role, "FROM roles ORDER BY slug")


def suggestion(connection: Connection, slug: str) -> str:
    """Return a sentence that names the slugs most like an unknown one; "" where none is, or too many to compare."""
    slugs = {fold(role.slug): role.slug for role in catalogue(connection)}
    return did_you_mean(slug, slugs if len(slugs) < MOST_COMPARED else {}, most=3, cutoff=0.5)


def remove(connection: Connection, slug: str, holders: Iterable[int]) -> None:
    """Remove a role with its assignments, and from the rules; a rule without roles ends."""
    connection.execute("DELETE FROM assignments WHERE role = ?", (slug,))
    for resource in holders:
        hold(connection, resource)
    connection.execute("DELETE FROM rule_roles WHERE role = ?", (slug,))
    connection.execute("DELETE FROM group_rules WHERE seq NOT IN (SELECT rule FROM rule_roles)")
    connection.execute("DELETE FROM roles WHERE slug = ?", (slug,))
    workspace.move_epoch(connection)


def holders(connection: Connection, slug: str) -> list[tuple[ResourceRow, str, int]]:
    """Return the users and groups with assignments of a role, each with the source and the number of assignments."""
    rows = connection.execute(
        f"SELECT {COLUMNS}, a.source, a.number FROM (SELECT resource, source, count(*) AS number FROM assignments "
        "WHERE role = ? GROUP BY resource, source) a JOIN resources r ON r.seq = a.resource ORDER BY r.seq",
        (slug,),
    )
    return [(ResourceRow(*row[:-2]), *row[-2:]) for row in rows]


def holder_numbers(connection: Connection, slug: str, *, manual: bool) -> list[int]:
    """Return the numbers of the users and groups that have a role by hand, or of those that have it another way."""
    rows = connection.execute(
        "SELECT resource FROM assignments WHERE role = ? AND (source = 'manual') = ?", (slug, manual)
    )
    return [seq for (seq,) in rows]


def holders_page(connection: Connection, slug: str, offset: int, count: int) -> list[tuple[ResourceRow, str, str, str]]:
    """Return a page of the holders of a role, groups first: who, source, since when and by whom."""
    rows = connection.execute(
        f"SELECT {COLUMNS}, h.source, h.since, h.actor FROM ("
        "SELECT resource, source, min(since) AS since, actor FROM assignments WHERE role = ? "
        "GROUP BY source, resource ORDER BY source = 'group' DESC, source, resource LIMIT ? OFFSET ?) h "
        "CROSS JOIN resources r ON r.seq = h.resource ORDER BY h.source = 'group' DESC, h.source, h.resource",
        (slug, count, offset),
    )
    return [(ResourceRow(*row[:-3]), *row[-3:]) for row in rows]


def assignment_counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Return, for each role that is assigned, how many users or groups have it from each source."""
    found: dict[str, dict[str, int]] = {}
    sql = "SELECT role, source, count(DISTINCT resource) FROM assignments GROUP BY role, source"
    for role, source, count in connection.execute(sql):
        found.setdefault(role, {})[source] = count
    return found


def known(connection: Connection, slugs: Iterable[str]) -> dict[str, Role]:
    """Return the roles with those slugs that the catalogue has."""
    rest = "FROM json_each(?) j CROSS JOIN roles ON slug = j.value"
    return {role.slug: role for role in fetch_all(connection, Role, rest, json.dumps(list(slugs)))}


def assigned(connection: Connection, seqs: Sequence[int]) -> dict[int, list[Assignment]]:
    """Return the assignments to each of some users and groups, without inherited ones."""
    listed = in_list(seqs)
    rows = connection.execute(
        'SELECT a.resource, a.source, a.role, c.name, a.display, a.type, a."primary", a.since, a.actor, '
        "iif(a.rule, (SELECT pattern FROM group_rules WHERE seq = a.rule), NULL) "
        f"FROM assignments a JOIN roles c ON c.slug = a.role WHERE a.resource IN {listed.text} "
        "ORDER BY a.resource, a.source, a.position",
        listed.parameters,
    )
    found: dict[int, list[Assignment]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Assignment(*row))
    return found


def set_direct(
    connection: Connection, user: int, held: Sequence[dict[str, Any]], sent: Sequence[dict[str, Any]], actor: str
) -> None:
    """Make the roles sent a user's only direct roles, in that order; those already held keep date and actor."""
    if not held and not sent:
        return
    sql = "DELETE FROM assignments WHERE resource = ? AND source = 'direct' RETURNING role, since, actor"
    kept = {role: (since, by) for role, since, by in connection.execute(sql, (user,))} if held else {}
    insert_direct(connection, user, sent, actor, kept)
    hold(connection, user)


def insert_direct(
    connection: Connection,
    user: int,
    sent: Sequence[dict[str, Any]],
    actor: str,
    kept: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> None:
    """Add the direct roles of a user who has none, whose row has them already; those of `kept` with date and actor."""
    fresh = (now(), actor)
    rows = [
        (user, place, role["value"], role.get("display"), role.get("type"), role.get("primary"),
         *kept.get(role["value"], fresh))
        for place, role in enumerate(sent)
    ]  # fmt: skip
    connection.executemany("INSERT INTO assignments VALUES (?, 'direct', ?, ?, ?, ?, ?, ?, ?, 0)", rows)


def hold(connection: Connection, resource: int) -> None:
    """Copy a resource's own roles into its row, for answers; call it after each change of the assignments."""
    connection.execute(
        'UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary")) '
        "FROM assignments WHERE resource = ?1) WHERE seq = ?1",
        (resource,),
    )


def assign(connection: Connection, resource: int, source: str, slug: str, actor: str, rule: int = 0) -> bool:
    """Assign a role of the catalogue to a user or group, by hand or by a rule; False when it was there already."""
    done = connection.execute(
        "INSERT OR IGNORE INTO assignments SELECT ?1, ?2, ifnull(max(position), -1) + 1, ?3, NULL, NULL, NULL, ?4, ?5, "
        "?6 FROM assignments WHERE resource = ?1 AND source = ?2",
        (resource, source, slug, now(), actor, rule),
    )
    return _held(connection, resource, done)


def unassign(connection: Connection, resource: int, source: str, slug: str, rule: int = 0) -> bool:
    """Withdraw a role that was assigned by hand or by a rule; False when it was not there."""
    done = connection.execute(
        "DELETE FROM assignments WHERE resource = ? AND source = ? AND role = ? AND rule = ?",
        (resource, source, slug, rule),
    )
    return _held(connection, resource, done)


def _held(connection: Connection, resource: int, done: Cursor) -> bool:
    if done.rowcount:
        hold(connection, resource)
        workspace.move_epoch(connection)
    return bool(done.rowcount)
