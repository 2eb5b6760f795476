"""Every route and every command that changes something leaves a journal entry with an author, in the same act.

The lists of routes and commands come from the application: a new one fails until it is in a table below.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask

from storage import heartbeat, traffic
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.console import PASSWORD, Console
from tests.support.receiver import Receiver
from tests.support.resources import group_id, user_id

# Tables and columns that note progress, sightings or guards against repetition: no act of anybody.
IGNORED = {
    "journal",
    "console_logins",
    "journal_members",
    "traffic",
    "traffic_hours",
    "days",
    "quirks",
    "console_forms",
    "console_attempts",
    "event_streams",
    "oauth_assertions",
    "receipts",
    "acknowledgements",
    "withdrawal_totals",
    "sqlite_sequence",
}
PROGRESS = {"keys": {"lastUsed"}, "console_sessions": {"used"}, "faults": {"used"},
            "webhooks": {"delivered", "lastDelivered"}}  # fmt: skip
# Rows of the table `workspace` that count what is no act.
COUNTERS = {traffic.OF_KEYS, heartbeat.NAME}
AUTHORS = re.compile(r"key:[0-9a-f]{10}|person:.+|console:[0-9a-f]{12}|console|command:.+|address:.+|delivery")
SECRETS = re.compile(rf"whsec_|perch_[ts]?[0-9a-f]{{10}}_|scrypt:|{PASSWORD}|\"d\":|token=s3cret")
HOOK = "/hooks/x?token=s3cret"

# What each route does that is no GET: the entries (type, action) it leaves; none for one that changes nothing.
ROUTES: dict[str, list[tuple[str, str]]] = {
    "workspace.scim.users.create": [("User", "create")],
    "workspace.scim.users.replace": [("User", "replace")],
    "workspace.scim.users.patch": [("User", "patch")],
    "workspace.scim.users.delete": [("User", "delete")],
    "workspace.scim.groups.create": [("Group", "create")],
    "workspace.scim.groups.replace": [("Group", "replace")],
    "workspace.scim.groups.patch": [("Group", "patch")],
    "workspace.scim.groups.delete": [("Group", "delete")],
    "workspace.scim.bulk.bulk": [("User", "create"), ("Group", "create")],
    "workspace.scim.me.me": [],
    "workspace.scim.search.search_by_post": [],
    "workspace.scim.users.search_by_post": [],
    "workspace.scim.groups.search_by_post": [],
    "workspace.scim.roles.search_by_post": [],
    "workspace.events.poll": [("Workspace", "create")],
    "workspace.events.receive_receipt": [],
    "oauth.token": [("AccessKey", "token")],
    "console.sign_in": [("Console", "sign-in")],
    "console.end_sessions": [("Console", "sign-out")],
    "console.create_key": [("AccessKey", "create")],
    "console.revoke": [("AccessKey", "revoke")],
    "console.add_secret": [("AccessKey", "change")],
    "console.add_trust": [("AccessKey", "change")],
    "console.revoke_credential": [("AccessKey", "change")],
    "console.create_role": [("Role", "create")],
    "console.edit_role": [("Role", "replace")],
    "console.assign_to_user": [("User", "assign")],
    "console.withdraw_from_user": [("User", "unassign")],
    "console.assign_to_group": [("Group", "assign")],
    "console.withdraw_from_group": [("Group", "unassign")],
    "console.remove_role": [("Role", "delete")],
    "console.declare_attribute": [("Attribute", "create")],
    "console.create_webhook": [("Webhook", "create")],
    "console.test_webhook": [],
    "console.pause_webhook": [("Webhook", "pause")],
    "console.resume_webhook": [("Webhook", "resume")],
    "console.rotate_secret": [("Webhook", "rotate")],
    "console.replay_events": [("Webhook", "replay")],
    "console.remove_webhook": [("Webhook", "remove")],
    "console.test_connector": [("AccessKey", "create"), ("AccessKey", "remove")],
    "console.release_fuse": [("Workspace", "fuse released")],
    "console.send_again": [("User", "create")],
    "console.not_found": [],
    "console.sign_out": [("Console", "sign-out")],
}
# Each command with its arguments, in the order in which they run, and the entries that it leaves.
COMMANDS: list[tuple[str, list[tuple[str, str]]]] = [
    ("init", [("Console", "password"), ("AccessKey", "create")]),
    ("admin-password", [("Console", "password")]),
    ("keys create Application", [("AccessKey", "create")]),
    ("keys set KEY --name Renamed --expires-in 9", [("AccessKey", "change")]),
    ("keys revoke KEY", [("AccessKey", "revoke")]),
    ("keys revoke KEY", []),
    ("keys list", []),
    ("keys create Client --oauth", [("AccessKey", "create"), ("AccessKey", "change")]),
    ("keys secrets add CLIENT", [("AccessKey", "change")]),
    ("keys secrets list CLIENT", []),
    ("keys trust CLIENT --issuer https://idp.example --subject s --audience a", [("AccessKey", "change")]),
    ("keys trust CLIENT", []),
    ("keys trust CLIENT --revoke TRUST", [("AccessKey", "change")]),
    ("keys secrets revoke CLIENT SECRET", [("AccessKey", "change")]),
    ("roles add a:b Name", [("Role", "create")]),
    ("roles edit a:b --name Other", [("Role", "replace")]),
    ("apply examples/workspace.toml", [("Role", "create"), ("Role", "create"), ("GroupRule", "create")]),
    ("apply examples/workspace.toml --dry-run", []),
    ("export", []),
    ("roles assign --user ann a:b", [("User", "assign")]),
    ("roles explain ann", []),
    ("roles unassign --user ann a:b", [("User", "unassign")]),
    ("roles remove a:b", [("Role", "delete")]),
    ("roles list", []),
    ("attributes add urn:acme:x:User badge --type string --indexed", [("Attribute", "create")]),
    ("attributes add urn:acme:x:User badge --type string --unique", [("Attribute", "change")]),
    ("attributes list", []),
    ("attributes seen", []),
    ("attributes remove urn:acme:x:User:badge --prune", [("Attribute", "delete")]),
    ("webhooks add https://93.184.216.34/x?token=s3cret", [("Webhook", "create")]),
    ("webhooks pause HOOK", [("Webhook", "pause")]),
    ("webhooks resume HOOK", [("Webhook", "resume")]),
    ("webhooks rotate HOOK", [("Webhook", "rotate")]),
    ("webhooks replay HOOK --from oldest", [("Webhook", "replay")]),
    ("webhooks list", []),
    ("webhooks kinds", []),
    ("applications add Billing --webhook HOOK", [("Application", "create")]),
    ("applications list", []),
    ("applications remove billing", [("Application", "delete")]),
    ("receipts", []),
    ("receipts check --older-than 300", []),
    ("webhooks remove HOOK", [("Webhook", "remove")]),
    ("events", []),
    ("events rotate-signing-key", [("Workspace", "rotate")]),
    ("events rotate-signing-key --overlap 0", [("Workspace", "rotate")]),
    ("faults add /Users --status 500 --key KEY", [("Fault", "create")]),
    ("faults add * --delay 1", [("Fault", "create")]),
    ("faults clear 1", [("Fault", "remove")]),
    ("faults list", []),
    ("faults clear", [("Fault", "remove")]),
    ("fuse status", []),
    ("fuse release", [("Workspace", "fuse released")]),
    ("backup FOLDER/copy.db", [("Workspace", "backup")]),
    ("okta import", [("AccessKey", "create"), ("AccessKey", "revoke")]),
    ("okta sample 2", []),
    ("version", []),
    ("quirks", []), ("traffic", []), ("traffic show 1", []), ("settings", []), ("workspace", []), ("journal", []),
    ("migrate", []),
    ("forget gone", [("Workspace", "forget")]),
]  # fmt: skip
# These need a server, a file or a network, and act through what is tested here or in the named place.
ELSEWHERE = {
    "follow": "starts processes that only read", "drill": "has files of its own",
    "restore": "below", "deliver": "below", "doctor": "changes nothing", "webhooks test": "sends without a change",
    "okta test": "a key like okta import", "okta sync": "a key like okta import",
    "entra test": "a key like okta import", "entra sync": "a key like okta import",
    "profile test": "a key like okta import",
}  # fmt: skip


def state(app: Flask) -> dict[str, list[Any]]:
    """Return the rows of all tables, without progress."""
    with closing(sqlite3.connect(app.extensions["perch"].database.path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        found = {}
        for name in {name for (name,) in names} - IGNORED:
            heads = [head[0] for head in connection.execute(f'SELECT * FROM "{name}" LIMIT 0').description]
            kept = [f'"{head}"' for head in heads if head not in PROGRESS.get(name, ())]
            rows = connection.execute(f'SELECT {", ".join(kept)} FROM "{name}"').fetchall()
            found[name] = sorted((row for row in rows if row[0] not in COUNTERS), key=repr)
        return found


def entries(app: Flask, after: int = 0) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(app.extensions["perch"].database.path)) as connection:
        sql = "SELECT type, action, actor, at, name, changes FROM journal WHERE seq > ? ORDER BY seq"
        return connection.execute(sql, (after,)).fetchall()


def last(app: Flask) -> int:
    """Return the number of the last entry that was ever written."""
    with closing(sqlite3.connect(app.extensions["perch"].database.path)) as connection:
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
    return row[0] if row else 0


class Watch:
    """Compares file and journal before and after an act."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.faults: list[str] = []

    def check(self, act: str, run: Any, expected: list[tuple[str, str]]) -> None:
        before, old = state(self.app), last(self.app)
        run()
        new, changed = entries(self.app, old), state(self.app) != before
        if [entry[:2] for entry in new] != expected:
            self.faults.append(f"{act}: {[entry[:2] for entry in new]} instead of {expected}")
        if changed and not new:
            self.faults.append(f"{act}: a change without an entry")
        for entry in new:
            if not AUTHORS.fullmatch(entry[2]) or not entry[3] or not entry[4] or SECRETS.search(str(entry)):
                self.faults.append(f"{act}: {entry}")


