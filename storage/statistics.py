"""Figures of the deployment for monitoring, the console's overview and `flask doctor`."""

import os
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from storage import search
from storage.locks import log_path
from storage.sql.tables import first_value

# The number of people with a role, and of active ones, from the assignments down to the members: one walk for all.
HOLDERS = (
    "WITH RECURSIVE holding (seq) AS (SELECT a.resource FROM assignments a "
    'UNION SELECT m.member FROM holding JOIN members m ON m."group" = holding.seq) '
    "SELECT count(*), count(nullif(r.active, 0)) FROM holding JOIN resources r ON r.seq = holding.seq "
    "WHERE r.type = 'User'"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows that are counted as they come and go, and bytes on the disk."""

    users: int
    groups: int
    file: int
    log: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that must be walked over: 0.4 s per 100,000 people."""

    may_log_in: int
    journal: int
    traffic: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How many there are of each."""

    people: int
    active: int
    may_log_in: int
    without_role: int
    groups: int
    roles: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a deployment has come on the way from empty to provisioned."""

    key_made: bool
    provider_connected: bool
    person_pushed: bool
    roles_mapped: bool
    group_pushed: bool


def sizes(connection: Connection, file: Path) -> Sizes:
    """Return the figures that take no walk."""
    users, groups = (search.count_all(connection, type_name) for type_name in ("User", "Group"))
    return Sizes(users, groups, _bytes(file), _bytes(log_path(file)))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def counts(connection: Connection) -> Counts:
    """Count the people who may log in (active, with some role), the journal and the traffic."""
    journal = first_value(connection, "SELECT count(*) FROM journal")
    traffic = first_value(connection, "SELECT count(*) FROM traffic")
    _, may_log_in = connection.execute(HOLDERS).fetchone()
    return Counts(may_log_in, journal, traffic)


def note_day(connection: Connection, instant: str, number: int) -> None:
    """Note how many people may log in at a stored instant; the last note of a day counts, for a month."""
    connection.execute("INSERT OR REPLACE INTO days VALUES (?, ?, ?)", (instant[:10], instant[:13], number))
    connection.execute("DELETE FROM days WHERE day NOT IN (SELECT day FROM days ORDER BY day DESC LIMIT 31)")


def is_noted(connection: Connection, instant: str) -> bool:
    """Tell whether there is a note of the hour of a stored instant."""
    return first_value(connection, "SELECT 1 FROM days WHERE hour = ?", instant[:13]) is not None


def may_log_in_per_day(connection: Connection, since: str) -> dict[str, int]:
    """Return how many people could log in at the end of each day since one, where it was noted."""
    return dict(connection.execute("SELECT day, mayLogIn FROM days WHERE day >= ?", (since,)).fetchall())


def figures(connection: Connection) -> Figures:
    """Count people, groups and roles; people who may log in are active and have some role."""
    people, groups = (search.count_all(connection, type_name) for type_name in ("User", "Group"))
    holders, may_log_in = connection.execute(HOLDERS).fetchone()
    active = first_value(connection, "SELECT count(*) FROM resources WHERE type = 'User' AND active = 1")
    roles = first_value(connection, "SELECT count(*) FROM roles")
    return Figures(people, active, may_log_in, people - holders, groups, roles)


def state(connection: Connection) -> tuple[object, ...]:
    """Return a value that differs after every change that figures could show: each moves the journal or the epoch."""
    found: tuple[object, ...] = connection.execute(
        "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'journal'), "
        "(SELECT value FROM workspace WHERE name = 'epoch'), (SELECT value FROM workspace WHERE name = 'id')"
    ).fetchone()
    return found


def progress(connection: Connection, now: str) -> Progress:
    """Return how far the deployment has come; `now` is the present instant as stored text."""
    live = "FROM keys WHERE revoked IS NULL AND (expires IS NULL OR expires > ?)"
    found = connection.execute(
        f"SELECT EXISTS (SELECT 1 {live}), EXISTS (SELECT 1 FROM keys WHERE lastUsed IS NOT NULL) "
        "OR EXISTS (SELECT 1 FROM journal WHERE actor LIKE 'key:%'), "
        "EXISTS (SELECT 1 FROM resources WHERE type = 'User'), "
        "EXISTS (SELECT 1 FROM assignments WHERE source IN ('direct', 'group')), "
        "EXISTS (SELECT 1 FROM resources WHERE type = 'Group')",
        (now,),
    ).fetchone()
    return Progress(*map(bool, found))


def unused_roles(connection: Connection) -> list[str]:
    """Return the slugs of the roles that no user and no group has."""
    sql = "SELECT slug FROM roles WHERE NOT EXISTS (SELECT 1 FROM assignments WHERE role = slug) ORDER BY slug"
    return [slug for (slug,) in connection.execute(sql)]


def last_write(connection: Connection) -> str | None:
    """Return the latest instant at which a resource or the journal was written, as stored text."""
    sql = (
        "SELECT max(at) FROM (SELECT max(lastModified) AS at FROM resources UNION ALL "
        "SELECT (SELECT at FROM journal ORDER BY seq DESC LIMIT 1))"
    )
    found: str | None = first_value(connection, sql)
    return found


def free_bytes(file: Path) -> int:
    """Return the free space on the disk of a file."""
    found = os.statvfs(file.parent)
    return found.f_bavail * found.f_frsize
