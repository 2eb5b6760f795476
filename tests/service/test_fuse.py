"""The safety fuse refuses to remove too many people at once until somebody releases it."""

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from scim.service import fuse
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import BULK, create_users, patch_op


@pytest.fixture
def fused(make_app: MakeApp) -> Flask:
    return make_app(PERCH_FUSE="on")


@pytest.fixture
def client(fused: Flask, make_client: MakeClient) -> ScimClient:
    return make_client("okta", app=fused)


def people_of(client: ScimClient, number: int) -> list[str]:
    return create_users(client, [f"person-{place}" for place in range(number)])


def put_inactive(client: ScimClient, identifier: str) -> Answer:
    body = client.get(f"/Users/{identifier}").body
    return client.put(f"/Users/{identifier}", {**body, "active": False})


def patch_inactive(client: ScimClient, identifier: str) -> Answer:
    return client.patch(f"/Users/{identifier}", patch_op({"op": "replace", "value": {"active": False}}))


def patch_active_away(client: ScimClient, identifier: str) -> Answer:
    return client.patch(f"/Users/{identifier}", patch_op({"op": "remove", "path": "active"}))


def delete(client: ScimClient, identifier: str) -> Answer:
    return client.delete(f"/Users/{identifier}")


def in_bulk(client: ScimClient, identifier: str) -> Answer:
    operations = [{"method": "DELETE", "path": f"/Users/{identifier}"}]
    answer = client.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    (result,) = answer.body["Operations"]
    return Answer(int(result["status"]), {"Retry-After": "600"}, result.get("response"))


def shift(fused: Flask, seconds: int) -> None:
    """Move the fuse's rows into the past, as if time had passed."""
    path = fused.extensions["perch"].database.path
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE activity SET second = -second WHERE second > 0")
        connection.execute("UPDATE activity SET second = -second - ? WHERE second < 0", (seconds,))
        connection.execute("UPDATE workspace SET value = value - ? WHERE name = 'fuse_released'", (seconds,))


@pytest.mark.parametrize("take", [put_inactive, patch_inactive, patch_active_away, delete, in_bulk])
def test_the_fuse_blows_when_more_than_a_fifth_goes(
    take: Callable[..., Answer], fused: Flask, client: ScimClient
) -> None:
    people = people_of(client, 60)
    for identifier in people[:12]:
        assert take(client, identifier).status in (200, 204)
    held = take(client, people[12])
    assert held.status == 429
    assert int(held.headers["Retry-After"]) > 0
    assert "flask fuse release" in held.body["detail"]
    assert "13 of 60" in held.body["detail"]
    assert client.get(f"/Users/{people[12]}").body["active"] is True
    assert run_json(fused, "fuse", "status")["state"] == "blown"


def test_nine_people_may_go_in_a_small_directory(client: ScimClient) -> None:
    people = people_of(client, 15)
    statuses = [patch_inactive(client, identifier).status for identifier in people]
    assert statuses == [200] * 9 + [429] * 6


def test_other_writes_work_while_the_fuse_is_blown(client: ScimClient) -> None:
    people = people_of(client, 12)
    assert [delete(client, identifier).status for identifier in people[:10]].count(429) == 1
    assert client.post("/Users", {"userName": "new"}).status == 201
    assert client.patch(
        f"/Users/{people[11]}", {"Operations": [{"op": "add", "value": {"nickName": "Bo"}}]}
    ).status == 200  # fmt: skip
    team = client.post("/Groups", {"displayName": "team"}).body["id"]
    assert client.delete(f"/Groups/{team}").status == 204
    assert client.get("/Users").status == 200


def test_the_fuse_stays_blown_until_it_is_released(fused: Flask, client: ScimClient) -> None:
    people = people_of(client, 40)
    [delete(client, identifier) for identifier in people[:10]]
    shift(fused, 3600)
    assert delete(client, people[20]).status == 429
    assert "Perch accepts all deactivations and deletions until" in run_command(
        fused, "fuse", "release", "--minutes", "5"
    )
    assert run_json(fused, "fuse", "status")["state"] == "released"
    assert {delete(client, identifier).status for identifier in people[10:25]} == {204}
    shift(fused, 301)
    assert run_json(fused, "fuse", "status")["state"] == "ready"
    statuses = [delete(client, identifier).status for identifier in people[25:]]
    assert statuses == [204] * 9 + [429] * 6


