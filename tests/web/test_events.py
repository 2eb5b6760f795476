"""/events: the events of each kind of change, pages, cursors, and requests that wait."""

import threading
import time
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from scim.events.waiting import EventWaiter
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, scim_path
from tests.support.resources import group_id, patch_op, user_id
from tests.support.server import PerchServer

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"


class Follower:
    """An application that reads /events page by page."""

    def __init__(self, app: Flask, *options: str) -> None:
        key = create_key(app, "application", "--idp", "generic", "--access", "read", *options)
        self.client = ScimClient(wsgi_transport(app), scim_path(app), key).beside_scim()
        self.cursor = "latest"
        self.next()

    def next(self, query: str = "") -> list[dict[str, Any]]:
        """Return the events since the last call."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.client.get(f"/events?after={self.cursor}{query}")
            assert answer.status == 200, answer
            found += answer.body["events"]
            self.cursor = answer.body["cursor"]
            if not answer.body["more"]:
                return found


@pytest.fixture
def follower(app: Flask) -> Follower:
    run_command(app, "roles", "add", "a", "A")
    run_command(app, "roles", "add", "b", "B")
    return Follower(app)


def types_of(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def change(client: ScimClient, path: str, *operations: dict[str, Any]) -> None:
    assert client.patch(path, patch_op(*operations)).status in (200, 204)


def test_each_change_of_a_person_has_its_events(generic: ScimClient, follower: Follower) -> None:
    ann = user_id(generic, "Ann@example.com", externalId="7", roles=["a"])
    made = follower.next()
    assert types_of(made) == ["user.created", "roles.gained", "login.allowed"]
    assert made[0]["data"]["user"] == {"id": ann, "userName": "Ann@example.com", "externalId": "7"}
    assert made[1]["data"]["reasons"] == [{"value": "a", "type": "direct"}]
    assert made[2]["data"]["effectiveRoles"] == ["a"] and made[2]["data"]["loginAllowed"] is True
    change(generic, f"/Users/{ann}", {"op": "add", "path": "title", "value": "Dr"})
    (titled,) = follower.next()
    assert titled["type"] == "user.changed" and titled["data"]["attributes"] == ["title"]
    change(generic, f"/Users/{ann}", {"op": "replace", "path": "active", "value": False})
    gone = follower.next()
    assert types_of(gone) == ["user.deactivated", "login.withdrawn"]
    assert gone[1]["data"]["because"] == "activation" and gone[1]["data"]["loginAllowed"] is False
    change(generic, f"/Users/{ann}", {"op": "replace", "path": "active", "value": True})
    assert types_of(follower.next()) == ["user.reactivated", "login.allowed"]
    change(generic, f"/Users/{ann}", {"op": "replace", "path": "roles", "value": [{"value": "b"}]})
    assert types_of(follower.next()) == ["user.changed", "roles.lost", "roles.gained"]
    generic.delete(f"/Users/{ann}")
    assert types_of(follower.next()) == ["roles.lost", "login.withdrawn", "user.deleted"]


def test_a_request_that_changes_nothing_has_no_event(generic: ScimClient, follower: Follower) -> None:
    ann = user_id(generic, "ann")
    follower.next()
    change(generic, f"/Users/{ann}", {"op": "replace", "path": "active", "value": True})
    assert generic.patch(f"/Users/{ann}", {"Operations": [{"op": "x"}]}).status == 400
    assert follower.next() == []


def test_changes_of_groups_have_events_for_the_roles_of_members(
    app: Flask, generic: ScimClient, follower: Follower
) -> None:
    ann, bob = user_id(generic, "ann"), user_id(generic, "bob")
    inner = group_id(generic, "Inner", ann)
    outer = group_id(generic, "Outer", inner)
    assert types_of(follower.next())[2:] == ["group.created", "group.created"]
    run_command(app, "roles", "assign", "--group", "Outer", "a")
    given = follower.next()
    assert types_of(given) == ["roles.gained", "login.allowed"]
    assert given[0]["data"]["user"]["id"] == ann
    assert given[0]["data"]["reasons"] == [{"value": "a", "type": "group", "source": outer}]
    change(generic, f"/Groups/{inner}", {"op": "add", "path": "members", "value": [{"value": bob}]})
    joined = follower.next()
    assert types_of(joined) == ["group.members_changed", "roles.gained", "login.allowed"]
    assert joined[0]["data"]["addedIds"] == [bob]
    change(generic, f"/Groups/{outer}", {"op": "replace", "path": "displayName", "value": "Outside"})
    assert types_of(follower.next()) == ["group.renamed"]
    run_command(app, "roles", "assign", "--user", "bob", "a")
    assert follower.next() == []
    change(generic, f"/Groups/{outer}", {"op": "remove", "path": f'members[value eq "{inner}"]'})
    assert types_of(follower.next()) == ["group.members_changed", "roles.lost", "login.withdrawn"]
    change(generic, f"/Groups/{outer}", {"op": "add", "path": "members", "value": [{"value": inner}]})
    follower.next()
    generic.delete(f"/Groups/{outer}")
    assert types_of(follower.next()) == ["roles.lost", "login.withdrawn", "group.deleted"]
    run_command(app, "roles", "remove", "a", "--force")
    assert types_of(follower.next()) == ["roles.lost", "login.withdrawn"]


def test_a_group_without_roles_has_member_events_only(generic: ScimClient, follower: Follower) -> None:
    ann = user_id(generic, "ann")
    team = group_id(generic, "Team")
    follower.next()
    change(generic, f"/Groups/{team}", {"op": "add", "path": "members", "value": [{"value": ann}]})
    assert types_of(follower.next()) == ["group.members_changed"]


def test_a_change_for_many_people_is_one_event_with_a_filter(
    app: Flask, generic: ScimClient, follower: Follower
) -> None:
    people = [user_id(generic, f"u{number}") for number in range(520)]
    group_id(generic, "All", *people)
    follower.next()
    run_command(app, "roles", "assign", "--group", "All", "a")
    (many,) = follower.next()
    assert many["type"] == "roles.changed_for_many"
    (walk,) = many["data"]["walk"]
    assert walk["role"] == "a"
    found = generic.get(f"/Users?count=1000&filter={quote(walk['filter'])}").body
    assert {each["id"] for each in found["Resources"]} == set(people)
    generic.delete(f"/Groups/{many['data']['about']['id']}")
    assert types_of(follower.next()) == ["roles.changed_for_many", "group.deleted"]


def test_pages_of_events_have_no_gaps_and_keep_the_order(generic: ScimClient, follower: Follower) -> None:
    start = follower.cursor
    for number in range(25):
        user_id(generic, f"u{number}", roles=["a"])
    everything = follower.next("&limit=7")
    assert len(everything) == 75
    assert len({event["id"] for event in everything}) == 75
    follower.cursor = start
    assert follower.next("&limit=1000") == everything
    numbers = [int(event["id"].split("_")[1]) for event in everything]
    assert numbers == list(range(numbers[0], numbers[0] + 75))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400), ("?after=nonsense", 400), ("?after=evt_999999_00000000", 410), ("?after=latest&limit=0", 400),
        ("?after=latest&wait=-1", 400), ("?after=latest&limit=x", 400), ("?after=oldest", 200), ("?after=0", 200),
    ],
)  # fmt: skip
def test_each_cursor_and_limit_has_its_status(follower: Follower, query: str, status: int) -> None:
    answer = follower.client.get(f"/events{query}")
    assert answer.status == status, answer
    if status != 200:
        assert answer.body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


def test_a_pruned_cursor_is_410_and_says_what_to_do(app: Flask, generic: ScimClient, follower: Follower) -> None:
    start = follower.cursor
    user_id(generic, "ann")
    between = follower.cursor if follower.next() and follower.cursor else ""
    user_id(generic, "bob")
    with app.extensions["perch"].database.write() as connection:
        connection.execute("UPDATE events SET at = '2020-01-01T00:00:00'")
        from storage import events

        assert events.prune(connection, 30) is False
    for cursor in (start, between):
        answer = follower.client.get(f"/events?after={cursor}")
        assert answer.status == 410 and "read /Users again" in answer.body["detail"]
    follower.cursor = "oldest"
    assert types_of(follower.next()) == ["user.created"]
    assert follower.next() == []


def test_events_need_a_key_of_this_workspace(app: Flask, follower: Follower) -> None:
    client = app.test_client()
    path = f"{follower.client.base_path}/events?after=latest"
    assert client.get(path).status_code == 401
    assert client.get("/other/events?after=latest").status_code == 401
    headers = {"Authorization": f"Bearer {follower.client.key}"}
    assert client.get("/other/events?after=latest", headers=headers).status_code == 404
    assert client.get(f"{path[: path.index('?')]}/nothing", headers=headers).status_code == 404
    assert client.post(path, headers=headers).status_code in (403, 405)


def test_a_waiting_request_is_answered_at_the_next_event(app: Flask, generic: ScimClient, follower: Follower) -> None:
    timer = threading.Timer(0.4, lambda: user_id(generic, "ann"))
    began = time.monotonic()
    timer.start()
    assert types_of(follower.next("&wait=20")) == ["user.created"]
    assert time.monotonic() - began < 15
    timer.join()


def test_a_third_waiting_request_is_answered_at_once(app: Flask, follower: Follower) -> None:
    def wait() -> None:
        app.test_client().get(path, headers=headers)

    def alive() -> bool:
        """Called by each waiting thread again and again."""
        seen.add(threading.get_ident())
        return not over.is_set()

    seen: set[int] = set()
    over = threading.Event()
    app.extensions["perch.waiting"] = EventWaiter(app.extensions["perch"].database, alive)
    path = f"{follower.client.base_path}/events?after={follower.cursor}&wait=30"
    headers = {"Authorization": f"Bearer {follower.client.key}"}
    waiting = [threading.Thread(target=wait) for _ in range(2)]
    for thread in waiting:
        thread.start()
    end = time.monotonic() + 25
    while len(seen) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    answer = follower.client.get(f"/events?after={follower.cursor}&wait=30")
    over.set()
    assert answer.body["events"] == [] and answer.headers["Retry-After"] == "2"
    for thread in waiting:
        thread.join()


def test_events_of_a_forgotten_person_hold_no_name(app: Flask, generic: ScimClient, follower: Follower) -> None:
    ann = user_id(generic, "ann@example.com", externalId="7")
    generic.delete(f"/Users/{ann}")
    run_command(app, "forget", "ann@example.com")
    found = follower.next()
    assert [event["data"]["user"] for event in found] == [{"id": ann, "userName": "forgotten"}] * 2


def test_a_rolled_back_change_has_no_event(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app()
    client, listener = make_client(app=app), Follower(app)
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "ann"}},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "ann"}},
        {"method": "POST", "path": "/Users", "bulkId": "3", "data": {"userName": "bob"}},
    ]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    assert client.post("/Bulk", body).status == 200
    found = listener.next()
    assert [event["data"]["user"]["userName"] for event in found] == ["ann", "bob"]
    numbers = [int(event["id"].split("_")[1]) for event in found]
    assert numbers[1] == numbers[0] + 1


def test_waiting_requests_do_not_delay_a_stop(perch_server: PerchServer) -> None:
    client = perch_server.client(key=perch_server.key)
    listener = client.beside_scim()
    cursor = listener.get("/events?after=latest").body["cursor"]
    answers: list[Any] = []
    path = f"/events?after={cursor}&wait=30"
    thread = threading.Thread(target=lambda: answers.append(listener.get(path)))
    thread.start()
    time.sleep(1)
    began = time.monotonic()
    assert perch_server.stop() == 0
    thread.join()
    assert time.monotonic() - began < 20
    assert answers[0].status == 200 and answers[0].body["events"] == []
