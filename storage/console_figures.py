"""The figures of the console's overview, and the facts behind its checklist."""

import sqlite3
from dataclasses import dataclass

from storage import search
from storage.search import Query, Selection

# Everybody below an assignment, found from the assignments downwards: one walk, whatever the size of the directory.
HOLDING = (
    "WITH RECURSIVE holding (seq) AS (SELECT a.resource FROM assignments a "
    'UNION SELECT m.member FROM holding JOIN members m ON m."group" = holding.seq) '
)


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


def figures(connection: sqlite3.Connection) -> Figures:
    """Count people, groups and roles; people who may log in are active and hold some role."""
    people = search.total(connection, Query((Selection("User"),)))
    active = _one(connection, "SELECT count(*) FROM resources WHERE type = 'User' AND active = 1")
    holders, may_log_in = connection.execute(
        f"{HOLDING} SELECT count(*), count(nullif(r.active, 0)) FROM holding JOIN resources r ON r.seq = holding.seq "
        "WHERE r.type = 'User'"
    ).fetchone()
    groups = search.total(connection, Query((Selection("Group"),)))
    return Figures(people, active, may_log_in, people - holders, groups, _one(connection, "SELECT count(*) FROM roles"))


def state(connection: sqlite3.Connection) -> tuple[object, ...]:
    """Return what differs after every change that figures could show: each moves the journal or the epoch."""
    found: tuple[object, ...] = connection.execute(
        "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'journal'), "
        "(SELECT value FROM workspace WHERE name = 'epoch'), (SELECT value FROM workspace WHERE name = 'id')"
    ).fetchone()
    return found


def progress(connection: sqlite3.Connection, now: str) -> Progress:
    """Return what has been done; `now` is the present instant as stored text."""
    found = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM keys WHERE revoked IS NULL AND (expires IS NULL OR expires > ?)), "
        "EXISTS (SELECT 1 FROM keys WHERE lastUsed IS NOT NULL) "
        "OR EXISTS (SELECT 1 FROM journal WHERE actor LIKE 'key:%'), "
        "EXISTS (SELECT 1 FROM resources WHERE type = 'User'), "
        "EXISTS (SELECT 1 FROM assignments WHERE source IN ('direct', 'group')), "
        "EXISTS (SELECT 1 FROM resources WHERE type = 'Group')",
        (now,),
    ).fetchone()
    return Progress(*map(bool, found))


def _one(connection: sqlite3.Connection, sql: str) -> int:
    found: int = connection.execute(sql).fetchone()[0]
    return found
