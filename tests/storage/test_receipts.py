"""Receipts: what becomes of a withdrawal at each application, computed from events and acknowledgements."""

import random
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from sqlite_utils import Database

from schemas.datetimes import from_seconds, to_seconds
from scim.console import words
from scim.service.keys import make_key
from storage import applications, event_streams, events, keys, receipts, webhooks
from storage.database import Connection
from storage.event_streams import EventStream
from storage.events import NewEvent
from storage.journal import Author
from storage.migrations import MIGRATIONS
from storage.receipts import ASKS, NOT_TOLD, Receipt

KINDS = ["user.deactivated", "roles.lost", "login.withdrawn", "user.deleted"]


@pytest.fixture
def connection(app: Flask) -> Iterator[Connection]:
    with app.extensions["perch"].database.write() as found:
        yield found


def webhook(connection: Connection, identifier: str, *kinds: str) -> None:
    webhooks.insert(connection, identifier, f"http://{identifier}.example/hook", kinds, "standard", "whsec_x")


def emit(connection: Connection, request: str, person: str, *kinds: str, received: str = "", **data: Any) -> list[int]:
    """Write events of a request about a person; return their numbers."""
    user = {"user": {"id": person, "userName": person}, **data}
    found = [NewEvent(kind, "User", person, user) for kind in kinds]
    events.append(connection, Author("key:x", request, received), "patch", found)
    last = events.last(connection)
    return list(range(last - len(kinds) + 1, last + 1))


def only(connection: Connection, **asked: Any) -> Receipt:
    (found,) = receipts.list_all(connection, **asked)
    return found


def test_one_receipt_per_request_person_and_application_under_the_gravest_word(connection: Connection) -> None:
    webhook(connection, "w1")
    applications.add(connection, "Billing", "w1", None, False)
    applications.add(connection, "CRM", None, "k1", False)
    emit(connection, "r1", "ann", "user.changed", "user.deactivated", "login.withdrawn")
    emit(connection, "r1", "bob", "roles.lost")
    emit(connection, "r2", "ann", "user.deleted", "roles.lost", "login.withdrawn")
    found = {(each.request, each.user, each.application): each for each in receipts.list_all(connection)}
    assert len(found) == 6
    assert {key[:2]: each.kind for key, each in found.items()} == {
        ("r1", "ann"): "login.withdrawn", ("r1", "bob"): "roles.lost", ("r2", "ann"): "user.deleted",
    }  # fmt: skip
    assert all(each.open and each.seconds is None for each in found.values())


def test_it_is_acknowledged_when_all_of_its_events_are(connection: Connection) -> None:
    webhook(connection, "w1")
    applications.add(connection, "Billing", "w1", None, False)
    first, second = emit(connection, "r", "ann", "user.deactivated", "login.withdrawn", received="2026-01-01T00:00:00")
    receipts.acknowledged(connection, "webhook", "w1", [second])
    assert only(connection).open
    receipts.acknowledged(connection, "webhook", "w1", [first])
    receipts.acknowledged(connection, "webhook", "w1", [first])
    found = only(connection)
    assert not found.open and found.requested == "2026-01-01T00:00:00"
    assert found.requested <= found.committed <= (found.acknowledged or "")
    rows = connection.execute("SELECT count(*) FROM acknowledgements").fetchone()
    receipts.acknowledged(connection, "webhook", "w1", [emit(connection, "r", "ann", "user.changed")[0]])
    assert rows == connection.execute("SELECT count(*) FROM acknowledgements").fetchone() == (2,)


def test_seconds_are_never_negative_when_a_clock_is_set_back(connection: Connection) -> None:
    applications.add(connection, "CRM", None, "k1", False)
    (seq,) = emit(connection, "r", "ann", "roles.lost", received="2099-01-01T00:00:00")
    receipts.note_pull(connection, "k1", seq, "2026-01-01T00:00:00")
    found = only(connection)
    assert found.seconds == 0.0 and found.requested <= found.committed <= (found.acknowledged or "")


