"""Webhooks in the console: every action, secrets shown once, refused addresses."""

import html
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from scim.events.delivery import WebhookDelivery
from scim.events.webhooks import WebhookService
from storage import webhooks
from storage.journal import Author
from storage.webhooks import Webhook
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.console import PASSWORD, Console, text_of
from tests.support.deliverer import delivering
from tests.support.receiver import Receiver

SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")
PUBLIC = "https://93.184.216.34/perch"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


class Site:
    """A deployment and a client that is signed in to its console."""

    def __init__(self, app: Flask) -> None:
        self.app, self.admin = app, Console(app)
        self.perch = app.extensions["perch"]
        self.admin.sign_in()

    def add(self, url: str = PUBLIC, **fields: Any) -> TestResponse:
        form = {"url": url, "format": "standard", "once": self.once("/webhooks")}
        return self.admin.post("/webhooks", {**form, **fields}, follow=False)

    def added(self, url: str = PUBLIC, **fields: Any) -> str:
        self.add(url, **fields)
        return str(self.all[-1]["id"])

    def once(self, path: str) -> str:
        found = re.search(r'name="once" value="([^"]+)"', self.admin.get(path).text)
        assert found
        return found[1]

    @property
    def all(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = run_json(self.app, "webhooks", "list")
        return found

    def webhook(self, identifier: str) -> Webhook:
        with self.perch.database.read() as connection:
            return webhooks.get(connection, identifier)

    def users(self, *names: str) -> None:
        client = ScimClient(wsgi_transport(self.app), scim_path(self.app), create_key(self.app, "x"))
        for name in names:
            assert client.post("/Users", {"userName": name}).status == 201

    def deliver(self, identifier: str) -> None:
        author = Author("delivery", "")
        service = WebhookService(self.perch.repository, self.perch.settings, "http://perch/ws", author)
        delivery = WebhookDelivery(service, identifier, lambda: True)
        while delivery.step():
            pass
        delivery.close()


@pytest.fixture
def site(make_app: MakeApp) -> Site:
    return Site(make_app(PERCH_ADMIN_PASSWORD=PASSWORD))


@pytest.fixture
def local(make_app: MakeApp) -> Site:
    return Site(make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_WEBHOOKS_ALLOW_PRIVATE="on"))


def secret_in(answer: TestResponse) -> str:
    found = SECRET.search(answer.text)
    assert answer.status_code == 201 and found, answer.text
    return found[0]


def test_the_secret_of_a_new_webhook_is_shown_once(site: Site) -> None:
    answer = site.add(kinds=["login.allowed", "login.withdrawn"])
    secret = secret_in(answer)
    assert "only this once" in text_of(answer)
    (made,) = site.all
    assert (made["url"], made["format"], made["events"]) == (PUBLIC, "standard", ["login.allowed", "login.withdrawn"])
    assert site.webhook(made["id"]).secret == secret
    for path in ("/webhooks", f"/webhooks/{made['id']}", f"/webhooks/{made['id']}/remove", "/", "/journal"):
        assert not SECRET.search(site.admin.get(path).text)


def test_the_same_form_sent_again_adds_no_other_webhook(site: Site) -> None:
    assert secret_in(site.add(once="a-form"))
    again = site.add(once="a-form")
    assert again.status_code == 303
    assert "no second webhook was added" in text_of(site.admin.get("/webhooks"))
    assert len(site.all) == 1


def test_a_refused_form_may_be_sent_again(site: Site) -> None:
    assert site.add("https://127.0.0.1/", once="a-form").status_code == 400
    assert secret_in(site.add(once="a-form"))


