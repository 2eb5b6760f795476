"""Sending a recorded request again: with the rights that its key has now, past neither authentication nor fuse."""

import json
import re
from typing import Any

import pytest
from flask import Flask

from schemas.errors import Conflict, ScimError
from scim.traffic.replay import replay
from storage import keys, traffic
from storage.traffic import TrafficEntry, TrafficQuery
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.console import PASSWORD, Console
from tests.support.resources import create_users

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def person(user_name: str, **more: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": user_name, **more}


def newest(app: Flask) -> TrafficEntry:
    """Return the newest recorded entry, after waiting for the writer."""
    app.extensions["perch.traffic"].writer.flush()
    with app.extensions["perch"].database.read() as connection:
        return traffic.entries(connection, TrafficQuery(), 1)[0]


def changes_in(app: Flask) -> int:
    return len(run_json(app, "journal", "--limit", "1000"))


@pytest.fixture
def watched(make_app: MakeApp) -> Flask:
    """Perch that records all traffic, with a console."""
    return make_app(PERCH_TRAFFIC="all", PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_FAILED_KEYS="3")


@pytest.fixture
def client(watched: Flask, make_client: MakeClient) -> ScimClient:
    """An Okta client of that Perch."""
    return make_client("okta", app=watched)


@pytest.fixture
def console(watched: Flask) -> Console:
    found = Console(watched)
    found.sign_in()
    return found


def refused(app: Flask, console: Console, entry: TrafficEntry, why: str) -> None:
    """Check that an entry cannot be sent again: by no button, by no form sent by hand, by no call; nothing changes."""
    before, changes = newest(app).seq, changes_in(app)
    page = console.get(f"/requests/{entry.seq}").text
    assert "Send again" not in page and f"/requests/{entry.seq}/replay" not in page
    assert why in page.replace("&#39;", "'")
    answer = console.post(f"/requests/{entry.seq}/replay")
    assert why in answer.text.replace("&#39;", "'") and "Sent again" not in answer.text
    with pytest.raises(ScimError, match=re.escape(why)):
        replay(app, entry)
    assert (newest(app).seq, changes_in(app)) == (before, changes)


def test_a_request_is_sent_again(watched: Flask, client: ScimClient, console: Console) -> None:
    client.post("/Users", person("Ada"))
    first = newest(watched)
    again = replay(watched, first, "https://perch.example.com")
    assert (again.status, again.replayOf, again.key) == (409, first.seq, first.key)
    client.get("/Users")
    listed = replay(watched, newest(watched), "https://perch.example.com")
    assert (listed.status, listed.admitted) == (200, True)
    assert f"https://perch.example.com{client.base_path}/Users/" in (listed.response or "")
    assert "Send again" in console.get(f"/requests/{listed.seq}").text
    assert "Sent again; the answer was 200." in console.post(f"/requests/{listed.seq}/replay").text


def test_a_failed_and_a_disturbed_request_are_sent_again(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_FAULTS="on")
    client = make_client("okta", app=app)
    assert client.get("/Users/nobody").status == 404
    assert replay(app, newest(app)).status == 404
    run_command(app, "faults", "add", "POST /Users", "--status", "403", "--times", "1")
    assert client.post("/Users", person("Ada")).status == 403
    assert replay(app, newest(app)).status == 201


def test_a_success_is_recorded_in_full_when_it_is_a_replay_and_is_journalled_as_the_console(
    make_app: MakeApp, make_client: MakeClient
) -> None:
    app = make_app(PERCH_TRAFFIC="errors")
    client = make_client("okta", app=app)
    key = client.key.split("_")[1]
    headers = {"Content-Type": "application/scim+json"}
    entry = TrafficEntry("2026-01-01T00:00:00", key, "x", "okta", "POST", f"{client.base_path}/Users", 201, 1.0,
                  headers, json.dumps(person("Eve")), seq=7, admitted=True)  # fmt: skip
    made = replay(app, entry)
    assert made.status == 201 and made.request and not made.brief
    assert run_json(app, "journal")[0]["actor"] == "console"


@pytest.mark.parametrize("path", ["/Users", "/nothing", "/ServiceProviderConfig"])
@pytest.mark.parametrize(
    "sent", [None, "wrong", "Basic eDp5", "Bearer perch_0123456789_" + "A" * 43, "Bearer {id}", "Bearer {cut}"]
)
def test_a_request_without_a_valid_key_is_not_sent_again(
    watched: Flask, client: ScimClient, console: Console, path: str, sent: str | None
) -> None:
    header = sent and sent.format(id=client.key.split("_")[1], cut=client.key[:-1])
    client.request("POST", path, person("Eve"), {"Authorization": header})
    refused(watched, console, newest(watched), "came without a valid key")


def test_a_request_over_the_limit_of_failed_keys_is_not_sent_again(
    watched: Flask, client: ScimClient, console: Console
) -> None:
    answers = [client.request("POST", "/Users", person("Eve"), {"Authorization": "wrong"}).status for _ in range(5)]
    assert answers[-1] == 429
    refused(watched, console, newest(watched), "came without a valid key")


@pytest.mark.parametrize("change", ["revoked", "expired"])
def test_a_request_sent_with_a_dead_key_is_not_sent_again(
    watched: Flask, client: ScimClient, console: Console, change: str
) -> None:
    kill(watched, client, change)
    assert client.post("/Users", person("Eve")).status == 401
    refused(watched, console, newest(watched), "came without a valid key")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/Users"), ("PUT", "/Users/1"), ("DELETE", "/Users/1"), ("POST", "/Bulk")]
)
def test_a_write_of_a_read_key_is_not_sent_again(
    watched: Flask, make_client: MakeClient, console: Console, method: str, path: str
) -> None:
    client = make_client("okta", "--access", "read", app=watched)
    assert client.request(method, path, person("Eve")).status == 403
    refused(watched, console, newest(watched), "did not admit this request")