def test_a_pull_acknowledges_all_before_it_once_and_only_where_something_was_withdrawn(connection: Connection) -> None:
    applications.add(connection, "CRM", None, "k1", False)
    (harmless,) = emit(connection, "r", "ann", "user.changed")
    assert not receipts.pulled(connection, "k1", harmless)
    first, second = emit(connection, "r1", "ann", "roles.lost")[0], emit(connection, "r2", "bob", "roles.lost")[0]
    assert not receipts.pulled(connection, "other", second)
    receipts.note_pull(connection, "k1", first, "2026-01-01T00:00:00")
    assert [each.open for each in receipts.list_all(connection)] == [False, True]
    receipts.note_pull(connection, "k1", first, "2026-01-02T00:00:00")
    receipts.note_pull(connection, "k1", second, "2026-01-03T00:00:00")
    emit(connection, "r3", "ann", "user.changed")
    receipts.note_pull(connection, "k1", events.last(connection), "2026-01-04T00:00:00")
    rows = connection.execute("SELECT first, last, at FROM acknowledgements ORDER BY last").fetchall()
    assert [row[1:] for row in rows] == [(first, "2026-01-01T00:00:00"), (second, "2026-01-03T00:00:00")]


def test_tokens_are_acknowledged_one_by_one_in_any_order(connection: Connection) -> None:
    applications.add(connection, "CRM", None, "k1", False)
    seqs = [emit(connection, f"r{number}", "ann", "roles.lost")[0] for number in range(3)]
    receipts.acknowledged(connection, "key", "k1", [seqs[2], seqs[0], 999])
    receipts.acknowledged(connection, "key", "k2", seqs)
    assert [each.open for each in receipts.list_all(connection)] == [False, True, False]


def test_an_application_is_not_told_asks_or_concerned_by_later_events_only(connection: Connection) -> None:
    emit(connection, "r0", "ann", "user.deleted")
    webhook(connection, "w1", "user.deleted")
    applications.add(connection, "Billing", "w1", None, False)
    applications.add(connection, "Wiki", None, "k1", True)
    emit(connection, "r1", "ann", "roles.lost")
    found = {each.application: each for each in receipts.list_all(connection)}
    assert (found["Billing"].outcome, found["Wiki"].outcome) == (NOT_TOLD, ASKS)
    assert not any(each.open or each.acknowledged for each in found.values())
    (seq,) = emit(connection, "r2", "bob", "user.deleted")
    assert [each.open for each in receipts.list_all(connection) if each.user == "bob"] == [True, False]
    receipts.acknowledged(connection, "webhook", "w1", [seq])
    assert [each.open for each in receipts.list_all(connection) if each.user == "bob"] == [False, False]


def test_a_report_is_replaced_and_a_failure_keeps_it_open(connection: Connection) -> None:
    application = applications.add(connection, "CRM", None, "k1", False)
    (seq,) = emit(connection, "r", "ann", "roles.lost")
    receipts.note_pull(connection, "k1", seq, "2099-01-01T00:00:00")
    receipts.report(connection, application.id, seq, "failed", None, "locked")
    found = only(connection)
    assert (found.open, found.outcome, found.reason) == (True, "failed", "locked")
    assert receipts.longest_open(connection) == [("CRM", found.requested)]
    receipts.report(connection, application.id, seq, "ended", 2, None)
    found = only(connection)
    assert (found.open, found.outcome, found.sessions, found.reason) == (False, "ended", 2, None)
    assert receipts.longest_open(connection) == []


def test_a_change_for_many_is_a_withdrawal_where_it_has_their_number(connection: Connection) -> None:
    applications.add(connection, "CRM", None, "k1", False)
    many = [NewEvent("roles.changed_for_many", "Group", "g", data) for data in ({"roles": ["a"]}, {"people": 700})]
    for number, event in enumerate(many):
        events.append(connection, Author("key:x", f"r{number}"), "patch", [event])
    found = only(connection)
    assert (found.user, found.people, found.request) == (None, 700, "r1")


