"""A follower over HTTP and on the command line: it answers reads with their age, and refuses every write."""

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import create_app
from schemas.datetimes import now
from storage import heartbeat, workspace
from storage.database import Database
from storage.locks import followed_path
from tests.cli.test_no_database import COMMANDS
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import run_command, scim_path
from tests.support.resources import group_id, user_id
from tests.web.test_oauth import OAuthClient
from tests.web.test_routes_need_keys import urls

PRIMARY = "https://perch.example.com"
# Endpoints that a follower answers, each with the method of a read that is no GET.
SEARCHES = {f"workspace.scim.{name}search_by_post" for name in ("search.", "users.", "groups.", "roles.")}
# Commands that read; every other one is refused.
READING = {
    ("applications", "list"), ("attributes", "list"), ("attributes", "seen"), ("doctor",), ("events",), ("export",),
    ("faults", "list"), ("fuse", "status"), ("journal",), ("keys", "list"), ("quirks",), ("receipts",),
    ("receipts", "check"), ("roles", "list"), ("settings",), ("okta", "sample"), ("traffic",), ("traffic", "show"),
    ("version",), ("webhooks", "kinds"), ("webhooks", "list"), ("workspace",),
}  # fmt: skip
NOTHING = re.compile("There is no|declares no")
# Arguments that reach the place where a command would write.
CALLS = {
    **COMMANDS,
    ("applications", "add"): ["applications", "add", "x", "--webhook", "w"],
    ("entra", "sync"): ["entra", "sync", "sample.json"],
    ("okta", "sync"): ["okta", "sync", "sample.json"],
    ("receipts", "check"): ["receipts", "check", "--older-than", "300"],
    ("roles", "assign"): ["roles", "assign", "--user", "ann", "a:b"],
    ("roles", "unassign"): ["roles", "unassign", "--user", "ann", "a:b"],
}
# These read, and find nothing of the name in the table.
FIND_NOTHING = {
    ("attributes", "remove"), ("keys", "secrets", "list"), ("keys", "trust"), ("roles", "explain"),
    ("webhooks", "test"),
}  # fmt: skip


class World:
    """A follower on the copy of a primary's file."""

    def __init__(self, app: Flask, client: ScimClient) -> None:
        file = app.extensions["perch"].database.file
        self.file, self.path = file, file.parent / "copy" / "perch.db"
        self.scim, self.key = scim_path(app), client.key
        self.ann, self.team = user_id(client, "ann"), group_id(client, "team")
        self.cursor = client.get("/Users?cursor=&count=1").body.get("nextCursor", "")
        app.extensions["perch.traffic"].writer.flush()
        self.path.parent.mkdir()
        self.copy()
        followed_path(self.path).write_text("0000000000000001\n")

    def copy(self) -> None:
        """Bring the copy up to date."""
        with closing(sqlite3.connect(self.file)) as source, closing(sqlite3.connect(self.path)) as copy:
            source.backup(copy)

    def follower(self, **settings: str) -> Flask:
        app = create_app({"PERCH_DATABASE": str(self.path), "PERCH_FOLLOW": "on", "PERCH_PRIMARY_URL": PRIMARY,
                          "PERCH_TRAFFIC": "all", **settings})  # fmt: skip
        app.extensions["perch"].open()
        return app

    def files(self) -> dict[str, bytes]:
        """Return all files that are not SQLite's own."""
        return {
            path.name: path.read_bytes()
            for path in self.path.parent.iterdir()
            if path.name[-4:] not in ("-shm", "-wal")
        }


@pytest.fixture
def world(make_app: MakeApp, make_client: MakeClient) -> World:
    app = make_app()
    return World(app, make_client(app=app))