def test_losses_before_the_window_do_not_count(fused: Flask, client: ScimClient) -> None:
    people = people_of(client, 40)
    assert {delete(client, identifier).status for identifier in people[:8]} == {204}
    shift(fused, 601)
    found = run_json(fused, "fuse", "status")
    assert (found["lost"], found["active"], found["limit"], found["state"]) == (0, 32, 10, "ready")
    assert {delete(client, identifier).status for identifier in people[8:16]} == {204}


def test_the_status_says_that_the_next_one_blows_the_fuse(fused: Flask, client: ScimClient) -> None:
    people = people_of(client, 40)
    [delete(client, identifier) for identifier in people[:8]]
    told = "The next deactivation or deletion by a provider blows the fuse"
    assert told not in run_command(fused, "fuse", "status")
    assert delete(client, people[8]).status == 204
    status = run_command(fused, "fuse", "status")
    assert "9 users were deactivated or deleted; at most 40 were active. The limit is 10." in status and told in status
    assert delete(client, people[9]).status == 429
    assert told not in run_command(fused, "fuse", "status")


def test_a_reactivated_person_is_no_loss(client: ScimClient) -> None:
    (person, *_) = people_of(client, 12)
    for _ in range(15):
        assert patch_inactive(client, person).status == 200
        again = client.patch(f"/Users/{person}", {"Operations": [{"op": "replace", "value": {"active": True}}]})
        assert again.status == 200


def test_inactive_people_may_be_deleted(fused: Flask, client: ScimClient) -> None:
    gone = [client.post("/Users", {"userName": f"gone-{n}", "active": False}).body["id"] for n in range(30)]
    assert {delete(client, identifier).status for identifier in gone} == {204}
    assert run_json(fused, "fuse", "status")["lost"] == 0


def test_the_fuse_can_be_off(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_FUSE="off")
    client = make_client(app=app)
    assert {delete(client, identifier).status for identifier in people_of(client, 25)} == {204}
    assert run_json(app, "fuse", "status")["state"] == "off"
    assert "off" in run_command(app, "fuse", "status")


def test_share_minimum_and_window_are_settings(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_FUSE="on", PERCH_FUSE_SHARE="50", PERCH_FUSE_MINIMUM="2", PERCH_FUSE_MINUTES="1")
    client = make_client(app=app)
    statuses = [delete(client, identifier).status for identifier in people_of(client, 10)]
    assert statuses == [204] * 5 + [429] * 5
    assert client.delete("/Users/nobody").status == 404


def test_a_blown_fuse_is_journalled_once(fused: Flask, client: ScimClient) -> None:
    for identifier in people_of(client, 20):
        delete(client, identifier)
    run_command(fused, "fuse", "release")
    entries = [entry for entry in run_json(fused, "journal") if entry["type"] == "Workspace"]
    assert [entry["action"] for entry in entries] == ["fuse released", "fuse blown"]
    assert entries[1]["actor"].startswith("key:")
    assert entries[1]["changes"]["lost"]["after"] == 10
    assert entries[0]["actor"].startswith("command:")


def test_bulk_refuses_the_rest_and_names_the_remedy(client: ScimClient) -> None:
    people = people_of(client, 15)
    operations = [{"method": "DELETE", "path": f"/Users/{identifier}"} for identifier in people]
    results = client.post("/Bulk", {"schemas": [BULK], "Operations": operations}).body["Operations"]
    assert [result["status"] for result in results] == ["204"] * 9 + ["429"] * 6
    assert "flask fuse release" in results[-1]["response"]["detail"]


def test_the_cost_of_the_fuse_does_not_grow_with_the_directory(fused: Flask) -> None:
    path = fused.extensions["perch"].database.path
    fused.extensions["perch"].open()
    with closing(sqlite3.connect(path)) as connection, connection:
        instant = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        rows = ((str(n), "User", instant, instant, str(n)) for n in range(20_000))
        sql = "INSERT INTO resources VALUES (NULL, ?, ?, 1, ?, ?, ?, NULL, NULL, 1, '{}', NULL)"
        connection.executemany(sql, rows)
        assert connection.execute("SELECT count(*) FROM activity").fetchone()[0] <= 3
    assert run_json(fused, "fuse", "status")["active"] == 20_000


