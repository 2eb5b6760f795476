"""In the mode `errors` a success leaves its first line and a count."""

import time

import pytest
from flask import Flask

from schemas.datetimes import from_seconds, now
from schemas.errors import Conflict
from scim.traffic.replay import sender
from storage import traffic
from storage.traffic import BRIEF, TrafficEntry
from tests.conftest import MakeClient, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_json


def flush(app: Flask) -> None:
    app.extensions["perch.traffic"].writer.flush(prune=True)


def test_only_the_newest_successes_are_kept_and_failures_are_not_pushed_out(app: Flask, okta: ScimClient) -> None:
    assert okta.get("/Users/nobody").status == 404
    for number in range(BRIEF + 30):
        okta.get(f"/Users?startIndex={number + 1}&count=1")
        if number % 50 == 0:
            flush(app)
    flush(app)
    found = run_json(app, "traffic", "--limit", "1000")
    assert [entry["status"] for entry in found].count(404) == 1
    successes = [entry for entry in found if entry["brief"]]
    assert len(successes) == BRIEF
    assert successes[0]["path"].endswith(f"startIndex={BRIEF + 30}&count=1")
    assert (successes[0]["request"], successes[0]["response"]) == (None, None)


def test_every_request_of_a_key_counts_by_the_hour(app: Flask, okta: ScimClient, make_client: MakeClient) -> None:
    other = make_client("entra", app=app)
    for _ in range(300):
        okta.get("/Users?count=1")
    okta.get("/Users/nobody")
    other.get("/Groups")
    flush(app)
    with app.extensions["perch"].database.read() as connection:
        today = traffic.count_per_key(connection, now()[:10])
        assert traffic.count_per_key(connection, "9") == {}
        hours = [hour for (hour,) in connection.execute("SELECT DISTINCT hour FROM traffic_hours")]
    assert today == {okta.key.split("_")[1]: 301, other.key.split("_")[1]: 1}
    assert all(hour in (now()[:13], from_seconds(time.time() - 3600)[:13]) for hour in hours)


def test_counts_are_kept_for_a_month(app: Flask, okta: ScimClient) -> None:
    with app.extensions["perch"].database.write() as connection:
        traffic.count(connection, {("k", "2020-01-01T00", ""): 7, ("k", now()[:13], ""): 2})
    flush(app)
    with app.extensions["perch"].database.read() as connection:
        assert traffic.count_per_key(connection, "2019") == {"k": 2}


def test_a_success_of_which_only_the_first_line_is_kept_cannot_be_sent_again(app: Flask, okta: ScimClient) -> None:
    entry = TrafficEntry(now(), okta.key.split("_")[1], "x", "okta", "POST", "/w/scim/v2/Users", 201, 1.0,
                         admitted=True, brief=True)  # fmt: skip
    with app.extensions["perch"].database.read() as connection, pytest.raises(Conflict, match="first line"):
        sender(connection, entry)


def test_workers_write_successes_by_themselves_within_seconds(make_server: MakeServer) -> None:
    server = make_server(workers=2)
    server.start()
    client = server.client("okta", server.create_key("Okta", "--idp", "okta"))
    for _ in range(40):
        assert client.get("/Users").status == 200
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = server.flask_json("traffic", "--json", "--limit", "100")
        if len(found) == 40:
            break
        time.sleep(0.2)
    assert [entry["brief"] for entry in found] == [True] * 40