@pytest.mark.parametrize("renewed", [0.1, -1], ids=["one transaction per read", "one per statement"])
def test_every_route_answers_reads_and_refuses_writes(
    world: World, renewed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.follower.RENEWED", renewed)
    before, app = world.files(), world.follower()
    client, headers = app.test_client(), {"Authorization": world.key}
    tried = 0
    for rule in app.url_map.iter_rules():
        for method, path in urls_of(world, app, rule):
            if method not in (rule.methods or ()) and method != "POST":
                continue
            body: Any = {} if method in ("POST", "PUT", "PATCH") else None
            answer = client.open(path, method=method, json=body, headers=headers)
            assert 0 <= float(answer.headers.get("Perch-Age", "nan")) < 60, (method, path)
            tried += 1
            if method in ("GET", "HEAD", "OPTIONS"):
                assert answer.status_code in (200, 400, 404, 501), (method, path, answer.text)
            elif rule.endpoint in SEARCHES and method == "POST":
                assert answer.status_code == 200, (path, answer.text)
            elif method in (rule.methods or ()) or rule.endpoint.startswith("workspace."):
                assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), (path, answer.text)
                assert PRIMARY in answer.text
            else:
                assert answer.status_code == 405, (path, answer.text)
    assert tried > 50
    assert world.files() == before


def urls_of(world: World, app: Flask, rule: Any) -> Any:
    for method, path in urls(app, rule):
        for name in ("jwks", "oauth", "openapi"):
            path = path.replace(f"/1/{name}", f"{world.scim.removesuffix('/scim/v2')}/{name}")
        for place, identifier in (("/Users/1", world.ann), ("/Groups/1", world.team)):
            path = path.replace(place, place[:-1] + identifier)
        yield method, path


def test_reads_are_the_primarys(world: World) -> None:
    app = world.follower()
    client = ScimClient(wsgi_transport(app), world.scim, world.key)
    assert client.get(f"/Users/{world.ann}").body["userName"] == "ann"
    assert client.get('/Users?filter=userName eq "ann"'.replace(" ", "%20")).body["totalResults"] == 1
    assert client.post("/Groups/.search", {"count": 1}).body["totalResults"] == 1
    events = f"{world.scim.removesuffix('/scim/v2')}/events"
    asked = lambda query: app.test_client().get(f"{events}?{query}", headers={"Authorization": world.key})  # noqa: E731
    page = asked("after=oldest").get_json()
    assert len(page["events"]) == 2 and asked(f"after={page['cursor']}").get_json()["events"] == []
    seq = int(page["cursor"].split("_")[1])
    ahead = asked(f"after=evt_{seq + 1}_00000000")
    assert (ahead.status_code, ahead.headers["Retry-After"]) == (503, "2")
    assert asked(f"after=evt_{seq}_00000000").status_code == 410
    begun = time.monotonic()
    assert asked(f"after={page['cursor']}&wait=1").status_code == 200
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize("how", ["expired", "key revoked", "secret revoked"])
def test_a_token_of_the_primary_works_here_until_the_copy_has_its_end(
    how: str, make_app: MakeApp, make_client: MakeClient
) -> None:
    app = make_app()
    world, client = World(app, make_client(app=app)), OAuthClient(app)
    follower = world.follower().test_client()
    token = client.token()
    asked: Any = {"headers": {"Authorization": f"Bearer {token}"}}
    assert follower.get(f"{world.scim}/Users", **asked).status_code == 401, "the copy does not have it yet"
    world.copy()
    assert follower.get(f"{world.scim}/Users", **asked).status_code == 200
    if how == "expired":
        client.sql("UPDATE oauth_tokens SET expires = ?", now())
    elif how == "key revoked":
        run_command(app, "keys", "revoke", client.id)
    else:
        run_command(app, "keys", "secrets", "revoke", client.id, client.secret.split("_")[1])
    assert client.scim(token) == 401
    assert follower.get(f"{world.scim}/Users", **asked).status_code == 200, "not longer than the age"
    world.copy()
    assert follower.get(f"{world.scim}/Users", **asked).status_code == 401


