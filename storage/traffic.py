"""The traffic: requests and answers kept for people to look at, redacted before they come here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from functools import cache
from itertools import chain
from sqlite3 import Connection
from typing import Any

from schemas.datetimes import now, to_json
from schemas.errors import NotFound
from schemas.json import to_text
from storage import workspace
from storage.mentions import Mentions
from storage.sql.fragments import Sql, where
from storage.sql.tables import columns, first_value

FAILED = "(status >= 400 OR status = 0 OR reason IS NOT NULL)"
PRUNED_AT_ONCE = 1000
# How many entries without a valid key are kept at most.
STRANGERS = 500
# How many successes are kept at most when only failures are kept whole, and text later than any hour.
BRIEF, LAST_HOUR = 200, "9"
# Numbers by hour have no names in them, and are kept for this many days.
HOURS_DAYS = 31
# What a request did: it changed something, or it was refused.
PUSHED, REFUSED = "pushed", "refused"
# The value of the workspace that counts the entries with a key; triggers keep it.
OF_KEYS = "traffic_of_keys"
ROWS_AT_ONCE = (50, 10, 1)

# The values of an entry without its sequence number, as they are stored.
TrafficRow = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class TrafficEntry:
    """A request and its answer.

    `duration` is in milliseconds, sizes are in bytes, status 0 means that no answer was sent; `tolerances` maps the
    names of schemas.tolerances to examples; `reason` says why it failed. A body is None when there was none or when it
    was not kept, and shorter than its size when only its beginning was kept or something in it was redacted. `admitted`
    tells whether its key allowed it; `key` is None for a caller without a valid key. `subject` and `name` are those of
    the user or group that it is about, "" if there is none; `brief` says that only its first line was kept.
    """

    at: str
    key: str | None
    keyName: str | None
    idp: str | None
    method: str
    path: str
    status: int
    duration: float
    headers: dict[str, str] = field(default_factory=dict)
    request: str | None = None
    requestSize: int = 0
    response: str | None = None
    responseSize: int = 0
    requestId: str = ""
    tolerances: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    reason: str | None = None
    fault: str | None = None
    replayOf: int | None = None
    admitted: bool = False
    subject: str = ""
    name: str = ""
    brief: bool = False
    seq: int = 0

    @property
    def failed(self) -> bool:
        """Whether the request failed, or part of it."""
        return self.status >= 400 or self.status == 0 or self.reason is not None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain data, its sequence number first."""
        return {"seq": self.seq, **asdict(self), "at": to_json(self.at)}


SELECT = f"SELECT {columns(TrafficEntry)} FROM traffic"


@dataclass(frozen=True, slots=True)
class TrafficQuery:
    """Which entries; `before` and `after` are sequence numbers, `text` is a part of path or name."""

    errors: bool = False
    key: str = ""
    method: str = ""
    text: str = ""
    subject: str = ""
    replay_of: int = 0
    before: int = 0
    after: int | None = None

    @property
    def statement(self) -> Sql:
        """The SELECT of the entries; a plus sign keeps SQLite from using that column's index."""
        chosen = where(
            (FAILED, self.errors),
            ("+key = ?" if self.errors else "key = ?", self.key),
            ("+method = ?", self.method),
            ("instr(fold(path || ' ' || name), fold(?)) > 0", self.text),
            ("subject = ? AND subject != ''", self.subject),
            ("replayOf = ?", self.replay_of),
            ("seq < ?", self.before),
            ("seq > ?", self.after),
        )
        order = "ASC" if self.after is not None and not self.before else "DESC"
        return Sql(f"{SELECT} WHERE ") + chosen + f" ORDER BY seq {order}"


EVERYTHING = TrafficQuery()


def row_of(entry: TrafficEntry) -> TrafficRow:
    """Return an entry's values in the order of its fields, ready for `append`."""
    return (
        entry.at, entry.key, entry.keyName, entry.idp, entry.method, entry.path, entry.status, entry.duration,
        _text(entry.headers), entry.request, entry.requestSize, entry.response, entry.responseSize, entry.requestId,
        _text(entry.tolerances), _text(entry.ignored), entry.reason, entry.fault, entry.replayOf,
        entry.admitted, entry.subject, entry.name, entry.brief,
    )  # fmt: skip


def _text(value: Any) -> str:
    return to_text(value) if value else ""


def append(connection: Connection, rows: Sequence[TrafficRow]) -> None:
    """Write entries, the oldest first; many per statement, since another thread may run between two statements."""
    at = 0
    for size in ROWS_AT_ONCE:
        while len(rows) - at >= size:
            connection.execute(_insertion(size), list(chain.from_iterable(rows[at : at + size])))
            at += size
    if rows:
        _name(connection, last(connection) - len(rows))


def _name(connection: Connection, before: int) -> None:
    """Give the entries behind a number the names of their subjects, those of deleted ones from the journal."""
    connection.execute(
        "UPDATE traffic SET name = coalesce((SELECT coalesce(document ->> '$.userName', document ->> '$.displayName') "
        "FROM resources WHERE id = subject), (SELECT name FROM journal WHERE resource = subject ORDER BY seq DESC "
        "LIMIT 1), '') WHERE seq > ? AND subject != '' AND name = ''",
        (before,),
    )