def test_tokens_need_no_secret(site: Site) -> None:
    identifier = site.added(format="set")
    page = site.admin.get(f"/webhooks/{identifier}")
    assert "jwks.json" in text_of(page)
    assert "Make a new secret" not in page.text
    refused = site.admin.post(f"/webhooks/{identifier}/rotate", {"once": "x"})
    assert refused.status_code == 400
    assert "has no secret" in text_of(refused)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "such as https://"),
        ("app.example.com", "such as https://"),
        ("javascript:alert(1)", "such as https://"),
        ("https://[", "such as https://"),
        ("http://93.184.216.34/", "need https"),
        ("https://user:secret@93.184.216.34/", "no user"),
        ("https://127.0.0.1/", "not public"),
        ("https://[::1]/", "not public"),
        ("https://[::ffff:10.0.0.1]/", "not public"),
        ("https://169.254.169.254/latest/meta-data", "not public"),
        ("https://10.1.2.3:8443/", "not public"),
    ],
)
def test_a_forbidden_address_is_an_error_at_the_form(site: Site, url: str, told: str) -> None:
    answer = site.add(url, kinds=["user.deleted"])
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert f'value="{html.escape(url)}"' in answer.text
    assert 'value="user.deleted" checked' in answer.text
    assert site.all == []


def test_a_name_is_looked_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [inside])
    answer = site.add("https://rebound.example/")
    assert answer.status_code == 400
    assert "rebound.example resolves to 10.0.0.7" in text_of(answer)


@pytest.mark.parametrize("host", ["not-known-yet.invalid", "a" * 70 + ".example"])
def test_a_host_that_is_not_known_now_may_be_known_later(site: Site, host: str) -> None:
    assert secret_in(site.add(f"https://{host}/"))


def test_a_trusted_host_is_not_looked_up(make_app: MakeApp) -> None:
    site = Site(make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_WEBHOOK_HOSTS="10.0.0.7"))
    assert secret_in(site.add("https://10.0.0.7/"))


@pytest.mark.parametrize(("fields", "told"), [({"kinds": ["no.such"]}, "no event"), ({"format": "xml"}, "the format")])
def test_values_that_the_form_does_not_offer_are_refused(site: Site, fields: dict[str, Any], told: str) -> None:
    answer = site.add(**fields)
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert site.all == []


def test_the_list_shows_waiting_events_and_the_last_answer(local: Site, receiver: Receiver) -> None:
    identifier = local.added(receiver.url)
    with delivering(local.app):
        show_waiting_events_and_the_last_answer(local, receiver, identifier)


def show_waiting_events_and_the_last_answer(local: Site, receiver: Receiver, identifier: str) -> None:
    empty = text_of(local.admin.get("/webhooks"))
    assert "delivering nothing none yet" in empty
    local.users("ada", "grace")
    waits = text_of(local.admin.get("/webhooks"))
    assert re.search(r"delivering \d+ events since 20\d\d-\d\d-\d\d \d\d:\d\d", waits)
    receiver.behave = lambda event: 503
    local.deliver(identifier)
    failing = text_of(local.admin.get("/webhooks"))
    assert "failing" in failing and ": 503" in failing and "in a row" in failing
    assert "Try again now" in local.admin.get(f"/webhooks/{identifier}").text
    receiver.behave = lambda event: 204
    assert "continues with the first waiting event" in text_of(local.admin.post(f"/webhooks/{identifier}/resume"))
    local.deliver(identifier)
    assert re.search(r"delivering nothing accepted last accepted 20\d\d-", text_of(local.admin.get("/webhooks")))


def test_nothing_says_live_or_delivering_while_nobody_delivers(local: Site, receiver: Receiver) -> None:
    made = json.loads(run_command(local.app, "webhooks", "add", receiver.url, "--json"))
    assert made["state"] == "no deliverer"
    local.users("ada")
    for failures in (0, 1):
        with local.perch.database.write() as connection:
            webhooks.change(connection, made["id"], failures=failures)
        listed = run_command(local.app, "webhooks", "list")
        pages = [text_of(local.admin.get(path)) for path in ("/webhooks", f"/webhooks/{made['id']}")]
        for shown in (listed, *pages):
            assert not re.search(r"\blive\b|\bdelivering\b|tries again", shown), shown
            assert "no deliverer" in shown or "nobody delivers" in shown
    with delivering(local.app):
        assert local.all[0]["state"] == "failing"


