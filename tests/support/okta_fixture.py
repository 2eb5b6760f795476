"""A pytest fixture of this project's tests: a Perch in this process with Okta provisioning into it.

    from tests.support.okta_fixture import OktaWorld, okta_world  # a pytest fixture

    def test_a_leaver_may_not_log_in(okta_world: OktaWorld) -> None:
        okta_world.role("billing:reader", "Billing reader")
        okta_world.assign("ada@example.com", roles=["billing:reader"])
        okta_world.push_group("Support", ["ada@example.com"])
        assert okta_world.user("ada@example.com")["active"]
        okta_world.deactivate("ada@example.com")
        assert not okta_world.user("ada@example.com")["active"]

Requests call Perch's WSGI application in the same process; no port is opened. Send your own requests with
`okta_world.send`, or with `okta_world.client` below `okta_world.base`. `sync` takes an organisation as
`flask okta sample` prints it. A refused request raises `scim.emulator.flows.ProvisioningError`, whose text is the
request with Perch's detail.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from scim.emulator import bodies
from scim.emulator.client import Reply, ScimClient, look_up
from scim.emulator.dialects import CUSTOM
from scim.emulator.flows import Flows, resources
from scim.emulator.organisation import read_organisation
from scim.emulator.retries import RetryingClient
from scim.emulator.state import SyncState
from scim.emulator.sync import Summary, Sync
from scim.emulator.wsgi_adapter import wsgi_session

ORIGIN = "http://perch.example"


class OktaWorld:
    """Okta with one app, `custom` or `oin`, that provisions one Perch; people are named by their login."""

    def __init__(self, app: Flask, dialect: str = CUSTOM) -> None:
        self.app = app
        app.extensions["perch"].open()
        self.base = ORIGIN + str(self.flask("workspace", "--json")["scimPath"])
        self.key = str(self.flask("keys", "create", "Okta", "--idp", "okta", "--json")["key"])
        self.client = ScimClient(self.base, self.key, wsgi_session(app.wsgi_app, ORIGIN + "/"))
        self.flows = Flows(RetryingClient(self.client, sleep=lambda seconds: None), dialect)
        self.state = SyncState(None, self.base)
        self.groups: dict[str, str] = {}

    def flask(self, *arguments: str) -> Any:
        """Run a `flask` command and return its output, parsed if `--json` is given."""
        result = self.app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout) if "--json" in arguments else result.stdout

    def role(self, slug: str, name: str) -> None:
        """Add a role to the catalogue unless it is there."""
        if slug not in {role["slug"] for role in self.flask("roles", "list", "--json")}:
            self.flask("roles", "add", slug, name)

    def assign(self, login: str, given: str = "Ada", family: str = "Roe", roles: Sequence[str] = ()) -> str:
        """Assign a person to the app, with roles if any are given; returns the id in Perch."""
        mapped = {"roles": list(roles)} if roles else {}
        return self.flows.assign(bodies.user(login, given, family, mapped=mapped))

    def update(self, login: str, **values: Any) -> None:
        """Change attributes of a person in Okta, which updates the profile in Perch."""
        self.flows.update(self.user(login)["id"], values)

    def deactivate(self, login: str) -> None:
        """Unassign a person: Okta deactivates the user in Perch and never deletes it."""
        self.flows.set_active(self.user(login)["id"], False)

    def push_group(self, name: str, logins: Sequence[str] = ()) -> str:
        """Push a group, or replace the members of one that is already pushed; returns the id in Perch."""
        if name not in self.groups:
            self.groups[name] = self.flows.push_group(name)
        members = [bodies.member(self.user(login)["id"], login) for login in logins]
        self.flows.write_group(self.groups[name], name, members, None)
        return self.groups[name]

    def unlink_group(self, name: str) -> None:
        """Stop pushing a group: it is deleted in Perch, its members stay."""
        self.flows.unlink_group(self.groups.pop(name))

    def sync(self, organisation: Any) -> Summary:
        """Bring an organisation to Perch; a second call sends only what changed since."""
        return Sync(read_organisation(organisation), self.flows, self.state).run()

    def user(self, login: str) -> dict[str, Any]:
        """Return the user with this login as Perch has it now."""
        (found,) = resources(self.client.send("GET", "/Users", query=look_up("userName", login)))
        return found

    def group(self, name: str) -> dict[str, Any]:
        """Return the group with this name as Perch has it now."""
        (found,) = resources(self.client.send("GET", "/Groups", query=look_up("displayName", name)))
        return found

    def send(self, method: str, path: str, body: Any = None) -> Reply:
        """Send a request with Okta's headers and key."""
        return self.client.send(method, path, body=body)


@pytest.fixture
def okta_world(tmp_path: Path) -> OktaWorld:
    """A Perch on an empty file with Okta provisioning into it."""
    from app import create_app  # not at the top: your test may have to set up its environment first

    return OktaWorld(create_app({"PERCH_DATABASE": str(tmp_path / "okta-world.db"), "PERCH_FUSE": "off"}))
