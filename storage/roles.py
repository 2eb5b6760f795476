"""The catalogue of roles, and who was assigned what: directly over SCIM, by hand, or through a group."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from schemas.datetimes import now
from schemas.errors import Conflict, NotFound, Uniqueness, did_you_mean
from storage import workspace
from storage.resources import COLUMNS, Row
from storage.sql.fragments import among

DIRECT, MANUAL, GROUP = "direct", "manual", "group"
MOST_COMPARED = 5000


class Role(NamedTuple):
    """A role of the catalogue."""

    slug: str
    name: str
    description: str | None
    created: str


class Assignment(NamedTuple):
    """A role assigned to a user or group; `display`, `type` and `primary` are as the client sent them."""

    resource: int
    source: str
    role: str
    name: str
    display: str | None
    type: str | None
    primary: bool | None
    since: str
    actor: str


def add(connection: sqlite3.Connection, slug: str, name: str, description: str | None = None) -> Role:
    """Add a role to the catalogue.

    :raises Uniqueness: when the slug exists.
    """
    role = Role(slug, name, description or None, now())
    try:
        connection.execute(
            "INSERT INTO roles (slug, name, description, created, lastModified) VALUES (?, ?, ?, ?, ?)",
            (role.slug, role.name, role.description, role.created, role.created),
        )
    except sqlite3.IntegrityError:
        raise Uniqueness(f"The role '{slug}' exists already.") from None
    workspace.move_epoch(connection)
    return role


def edit(connection: sqlite3.Connection, slug: str, name: str, description: str | None) -> Role:
    """Change a role's name and description; its slug stays."""
    get(connection, slug)
    connection.execute(
        "UPDATE roles SET name = ?, description = ?, version = version + 1, lastModified = ? WHERE slug = ?",
        (name, description or None, now(), slug),
    )
    workspace.move_epoch(connection)
    return get(connection, slug)


def get(connection: sqlite3.Connection, slug: str) -> Role:
    """Return a role by its slug.

    :raises NotFound: when the catalogue has none.
    """
    row = connection.execute("SELECT slug, name, description, created FROM roles WHERE slug = ?", (slug,)).fetchone()
    if row is None:
        hint = near(slug, [role.slug for role in catalogue(connection)])
        raise NotFound(f"There is no role '{slug}' in the catalogue; `flask roles list` shows it.{hint}")
    return Role(*row)


def catalogue(connection: sqlite3.Connection) -> list[Role]:
    """Return all roles in the order of their slugs."""
    return [
        Role(*row) for row in connection.execute("SELECT slug, name, description, created FROM roles ORDER BY slug")
    ]


def near(slug: str, slugs: Sequence[str]) -> str:
    """Return a sentence with the slugs that are near this one; "" where there are none, or too many to compare."""
    known = slugs if len(slugs) < MOST_COMPARED else ()
    return did_you_mean(slug, {other.casefold(): other for other in known}, most=3, cutoff=0.5)


def remove(connection: sqlite3.Connection, slug: str) -> None:
    """Remove a role that nobody has.

    :raises Conflict: when it is assigned; :raises NotFound: when there is none.
    """
    get(connection, slug)
    if connection.execute("SELECT 1 FROM assignments WHERE role = ? LIMIT 1", (slug,)).fetchone():
        raise Conflict(f"The role '{slug}' is in use.")
    connection.execute("DELETE FROM roles WHERE slug = ?", (slug,))
    workspace.move_epoch(connection)


def holders(connection: sqlite3.Connection, slug: str) -> list[tuple[Row, str]]:
    """Return who was assigned a role, each with the source."""
    rows = connection.execute(
        f"SELECT {COLUMNS}, a.source FROM assignments a JOIN resources r ON r.seq = a.resource "
        "WHERE a.role = ? ORDER BY r.seq",
        (slug,),
    )
    return [(Row(*row[:-1]), row[-1]) for row in rows]


def unknown(connection: sqlite3.Connection, slugs: Iterable[str]) -> list[str]:
    """Return those slugs that the catalogue does not have."""
    sql = "SELECT j.value FROM json_each(?) j WHERE NOT EXISTS (SELECT 1 FROM roles WHERE slug = j.value)"
    return [slug for (slug,) in connection.execute(sql, (json.dumps(list(slugs)),))]


def assigned(connection: sqlite3.Connection, seqs: Sequence[int]) -> dict[int, list[Assignment]]:
    """Return the assignments that hang on each of some users and groups themselves."""
    listed, values = among(seqs)
    rows = connection.execute(
        'SELECT a.resource, a.source, a.role, c.name, a.display, a.type, a."primary", a.since, a.actor '
        f"FROM assignments a JOIN roles c ON c.slug = a.role WHERE a.resource IN {listed} "
        "ORDER BY a.resource, a.source, a.position",
        values,
    )
    found: dict[int, list[Assignment]] = {}
    for row in rows:
        found.setdefault(row[0], []).append(Assignment(*row))
    return found


def set_direct(
    connection: sqlite3.Connection,
    user: int,
    held: Sequence[dict[str, Any]],
    sent: Sequence[dict[str, Any]],
    actor: str,
) -> None:
    """Make the direct roles that a user holds exactly those sent, in that order; what stays keeps its origin."""
    if not held and not sent:
        return
    kept: dict[str, tuple[str, str]] = {}
    if held:
        rows = connection.execute(
            "DELETE FROM assignments WHERE resource = ? AND source = 'direct' RETURNING role, since, actor", (user,)
        )
        kept = {role: (since, by) for role, since, by in rows}
    fresh = (now(), actor)
    connection.executemany(
        "INSERT INTO assignments VALUES (?, 'direct', ?, ?, ?, ?, ?, ?, ?)",
        [
            (user, place, role["value"], role.get("display"), role.get("type"), role.get("primary"),
             *kept.get(role["value"], fresh))
            for place, role in enumerate(sent)
        ],
    )  # fmt: skip
    hold(connection, user)


def hold(connection: sqlite3.Connection, resource: int) -> None:
    """Keep in a resource's row what is shown of the roles that hang on it; whoever changes those must do so."""
    connection.execute(
        'UPDATE resources SET held = (SELECT group_concat(json_array(source, role, display, type, "primary")) '
        "FROM assignments WHERE resource = ?1) WHERE seq = ?1",
        (resource,),
    )


def assign(connection: sqlite3.Connection, resource: int, source: str, slug: str, actor: str) -> bool:
    """Assign a role by hand to a user or to a group; False when it was there already."""
    get(connection, slug)
    done = connection.execute(
        "INSERT OR IGNORE INTO assignments SELECT ?, ?, ifnull(max(position), -1) + 1, ?, NULL, NULL, NULL, ?, ? "
        "FROM assignments WHERE resource = ? AND source = ?",
        (resource, source, slug, now(), actor, resource, source),
    )
    if done.rowcount:
        hold(connection, resource)
        workspace.move_epoch(connection)
    return bool(done.rowcount)


def unassign(connection: sqlite3.Connection, resource: int, source: str, slug: str) -> bool:
    """Withdraw a role that was assigned by hand; False when it was not there."""
    done = connection.execute(
        "DELETE FROM assignments WHERE resource = ? AND source = ? AND role = ?", (resource, source, slug)
    )
    if done.rowcount:
        hold(connection, resource)
        workspace.move_epoch(connection)
    return bool(done.rowcount)
