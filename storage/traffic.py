"""The traffic: requests and answers kept for people to look at, redacted before they come here."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from itertools import chain
from typing import Any
from urllib.parse import unquote_plus

from schemas.datetimes import now, to_json
from schemas.errors import NotFound
from schemas.json import to_text

COLUMNS = (
    "at, key, keyName, idp, method, path, status, duration, headers, request, requestSize, response, responseSize, "
    "requestId, tolerances, ignored, reason, fault, replayOf"
)
FAILED = "(status >= 400 OR status = 0 OR reason IS NOT NULL)"
PRUNED_AT_ONCE = 1000
ROWS_AT_ONCE = (50, 10, 1)

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A request and its answer.

    `duration` is in milliseconds, sizes are in bytes, status 0 means that no answer was sent; `tolerances` maps the
    names of schemas.tolerances to examples; `reason` says why it failed. A body is None when there was none or when it
    was not kept, and shorter than its size when only its beginning was kept or something in it was redacted.
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
    seq: int = 0

    @property
    def failed(self) -> bool:
        """Whether the request failed, or part of it."""
        return self.status >= 400 or self.status == 0 or self.reason is not None

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain data, its sequence number first."""
        return {"seq": self.seq, **asdict(self), "at": to_json(self.at)}


def row(entry: Entry) -> Row:
    """Return an entry's values in the order of COLUMNS, ready for `append`."""
    return (
        entry.at, entry.key, entry.keyName, entry.idp, entry.method, entry.path, entry.status, entry.duration,
        _text(entry.headers), entry.request, entry.requestSize, entry.response, entry.responseSize, entry.requestId,
        _text(entry.tolerances), _text(entry.ignored), entry.reason, entry.fault, entry.replayOf,
    )  # fmt: skip


def _text(value: Any) -> str:
    return to_text(value) if value else ""


def append(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Write entries, the oldest first; many in one statement, since between two of them a thread may lose its turn."""
    at = 0
    for size in ROWS_AT_ONCE:
        while len(rows) - at >= size:
            connection.execute(_insertion(size), list(chain.from_iterable(rows[at : at + size])))
            at += size


@cache
def _insertion(size: int) -> str:
    places = "(" + ", ".join("?" * len(COLUMNS.split(","))) + ")"
    return f"INSERT INTO traffic ({COLUMNS}) VALUES {', '.join([places] * size)}"


def entries(
    connection: sqlite3.Connection,
    *,
    errors: bool = False,
    key: str | None = None,
    before: int | None = None,
    after: int | None = None,
    replay_of: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """Return the newest entries first, of those before and after sequence numbers; `after` alone: the oldest first."""
    asked = {"key = ?": key, "seq < ?": before, "seq > ?": after, "replayOf = ?": replay_of}
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = " AND ".join([*given, *([FAILED] if errors else [])]) or "1"
    order = "ASC" if after is not None and before is None else "DESC"
    rows = connection.execute(
        f"SELECT {COLUMNS}, seq FROM traffic WHERE {conditions} ORDER BY seq {order} LIMIT ?", [*given.values(), limit]
    )
    return [from_row(found) for found in rows]


def get(connection: sqlite3.Connection, seq: int) -> Entry:
    """Return one entry.

    :raises NotFound: when there is none, or no longer.
    """
    found = connection.execute(f"SELECT {COLUMNS}, seq FROM traffic WHERE seq = ?", (seq,)).fetchone()
    if found is None:
        raise NotFound(f"There is no request {seq} in the traffic, or no longer; PERCH_TRAFFIC says what is kept.")
    return from_row(found)


def last(connection: sqlite3.Connection) -> int:
    """Return the newest entry's sequence number, 0 when there is none."""
    (seq,) = connection.execute("SELECT ifnull(max(seq), 0) FROM traffic").fetchone()
    return int(seq)


def counts(connection: sqlite3.Connection, since: str) -> dict[str, int]:
    """Return how many entries since an instant there are in all (`all`) and how many of them failed (`errors`)."""
    found = connection.execute(
        f"SELECT count(*), count(CASE WHEN {FAILED} THEN 1 END) FROM traffic "
        "WHERE seq >= (SELECT seq FROM traffic WHERE at >= ? ORDER BY seq LIMIT 1)",
        (since,),
    ).fetchone()
    return {"all": found[0], "errors": found[1]}


def prune(connection: sqlite3.Connection, keep: int, days: float) -> None:
    """Delete the oldest entries beyond a number and those older than some days, a bounded share at once."""
    (newest,) = connection.execute("SELECT max(seq) FROM traffic").fetchone()
    if newest is None:
        return
    found = connection.execute(
        "SELECT seq FROM traffic WHERE at >= ? ORDER BY seq LIMIT 1", (now(-timedelta(days=days)),)
    ).fetchone()
    first_kept = max(newest - keep + 1, found[0] if found else newest + 1)
    connection.execute(
        "DELETE FROM traffic WHERE seq IN (SELECT seq FROM traffic WHERE seq < ? ORDER BY seq LIMIT ?)",
        (first_kept, PRUNED_AT_ONCE),
    )


def forget(connection: sqlite3.Connection, names: Sequence[str]) -> int:
    """Delete every entry that mentions one of the names, whatever the case of ASCII letters; return how many."""
    found = _with_path_naming(connection, names)
    for name in names:
        rows = connection.execute(
            "SELECT seq FROM traffic, (SELECT ? AS word UNION SELECT ?) WHERE instr(lower(ifnull(request, '')), word) "
            "OR instr(lower(ifnull(response, '')), word) OR instr(lower(ifnull(reason, '')), word) "
            "OR instr(lower(tolerances), word)",
            [json.dumps(name)[1:-1].lower(), json.dumps(name, ensure_ascii=False)[1:-1].lower()],
        )
        found.update(seq for (seq,) in rows)
    connection.executemany("DELETE FROM traffic WHERE seq = ?", [(seq,) for seq in found])
    return len(found)


def _with_path_naming(connection: sqlite3.Connection, names: Sequence[str]) -> set[int]:
    """Return the entries whose path names somebody, however it is percent-encoded."""
    words = [name.casefold() for name in names]
    paths = ((seq, unquote_plus(path).casefold()) for seq, path in connection.execute("SELECT seq, path FROM traffic"))
    return {seq for seq, path in paths if any(word in path for word in words)}


def from_row(found: Sequence[Any]) -> Entry:
    """Return the entry that a row of COLUMNS and seq holds."""
    values = dict(zip((*COLUMNS.split(", "), "seq"), found, strict=True))
    for name, empty in (("headers", {}), ("tolerances", {}), ("ignored", [])):
        values[name] = json.loads(values[name]) if values[name] else empty
    return Entry(**values)