def test_workers_count_losses_together(make_server: MakeServer) -> None:
    server = make_server(workers=3, settings={"PERCH_FUSE": "on"})
    server.start()
    people = people_of(server.client(key=server.key), 60)

    def take(numbered: tuple[int, str]) -> Any:
        client = server.client(key=server.key)
        return patch_inactive(client, numbered[1]).status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(take, enumerate(people)))
    assert (statuses.count(200), statuses.count(429)) == (12, 48)
    assert sum(entry["action"] == "fuse blown" for entry in server.flask_json("journal")) == 1
    assert Path(server.database).exists()


def losses_of(fused: Flask) -> list[str]:
    """Return the names of the users whom the fuse's page lists."""
    perch = fused.extensions["perch"]
    with perch.database.read() as connection:
        state = fuse.read(connection, perch.settings)
        return [loss.name for loss in fuse.losses(connection, state)]


def test_everybody_who_went_is_listed_and_nobody_else(fused: Flask, client: ScimClient) -> None:
    """Listed: deactivated, deleted, or one after the other; not: here again, never active, refused."""
    people = people_of(client, 40)
    back = client.patch(f"/Users/{people[0]}", patch_op({"op": "replace", "value": {"active": False}}))
    assert back.status == 200
    client.patch(f"/Users/{people[0]}", patch_op({"op": "replace", "value": {"active": True}}))
    client.post("/Users", {"userName": "never", "active": False})
    assert (
        client.delete(f"/Users/{client.post('/Users', {'userName': 'off', 'active': False}).body['id']}").status == 204
    )
    assert patch_inactive(client, people[1]).status == 200 and delete(client, people[1]).status == 204
    assert client.patch(f"/Users/{people[2]}", patch_op({"op": "replace", "value": {"title": "x"}})).status == 200
    takes = (delete, put_inactive, patch_active_away, in_bulk)
    statuses = [takes[place % 4](client, people[place]).status for place in range(3, 20)]
    went = 1 + sum(status in (200, 204) for status in statuses)
    assert statuses[-1] == 429
    assert losses_of(fused) == [f"person-{place}" for place in range(went + 1, 2, -1)] + ["person-1"]
    assert len(losses_of(fused)) == went == run_json(fused, "fuse", "status")["blown"]["lost"] - 1


def test_only_the_window_in_which_the_fuse_blew_is_listed(fused: Flask, client: ScimClient) -> None:
    people = people_of(client, 60)
    assert {delete(client, identifier).status for identifier in people[:5]} == {204}
    with closing(sqlite3.connect(fused.extensions["perch"].database.path)) as connection, connection:
        connection.execute("UPDATE journal SET at = '2026-01-01T00:00:00'")
    shift(fused, 3600)
    assert losses_of(fused) == []
    statuses = [delete(client, identifier).status for identifier in people[5:30]]
    assert losses_of(fused) == [f"person-{place}" for place in range(4 + statuses.count(204), 4, -1)]
    shift(fused, 7200)
    assert len(losses_of(fused)) == statuses.count(204)
    run_command(fused, "fuse", "release")
    assert losses_of(fused) == []


def test_refusals_are_counted_for_each_key(fused: Flask, client: ScimClient, make_client: MakeClient) -> None:
    other = make_client("entra", app=fused)
    people = people_of(client, 20)
    statuses = [delete(client, identifier).status for identifier in people[:12]]
    assert statuses.count(429) == 3
    assert patch_inactive(other, people[15]).status == 429
    operations = [{"method": "DELETE", "path": f"/Users/{identifier}"} for identifier in people[15:17]]
    assert other.post("/Bulk", {"schemas": [BULK], "Operations": operations}).status == 200
    assert other.patch(f"/Users/{people[15]}", patch_op({"op": "replace", "value": {"title": "x"}})).status == 200
    refused = run_json(fused, "fuse", "status")["blown"]["refused"]
    assert refused == {client.key.split("_")[1]: 3, other.key.split("_")[1]: 3}
    assert "Deactivations and deletions refused since: 6." in run_command(fused, "fuse", "status")
    run_command(fused, "fuse", "release")
    assert run_json(fused, "fuse", "status")["blown"] is None