def test_a_read_of_a_read_key_is_sent_again(watched: Flask, make_client: MakeClient) -> None:
    client = make_client("okta", "--access", "read", app=watched)
    assert client.post("/Users/.search", {}).status == 200
    assert replay(watched, newest(watched)).status == 200


@pytest.mark.parametrize(("change", "why"), [("revoked", "was revoked"), ("expired", "has expired")])
def test_a_key_that_died_since_sends_nothing(
    watched: Flask, client: ScimClient, console: Console, change: str, why: str
) -> None:
    client.post("/Users", person("Ada"))
    entry = newest(watched)
    kill(watched, client, change)
    refused(watched, console, entry, why)


def test_a_key_that_may_only_read_now_writes_nothing(watched: Flask, client: ScimClient) -> None:
    client.post("/Users", person("Ada"))
    write = newest(watched)
    client.get("/Users")
    read = newest(watched)
    with watched.extensions["perch"].database.write() as connection:
        keys.change(connection, client.key.split("_")[1], access="read")
    changes = changes_in(watched)
    again = replay(watched, write)
    assert (again.status, again.admitted, changes_in(watched)) == (403, False, changes)
    assert "may only read" in (again.reason or "")
    assert replay(watched, read).status == 200
    with pytest.raises(Conflict):
        replay(watched, again)


def test_a_key_that_is_strict_now_is_strict(watched: Flask, client: ScimClient) -> None:
    client.post("/Users", person("Ada", active="true"))
    entry = newest(watched)
    run_command(watched, "keys", "set", client.key.split("_")[1], "--strict", "--roles-as", "objects")
    again = replay(watched, entry)
    assert (again.status, "strict" in (again.reason or "")) == (400, True)


def test_the_safety_fuse_counts_what_is_sent_again(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_TRAFFIC="all", PERCH_FUSE="on", PERCH_FUSE_MINIMUM="2", PERCH_FUSE_SHARE="1")
    client = make_client("okta", app=app)
    first, second, third = create_users(client, ["a", "b", "c"])
    assert client.delete(f"/Users/{first}").status == 204
    assert client.delete(f"/Users/{second}").status == 429
    blown = newest(app)
    assert replay(app, blown).status == 429
    client.put(f"/Users/{third}", person("x", active=False))
    again = replay(app, newest(app))
    assert (again.status, "safety fuse" in (again.reason or "")) == (429, True)
    run_command(app, "fuse", "release")
    assert replay(app, blown).status == 204


def test_a_request_with_a_cut_body_is_not_sent_again(watched: Flask, client: ScimClient, console: Console) -> None:
    client.post("/Users", person("Ada", displayName="x" * 20_000))
    refused(watched, console, newest(watched), "Only a part of this request's body was kept")


def kill(app: Flask, client: ScimClient, change: str) -> None:
    """Make a key invalid."""
    identifier = client.key.split("_")[1]
    if change == "revoked":
        run_command(app, "keys", "revoke", identifier)
    else:
        run_command(app, "keys", "set", identifier, "--expires-in", "0")
