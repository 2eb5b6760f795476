"""A sync: the server ends with exactly the organisation, in spite of failures, and a second sync sends nothing."""

import json
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Response

from scim.emulator.bodies import Document
from scim.emulator.client import ScimClient
from scim.emulator.dialects import OKTA_APPS
from scim.emulator.flows import Flows
from scim.emulator.import_preview import import_preview
from scim.emulator.organisation import read_organisation
from scim.emulator.retries import RetryingClient
from scim.emulator.sample import sample_organisation
from scim.emulator.state import SyncState
from scim.emulator.sync import Summary, Sync, SyncStopped
from scim.emulator.wsgi_adapter import wsgi_session
from tests.support.okta_fixture import ORIGIN, OktaWorld, okta_world

__all__ = ["okta_world"]
ROLES = ("billing:reader", "managed:admin", "managed:inbox_agent")


class FlakyApplication:
    """Answers every `busy`th request with 429, every `broken`th with 500, and passes the others on."""

    def __init__(self, application: Any, busy: int = 0, broken: int = 0) -> None:
        self.application = application
        self.busy = busy
        self.broken = broken
        self.numbers = count(1)
        self.requests: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        number = next(self.numbers)
        if self.busy and number % self.busy == 0:
            after = {"Retry-After": "3" if number % 2 else "Wed, 21 Oct 2026 07:28:00 GMT"}
            return Response("busy", 429, after)(environ, start_response)
        if self.broken and number % self.broken == 0:
            return Response("<h1>broken</h1>", 500)(environ, start_response)
        self.requests.append(environ["REQUEST_METHOD"])
        return self.application(environ, start_response)  # type: ignore[no-any-return]


def with_roles(world: OktaWorld) -> OktaWorld:
    for role in ROLES:
        world.role(role, role.title())
    return world


def synced(
    world: OktaWorld, org: Document, state: SyncState, dialect: str, server: FlakyApplication
) -> tuple[Summary, list[float]]:
    """Run one sync through a flaky server; its summary and the seconds that it would have waited."""
    waits: list[float] = []
    client = RetryingClient(ScimClient(world.base, world.key, wsgi_session(server, ORIGIN)), sleep=waits.append)
    return Sync(read_organisation(org), Flows(client, dialect), state).run(), waits


def expect_converged(world: OktaWorld, org: Document) -> None:
    """Expect exactly the assigned people, with their roles, to be active, and exactly the pushed groups to exist."""
    found = import_preview(world.flows)
    wanted = read_organisation(org).assigned()
    assert {user["userName"]: sorted(user["roles"]) for user in found["users"] if user["active"]} == {
        login: sorted(roles) for login, roles in wanted.items()
    }
    logins = {user["id"]: user["userName"] for user in found["users"]}
    pushed = {group["name"]: set(group["members"]) for group in org["groups"] if group["name"] in org["app"]["push"]}
    assert {group["name"]: {logins[member] for member in group["members"]} for group in found["groups"]} == {
        name: members & wanted.keys() for name, members in pushed.items()
    }
    assert found["problems"] == []


@pytest.mark.parametrize("dialect", OKTA_APPS)
@pytest.mark.parametrize("people", [300, pytest.param(2000, marks=pytest.mark.long)])
def test_a_large_organisation_converges_in_spite_of_429_and_500(
    okta_world: OktaWorld, tmp_path: Path, dialect: str, people: int
) -> None:
    org = sample_organisation(people, 50, seed=3, roles=ROLES, faker=False)
    world = with_roles(okta_world)
    state = SyncState(tmp_path / "state.jsonl", world.base)
    server = FlakyApplication(world.app.wsgi_app, busy=97, broken=61)
    summary, waits = synced(world, org, state, dialect, server)
    assert summary.failures == []
    assert {3, 300, 2} <= set(waits)
    assert summary.done["assign"] == server.requests.count("POST") - summary.done["push group"]
    assert summary.done["assign"] > people * 0.8
    assert summary.done["push group"] >= 10
    expect_converged(world, org)
    state.save()
    server.requests.clear()
    summary, _ = synced(world, org, SyncState(tmp_path / "state.jsonl", world.base), dialect, server)
    assert (server.requests, summary.done, summary.failures) == ([], {}, [])