@pytest.fixture
def world(make_app: MakeApp) -> Flask:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_TRAFFIC="all", PERCH_FAULTS="on",
                   PERCH_WEBHOOKS_ALLOW_PRIVATE="on")  # fmt: skip
    app.extensions["perch"].open()
    return app


def client(app: Flask, provider: str = "generic", *options: str) -> ScimClient:
    key = create_key(app, f"{provider} key", "--idp", provider, *options)
    return ScimClient(wsgi_transport(app), scim_path(app), key, provider)


def writing_endpoints(app: Flask) -> set[str]:
    reading = {"GET", "HEAD", "OPTIONS"}
    return {rule.endpoint for rule in app.url_map.iter_rules() if not (rule.methods or set()) <= reading}


def test_every_route_that_is_no_get_is_classified(app: Flask) -> None:
    assert writing_endpoints(app) == ROUTES.keys()


def test_every_scim_route_leaves_an_entry(world: Flask) -> None:
    scim, watch = client(world), Watch(world)
    ann, team = user_id(scim, "ann"), group_id(scim, "team")
    bulk = [{"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "b1"}},
            {"method": "POST", "path": "/Groups", "bulkId": "b", "data": {"displayName": "b2"}}]  # fmt: skip
    title = {"Operations": [{"op": "replace", "value": {"displayName": "x"}}]}
    search, events = {"count": 1}, scim_path(world).removesuffix("/scim/v2") + "/events/poll"
    acts: list[tuple[str, str, str, Any]] = [
        ("users.create", "POST", "/Users", {"userName": "ben"}),
        ("users.replace", "PUT", f"/Users/{ann}", {"userName": "ann", "title": "x"}),
        ("users.patch", "PATCH", f"/Users/{ann}", title),
        ("users.delete", "DELETE", f"/Users/{ann}", None),
        ("groups.create", "POST", "/Groups", {"displayName": "g"}),
        ("groups.replace", "PUT", f"/Groups/{team}", {"displayName": "other"}),
        ("groups.patch", "PATCH", f"/Groups/{team}", title),
        ("groups.delete", "DELETE", f"/Groups/{team}", None),
        ("bulk.bulk", "POST", "/Bulk", {"Operations": bulk}),
        ("me.me", "DELETE", "/Me", None),
        ("search.search_by_post", "POST", "/.search", search),
        ("users.search_by_post", "POST", "/Users/.search", search),
        ("groups.search_by_post", "POST", "/Groups/.search", search),
        ("roles.search_by_post", "POST", "/Roles/.search", search),
    ]
    for name, method, path, body in acts:
        endpoint = f"workspace.scim.{name}"
        watch.check(endpoint, lambda m=method, p=path, b=body: scim.request(m, p, b), ROUTES[endpoint])
    headers, poll = {"Authorization": scim.key}, {"returnImmediately": True}
    ask = lambda: world.test_client().post(events, json=poll, headers=headers)  # noqa: E731
    watch.check("poll", ask, ROUTES["workspace.events.poll"])
    watch.check("poll again", ask, [])
    event = run_json(world, "events")[0]["id"]
    report = lambda: world.test_client().post(  # noqa: E731
        events.replace("poll", f"{event}/receipt"), json={"outcome": "ended"}, headers=headers
    )
    watch.check("receipt", report, ROUTES["workspace.events.receive_receipt"])
    made = run_json(world, "keys", "create", "client", "--oauth")
    form = {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": made["clientSecret"]}
    token = lambda: world.test_client().post(events.replace("events/poll", "oauth/token"), data=form)  # noqa: E731
    watch.check("oauth.token", token, ROUTES["oauth.token"])
    assert watch.faults == []
    beside = {"workspace.events.poll", "workspace.events.receive_receipt"}
    assert {f"workspace.scim.{name}" for name, *_ in acts} | beside == {
        name for name in ROUTES if name.startswith("workspace.")
    }


def console_acts(app: Flask, hook: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield endpoint, path and form of each act of the console, in an order in which all of them work."""
    scim = client(app, "okta")
    ann, team = user_id(scim, "ann", badge="7"), group_id(scim, "team")
    app.extensions["perch.traffic"].writer.flush()
    number = next(e["seq"] for e in run_json(app, "traffic") if e["method"] == "POST" and e["path"].endswith("/Users"))
    scim.delete(f"/Users/{ann}")
    other = Console(app)
    other.sign_in()
    key = run_json(app, "keys", "list")[0]["id"]
    oauth = run_json(app, "keys", "create", "client", "--oauth")["id"]
    secret = run_json(app, "keys", "secrets", "list", oauth)[0]["id"]
    yield "add_secret", f"/keys/{oauth}/oauth/secrets", {"days": "9"}
    trust = {"issuer": "https://idp.example", "subject": "s", "audiences": "a b"}
    yield "add_trust", f"/keys/{oauth}/oauth/trusts", trust
    yield "revoke_credential", f"/keys/{oauth}/oauth/secret/{secret}/revoke", {}
    yield "end_sessions", "/sessions", {"session": "others"}
    yield "create_key", "/keys", {"name": "k", "idp": "okta", "access": "read"}
    yield "send_again", f"/requests/{number}/replay", {}
    yield "revoke", f"/keys/{key}/revoke", {}
    ann = next(user["id"] for user in client(app).get("/Users").body["Resources"])
    yield "create_role", "/roles", {"slug": "a:b", "name": "AB"}
    yield "edit_role", "/role?slug=a:b", {"name": "BA"}
    yield "assign_to_user", f"/users/{ann}/roles", {"slug": "a:b"}
    yield "withdraw_from_user", f"/users/{ann}/roles/withdraw", {"slug": "a:b"}
    yield "assign_to_group", f"/groups/{team}/roles", {"slug": "a:b"}
    yield "withdraw_from_group", f"/groups/{team}/roles/withdraw", {"slug": "a:b"}
    yield "remove_role", "/role/remove?slug=a:b", {}
    (seen,) = run_json(app, "attributes", "seen")
    sent = {"key": seen["key"], "sent": f"{seen['schema']}:{seen['name']}", "schema": "urn:acme:x:User"}
    yield "declare_attribute", "/attributes", sent
    yield "create_webhook", "/webhooks", {"url": hook, "format": "standard"}
    made = run_json(app, "webhooks", "list")[0]["id"]
    yield "test_webhook", f"/webhooks/{made}/test", {}
    yield "pause_webhook", f"/webhooks/{made}/pause", {}
    yield "resume_webhook", f"/webhooks/{made}/resume", {}
    yield "rotate_secret", f"/webhooks/{made}/rotate", {}
    yield "replay_events", f"/webhooks/{made}/replay", {"from": "beginning"}
    yield "remove_webhook", f"/webhooks/{made}/remove", {}
    yield "test_connector", "/okta/test", {}
    yield "release_fuse", "/fuse", {"minutes": "10"}
    yield "not_found", "/nothing", {}
    yield "sign_out", "/sign-out", {}


def test_every_form_of_the_console_leaves_an_entry(world: Flask) -> None:
    console, watch, done = Console(world), Watch(world), {"console.sign_in"}
    watch.check("sign_in", console.sign_in, ROUTES["console.sign_in"])
    receiver = Receiver()
    try:
        for number, (name, path, form) in enumerate(console_acts(world, receiver.url + HOOK)):
            console.get("/okta")
            fields = {**form, "once": f"once-{number}"}
            endpoint = f"console.{name}"
            watch.check(name, lambda p=path, f=fields: console.post(p, f, follow=False), ROUTES[endpoint])
            done.add(endpoint)
    finally:
        receiver.stop()
    assert watch.faults == []
    assert done == {name for name in ROUTES if name.startswith("console.")}


def test_no_page_and_no_get_changes_anything(world: Flask) -> None:
    scim, console, watch = client(world), Console(world), Watch(world)
    console.sign_in()
    ids = [user_id(scim, "ann"), "1"]
    base = scim_path(world)
    for rule in world.url_map.iter_rules():
        if "GET" in (rule.methods or set()) and rule.endpoint != "workspace.scim.me.me":
            for identifier in ids:
                path = re.sub(r"<workspace>", base.split("/")[1], rule.rule)
                path = re.sub(r"<[^>]+>", identifier, path)
                watch.check(path, lambda p=path: console.client.get(p, headers={"Authorization": scim.key}), [])
    assert watch.faults == []


def commands(group: click.Group, context: click.Context, before: str = "") -> Iterator[str]:
    """Yield the full name of each command."""
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if not isinstance(found, click.Group) or found.invoke_without_command:
            yield before + name
        if isinstance(found, click.Group):
            yield from commands(found, context, f"{before}{name} ")


def name_of(line: str, names: set[str]) -> str:
    """Return the longest name of a command that a line begins with."""
    return max((name for name in names if f"{line} ".startswith(f"{name} ")), key=len)


def test_every_command_is_classified(app: Flask) -> None:
    names = set(commands(app.cli, click.Context(app.cli)))
    assert {name_of(line, names) for line, _ in COMMANDS} | ELSEWHERE.keys() == names


def test_every_command_that_changes_something_leaves_an_entry(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(PERCH_FAULTS="on", PERCH_TRAFFIC="all")
    app.extensions["perch"].open()
    watch = Watch(app)
    for line, expected in COMMANDS:
        if line.startswith("roles assign"):
            scim = client(app)
            user_id(scim, "ann")
            scim.delete(f"/Users/{user_id(scim, 'gone')}")
            app.extensions["perch.traffic"].writer.flush()
        values = {"FOLDER": str(tmp_path)}
        for word, kind in (("KEY", "keys"), ("HOOK", "webhooks")):
            if f" {word}" in line:
                values[word] = run_json(app, kind, "list")[-1]["id"]
        if " CLIENT" in line:
            values["CLIENT"] = next(key["id"] for key in run_json(app, "keys", "list") if key["oauth"])
            for word, words in (("TRUST", ("trust",)), ("SECRET", ("secrets", "list"))):
                if f" {word}" in line:
                    values[word] = run_json(app, "keys", *words, values["CLIENT"])[0]["id"]
        arguments = line.split()
        for word, value in values.items():
            arguments = [argument.replace(word, value) for argument in arguments]
        watch.check(line, lambda words=arguments: run_command(app, *words), expected)
    assert watch.faults == []
    assert all(entry[2].startswith(("command:", "key:")) for entry in entries(app))


def test_a_restore_is_in_the_journal_of_the_restored_file_and_ends_all_sessions(
    world: Flask, make_app: MakeApp, tmp_path: Path
) -> None:
    console = Console(world)
    console.sign_in()
    run_command(world, "backup", str(tmp_path / "copy.db"))
    fresh = make_app(opened=False, PERCH_DATABASE=str(tmp_path / "new.db"), PERCH_ADMIN_PASSWORD=PASSWORD)
    run_command(fresh, "restore", str(tmp_path / "copy.db"))
    assert not list(tmp_path.glob("new.db-wal")), "the file is whole without a log"
    newest, second = run_json(fresh, "journal")[:2]
    assert (newest["type"], newest["action"], newest["name"]) == ("Workspace", "restore", "copy.db")
    assert newest["actor"].startswith("command:")
    assert newest["changes"]["users"] == {"before": None, "after": 0}
    assert second["action"] == "sign-in", "the backup was written down after it was made"
    assert state(world)["console_sessions"] and not state(fresh)["console_sessions"]


def test_an_act_that_fails_leaves_no_entry(world: Flask) -> None:
    before = len(entries(world))
    for line in ("keys revoke nobody", "keys set nobody --name x", "webhooks pause nobody", "faults clear 77",
                 "webhooks add ftp://x", "restore nothing.db",
                 "faults add /Users --status 500 --key nobody"):  # fmt: skip
        assert world.test_cli_runner().invoke(args=line.split()).exit_code != 0, line
    assert len(entries(world)) == before