@pytest.mark.parametrize("seed", range(20))
def test_the_oldest_open_one_is_that_of_the_list(connection: Connection, seed: int) -> None:
    chance = random.Random(seed)
    webhook(connection, "w1", *chance.choice(([], ["user.deleted", "roles.lost"])))
    applications.add(connection, "Billing", "w1", None, False)
    applications.add(connection, "CRM", None, "k1", False)
    position = events.last(connection)
    for number in range(30):
        kinds = chance.sample([*KINDS, "user.changed"], chance.randint(1, 3))
        emit(connection, f"r{number}", chance.choice("abc"), *kinds, received=from_seconds(1.7e9 + number))
    for event in events.after(connection, position, chance.randrange(80)):
        hook = webhooks.get(connection, "w1")
        if hook.wants(event.kind):
            if chance.random() < 0.85:
                receipts.acknowledged(connection, "webhook", "w1", [event.seq])
            else:
                waiting = webhooks.QueuedEvent(event.seq, webhooks.subject_of(event), 1, 0.0, 0.0)
                webhooks.enqueue(connection, "w1", waiting)
        webhooks.move(connection, hook, event.seq)
    receipts.note_pull(connection, "k1", position + chance.randrange(40), from_seconds(1.8e9))
    expected: dict[str, str] = {}
    for each in receipts.list_all(connection):
        if each.open:
            expected[each.application] = min(each.requested, expected.get(each.application, "9"))
    assert dict(receipts.longest_open(connection)) == expected


def test_pruned_withdrawals_still_count(connection: Connection) -> None:
    application = applications.add(connection, "CRM", None, "k1", False)
    for number, seconds in enumerate((0.2, 4.0, 5000.0, 0.5)):
        (seq,) = emit(connection, f"r{number}", "ann", "roles.lost", received="2099-01-01T00:00:00")
        at = from_seconds(to_seconds("2099-01-01T00:00:00") + seconds)
        receipts.note_pull(connection, "k1", seq, at)
    emit(connection, "r9", "ann", "roles.lost")

    def done() -> receipts.Totals:
        return receipts.counted(receipts.totals(connection), receipts.list_all(connection))[application.id]

    before = done()
    assert before.buckets == [2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1] and before.seconds == pytest.approx(5004.7)
    for last in (2, 3, 4):
        receipts.prune(connection, last)
        connection.execute("DELETE FROM events WHERE seq <= ?", (last,))
        assert done() == before
    assert connection.execute("SELECT count(*) FROM acknowledgements").fetchone() == (0,)
    assert only(connection).open


def test_webhooks_and_streams_of_an_older_file_become_applications() -> None:
    with closing(Database(memory=True)) as file:
        MIGRATIONS.apply(file, stop_before="m027_receipts")
        connection = file.conn
        for number, url in enumerate(("https://u:p@Crm.example/x", "http://crm.example:81/y", "https://b.example/")):
            webhooks.insert(connection, f"w{number}", url, (), "standard", "s")
        for identifier, name in (("k1", "CRM.example"), ("k2", "Wiki"), ("k3", "Silent")):
            keys.insert(connection, make_key(name, "generic", "read", None, None)[0])
            connection.execute("UPDATE keys SET id = ? WHERE name = ?", (identifier, name))
        connection.execute("INSERT INTO event_streams VALUES ('k1', 0, '[]'), ('k2', 0, '[]')")
        MIGRATIONS.apply(file)
        found = {(each.name, each.webhook, each.key) for each in applications.list_all(connection)}
    assert found == {
        ("crm.example", "w0", None), ("crm.example 2", "w1", None), ("b.example", "w2", None),
        ("CRM.example 3", None, "k1"), ("Wiki", None, "k2"),
    }  # fmt: skip


def test_open_withdrawals_are_found_by_index(connection: Connection) -> None:
    webhook(connection, "w1")
    applications.add(connection, "Billing", "w1", None, False)
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    receipts.longest_open(connection)
    receipts.pulled(connection, "k1", 5)
    receipts.list_all(connection, "ann")
    connection.set_trace_callback(None)
    for sql in seen:
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
        assert not re.search(r"SCAN e\b(?! USING)", plan) and "events_with" in plan, plan


@pytest.mark.parametrize("way", ["webhook", "pull"])
def test_a_look_for_open_withdrawals_passes_over_those_that_are_done(connection: Connection, way: str) -> None:
    webhook(connection, "w1")
    told: tuple[str | None, str | None] = ("w1", None) if way == "webhook" else (None, "k1")
    applications.add(connection, "Billing", *told, False)

    def steps(people: int) -> int:
        found = [NewEvent("user.deleted", "User", str(number), {}) for number in range(people)]
        events.append(connection, Author("key:x", "r"), "delete", found)
        last = events.last(connection)
        if way == "webhook":
            sql = "INSERT INTO acknowledgements SELECT x.id, seq, seq, e.at FROM events e, applications x WHERE seq > ?"
            connection.execute(sql, (last - people,))
            webhooks.change(connection, "w1", position=last)
        receipts.note_pull(connection, "k1", last, "2099-01-01T00:00:00")
        counted: list[None] = []
        connection.set_progress_handler(lambda: counted.append(None), 1)
        assert receipts.longest_open(connection) == []
        connection.set_progress_handler(None, 0)
        return len(counted)

    assert steps(10) == pytest.approx(steps(500), rel=0.2)


