"""Receipts of withdrawals: when each application acknowledged the events that ended or reduced somebody's access.

A change writes no row for them: they are computed from the events, the acknowledgements and what applications reported.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any, NamedTuple

from schemas.datetimes import now, to_seconds
from schemas.events import ROLES_OF_MANY, WITHDRAWALS

# Upper bounds of the buckets of `perch_withdrawal_seconds`.
BUCKETS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
ASKS, NOT_TOLD, FAILED, IGNORED = "asks at sign-in", "not told", "failed", "ignored"

# As in the partial indexes. An event for many people is a withdrawal if it has their number.
_KIND = f"e.kind IN ({', '.join(repr(kind) for kind in WITHDRAWALS)})"
_IS = f"{_KIND} AND (e.kind <> '{ROLES_OF_MANY}' OR e.data ->> '$.people' IS NOT NULL)"
_TOLD = "(x.webhook IS NULL OR w.kinds = '[]' OR e.kind IN (SELECT value FROM json_each(w.kinds)))"
# Ranges of acknowledgements do not overlap, so the first that ends behind an event is the only one that can cover it.
_ACKNOWLEDGED = (
    "(SELECT iif(a.first <= e.seq, a.at, NULL) FROM acknowledgements a "
    "WHERE a.application = x.id AND a.last >= e.seq ORDER BY a.last LIMIT 1)"
)
_ROWS = (
    "SELECT x.name AS application, x.id AS number, x.asks, e.request, e.subject, e.seq, e.tag, e.kind, e.at, "
    "e.received, e.data ->> '$.user.userName' AS user, e.data ->> '$.people' AS people, "
    f"{_TOLD} AS told, {_ACKNOWLEDGED} AS acknowledged, r.outcome, r.sessions, r.reason, r.at AS reported "
    "FROM events e CROSS JOIN applications x LEFT JOIN webhooks w ON w.id = x.webhook "
    f"LEFT JOIN receipts r ON r.application = x.id AND r.event = e.seq WHERE {_IS} AND e.seq > x.begin"
)
# The oldest open withdrawal of each application, without a look at those that are done. A webhook has handled every
# event up to its position that is not in its queue, unless it was moved by a replay, which may have skipped some; who
# pulls, all events up to the last acknowledgement. Tokens are acknowledged in any order, or refused.
_OPEN = f"{_IS} AND {_TOLD} AND {_ACKNOWLEDGED} IS NULL"
_HANDLED = (
    "iif(EXISTS (SELECT 1 FROM event_streams WHERE key = x.key) OR EXISTS (SELECT 1 FROM journal WHERE resource = w.id "
    "AND action = 'replay' AND at > (SELECT at FROM events ORDER BY seq LIMIT 1)), 0, "
    "coalesce(w.position, (SELECT max(last) FROM acknowledgements WHERE application = x.id), 0))"
)
# One bound of `seq`: of two, SQLite would search by the lower one.
_FIRST_OPEN = (
    f"SELECT x.name, (SELECT min(e.seq) FROM events e WHERE {_OPEN} AND e.seq > max(x.begin, {_HANDLED})) AS seq "
    "FROM applications x LEFT JOIN webhooks w ON w.id = x.webhook WHERE NOT x.asks UNION ALL "
    "SELECT x.name, min(e.seq) FROM applications x JOIN webhooks w ON w.id = x.webhook JOIN webhook_queue q "
    f"ON q.webhook = w.id JOIN events e ON e.seq = q.event WHERE {_OPEN} AND e.seq > x.begin GROUP BY x.id"
)
# What a pull acknowledges: the events behind the last acknowledgement, in one row, and those before it that wait in the
# queue of the application's webhook.
_PULLED_RANGE = (
    "SELECT x.id, :last, first, :at FROM (SELECT *, max(begin, ifnull((SELECT max(last) FROM acknowledgements "
    "WHERE application = applications.id), 0)) + 1 AS first FROM applications WHERE key = :key) x "
    f"WHERE EXISTS (SELECT 1 FROM events e WHERE {_IS} AND e.seq BETWEEN first AND :last)"
)
_PULLED_SINGLY = (
    "SELECT x.id, e.seq, e.seq, :at FROM applications x JOIN webhook_queue q ON q.webhook = x.webhook "
    f"JOIN events e ON e.seq = q.event WHERE x.key = :key AND e.seq <= :last AND {_IS} AND {_ACKNOWLEDGED} IS NULL "
    "AND e.seq > x.begin"
)
# The last report of a withdrawal counts, about whichever of its events it is.
_FAILED = (
    "SELECT x.name, min(r.event) FROM receipts r JOIN applications x ON x.id = r.application "
    f"JOIN events e ON e.seq = r.event WHERE r.outcome = '{FAILED}' AND NOT EXISTS (SELECT 1 FROM receipts l "
    "JOIN events o ON o.seq = l.event WHERE l.application = r.application AND o.request = e.request "
    "AND o.received = e.received AND o.subject = e.subject AND (l.at, l.event) > (r.at, r.event)) GROUP BY x.id"
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one request's withdrawal of one person's access, or of many people's, at one application.

    Instants are stored text; `acknowledged` is None until the application has acknowledged all events. `outcome` is
    what it reported, ASKS, NOT_TOLD or None; `told` whether it is told of any of the events.
    """

    application: str
    number: int
    request: str
    subject: str
    kind: str
    event: str
    user: str | None
    people: int | None
    requested: str
    committed: str
    acknowledged: str | None
    outcome: str | None
    sessions: int | None
    reason: str | None
    told: bool

    @property
    def open(self) -> bool:
        """Whether the application may still let the person in."""
        return self.outcome == FAILED or (self.told and self.acknowledged is None)

    @property
    def seconds(self) -> float | None:
        """The seconds from the request to the acknowledgement."""
        return None if self.acknowledged is None else seconds_between(self.requested, self.acknowledged)


