"""Pages of members, of role holders and of the journal for the console, each through an index."""

import json
import sqlite3
from dataclasses import dataclass

from storage import journal
from storage.journal import Entry
from storage.resources import COLUMNS, Row


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """Which entries: of one resource, of a name in any case, of a type, of an action; before a sequence number."""

    resource: str = ""
    name: str = ""
    type: str = ""
    action: str = ""
    before: int = 0


def members_page(connection: sqlite3.Connection, group: int, offset: int, count: int) -> list[Row]:
    """Return `count` members of a group after the first `offset`, in the order of their creation."""
    rows = connection.execute(
        f'SELECT {COLUMNS} FROM (SELECT member FROM members WHERE "group" = ? ORDER BY member LIMIT ? OFFSET ?) m '
        "CROSS JOIN resources r ON r.seq = m.member ORDER BY r.seq",
        (group, count, offset),
    )
    return [Row(*row) for row in rows]


def member_counts(connection: sqlite3.Connection, group_seqs: list[int]) -> dict[int, int]:
    """Return how many members each of some groups has directly."""
    rows = connection.execute(
        'SELECT s.value, (SELECT count(*) FROM members m WHERE m."group" = s.value) FROM json_each(?) s',
        (json.dumps(group_seqs),),
    )
    return dict(rows.fetchall())


def assignment_counts(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Return, for each role that is assigned, how many assignments of each source it has."""
    found: dict[str, dict[str, int]] = {}
    for role, source, count in connection.execute(
        "SELECT role, source, count(*) FROM assignments GROUP BY role, source"
    ):
        found.setdefault(role, {})[source] = count
    return found


def holders_page(connection: sqlite3.Connection, slug: str, offset: int, count: int) -> list[tuple[Row, str, str, str]]:
    """Return who was assigned a role, groups first, each with source, since when and by whom."""
    rows = connection.execute(
        f"SELECT {COLUMNS}, h.source, h.since, h.actor FROM ("
        "SELECT resource, source, since, actor FROM assignments WHERE role = ? "
        "ORDER BY source = 'group' DESC, source, resource LIMIT ? OFFSET ?) h "
        "CROSS JOIN resources r ON r.seq = h.resource ORDER BY h.source = 'group' DESC, h.source, h.resource",
        (slug, count, offset),
    )
    return [(Row(*row[:-3]), *row[-3:]) for row in rows]


def journal_page(connection: sqlite3.Connection, query: JournalQuery, count: int) -> list[Entry]:
    """Return the newest entries that match, the newest first."""
    sql, values = journal_statement(query)
    return [journal.from_row(row) for row in connection.execute(f"{sql} LIMIT ?", (*values, count))]


def journal_statement(query: JournalQuery) -> tuple[str, list[object]]:
    """Return the SELECT of a page of the journal, without its limit, and its values."""
    tests: list[tuple[str, object]] = [
        ("j.resource = ?", query.resource),
        ("j.folded = ?", query.name.casefold()),
        ("+j.type = ?", query.type),
        ("+j.action = ?", query.action),
        ("j.seq < ?", query.before),
    ]
    used = [(text, value) for text, value in tests if value]
    where = " AND ".join(text for text, _ in used) or "1"
    return f"SELECT {journal.COLUMNS} FROM journal j WHERE {where} ORDER BY j.seq DESC", [value for _, value in used]


def actors(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the names of the actors that are keys, revoked ones too."""
    return {f"key:{identifier}": name for identifier, name in connection.execute("SELECT id, name FROM keys")}


def alive(connection: sqlite3.Connection, identifiers: list[str]) -> set[str]:
    """Return which of some ids users and groups have today."""
    sql = "SELECT r.id FROM json_each(?) j JOIN resources r ON r.id = j.value"
    return {identifier for (identifier,) in connection.execute(sql, (json.dumps(identifiers),))}