def small(**app: Any) -> Document:
    """Three people and two groups."""
    people = [
        {"id": f"00u{name}", "login": f"{name}@example.com", "givenName": name.title(), "familyName": "Roe"}
        for name in ("ada", "bob", "eve")
    ]
    groups = [
        {"id": "00gsupport", "name": "Support", "members": ["ada@example.com", "bob@example.com"]},
        {"id": "00gsales", "name": "Sales", "members": ["bob@example.com", "eve@example.com"]},
    ]
    both = [{"group": "Support", "roles": [ROLES[0]]}, {"group": "Sales", "roles": [ROLES[1], ROLES[0]]}]
    return {"people": people, "groups": groups, "app": {"groups": both, "people": [], "push": ["Support"], **app}}


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_each_change_arrives(okta_world: OktaWorld, dialect: str) -> None:
    world = with_roles(okta_world)
    world.flows.dialect = dialect
    org = small()

    def arrives(**done: int) -> None:
        summary = world.sync(org)
        assert summary.failures == []
        assert {name.replace(" ", "_"): times for name, times in summary.done.items()} == done
        expect_converged(world, org)
        assert world.sync(org).done == {}

    arrives(assign=3, push_group=1)
    assert world.user("bob@example.com")["roles"] == [ROLES[0], ROLES[1]]
    org["people"][0] |= {"givenName": "Augusta", "profile": {"title": "Countess"}}
    arrives(update=1)
    assert world.user("ada@example.com")["title"] == "Countess"
    org["people"][0]["login"] = "augusta@example.com"
    org["groups"][0]["members"][0] = "augusta@example.com"
    arrives(update=1)
    org["app"]["people"] = [{"person": "bob@example.com", "roles": [ROLES[2]]}]
    arrives(update=1)
    assert world.user("bob@example.com")["roles"] == [ROLES[2]]
    org["app"]["people"][0]["roles"] = []
    arrives(update=1)
    org["groups"][0] |= {"name": "Help", "members": ["bob@example.com", "eve@example.com"]}
    org["app"] |= {"push": ["Help", "Sales"], "groups": [{"group": "Sales", "roles": [ROLES[1]]}]}
    arrives(update=1, deactivate=1, update_group=1, push_group=1)
    org["app"]["push"] = ["Sales"]
    org["people"][1]["status"] = "deactivated"
    arrives(deactivate=1, unlink_group=1, update_group=1)
    org["people"][1]["status"] = "active"
    arrives(update=1, update_group=1)
    del org["people"][0]
    org["app"]["groups"] = []
    arrives(deactivate=1, update_group=1)


def test_existing_people_and_groups_are_adopted(okta_world: OktaWorld) -> None:
    world = with_roles(okta_world)
    ada = world.assign("ADA@example.com")
    support = world.push_group("support")
    world.deactivate("ada@example.com")
    assert world.sync(small()).failures == []
    assert world.user("ada@example.com")["id"] == ada
    assert world.user("ada@example.com")["active"] is True
    assert world.group("Support")["id"] == support


def test_an_account_deleted_at_the_server_is_created_again(okta_world: OktaWorld) -> None:
    world = with_roles(okta_world)
    org = small()
    world.sync(org)
    world.send("DELETE", f"/Users/{world.user('ada@example.com')['id']}")
    org["people"][0]["givenName"] = "Augusta"
    assert world.sync(org).failures == []
    expect_converged(world, org)


@pytest.mark.parametrize("dialect", OKTA_APPS)
@pytest.mark.parametrize("after", range(1, 10))
def test_an_interrupted_sync_continues(okta_world: OktaWorld, tmp_path: Path, dialect: str, after: int) -> None:
    """The sync is killed after each request, and half a line is left at the end of the state file."""
    world, org, path = with_roles(okta_world), small(), tmp_path / "state.jsonl"

    class Killed(Exception):
        pass

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        answer = world.app.wsgi_app(environ, start_response)
        if next(numbers) == after:
            raise Killed
        return answer

    numbers = count(1)
    with pytest.raises(Killed):
        synced(world, org, SyncState(path, world.base), dialect, FlakyApplication(application))
    if path.exists():
        with path.open("a") as file:
            file.write('["people","00ubob",{"id":')
    summary, _ = synced(world, org, SyncState(path, world.base), dialect, FlakyApplication(world.app.wsgi_app))
    assert summary.failures == []
    expect_converged(world, org)
    assert json.loads(path.read_text().splitlines()[0])[1] == world.base


def test_a_refused_task_is_listed_with_the_servers_detail(okta_world: OktaWorld, tmp_path: Path) -> None:
    world, file = with_roles(okta_world), tmp_path / "org.json"
    org = small(people=[{"person": "eve@example.com", "roles": ["managed:inbox_agnet"]}])
    file.write_text(json.dumps(org))
    result = world.app.test_cli_runner().invoke(args=["okta", "sync", str(file)])
    assert result.exit_code == 1
    assert "2 × assign, 1 × push group" in result.stdout
    assert "assign eve@example.com: POST /Users: 400" in result.stdout
    assert "managed:inbox_agnet" in result.stdout
    org["app"]["people"][0]["roles"] = ["managed:inbox_agent"]
    file.write_text(json.dumps(org))
    found = world.flask("okta", "sync", str(file), "--json")
    assert (found["done"], found["failures"]) == ({"assign": 1}, [])
    assert world.flask("okta", "sync", str(file), "--json")["requests"] == 0
    assert file.with_name("org.okta-state.jsonl").exists()


def test_a_revoked_key_stops_the_sync_at_once(okta_world: OktaWorld) -> None:
    okta_world.flask("keys", "revoke", okta_world.key.split("_")[1])
    sync = Sync(read_organisation(small()), okta_world.flows, okta_world.state)
    with pytest.raises(SyncStopped, match="was revoked"):
        sync.run()
    assert [failure.status for failure in sync.summary.failures] == [401]


def test_a_dry_run_shows_the_tasks_and_sends_nothing(okta_world: OktaWorld, tmp_path: Path) -> None:
    file = tmp_path / "org.json"
    file.write_text(json.dumps(small()))
    plan = okta_world.flask("okta", "sync", str(file), "--dry-run", "--json")
    assert [(task["kind"], task["title"]) for task in plan] == [
        ("assign", "ada@example.com"),
        ("assign", "bob@example.com"),
        ("assign", "eve@example.com"),
        ("push group", "Support"),
    ]
    assert "assign      ada@example.com" in okta_world.flask("okta", "sync", str(file), "--dry-run")
    assert list(tmp_path.glob("*.jsonl")) == []
    assert okta_world.flask("okta", "import", "--json")["users"] == []
