"""A Perch on a temporary file with an Okta attached, for tests of whatever reads from Perch. Copy it.

    from tests.support.okta_fixture import OktaWorld, okta_world  # a pytest fixture

    def test_a_leaver_may_not_log_in(okta_world: OktaWorld) -> None:
        okta_world.role("billing:reader", "Billing reader")
        okta_world.assign("ada@example.com", roles=["billing:reader"])
        okta_world.push_group("Support", ["ada@example.com"])
        assert okta_world.user("ada@example.com")["active"]
        okta_world.deactivate("ada@example.com")
        assert not okta_world.user("ada@example.com")["active"]

Everything goes through Perch's own WSGI app, nothing listens; `okta_world.base` and `okta_world.client` are for
requests of your own. `sync` takes an organisation as `flask okta sample` writes it. What Perch refuses raises
`scim.emulator.flows.Refused`, whose text is the request with Perch's own detail.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from scim.emulator import bodies
from scim.emulator.client import Exchange, OktaClient, look_up
from scim.emulator.flows import Flows, listed
from scim.emulator.in_process import session_into
from scim.emulator.organisation import read_organisation
from scim.emulator.retries import Patient
from scim.emulator.state import State
from scim.emulator.sync import Summary, Sync

ORIGIN = "http://perch.example"


class OktaWorld:
    """Okta with one app, `custom` or `oin`, provisioned into one Perch; people are known by their login."""

    def __init__(self, app: Flask, dialect: str = "custom") -> None:
        self.app = app
        self.base = ORIGIN + str(self.flask("workspace", "--json")["scimPath"])
        self.key = str(self.flask("keys", "create", "Okta", "--idp", "okta", "--json")["key"])
        self.client = OktaClient(self.base, self.key, session_into(app.wsgi_app, ORIGIN + "/"))
        self.flows = Flows(Patient(self.client, scale=0), dialect)
        self.state = State(None, self.base)
        self.groups: dict[str, str] = {}

    def flask(self, *arguments: str) -> Any:
        """What a `flask` command of the deployment prints, its JSON read."""
        result = self.app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in arguments else result.stdout

    def role(self, slug: str, name: str) -> None:
        """Put a role into the catalogue, unless it is there."""
        if slug not in {role["slug"] for role in self.flask("roles", "list", "--json")}:
            self.flask("roles", "add", slug, name)

    def assign(self, login: str, given: str = "Ada", family: str = "Roe", roles: Sequence[str] = ()) -> str:
        """Assign a person to the app, with roles when the assignment gives some; the id in Perch."""
        mapped = {"roles": list(roles)} if roles else {}
        return self.flows.assign(bodies.user(login, given, family, mapped=mapped))

    def update(self, login: str, **values: Any) -> None:
        """Change attributes of a person in Okta, which pushes the profile."""
        self.flows.update(self.user(login)["id"], values)

    def deactivate(self, login: str) -> None:
        """Unassign a person: Okta deactivates, and never deletes."""
        self.flows.activate(self.user(login)["id"], False)

    def push_group(self, name: str, logins: Sequence[str] = ()) -> str:
        """Push a group, or write the members of one that is pushed already; the id in Perch."""
        if name not in self.groups:
            self.groups[name] = self.flows.push_group(name)
        members = [bodies.member(self.user(login)["id"], login) for login in logins]
        self.flows.write_group(self.groups[name], name, members, None)
        return self.groups[name]

    def unlink_group(self, name: str) -> None:
        """Stop pushing a group: it is deleted in Perch, the people stay."""
        self.flows.unlink_group(self.groups.pop(name))

    def sync(self, organisation: Any) -> Summary:
        """Bring a whole organisation to Perch; called again, only what changed since."""
        run = Sync(read_organisation(organisation), self.flows, self.state)
        for tasks in (run.people_tasks, run.group_tasks):
            for task in tasks():
                run.do(task)
        return run.summary

    def user(self, login: str) -> dict[str, Any]:
        """A person as Perch has them now."""
        (found,) = listed(self.client.send("GET", "/Users", query=look_up("userName", login)))
        return found

    def group(self, name: str) -> dict[str, Any]:
        """A group as Perch has it now."""
        (found,) = listed(self.client.send("GET", "/Groups", query=look_up("displayName", name)))
        return found

    def send(self, method: str, path: str, body: Any = None) -> Exchange:
        """One request of your own, with Okta's headers and key."""
        return self.client.send(method, path, body=body)


@pytest.fixture
def okta_world(tmp_path: Path) -> OktaWorld:
    """A fresh Perch with an Okta attached."""
    from app import create_app  # not at the top: a settings file of yours may have to be in place first

    return OktaWorld(create_app({"PERCH_DATABASE": str(tmp_path / "okta-world.db"), "PERCH_FUSE": "off"}))