def count(connection: Connection, hours: Mapping[tuple[str, str, str], int]) -> None:
    """Add to the numbers of requests by key, hour and kind: PUSHED, REFUSED or any other."""
    rows = [
        (key, hour, number, number * (kind == PUSHED), number * (kind == REFUSED))
        for (key, hour, kind), number in hours.items()
    ]
    connection.executemany(
        "INSERT INTO traffic_hours VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count, "
        "pushes = pushes + excluded.pushes, refused = refused + excluded.refused",
        rows,
    )


@cache
def _insertion(size: int) -> str:
    names = columns(TrafficEntry).removesuffix(', "seq"')
    places = ", ".join("?" * len(names.split(",")))
    return f"INSERT INTO traffic ({names}) VALUES {', '.join([f'({places})'] * size)}"


def entries(connection: Connection, query: TrafficQuery = EVERYTHING, limit: int = 100) -> list[TrafficEntry]:
    """Return the newest entries that match, the newest first; with only `after` the oldest ones, the oldest first."""
    sql = query.statement + Sql(" LIMIT ?", (limit,))
    return [_entry(row) for row in connection.execute(sql.text, sql.parameters)]


def get(connection: Connection, seq: int) -> TrafficEntry:
    """Return one entry.

    :raises NotFound: when there is none, or it was pruned.
    """
    found = connection.execute(f"{SELECT} WHERE seq = ?", (seq,)).fetchone()
    if found is None:
        raise NotFound(f"The request {seq} is not in the traffic; PERCH_TRAFFIC says which requests are kept.")
    return _entry(found)


def last(connection: Connection) -> int:
    """Return the newest entry's sequence number, 0 when there is none."""
    return int(first_value(connection, "SELECT max(seq) FROM traffic") or 0)


def count_per_key(connection: Connection, since: str) -> dict[str, int]:
    """Return how many requests each key has sent since the beginning of an hour."""
    rows = connection.execute("SELECT key, sum(count) FROM traffic_hours WHERE hour >= ? GROUP BY key", (since,))
    return dict(rows.fetchall())


def count_per_day(connection: Connection, since: str) -> dict[str, tuple[int, int]]:
    """Return for each day since one how many requests changed something, and how many were refused."""
    rows = connection.execute(
        "SELECT substr(hour, 1, 10), sum(pushes), sum(refused) FROM traffic_hours WHERE hour >= ? GROUP BY 1", (since,)
    )
    return {day: (pushes, refused) for day, pushes, refused in rows}


def prune(connection: Connection, keep: int, days: float) -> None:
    """Delete the oldest entries beyond a number and those older than some days, a bounded share at once.

    Entries without a key have a number of their own, so that strangers cannot push out the requests of clients; so do
    successes. Nothing stays when `keep` is 0.
    """
    sql = "SELECT seq FROM traffic WHERE at >= ? ORDER BY seq LIMIT 1"
    young = first_value(connection, sql, now(-timedelta(days=days))) or last(connection) + 1
    surplus = int(workspace.get(connection, OF_KEYS) or 0) - keep
    for chosen, values in (
        ("seq < ? ORDER BY seq LIMIT ?", (young, PRUNED_AT_ONCE)),
        # A plus sign keeps SQLite from sorting what the index on `key` finds.
        ("+key IS NOT NULL AND +brief = 0 ORDER BY seq LIMIT ?", (max(0, min(surplus, PRUNED_AT_ONCE)),)),
        ("key IS NULL ORDER BY seq DESC LIMIT ? OFFSET ?", (PRUNED_AT_ONCE, min(STRANGERS, keep))),
        ("brief = 1 ORDER BY seq DESC LIMIT ? OFFSET ?", (PRUNED_AT_ONCE, min(BRIEF, keep))),
    ):
        connection.execute(f"DELETE FROM traffic WHERE seq IN (SELECT seq FROM traffic WHERE {chosen})", values)
    oldest = now(-timedelta(days=HOURS_DAYS)) if keep else LAST_HOUR
    connection.execute("DELETE FROM traffic_hours WHERE hour < ?", (oldest,))


def forget(connection: Connection, names: Sequence[str]) -> int:
    """Delete every entry that mentions one of the names as a whole value, in any case; return how many."""
    mentions, found = Mentions(names), []
    rows = connection.execute("SELECT seq, path, name, request, response, requestId, reason, tolerances FROM traffic")
    for seq, path, name, request, response, request_id, reason, tolerances in rows:
        texts = (request_id, reason, *(json.loads(tolerances).values() if tolerances else ()))
        if (
            mentions.in_path(path)
            or mentions.is_name(name)
            or any(map(mentions.in_body, (request, response)))
            or any(map(mentions.in_text, texts))
        ):
            found.append((seq,))
    connection.executemany("DELETE FROM traffic WHERE seq = ?", found)
    return len(found)


def _entry(found: Sequence[Any]) -> TrafficEntry:
    values = dict(zip((column.name for column in fields(TrafficEntry)), found, strict=True))
    for name, empty in (("headers", {}), ("tolerances", {}), ("ignored", [])):
        values[name] = json.loads(values[name]) if values[name] else empty
    values |= {name: bool(values[name]) for name in ("admitted", "brief")}
    return TrafficEntry(**values)
