"""The console's guides, connection test, requests and warnings."""

import json
import re
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from schemas import user
from scim.console import connector, words
from scim.emulator.client import OktaClient
from scim.emulator.runner import CheckFailed, TestRun
from scim.emulator.wsgi_adapter import wsgi_session
from scim.settings import WrongSetting
from storage import faults, statistics
from storage.database import Connection
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.console import PASSWORD, Console, text_of

MakeAdmin = Any


@pytest.fixture
def make_admin(make_app: MakeApp) -> MakeAdmin:
    def make(**settings: str) -> tuple[Flask, Console]:
        app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD, **settings)
        console = Console(app)
        console.sign_in()
        return app, console

    return make


def client(app: Flask, *options: str) -> ScimClient:
    return ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "Okta", *options), "okta")


def flush(app: Flask) -> None:
    app.extensions["perch.traffic"].writer.flush()


def test_the_okta_guide_has_every_value_to_copy(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_PUBLIC_URL="https://perch.example")
    page = admin.get("/okta")
    copied = set(re.findall(r'data-copy="([^"]*)"', page.text))
    roles = {text for role in run_json(app, "roles", "list") for text in (role["slug"], role["name"])}
    assert {f"https://perch.example{scim_path(app)}", "userName", "roles", user.URN} | roles <= copied
    text = text_of(page)
    for told in (
        "SAML 2.0", "Do not display application icon to users", "Application username Email", "HTTP Header",
        "Push New Users", "string array", "Define enumeration list of values", "Combine values across groups",
        "Create Users", "Update User Attributes", "Deactivate Users",
    ):  # fmt: skip
        assert told in text
    assert "is not such an address" not in text
    assert f"https://perch.example{scim_path(app)}?aadOptscim062020" in text_of(admin.get("/entra"))


def test_an_address_that_okta_cannot_reach_is_pointed_out(make_admin: MakeAdmin) -> None:
    _, admin = make_admin()
    assert "set PERCH_PUBLIC_URL" in text_of(admin.get("/okta"))
    assert "PERCH_PUBLIC_URL" in text_of(admin.get("/entra"))


def test_test_connector_passes_here_and_leaves_nothing_behind(make_admin: MakeAdmin) -> None:
    app, admin = make_admin()
    page = admin.post("/okta/test")
    assert page.status_code == 200
    assert text_of(page).count(": passed") == 4
    assert "GET /Users?startIndex=1&count=2" in text_of(page)
    assert run_json(app, "keys", "list") == []
    assert "All passed" in text_of(page)


def test_test_connector_with_a_pasted_key(make_admin: MakeAdmin) -> None:
    app, admin = make_admin()
    key = create_key(app, "Okta")
    page = admin.post("/okta/test", {"key": key})
    assert text_of(page).count(": passed") == 4
    assert key not in page.text
    run_command(app, "keys", "revoke", key.split("_")[1])
    refused = text_of(admin.post("/okta/test", {"key": key}))
    assert refused.count(": failed") == 3
    assert "was revoked" in refused
    assert "Okta would refuse" in refused


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Resources": [], "totalResults": "0", "startIndex": 1, "itemsPerPage": 0}, 200),
        ({"totalResults": 0, "startIndex": 1, "itemsPerPage": 0}, 200),
        ({"Resources": [], "totalResults": 0, "startIndex": True, "itemsPerPage": 0}, 200),
        ({"Resources": [], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0}, 500),
        ({"Resources": [{}] * 3, "totalResults": 3, "startIndex": 1, "itemsPerPage": 3}, 200),
        ([], 200),
    ],
)
def test_the_connection_test_fails_where_okta_fails(body: Any, status: int) -> None:
    application = Response(json.dumps(body), status)
    run = TestRun(OktaClient("http://server.example", "k", wsgi_session(application, "http://server.example")))
    for check in (connector.users, connector.no_key):
        with pytest.raises(CheckFailed):
            check(run)


