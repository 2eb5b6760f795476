"""The console's guides, connection test, requests and warnings."""

import json
import re
import time
from collections.abc import Callable
from contextvars import Context
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Response

from schemas import user
from scim.console import connector, public_url, words
from scim.console.public_url import FAILED, PASSED, PROBE, UNKNOWN, Outcome
from scim.emulator.client import ScimClient as EmulatorClient
from scim.emulator.runner import CheckFailed, TestRun
from scim.emulator.wsgi_adapter import wsgi_session
from scim.settings import WrongSetting
from scim.traffic import probes
from scim.traffic.summaries import short_reason
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
    text = text_of(page)
    assert text.count(": passed") == 4
    assert "GET /Users?startIndex=1&count=2" in text
    assert run_json(app, "keys", "list") == []
    assert "Perch answers as Okta expects" in text and "Okta would accept" not in text
    assert "Okta would refuse the public URL" in text and "Okta needs https." in text


class Way:
    """A public URL that leads to the app; `state` makes it fail."""

    def __init__(self, app: Flask, state: str) -> None:
        self.app, self.state, self.sent = app, state, 0

    def check(self, base: str, key: str, headers: dict[str, str]) -> Outcome:
        for more in ({}, {"Authorization": f"Bearer {key}"}):
            self.sent += 1
            answer = self.app.test_client(use_cookies=False).get(f"{base}{PROBE}", headers={**headers, **more})
            assert answer.status_code == (200 if more else 401)
        return Outcome(self.state, f"It is {self.state}.")


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        (PASSED, "The public URL leads to Perch"), (FAILED, "Okta would refuse the public URL"),
        (UNKNOWN, "The public URL is not tested"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["all", "errors", "off"])
def test_probes_are_neither_errors_nor_strangers(
    make_admin: MakeAdmin, monkeypatch: pytest.MonkeyPatch, state: str, heading: str, mode: str
) -> None:
    app, admin = make_admin(PERCH_TRAFFIC=mode, PERCH_PUBLIC_URL="https://perch.example")
    way = Way(app, state)
    monkeypatch.setattr(public_url, "check", lambda *sent: Context().run(way.check, *sent))
    page = admin.post("/okta/test")
    assert heading in text_of(page) and f'<li class="{state}">' in page.text and way.sent == 2
    assert ("Okta would refuse to save" in text_of(page)) is (state == FAILED)
    flush(app)
    assert "No recorded request matches." in text_of(admin.get("/requests"))
    overview = text_of(admin.get("/"))
    assert ("No request has failed." in overview and "No request is recorded yet." in overview) is (mode != "off")
    app.test_client(use_cookies=False).get(f"{scim_path(app)}/Users")
    flush(app)
    assert ("Somebody without a valid key" in text_of(admin.get("/requests"))) is (mode != "off")


@pytest.mark.parametrize(
    "change",
    [
        lambda mark: "", lambda mark: "1", lambda mark: mark + "0", lambda mark: mark[:-1],
        lambda mark: f"{int(mark.partition('.')[0]) + 1}.{mark.partition('.')[2]}", lambda mark: "\u0661." + mark,
        lambda mark: "9" * 40 + ".x", lambda mark: ".",
    ],
)  # fmt: skip
def test_only_this_deployment_makes_probes(make_admin: MakeAdmin, change: Callable[[str], str]) -> None:
    app, admin = make_admin()
    database = app.extensions["perch"].database
    stranger = app.test_client(use_cookies=False)
    sent = change(probes.mark(database)).encode().decode("latin-1")
    stranger.get(f"{scim_path(app)}/Users", headers={probes.HEADER: sent})
    stranger.post(f"{scim_path(app)}/Users", headers={probes.HEADER: probes.mark(database)})
    flush(app)
    assert len(re.findall(r'href="/console/requests/\d+"', admin.get("/requests").text)) == 2


def test_a_probe_is_known_for_a_minute(make_admin: MakeAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    app, admin = make_admin()
    database = app.extensions["perch"].database
    old = probes.mark(database)
    monkeypatch.setattr(probes, "time", SimpleNamespace(time=lambda: time.time() + probes.LIFETIME_S + 2))
    app.test_client(use_cookies=False).get(f"{scim_path(app)}/Users", headers={probes.HEADER: old})
    flush(app)
    assert "Somebody without a valid key" in text_of(admin.get("/requests"))


@pytest.mark.parametrize("mode", ["all", "errors", "off"])
def test_what_is_not_counted_is_not_told_as_none(make_admin: MakeAdmin, mode: str) -> None:
    app, admin = make_admin(PERCH_TRAFFIC=mode)
    okta = client(app)
    for name in ("ann", "ann", "bob"):
        okta.post("/Users", {"userName": name})
    flush(app)
    overview, keys = text_of(admin.get("/")), text_of(admin.get("/keys"))
    told = ("Pushed changes 2 today" in overview, "Refused requests 1 today" in overview, "UTC 3 Revoke" in keys)
    assert told == (mode != "off",) * 3
    assert overview.count("Perch records no requests (PERCH_TRAFFIC=off).") == 2 * (mode == "off")
    assert ("UTC unknown Revoke" in keys) is (mode == "off")
    assert "No request" not in overview and "People who may log in 0 today" in overview


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/Users", "lists the users"), ("/{w}/Users?count=1", "asks for something"), ("/scim/v2/Groups", "asks for"),
    ],
)  # fmt: skip
def test_a_wrong_base_url_is_told_as_such_whatever_the_key(make_admin: MakeAdmin, path: str, told: str) -> None:
    app, admin = make_admin(PERCH_PUBLIC_URL="https://perch.example")
    okta, place = client(app), path.format(w=app.extensions["perch"].workspace)
    okta.base_path = ""
    assert okta.get(place).status in (401, 404)
    flush(app)
    text = text_of(admin.get("/requests/1"))
    assert f"Somebody with a wrong base URL {told}" in text and "Key with a wrong base URL" in text
    assert "valid key" not in text and "This request came with a wrong base URL, so it cannot be sent again." in text
    assert re.search(rf"curl -X GET '?https://perch\.example{re.escape(place)}'? ", text)


