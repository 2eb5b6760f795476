"""Who may come in with an OpenID provider, and out the moment a push says so."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import run_command, run_json, scim_path
from tests.support.console import PASSWORD, Console
from tests.support.openid import OpenIdProvider
from tests.support.openid_console import begin, come_back, is_in, refused, sign_in
from tests.support.resources import group_id, patch, user, user_id


class Workspace:
    """A console for people with a role, and the provider that pushes them."""

    def __init__(self, app: Flask, client: ScimClient, provider: OpenIdProvider) -> None:
        self.app, self.client = app, client
        self.ada = user(client, "Ada@example.com", externalId="00u1", roles=["managed:admin"])["id"]
        self.first, self.second = Console(app), Console(app)
        for console in (self.first, self.second):
            assert sign_in(console, provider).status_code == 303
        assert is_in(self.first) and is_in(self.second)


@pytest.fixture
def pushed(make_app: MakeApp, make_client: MakeClient, provider: OpenIdProvider, request: Any) -> Workspace:
    settings = {**provider.settings, "PERCH_OIDC_ADMINS": "role:managed:admin, role: managed:editor"}
    app = make_app(**settings, **getattr(request, "param", {}))
    return Workspace(app, make_client("generic", app=app), provider)


def deactivated(pushed: Workspace) -> None:
    pushed.client.patch(f"/Users/{pushed.ada}", patch("replace", "active", False))


def without_role(pushed: Workspace) -> None:
    pushed.client.put(f"/Users/{pushed.ada}", {"userName": "ada@example.com", "externalId": "00u1", "roles": []})


def deleted(pushed: Workspace) -> None:
    pushed.client.delete(f"/Users/{pushed.ada}")


def renamed(pushed: Workspace) -> None:
    pushed.client.patch(f"/Users/{pushed.ada}", patch("replace", "userName", "lovelace@example.com"))


def role_removed(pushed: Workspace) -> None:
    run_command(pushed.app, "roles", "remove", "managed:admin", "--force")


NO_ROLE = "who does not have the role managed:admin or managed:editor in Perch."


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (deactivated, "who is deactivated in Perch."),
        (without_role, NO_ROLE),
        (deleted, "which is the userName of nobody in Perch."),
        (renamed, "which is the userName of nobody in Perch."),
        (role_removed, NO_ROLE),
    ],
)
def test_who_loses_the_role_by_a_push_loses_every_session_with_the_next_request(
    pushed: Workspace, provider: OpenIdProvider, act: Callable[[Workspace], None], told: str
) -> None:
    act(pushed)
    refused(sign_in(Console(pushed.app), provider), f"The claim 'email' says ada@example.com, {told}")
    assert not is_in(pushed.first)
    # All sessions have ended, and do not come back.
    with closing(sqlite3.connect(pushed.app.extensions["perch"].database.path)) as file:
        assert file.execute("SELECT count(*) FROM console_sessions").fetchone() == (0,)
    if act is deactivated:
        pushed.client.patch(f"/Users/{pushed.ada}", patch("replace", "active", True))
    assert not is_in(pushed.second)
    outs = [entry for entry in run_json(pushed.app, "journal") if entry["action"] == "sign-out"]
    assert len(outs) == 2 and {entry["actor"] for entry in outs} == {"person:ada@example.com"}


def test_who_keeps_the_role_for_another_reason_stays_as_long_as_that_holds(pushed: Workspace) -> None:
    group = group_id(pushed.client, "Admins", pushed.ada)
    run_command(pushed.app, "roles", "assign", "--group", "Admins", "managed:editor")
    without_role(pushed)
    assert is_in(pushed.first) and is_in(pushed.second)
    pushed.client.patch(f"/Groups/{group}", patch("remove", f'members[value eq "{pushed.ada}"]', None))
    assert not is_in(pushed.first) and not is_in(pushed.second)


@pytest.mark.parametrize("pushed", [{"PERCH_OIDC_CLAIM": "sub"}], indirect=True)
def test_by_sub_a_person_is_found_by_the_external_id(pushed: Workspace, provider: OpenIdProvider) -> None:
    renamed(pushed)
    assert is_in(pushed.first)
    provider.claims["sub"] = "00U1"
    refused(sign_in(Console(pushed.app), provider), "'sub' says 00U1, which is the externalId of nobody")
    user(pushed.client, "other@example.com", externalId="00u1", roles=["managed:admin"])
    provider.claims["sub"] = "00u1"
    refused(sign_in(Console(pushed.app), provider), "which is the externalId of nobody or of several people in Perch.")
    assert not is_in(pushed.first)


@pytest.mark.parametrize("pushed", [{"PERCH_OIDC_CLAIM": "sub"}], indirect=True)
def test_by_sub_a_person_who_is_deactivated_is_out(pushed: Workspace) -> None:
    deactivated(pushed)
    assert not is_in(pushed.first)


def test_a_named_administrator_who_is_deactivated_is_out(
    oidc_app: Flask, console: Console, provider: OpenIdProvider, make_client: MakeClient
) -> None:
    sign_in(console, provider)
    client = make_client("generic", app=oidc_app)
    ada = user_id(client, "ada@example.com")
    assert is_in(console)
    client.patch(f"/Users/{ada}", patch("replace", "active", False))
    assert not is_in(console)
    refused(sign_in(console, provider), "who is deactivated in Perch")


@pytest.mark.parametrize("written", ["ada@example.com", "Ada@Example.COM", "ADA@example.com", "aDA@EXAMPLE.com"])
def test_a_forgotten_person_is_erased_as_an_author(
    oidc_app: Flask, console: Console, provider: OpenIdProvider, make_client: MakeClient, written: str
) -> None:
    provider.claims["email"] = written
    sign_in(console, provider)
    client = make_client("generic", app=oidc_app)
    ada, ann = user_id(client, "ada@example.com"), user_id(client, "ann")
    console.post(f"/users/{ann}/roles", {"slug": "managed:admin"})
    client.delete(f"/Users/{ada}")
    run_command(oidc_app, "forget", "ada@example.com")
    assert "ada@example.com" not in json.dumps(run_json(oidc_app, "journal")).lower()
    assert run_json(oidc_app, "roles", "explain", "ann")[0]["actor"] == "person:forgotten"
    assert not is_in(console)


def test_an_address_begins_a_limited_number_of_sign_ins(make_app: MakeApp, provider: OpenIdProvider) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_FAILED_KEYS="3", **provider.settings)
    visitor, flood = visitor_from(app, "192.0.2.1"), visitor_from(app, "2001:db8:1:2::1")
    code, state = begin(visitor, provider)
    for number in range(3):
        assert flood.get("/oidc", environ_base={"REMOTE_ADDR": f"2001:db8:1:2::{number}"}).status_code == 303
    answer = flood.get("/oidc")
    refused(answer, "Your address began too many sign-ins. Try again in", status=429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    with app.extensions["perch"].database.read() as connection:
        assert connection.execute("SELECT count(*) FROM console_logins").fetchone() == (4,)
    assert visitor_from(app, "2001:db8:1:3::1").get("/oidc").status_code == 303
    assert come_back(visitor, code, state).status_code == 303 and is_in(visitor)


def test_begun_sign_ins_count_apart_from_wrong_keys_and_passwords(make_app: MakeApp, provider: OpenIdProvider) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_CONSOLE_PASSWORD="on", PERCH_FAILED_KEYS="1",
                   **provider.settings)  # fmt: skip
    visitor = visitor_from(app, "127.0.0.1")
    wrong = ScimClient(wsgi_transport(app), scim_path(app), "perch_wrong_key")
    assert [visitor.get("/oidc").status_code for _ in range(2)] == [303, 429]
    assert [wrong.get("/Users").status for _ in range(2)] == [401, 429]
    assert visitor.sign_in().status_code == 303 and is_in(visitor)
    assert visitor.get("/oidc?again=1").status_code == 429


def visitor_from(app: Flask, address: str) -> Console:
    console = Console(app)
    console.client.environ_base = {**console.client.environ_base, "REMOTE_ADDR": address}
    return console