@pytest.mark.parametrize("outcome", ["ended", "ignored", "failed"])
@pytest.mark.parametrize("way", ["asks", "not told"])
def test_a_report_of_who_is_not_told_is_open_only_where_it_failed(
    connection: Connection, way: str, outcome: str
) -> None:
    webhook(connection, "w1", "user.deleted")
    told = ("w1", "k1", False) if way == "not told" else (None, "k1", True)
    application = applications.add(connection, "Wiki", *told)
    (seq,) = emit(connection, "r", "ann", "roles.lost")
    silent = "asks at each sign-in" if way == "asks" else "is not told of this"
    assert words.withdrawal([only(connection)], "") == f"Wiki {silent}."
    receipts.report(connection, application.id, seq, outcome, 1, None)
    found = only(connection)
    assert (found.outcome, found.open) == (outcome, outcome == "failed")
    assert bool(receipts.longest_open(connection)) == found.open
    told_of = {"failed": "failed to end it", "ignored": "ignored it", "ended": "reported ended"}[outcome]
    assert words.withdrawal([found], found.requested) == f"Wiki {told_of}."


@pytest.mark.parametrize("first", ["pull", "token", "webhook"])
@pytest.mark.parametrize("then", ["pull", "token", "webhook"])
def test_what_is_acknowledged_stays_so_whichever_way_the_next_one_is(
    connection: Connection, first: str, then: str
) -> None:
    webhook(connection, "w1")
    applications.add(connection, "CRM", "w1", "k1", False)
    seqs = [emit(connection, f"r{number}", "ann", "roles.lost")[0] for number in range(4)]

    def acknowledge(way: str, seq: int, at: str) -> None:
        if way == "pull":
            receipts.note_pull(connection, "k1", seq, at)
        elif way == "token":
            receipts.acknowledged(connection, "key", "k1", [seq])
        else:
            receipts.acknowledged(connection, "webhook", "w1", [seq])

    acknowledge(first, seqs[2], "2099-01-01T00:00:00")
    before = [each for each in receipts.list_all(connection) if not each.open]
    acknowledge(then, seqs[1], "2099-01-02T00:00:00")
    after = {each.event: each for each in receipts.list_all(connection) if not each.open}
    assert all(after.get(each.event) == each for each in before)


@pytest.mark.parametrize("order", [[2], [1, 2], [0, 2], [2, 0], [2, 1, 0]])
def test_tokens_out_of_order_hide_no_older_withdrawal(connection: Connection, order: list[int]) -> None:
    applications.add(connection, "CRM", None, "k1", False)
    seqs = [
        emit(connection, f"r{number}", "ann", "roles.lost", received=f"2026-01-0{number + 1}T00:00:00")[0]
        for number in range(3)
    ]
    stream = EventStream("k1", seqs[0] - 1, set())
    for number in order:
        receipts.acknowledged(connection, "key", "k1", [seqs[number]])
        stream.acknowledge([seqs[number]])
    event_streams.put(connection, stream)
    waiting = [each.requested for each in receipts.list_all(connection) if each.open]
    assert receipts.longest_open(connection) == [("CRM", min(waiting)) for _ in waiting[:1]]


def test_a_refused_token_stays_open(connection: Connection) -> None:
    applications.add(connection, "CRM", None, "k1", False)
    (seq,) = emit(connection, "r", "ann", "roles.lost")
    event_streams.put(connection, EventStream("k1", seq, set()))
    assert receipts.longest_open(connection) == [("CRM", only(connection).requested)]