def test_requests_are_listed_with_words_and_reasons(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_TRAFFIC="all")
    okta = client(app)
    okta.get("/Users?startIndex=1&count=2")
    okta.post("/Users", {"userName": "ada@x.example", "roles": ["nothing:here"], "hat": "<b>"})
    okta.delete("/Users/none")
    flush(app)
    text = text_of(admin.get("/requests"))
    assert "200 Okta tests the connection GET /Users?startIndex=1&count=2 Okta" in text
    assert "there is no role 'nothing:here'" in text
    assert "Ignored: hat" in text
    failed = text_of(admin.get("/requests?show=errors"))
    assert "Okta tests the connection" not in failed and "404" in failed
    assert "400" in text_of(admin.get("/requests?method=POST")) and "404" not in text_of(
        admin.get("/requests?method=POST")
    )
    assert "tests the connection" in text_of(admin.get("/requests?q=STARTINDEX"))
    assert "No recorded request matches" in text_of(admin.get("/requests?key=unknown"))
    overview = text_of(admin.get("/"))
    assert "Last errors 404" in overview


def test_a_request_is_shown_in_full_and_sent_again(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_TRAFFIC="all")
    okta = client(app)
    okta.post("/Users", {"userName": "ada@x.example", "displayName": "<script>x</script>", "password": "geheim12"})
    flush(app)
    page = admin.get("/requests/1")
    text = text_of(page)
    assert "Okta creates the user" in text
    assert '"displayName": "<script>x</script>"' in text and "<script>x" not in page.text
    assert "geheim12" not in page.text and okta.key not in page.text
    assert "curl -X POST" in text and "Authorization: Bearer $KEY" in text
    again = text_of(admin.post("/requests/1/replay"))
    assert "Sent again; the answer was 409." in again
    assert "Replay of request 1" in again
    assert "Sent again as request 2" in text_of(admin.get("/requests/1"))
    assert admin.post("/requests/99/replay").status_code == 404


def test_a_replay_that_cannot_be_done_says_why(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_TRAFFIC="all")
    okta = client(app)
    okta.post("/Users", {"userName": "ada@x.example", "title": "x" * 20_000})
    flush(app)
    assert "was kept, so it cannot be sent again" in text_of(admin.post("/requests/1/replay"))


def test_requests_have_pages(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_TRAFFIC="all")
    okta = client(app)
    for number in range(60):
        okta.get(f"/Users?startIndex={number + 1}")
    flush(app)
    first = admin.get("/requests")
    older = re.search(r'href="/console(/requests\?before=\d+)"', first.text)
    assert older and 'data-refresh="results"' in first.text
    second = admin.get(older[1])
    assert "startIndex=10 " in text_of(second) + " " and "startIndex=11 " not in text_of(second)
    assert "data-refresh" not in second.text


def test_the_quirk_report_lists_deviations_per_key(make_admin: MakeAdmin) -> None:
    app, admin = make_admin()
    client(app).post("/Users", {"userName": "ada@x.example", "active": "True", "hat": "red"})
    flush(app)
    text = text_of(admin.get("/requests/quirks"))
    assert "Okta a boolean as a string" in text
    assert "Okta Ignored: hat" in text


@pytest.mark.parametrize("mode", ["off", "errors", "all"])
def test_the_page_says_which_requests_are_recorded(make_admin: MakeAdmin, mode: str) -> None:
    _, admin = make_admin(PERCH_TRAFFIC=mode)
    assert f"(PERCH_TRAFFIC={mode})" in text_of(admin.get("/requests"))


def test_faults_are_announced(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_FAULTS="on")
    with app.extensions["perch"].database.write() as connection:
        faults.insert(connection, "POST", "/Users", status=429, times=2)
    for path in ("/", "/requests"):
        assert "Planned faults make requests fail: fault 1: 429 on POST /Users" in text_of(admin.get(path))


