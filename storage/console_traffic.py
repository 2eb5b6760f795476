"""The traffic as the console filters it, and how much of it each key made."""

import sqlite3
from dataclasses import dataclass

from storage import traffic
from storage.traffic import FAILED, Entry


@dataclass(frozen=True, slots=True)
class TrafficQuery:
    """Which requests: failed ones only, of one key, of a method, with some text in the path; before a number."""

    errors: bool = False
    key: str = ""
    method: str = ""
    text: str = ""
    before: int = 0


def page(connection: sqlite3.Connection, query: TrafficQuery, count: int) -> list[Entry]:
    """Return the newest requests that match, the newest first."""
    sql, values = statement(query)
    found = connection.execute(f"{sql} LIMIT ?", (*values, count)).fetchall()
    return [traffic.get(connection, seq) for (seq,) in found]


def statement(query: TrafficQuery) -> tuple[str, list[object]]:
    """Return the SELECT of the numbers of a page of requests, without its limit, and its values."""
    tests: list[tuple[str, object]] = [
        ("+key = ?" if query.errors else "key = ?", query.key),
        ("+method = ?", query.method),
        ("instr(lower(path), ?) > 0", query.text.lower()),
        ("seq < ?", query.before),
    ]
    used = [(text, value) for text, value in tests if value]
    conditions = [text for text, _ in used] + ([FAILED] if query.errors else [])
    where = " AND ".join(conditions) or "1"
    return f"SELECT seq FROM traffic WHERE {where} ORDER BY seq DESC", [value for _, value in used]


def per_key(connection: sqlite3.Connection, since: str) -> dict[str, int]:
    """Return how many requests of each key were kept since an instant."""
    rows = connection.execute(
        "SELECT key, count(*) FROM traffic WHERE key IS NOT NULL "
        "AND seq >= (SELECT min(seq) FROM traffic WHERE at >= ?) GROUP BY key",
        (since,),
    )
    return dict(rows.fetchall())