@pytest.mark.parametrize(
    ("reports", "open_"),
    [
        ([(0, "failed"), (1, "ended")], False),
        ([(1, "failed"), (0, "ended")], False),
        ([(0, "ended"), (1, "failed")], True),
        ([(1, "ended"), (0, "failed")], True),
        ([(0, "failed"), (1, "failed"), (0, "ignored")], False),
        ([(0, "failed"), (1, "ended"), (0, "failed")], True),
    ],
)
def test_the_last_report_counts_about_whichever_event(
    connection: Connection, reports: list[tuple[int, str]], open_: bool
) -> None:
    application = applications.add(connection, "CRM", None, "k1", False)
    seqs = emit(connection, "r", "ann", "user.deactivated", "login.withdrawn")
    receipts.note_pull(connection, "k1", seqs[1], "2099-01-01T00:00:00")
    emit(connection, "other", "ann", "user.deleted")
    receipts.note_pull(connection, "k1", seqs[1] + 1, "2099-01-01T00:00:00")
    receipts.report(connection, application.id, seqs[1] + 1, "ended", None, None)
    for number, (event, outcome) in enumerate(reports):
        receipts.report(connection, application.id, seqs[event], outcome, None, None)
        connection.execute("UPDATE receipts SET at = ? WHERE event = ?", (f"2099-01-0{number + 1}", seqs[event]))
    found = receipts.list_all(connection)[0]
    assert (found.outcome, found.open) == (reports[-1][1], open_)
    assert bool(receipts.longest_open(connection)) == open_


@pytest.mark.parametrize("steps", [[1, 2, 3, 4, 5], [2, 5], [3, 5], [1, 5], [4, 5], [5]])
def test_a_withdrawal_that_is_pruned_in_parts_counts_once(connection: Connection, steps: list[int]) -> None:
    application = applications.add(connection, "CRM", None, "k1", False)
    emit(connection, "r", "ann", "user.deactivated", "roles.lost", "login.withdrawn")
    seqs = emit(connection, "r", "bob", "user.deactivated", "login.withdrawn")
    receipts.note_pull(connection, "k1", seqs[-1], "2099-01-01T00:00:00")
    emit(connection, "later", "cy", "roles.lost")
    for last in steps:
        receipts.prune(connection, last)
        connection.execute("DELETE FROM events WHERE seq <= ?", (last,))
        found = receipts.counted(receipts.totals(connection), receipts.list_all(connection))[application.id]
        assert sum(found.buckets) == 2


@pytest.mark.parametrize("received", ["", "2026-01-01T00:00:00"])
def test_requests_with_one_id_are_pruned_and_reported_apart(connection: Connection, received: str) -> None:
    application = applications.add(connection, "CRM", None, "k1", False)
    (first,) = emit(connection, "r", "ann", "roles.lost", received=received)
    (second,) = emit(connection, "r", "ann", "user.deleted", received="2026-02-01T00:00:00")
    receipts.note_pull(connection, "k1", second, "2099-01-01T00:00:00")
    receipts.report(connection, application.id, first, "failed", None, None)
    receipts.report(connection, application.id, second, "ended", None, None)
    assert [each.outcome for each in receipts.list_all(connection)] == ["failed", "ended"]
    assert len(receipts.longest_open(connection)) == 1
    receipts.prune(connection, first)
    assert sum(receipts.totals(connection)[application.id].buckets) == 1


@pytest.mark.parametrize(("delivered", "after", "open_"), [([2], 2, [3]), ([2], 1, [3]), ([1, 2], 3, []), ([], 2, [3])])
def test_a_pull_acknowledges_what_the_webhook_could_not_deliver(
    connection: Connection, delivered: list[int], after: int, open_: list[int]
) -> None:
    webhook(connection, "w1")
    applications.add(connection, "CRM", "w1", "k1", False)
    seqs = [emit(connection, f"r{number}", str(number), "roles.lost")[0] for number in range(4)]
    for number in range(3):
        if number in delivered:
            receipts.acknowledged(connection, "webhook", "w1", [seqs[number]])
        else:
            queued = webhooks.QueuedEvent(seqs[number], f"User {number}", 1, 0.0, 0.0)
            webhooks.enqueue(connection, "w1", queued)
    webhooks.change(connection, "w1", position=seqs[2])
    assert receipts.pulled(connection, "k1", seqs[after])
    for at in ("2099-01-01T00:00:00", "2099-01-02T00:00:00"):
        receipts.note_pull(connection, "k1", seqs[after], at)
    assert [each.user for each in receipts.list_all(connection) if each.open] == [str(number) for number in open_]
    assert [name for name, _ in receipts.longest_open(connection)] == ["CRM"] * len(open_)
    assert not receipts.pulled(connection, "k1", seqs[after])
    instants = {each.acknowledged for each in receipts.list_all(connection) if int(each.user or 0) not in delivered}
    assert instants <= {None, "2099-01-01T00:00:00"}