def test_every_time_has_its_date_and_zone(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_TRAFFIC="all")
    okta = client(app, "--expires-in", "3")
    ann = okta.post("/Users", {"userName": "ann", "badge": 7, "roles": ["managed:viewer"]}).body["id"]
    team = okta.post("/Groups", {"displayName": "Team", "members": [{"value": ann}]}).body["id"]
    flush(app)
    pages = (
        "/", "/keys", "/users", "/groups", "/roles", "/requests", "/requests/quirks", "/requests/1", "/attributes",
        "/journal", "/sessions", f"/users/{ann}", f"/groups/{team}", "/role?slug=managed:viewer",
    )  # fmt: skip
    for path in pages:
        times = re.findall(r"<time[^>]*>(.*?)</time>", admin.get(path).text, re.DOTALL)
        assert times, path
        for time_ in times:
            assert re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d\S* UTC", re.sub("<[^>]+>", "", time_)), (path, time_)


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
    run = TestRun(EmulatorClient("http://server.example", "k", wsgi_session(application, "http://server.example")))
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
    assert "Okta creates ada@x.example" in text
    assert '"displayName": "<script>x</script>"' in text and "<script>x" not in page.text
    assert "geheim12" not in page.text and okta.key not in page.text
    assert "curl -X POST" in text and "Authorization: Bearer $KEY" in text
    again = text_of(admin.post("/requests/1/replay"))
    assert "Sent again; the answer was 409." in again
    assert "Replay of request 1" in again
    assert "Sent again as request 2" in text_of(admin.get("/requests/1"))
    assert admin.post("/requests/99/replay").status_code == 404


def test_a_request_without_its_body_says_which_setting_keeps_it(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_TRAFFIC="errors")
    client(app).post("/Users", {"userName": "ada@x.example"})
    flush(app)
    text = text_of(admin.get("/requests/1"))
    assert text.count("Not recorded: only PERCH_TRAFFIC=all keeps more than the first line") == 2
    assert "0 bytes" not in text


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
    text = text_of(admin.get("/fuse"))
    assert "wanted to deactivate or delete 10 of 20 active users within 10 minutes; it blows at 10." in text
    assert "9 users are deactivated or deleted , by key Okta (9)." in text
    assert "11 deactivations and deletions were refused" in text and "By key Okta (11)." in text
    assert "Nothing" not in text and "held" not in text and "through" not in text
    assert [f"/console/users/{each}" in admin.get("/fuse").text for each in ids] == [True] * 9 + [False] * 11
    assert f"key={okta.key.split('_')[1]}&amp;show=errors" in admin.get("/fuse").text
    flush(app)
    for path in ("/requests", "/"):
        listed = text_of(admin.get(path))
        assert "Refused by the safety fuse." in listed and "flask fuse release" not in listed
    failed = run_json(app, "traffic", "--errors")[0]["seq"]
    assert "flask fuse release" in text_of(admin.get(f"/requests/{failed}"))
    assert "Perch accepts all deactivations and deletions until" in text_of(admin.post("/fuse", {"minutes": "30"}))
    assert "The safety fuse is not blown." in text_of(admin.get("/fuse"))
    assert okta.delete(f"/Users/{ids[-1]}").status == 204
    journal = text_of(admin.get("/journal"))
    assert "fuse released by the console" in journal and "released until after: 20" in journal
    assert "fuse blown by key Okta" in journal and "blows at (users lost) after: 10" in journal


def test_the_users_who_went_before_the_fuse_blew_have_pages(make_admin: MakeAdmin) -> None:
    app, admin = make_admin(PERCH_FUSE="on", PERCH_FUSE_MINIMUM="60")
    okta = client(app)
    ids = [okta.post("/Users", {"userName": f"p{number:02}@x.example"}).body["id"] for number in range(70)]
    assert [okta.delete(f"/Users/{each}").status for each in ids].count(204) == 59
    first, second = admin.get("/fuse"), admin.get("/fuse?page=2")
    assert "1 to 50 of 59 users" in text_of(first) and "p58@x.example deleted key Okta" in text_of(first)
    assert "51 to 59 of 59 users" in text_of(second) and f"/console/journal?resource={ids[0]}" in second.text
    assert "p08@x.example" in text_of(second) and "p09@x.example" not in text_of(second)
    flush(app)
    listed, failed = run_command(app, "traffic", "--errors"), run_json(app, "traffic", "--errors")[0]["seq"]
    assert listed.count("Refused by the safety fuse.") == 11 and "flask fuse release" not in listed
    assert "flask fuse release" in run_command(app, "traffic", "show", str(failed))


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        (None, "None"),
        ("Perch's safety fuse blew at 2026-11-27T10:00:00Z: with one more …", "Refused by the safety fuse."),
        ("2 of 9 operations failed; the first: Perch's safety fuse blew at …",
         "2 of 9 operations failed; the first: Refused by the safety fuse."),
        ("userName: 'Perch' is taken.", "userName: 'Perch' is taken."),
    ],
)  # fmt: skip
def test_reasons_are_short_in_lists(reason: str | None, short: str) -> None:
    assert short_reason(str(reason)) == short


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