def seconds_between(first: str, last: str) -> float:
    """Return the seconds between two stored instants, 0 where the clock was set back."""
    return max(0.0, round(to_seconds(last) - to_seconds(first), 3))


def list_all(connection: Connection, subject: str = "", since: str = "", last: int | None = None) -> list[Receipt]:
    """Return the receipts in the order of their requests: of a person, since an instant, or up to an event."""
    sql, values = _ROWS, list[Any]()
    for condition, value in (("e.subject = ?", subject), ("e.at >= ?", since), ("e.seq <= ?", last)):
        if value not in ("", None):
            sql, values = f"{sql} AND {condition}", [*values, value]
    cursor = connection.execute(f"{sql} ORDER BY e.seq, x.folded", values)
    cursor.row_factory = Row
    groups: dict[tuple[str, str, str, int], list[Row]] = {}
    for row in cursor:
        # A client may send one id with several requests.
        groups.setdefault((row["request"], row["received"], row["subject"], row["number"]), []).append(row)
    return [_receipt(rows) for rows in groups.values()]


def _receipt(rows: Sequence[Row]) -> Receipt:
    gravest = min(rows, key=lambda row: WITHDRAWALS.index(row["kind"]))
    told = [row for row in rows if row["told"] and not row["asks"]]
    instants = [row["acknowledged"] for row in told]
    requested = min(row["received"] or row["at"] for row in rows)
    committed = max(requested, *(row["at"] for row in rows))
    done = None if not told or None in instants else max(committed, *instants)
    reports = [row for row in rows if row["outcome"]]
    last = max(reports, key=lambda row: (row["reported"], row["seq"]), default=None)
    if last:
        outcome = last["outcome"]
    elif gravest["asks"]:
        outcome = ASKS
    else:
        outcome = None if told else NOT_TOLD
    return Receipt(
        **{name: gravest[name] for name in ("application", "number", "request", "subject", "kind", "user", "people")},
        event=f"evt_{gravest['seq']}_{gravest['tag']}", requested=requested, committed=committed, acknowledged=done,
        outcome=outcome, sessions=last["sessions"] if last else None, reason=last["reason"] if last else None,
        told=bool(told),
    )  # fmt: skip


def acknowledged(connection: Connection, way: str, identifier: str, seqs: Iterable[int]) -> None:
    """Note that the application with a "webhook" or access "key" acknowledged single events."""
    connection.execute(
        "INSERT INTO acknowledgements SELECT x.id, e.seq, e.seq, ? FROM applications x JOIN events e ON "
        f"{_IS} AND e.seq IN (SELECT value FROM json_each(?)) WHERE x.{way} = ? AND {_ACKNOWLEDGED} IS NULL",
        (now(), json.dumps(list(seqs)), identifier),
    )