def test_a_blown_fuse_is_announced_and_released(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_FUSE="on")
    okta = client(app)
    ids = [okta.post("/Users", {"userName": f"p{number}@x.example"}).body["id"] for number in range(20)]
    off = {"Operations": [{"op": "replace", "value": {"active": False}}]}
    answers = [okta.patch(f"/Users/{each}", off) for each in ids]
    assert answers[-1].status == 429
    assert "The safety fuse is blown" in text_of(admin.get("/"))
    assert "Perch refused that request" in text_of(admin.get("/fuse"))
    assert "Perch accepts all deactivations and deletions until" in text_of(admin.post("/fuse", {"minutes": "30"}))
    assert "The safety fuse is not blown." in text_of(admin.get("/fuse"))
    assert okta.delete(f"/Users/{ids[-1]}").status == 204
    journal = text_of(admin.get("/journal"))
    assert "fuse released by the console" in journal and "released until after: 20" in journal
    assert "fuse blown by key Okta" in journal and "blows at (users lost) after: 10" in journal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), ([], ""), ({}, ""), (True, "yes"), (False, "no"), (3, "3"), ("x", "x"), (["a", "b"], "a, b"),
        ({"givenName": "Ada", "familyName": None}, "givenName Ada"), ([{"value": "a"}, {"value": "b"}], "a; b"),
        ({"value": "a", "primary": True}, "a, primary yes"),
    ],
)  # fmt: skip
def test_values_in_words(value: Any, text: str) -> None:
    assert words.value(value) == text


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"title": {"before": None, "after": "x"}}, [("title", "", "x")]),
        ({"name": {"before": {"a": 1, "b": 2}, "after": {"a": 1, "b": 3}}}, [("name.b", "2", "3")]),
        ({"name": {"before": {"a": 1}, "after": None}}, [("name.a", "1", "")]),
        ({"urn:x:User": {"before": None, "after": {"department": "Z"}}}, [("department", "", "Z")]),
        ({"members": {"added": 2, "removed": 1}, "groups": {"before": ["x"], "after": []}}, []),
        ({"until": "later"}, [("until", "", "later")]),
    ],
)
def test_changes_in_words(changes: dict[str, Any], steps: list[tuple[str, str, str]]) -> None:
    assert words.steps(changes, "User") == steps


def test_a_workspace_cannot_take_the_consoles_place(make_app: MakeApp) -> None:
    with pytest.raises(WrongSetting, match="must not be console"):
        make_app(PERCH_WORKSPACE="console")


def test_figures_are_cached_until_something_changes(make_admin: MakeAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    app, admin = make_admin()
    okta = client(app)
    counted: list[int] = []
    count = statistics.figures

    def counting(connection: Connection) -> statistics.Figures:
        counted.append(1)
        return count(connection)

    monkeypatch.setattr(statistics, "figures", counting)

    def figures() -> str:
        found = re.search(r"\d+ pe\w+ \d+ active \d+ may log in \d+ without a role", text_of(admin.get("/")))
        assert found
        return found[0]

    assert figures() == figures() == "0 people 0 active 0 may log in 0 without a role"
    assert len(counted) == 1
    ada = okta.post("/Users", {"userName": "ada@x.example"}).body["id"]
    assert figures() == "1 person 1 active 0 may log in 1 without a role"
    okta.patch(f"/Users/{ada}", {"Operations": [{"op": "add", "path": "roles", "value": ["managed:admin"]}]})
    assert figures() == "1 person 1 active 1 may log in 0 without a role"
    okta.put(f"/Users/{ada}", {"userName": "ada@x.example"})
    assert figures() == "1 person 1 active 0 may log in 1 without a role"
    team = okta.post("/Groups", {"displayName": "Team", "members": [{"value": ada}]}).body["id"]
    run_command(app, "roles", "assign", "--group", "Team", "managed:editor")
    assert figures() == "1 person 1 active 1 may log in 0 without a role"
    okta.patch(f"/Groups/{team}", {"Operations": [{"op": "remove", "path": f'members[value eq "{ada}"]'}]})
    assert figures() == "1 person 1 active 0 may log in 1 without a role"
    okta.patch(f"/Users/{ada}", {"Operations": [{"op": "replace", "value": {"active": False}}]})
    assert figures() == "1 person 0 active 0 may log in 1 without a role"
    okta.delete(f"/Users/{ada}")
    assert figures() == "0 people 0 active 0 may log in 0 without a role"
