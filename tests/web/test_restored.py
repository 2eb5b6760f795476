"""After a restore, tags and cursors that the lost changes gave are refused: none of them hits another state."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask

from scim.protocol.etags import etag
from storage import workspace
from storage.backup import backup, restore
from storage.database import Database
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import scim_path
from tests.support.resources import patch_op, user_id


def titled(title: str) -> dict[str, object]:
    return patch_op({"op": "replace", "path": "title", "value": title})


class Lives(NamedTuple):
    """The same deployment before and after a restore, and the moment that was restored."""

    old: ScimClient
    new: ScimClient
    app: Flask
    ann: str
    kept: str
    cursor: str


@pytest.fixture
def lives(make_app: MakeApp, make_client: MakeClient, tmp_path: Path) -> Lives:
    app = make_app()
    old = make_client(app=app)
    ann = user_id(old, "ann")
    user_id(old, "bea")
    kept = old.patch(f"/Users/{ann}", titled("kept")).headers["ETag"]
    cursor = str(events(app, old, "oldest")["cursor"])
    backup(app.extensions["perch"].database, tmp_path / "copy.db")
    for title in ("lost 1", "lost 2"):
        old.patch(f"/Users/{ann}", titled(title))
    user_id(old, "cleo")
    restore(Database(tmp_path / "new.db"), tmp_path / "copy.db")
    other = make_app(PERCH_DATABASE=str(tmp_path / "new.db"))
    return Lives(old, ScimClient(wsgi_transport(other), scim_path(other), old.key), other, ann, kept, cursor)


def events(app: Flask, client: ScimClient, cursor: str) -> dict[str, object]:
    path = f"{scim_path(app).removesuffix('/scim/v2')}/events?after={cursor}"
    answer = app.test_client().get(path, headers={"Authorization": client.key})
    return {**answer.get_json(), "status": answer.status_code}


def test_if_match_of_a_lost_change_matches_no_later_state(lives: Lives) -> None:
    path = f"/Users/{lives.ann}"
    lost = lives.old.get(path).headers["ETag"]
    for number in range(3):
        refused = lives.new.patch(path, titled("x"), headers={"If-Match": lost})
        assert refused.status == 412, number
        assert lives.new.patch(path, titled(f"new {number}")).status == 200
    assert lives.new.get(path).body["title"] == "new 2"


def test_if_match_of_what_was_restored_still_matches(lives: Lives) -> None:
    path = f"/Users/{lives.ann}"
    done = lives.new.patch(path, titled("y"), headers={"If-Match": lives.kept})
    assert done.status == 200
    assert lives.new.patch(path, titled("z"), headers={"If-Match": lives.kept}).status == 412
    assert lives.new.patch(path, titled("z"), headers={"If-Match": done.headers["ETag"]}).status == 200


def test_the_members_of_a_group_and_derived_parts_move_too(lives: Lives) -> None:
    tags = set()
    for client in (lives.old, lives.new):
        group = client.post("/Groups", {"displayName": "team", "members": [{"value": lives.ann}]})
        tags.add(client.get(f"/Users/{lives.ann}").headers["ETag"].split(".")[1])
        client.delete(f"/Users/{lives.ann}")
        tags.add(client.get(f"/Groups/{group.body['id']}").headers["ETag"])
    assert len(tags) == 4


def test_a_lost_state_is_never_answered_304(lives: Lives) -> None:
    path = f"/Users/{lives.ann}"
    for tag in (lives.kept, lives.old.get(path).headers["ETag"], etag(3, 2)):
        assert lives.new.get(path, headers={"If-None-Match": tag}).status == 200


@pytest.mark.parametrize("query", ["", "&sortBy=userName", "&filter=active%20eq%20true", "&sortOrder=descending"])
def test_cursors_of_pages_are_gone(query: str, lives: Lives) -> None:
    page = f"/Users?count=1{query}&cursor="
    before = lives.old.get(page).body["nextCursor"]
    answer = lives.new.get(page + before)
    assert answer.status == 410 and "restore" in answer.body["detail"]
    after = lives.new.get(page).body["nextCursor"]
    assert lives.new.get(page + after).status == 200


def test_cursors_of_lost_events_are_gone_and_others_go_on(lives: Lives) -> None:
    app = lives.app
    with app.extensions["perch"].database.read() as connection:
        era = workspace.era(connection)
    every = [event["id"] for event in old_events(lives)]
    lost = every[every.index(lives.cursor) + 1 :]
    assert era and lost and all(events(app, lives.new, cursor)["status"] == 410 for cursor in lost)
    for number in range(4):
        user_id(lives.new, f"new {number}")
    assert all(events(app, lives.new, cursor)["status"] == 410 for cursor in lost)
    found = events(app, lives.new, lives.cursor)
    assert found["status"] == 200 and len(found["events"]) == 4  # type: ignore[arg-type]


def old_events(lives: Lives) -> list[dict[str, str]]:
    """Return the events of the life that was lost."""
    transport, path = lives.old.transport, lives.old.base_path.removesuffix("/scim/v2")
    body = transport("GET", f"{path}/events?after=oldest", {"Authorization": lives.old.key}, None)[2]
    found: list[dict[str, str]] = json.loads(body)["events"]
    return found


def test_two_restores_of_one_backup_are_two_eras(tmp_path: Path, make_app: MakeApp) -> None:
    backup(make_app().extensions["perch"].database, tmp_path / "copy.db")
    eras = []
    for name in ("a.db", "b.db"):
        database = Database(tmp_path / name)
        restore(database, tmp_path / "copy.db")
        with database.read() as connection:
            eras.append(workspace.era(connection))
            assert workspace.epoch(connection) == eras[-1]
    assert 0 < eras[0] < eras[1] < 2**53