def pulled(connection: Connection, key: str, last: int) -> bool:
    """Tell whether a pull behind an event acknowledges any withdrawal."""
    sql = f"SELECT EXISTS ({_PULLED_RANGE}) OR EXISTS ({_PULLED_SINGLY})"
    return bool(connection.execute(sql, {"key": key, "last": last, "at": ""}).fetchone()[0])


def note_pull(connection: Connection, key: str, last: int, at: str) -> None:
    """Note that the application of an access key asked, at an instant, for the events behind one."""
    values = {"key": key, "last": last, "at": at}
    connection.execute(f"INSERT INTO acknowledgements {_PULLED_RANGE}", values)
    connection.execute(f"INSERT INTO acknowledgements {_PULLED_SINGLY}", values)


def report(
    connection: Connection, application: int, seq: int, outcome: str, sessions: int | None, reason: str | None
) -> None:
    """Keep what an application reports about a withdrawal, in place of an earlier one; about other events, nothing."""
    connection.execute(
        f"INSERT OR REPLACE INTO receipts SELECT ?, e.seq, ?, ?, ?, ? FROM events e WHERE e.seq = ? AND {_IS}",
        (application, outcome, sessions, reason, now(), seq),
    )


def longest_open(connection: Connection) -> list[tuple[str, str]]:
    """Return each application with an open withdrawal, and the stored instant of the oldest one's request."""
    return connection.execute(
        f"SELECT f.name, min(iif(e.received = '', e.at, e.received)) FROM ({_FIRST_OPEN} UNION ALL {_FAILED}) f "
        "JOIN events e ON e.seq = f.seq GROUP BY f.name ORDER BY f.name"
    ).fetchall()


class Totals(NamedTuple):
    """The acknowledged withdrawals of an application: how many in each of the BUCKETS and beyond, and all seconds."""

    buckets: list[int]
    seconds: float

    def add(self, seconds: float) -> "Totals":
        """Return the totals with one more withdrawal."""
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        return self._replace(seconds=self.seconds + seconds)


def no_totals() -> Totals:
    """Return the totals of nothing."""
    return Totals([0] * (len(BUCKETS) + 1), 0.0)


def totals(connection: Connection) -> dict[int, Totals]:
    """Return the totals of the withdrawals whose events were pruned, by application."""
    rows = connection.execute("SELECT application, buckets, seconds FROM withdrawal_totals")
    return {number: Totals(json.loads(buckets), seconds) for number, buckets, seconds in rows}


def counted(found: dict[int, Totals], receipts: Iterable[Receipt]) -> dict[int, Totals]:
    """Return totals with those receipts that are acknowledged."""
    for receipt in receipts:
        if receipt.seconds is not None:
            found[receipt.number] = (found.get(receipt.number) or no_totals()).add(receipt.seconds)
    return found


def forget(connection: Connection, ids: Iterable[str]) -> None:
    """Erase the reasons that applications reported about some deleted users: they are free text and may name them."""
    connection.executemany(
        "UPDATE receipts SET reason = NULL WHERE event IN (SELECT seq FROM events WHERE type = 'User' AND subject = ?)",
        [(identifier,) for identifier in ids],
    )


def prune(connection: Connection, last: int) -> None:
    """Count the acknowledged withdrawals up to an event, which will be deleted, and delete their rows.

    A withdrawal with later events is counted when the last of them goes.
    """
    same = "e.subject = ? AND e.request = ? AND e.received IN (?, '')"
    later = f"SELECT 1 FROM events e WHERE {_IS} AND {same} AND e.seq > ?"
    done = [
        each
        for each in list_all(connection, last=last)
        if each.acknowledged
        and not connection.execute(later, (each.subject, each.request, each.requested, last)).fetchone()
    ]
    for number, each in counted(totals(connection), done).items():
        values = (number, json.dumps(each.buckets), each.seconds)
        connection.execute("INSERT OR REPLACE INTO withdrawal_totals VALUES (?, ?, ?)", values)
    connection.execute("DELETE FROM acknowledgements WHERE last <= ?", (last,))
    connection.execute("DELETE FROM receipts WHERE event <= ?", (last,))