def test_the_reason_for_an_automatic_pause_is_shown(local: Site, receiver: Receiver) -> None:
    identifier = local.added(receiver.url)
    receiver.behave = lambda event: 410
    local.users("ada")
    local.deliver(identifier)
    for path in ("/webhooks", f"/webhooks/{identifier}"):
        assert re.search(r"paused since \S+ \S+ UTC : evt_\S+: 410", text_of(local.admin.get(path)))


def test_pause_and_resume(site: Site) -> None:
    identifier = site.added()
    assert "is paused" in text_of(site.admin.post(f"/webhooks/{identifier}/pause"))
    assert site.all[0]["state"] == "paused"
    page = site.admin.get(f"/webhooks/{identifier}")
    assert "paused by an operator" in text_of(page)
    assert f"{identifier}/pause" not in page.text
    site.admin.post(f"/webhooks/{identifier}/resume")
    assert site.all[0]["state"] == "no deliverer"
    with delivering(site.app):
        assert site.all[0]["state"] == "live"
    assert f"{identifier}/resume" not in site.admin.get(f"/webhooks/{identifier}").text


def test_the_answer_to_a_test_event_is_shown(local: Site, receiver: Receiver) -> None:
    identifier = local.added(receiver.url)
    assert "answered 204" in text_of(local.admin.post(f"/webhooks/{identifier}/test"))
    assert receiver.seen[-1]["type"] == "perch.test"
    receiver.behave = lambda event: 500
    assert "answered 500" in text_of(local.admin.post(f"/webhooks/{identifier}/test"))


def test_a_test_goes_nowhere_private(site: Site) -> None:
    identifier = site.added()
    with site.perch.database.write() as connection:
        webhooks.change(connection, identifier, url="https://127.0.0.1:1/")
    assert "No answer: 127.0.0.1 resolves to" in text_of(site.admin.post(f"/webhooks/{identifier}/test"))


def test_a_new_secret_is_shown_once_and_the_old_one_signs_for_a_day(site: Site) -> None:
    old = secret_in(site.add())
    identifier = site.all[0]["id"]
    path = f"/webhooks/{identifier}"
    once = site.once(path)
    answer = site.admin.post(f"{path}/rotate", {"once": once})
    new = secret_in(answer)
    assert new != old and old not in answer.text
    assert "24 hours" in text_of(answer)
    assert site.webhook(identifier).secrets() == [new, old]
    again = site.admin.post(f"{path}/rotate", {"once": once})
    assert "no second secret was made" in text_of(again)
    assert site.webhook(identifier).secrets() == [new, old]
    page = site.admin.get(path)
    assert not SECRET.search(page.text)
    assert "also signs with the previous secret until" in text_of(page)


def test_replay_from_a_time_or_from_the_beginning(local: Site, receiver: Receiver) -> None:
    identifier = local.added(receiver.url)
    path = f"/webhooks/{identifier}"
    local.users("ada")
    local.deliver(identifier)
    with local.perch.database.write() as connection:
        connection.execute("UPDATE events SET at = '2026-01-01T00:00:00'")
    local.users("grace")
    local.deliver(identifier)
    names = [event["data"]["user"]["userName"] for event in receiver.seen]
    assert set(names) == {"ada", "grace"}
    receiver.seen.clear()
    told = text_of(local.admin.post(f"{path}/replay", {"from": "time", "at": "2026-01-02T08:00"}))
    assert f"{names.count('grace')} event" in told
    local.deliver(identifier)
    assert {event["data"]["user"]["userName"] for event in receiver.seen} == {"grace"}
    local.admin.post(f"{path}/replay", {"from": "beginning", "at": ""})
    local.deliver(identifier)
    assert {event["data"]["user"]["userName"] for event in receiver.seen} == {"ada", "grace"}
    assert "There are no events since then" in text_of(
        local.admin.post(f"{path}/replay", {"from": "time", "at": "2999-01-01"})
    )