@pytest.mark.parametrize("secret", ["right", "wrong"])
def test_only_the_primary_gives_tokens(secret: str, make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app()
    client = OAuthClient(app)
    world = World(app, make_client(app=app))
    before = world.files()
    form = client.named if secret == "right" else {**client.named, "client_secret": "perch_s0123456789_x"}
    answer = world.follower().test_client().post(client.path, data=form)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json()["error"] == "temporarily_unavailable" and PRIMARY in answer.get_json()["error_description"]
    assert world.files() == before


@pytest.mark.parametrize(
    ("path", "status"),
    [("/console/", 404), ("/console/sign-in", 404), ("/console/static/style.css", 404), ("/", 200), ("/healthz", 200)],
)
def test_there_is_no_console_but_a_page(world: World, path: str, status: int) -> None:
    answer = world.follower().test_client().get(path)
    assert answer.status_code == status and "Perch-Age" in answer.headers
    if path == "/":
        assert PRIMARY in answer.text and re.search(r"Age of the copy: \d+\.\d s\.", answer.text)
        unnamed = world.follower(PERCH_PRIMARY_URL="").test_client().get(path).text
        assert "<p>Console and writes are at the primary; set PERCH_PRIMARY_URL" in unnamed


def test_a_caller_without_a_key_learns_nothing_and_leaves_nothing(world: World) -> None:
    before, client = world.files(), world.follower(PERCH_FAILED_KEYS="2").test_client()
    found = [client.post(f"{world.scim}/Users", json={}).status_code for _ in range(4)]
    assert found == [401, 401, 429, 429]
    assert client.get(f"{world.scim}/Users", headers={"Authorization": world.key}).status_code == 200
    assert world.files() == before


def test_readyz_and_metrics_tell_the_age(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scim.web.health.CACHE_SECONDS", 0)
    client = world.follower(PERCH_FOLLOW_MAX_AGE="40").test_client()
    now = time.time()
    for later, status in ((30, 200), (50, 503), (30, 200)):
        monkeypatch.setattr("storage.follower.time.time", lambda later=later: now + later)
        answer = client.get("/readyz")
        assert answer.status_code == status
        assert answer.get_json()["checks"].keys() == {"schema", "disk", "age"}
        assert answer.get_json()["deliverer"] == "not needed"
        text = client.get("/metrics").text
        (line,) = [line for line in text.splitlines() if line.startswith("perch_follower_age_seconds ")]
        assert float(line.split()[1]) == pytest.approx(later, abs=5)
        assert "perch_deliverer_up" not in text and "perch_users 1.0" in text


def test_a_file_of_another_version_is_503_until_it_fits(world: World) -> None:
    database = Database(world.path)
    followed_path(world.path).unlink()
    database.open()
    with database.write() as connection:
        (name,) = connection.execute("SELECT max(name) FROM _sqlite_migrations").fetchone()
        connection.execute("UPDATE _sqlite_migrations SET name = 'm999_newer' WHERE name = ?", (name,))
    database.leave()
    followed_path(world.path).write_text("1")
    client = world.follower().test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").get_json()["checks"]["schema"] != "ok"
    answer = client.get(f"{world.scim}/Users", headers={"Authorization": world.key})
    assert answer.status_code == 503 and "newer Perch" in answer.text


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_every_command_reads_or_is_refused(
    world: World, path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, before = world.follower(PERCH_FAULTS="on"), world.files()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample.json").write_text(run_command(app, "okta", "sample", "1"))
    result = app.test_cli_runner().invoke(args=CALLS[path])
    if path in FIND_NOTHING:
        assert result.exit_code == 1 and NOTHING.search(result.output), result.output
    elif path in READING:
        assert result.exit_code == 0, result.output
    else:
        assert result.exit_code == 1, result.output
        assert PRIMARY in result.output and "follower" in result.output, result.output
    assert world.files() == before


def test_the_age_is_that_of_a_heartbeat(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app()
    client = make_client(app=app)
    with app.extensions["perch"].database.write() as connection:
        workspace.put(connection, heartbeat.NAME, "2099-01-01T00:00:00")
    follower = World(app, client).follower().test_client()
    assert follower.get("/healthz").headers["Perch-Age"] == "0.0"


def test_a_primary_tells_no_age(make_app: MakeApp, make_client: MakeClient) -> None:
    assert "Perch-Age" not in make_client(app=make_app()).get("/Users").headers