def test_a_replay_of_a_paused_webhook_says_that_it_waits(site: Site) -> None:
    identifier = site.added()
    site.users("ada")
    site.admin.post(f"/webhooks/{identifier}/pause")
    told = text_of(site.admin.post(f"/webhooks/{identifier}/replay", {"from": "beginning"}))
    assert "once the webhook is resumed" in told


@pytest.mark.parametrize("at", ["", "yesterday", "oldest", "latest", "0", "0001-01-01T00:00+14:00", "evt_1_00000000"])
def test_an_invalid_time_is_an_error_at_the_form(site: Site, at: str) -> None:
    answer = site.admin.post(f"/webhooks/{site.added()}/replay", {"from": "time", "at": at})
    assert answer.status_code == 400
    assert "date and time in UTC" in text_of(answer)


def test_removing_asks_first(site: Site) -> None:
    identifier = site.added()
    site.users("ada")
    path = f"/webhooks/{identifier}/remove"
    assert f'action="/console{path}"' in site.admin.get(f"/webhooks/{identifier}").text
    asked = text_of(site.admin.get(path))
    assert "cannot be undone" in asked and "will never arrive" in asked
    assert len(site.all) == 1
    assert f"{PUBLIC} is removed" in text_of(site.admin.post(path))
    assert site.all == []
    for gone in (f"/webhooks/{identifier}", path):
        assert site.admin.get(gone).status_code == 404
    for action in ("test", "pause", "resume", "rotate", "replay", "remove"):
        assert site.admin.post(f"/webhooks/{identifier}/{action}", {"from": "beginning"}).status_code == 404


def test_urls_and_answers_with_markup_stay_text(site: Site) -> None:
    url = PUBLIC + "?<script>alert(1)</script>&\"'"
    answer = site.add(url)
    assert answer.status_code == 201
    identifier = site.all[0]["id"]
    with site.perch.database.write() as connection:
        webhooks.change(connection, identifier, failures=1, reason="evt_1: 500 <script>alert(2)</script>")
    pages = [site.admin.get(f"/webhooks{rest}") for rest in ("", f"/{identifier}", f"/{identifier}/remove")]
    for page in (answer, *pages, site.add("<script>alert(3)</script>")):
        assert "<script>alert" not in page.text
        assert url in html.unescape(page.text)
    assert "<script>alert" not in site.admin.post(f"/webhooks/{identifier}/remove").text


PATHS = ("", "/{id}/test", "/{id}/pause", "/{id}/resume", "/{id}/rotate", "/{id}/replay", "/{id}/remove")


@pytest.mark.parametrize("path", PATHS)
def test_forms_of_other_sites_change_nothing(site: Site, path: str) -> None:
    identifier = site.added()
    before = (site.webhook(identifier), json.dumps(site.all))
    address = f"/webhooks{path.format(id=identifier)}"
    form = {"url": PUBLIC, "format": "standard", "once": "x", "from": "beginning"}
    assert site.admin.post(address, {**form, "form_token": "guessed"}).status_code == 403
    foreign = {"Origin": "https://elsewhere.example"}
    assert site.admin.post(address, form, headers=foreign).status_code == 403
    stranger = Console(site.app)
    for answer in (stranger.post(address, form, follow=False), stranger.get(address)):
        assert answer.status_code == 303
        assert "/sign-in" in answer.headers["Location"]
    assert (site.webhook(identifier), json.dumps(site.all)) == before


def test_the_navigation_links_to_webhooks(site: Site) -> None:
    labels = re.findall(r'<li><a href="[^"]+"[^>]*>([^<]+)</a></li>', site.admin.get("/webhooks").text)
    assert labels[labels.index("Setup") + 1] == "Webhooks"
    assert 'href="/console/webhooks" aria-current="page"' in site.admin.get("/webhooks").text
