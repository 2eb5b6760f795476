"""Acts that give or take access ask again after 15 minutes: for the password, or at the OpenID provider."""

import html
import re
import sqlite3
import time
from contextlib import closing

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from scim.console import guard
from tests.support.commands import run_json
from tests.support.console import PASSWORD, Console, text_of
from tests.support.openid import OpenIdProvider
from tests.support.openid_console import begin, come_back, come_back_once, refused, sign_in


def age(app: Flask, seconds: int = 901) -> None:
    with closing(sqlite3.connect(app.extensions["perch"].database.path)) as file, file:
        file.execute("UPDATE console_sessions SET proved = proved - ?", (seconds,))


SENSITIVE = [
    ("/keys", {"name": "k", "idp": "okta", "access": "read"}),
    ("/webhooks", {"url": "https://app.example.com/x"}),
    ("/fuse", {}),
    ("/sessions", {"session": "others"}),
]


@pytest.mark.parametrize(("path", "form"), SENSITIVE)
def test_sensitive_acts_ask_for_the_password_again(oidc_app: Flask, path: str, form: dict[str, str]) -> None:
    console = Console(oidc_app)
    console.sign_in()
    console.get("/keys")
    once = re.search(r'name="once" value="([^"]+)"', console.get("/keys").text)
    form = {**form, **({"once": once[1]} if once else {})}
    before = len(run_json(oidc_app, "journal"))
    age(oidc_app, 890)
    assert console.post("/roles", {"slug": "a:b", "name": "x"}).status_code == 200
    age(oidc_app)
    answer = console.post(path, form, follow=False)
    refused(answer, "Enter the password again")
    assert len(run_json(oidc_app, "journal")) == before + 1
    sent = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text))
    assert sent == {**form, "form_token": console.token}
    refused(console.post(path, {**sent, "proof": "wrong"}, follow=False), "The password is wrong.")
    done = console.post(path, {**sent, "proof": PASSWORD}, follow=False)
    assert done.status_code in (201, 303, 400) and "password again" not in text_of(console.get("/keys"))
    assert console.post("/sessions", {"session": "others"}, follow=False).status_code == 303


SENSITIVE_PATHS = {
    "create_key": "/keys", "revoke": "/keys/{key}/revoke", "add_secret": "/keys/{key}/oauth/secrets",
    "add_trust": "/keys/{key}/oauth/trusts", "revoke_credential": "/keys/{key}/oauth/secret/x/revoke",
    "create_webhook": "/webhooks", "rotate_secret": "/webhooks/{hook}/rotate",
    "remove_webhook": "/webhooks/{hook}/remove", "release_fuse": "/fuse", "end_sessions": "/sessions",
}  # fmt: skip


def test_every_sensitive_act_asks_again_and_does_nothing_before(oidc_app: Flask, provider: OpenIdProvider) -> None:
    key = run_json(oidc_app, "keys", "create", "Entra", "--oauth")["id"]
    hook = run_json(oidc_app, "webhooks", "add", "https://93.184.216.34/x")["id"]
    assert {f"console.{name}" for name in SENSITIVE_PATHS} == guard.SENSITIVE
    by_password, by_provider = Console(oidc_app), Console(oidc_app)
    by_password.sign_in()
    sign_in(by_provider, provider)
    age(oidc_app)
    journal = run_json(oidc_app, "journal")
    adapter = oidc_app.url_map.bind("localhost")
    for name, path in SENSITIVE_PATHS.items():
        path = path.format(key=key, hook=hook)
        assert adapter.match(f"/console{path}", "POST")[0] == f"console.{name}"
        refused(by_password.post(path, follow=False), "Enter the password again")
        refused(by_provider.post(path, follow=False), "Sign in again")
        refused(by_provider.post(path, {"proof": PASSWORD}, follow=False), "Sign in again")
    assert run_json(oidc_app, "journal") == journal


@pytest.mark.parametrize("ahead", [905, 3600, 86_400, 10**9])
def test_a_proof_from_the_future_is_none(oidc_app: Flask, ahead: int) -> None:
    """The clock was set back since."""
    console = Console(oidc_app)
    console.sign_in()
    console.get("/keys")
    age(oidc_app, -ahead)
    refused(console.post("/sessions", {"session": "others"}, follow=False), "Enter the password again")


def test_wrong_proofs_are_limited(oidc_app: Flask) -> None:
    console = Console(oidc_app)
    console.sign_in()
    age(oidc_app)
    answers = [text_of(console.post("/sessions", {"session": "x", "proof": "wrong"}, follow=False)) for _ in range(9)]
    assert "Too many attempts" in answers[-1]
    refused(console.post("/sessions", {"session": "x", "proof": PASSWORD}, follow=False), "Too many attempts")


def test_acts_that_give_no_access_do_not_ask_again(oidc_app: Flask) -> None:
    console = Console(oidc_app)
    console.sign_in()
    age(oidc_app, 10_000)
    assert console.post("/roles", {"slug": "a:b", "name": "x"}).status_code == 200
    assert console.get("/keys").status_code == 200


def way_back(answer: TestResponse) -> str:
    """Return the link to the provider of the page that asks for another sign-in, from /console on."""
    refused(answer, "Sign in again", "Nothing is changed yet.")
    (link,) = re.findall(r'href="/console(/oidc[^"]*)"', answer.text)
    assert link.startswith("/oidc?again=1&amp;next=")
    return html.unescape(link)


def test_a_person_signs_in_again_at_the_provider(oidc_app: Flask, console: Console, provider: OpenIdProvider) -> None:
    sign_in(console, provider)
    age(oidc_app)
    form = {"session": "others"}
    answer = console.post("/sessions", form, follow=False, headers={"Referer": "http://localhost/console/sessions"})
    path = way_back(answer)
    code, state = begin(console, provider, path)
    assert provider.asked["max_age"] == "900"
    refused(come_back(console, code, state), "auth_time is missing or too old")
    for wrong in (
        time.time() - 1000,
        time.time() + 3600,
        10**12,
        float("inf"),
        float("nan"),
        -1,
        True,
        str(time.time()),
    ):
        provider.claims["auth_time"] = wrong
        refused(sign_in(console, provider, path), "auth_time is missing or too old")
    provider.claims["auth_time"] = int(time.time()) - 10
    provider.spoil = lambda claims: claims.update(email="eve@example.com")
    refused(sign_in(console, provider, path), "eve@example.com")
    provider.spoil = lambda claims: None
    answer = sign_in(console, provider, path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sessions")
    assert console.post("/sessions", form, follow=False).status_code == 303


CAME_FROM = {
    "http://localhost/console/keys?page=2&sort=name": "/console/keys?page=2&sort=name",
    "http://localhost/console/keys#new": "/console/keys", "http://localhost//evil.example/": "/console/",
    "https://evil.example/x": "/console/", "javascript:alert(1)": "/console/", "": "/console/",
}  # fmt: skip


def test_after_another_sign_in_one_is_where_one_was(
    oidc_app: Flask, console: Console, provider: OpenIdProvider
) -> None:
    for referrer, back in CAME_FROM.items():
        sign_in(console, provider)
        age(oidc_app)
        answer = console.post("/fuse", {}, follow=False, headers={"Referer": referrer})
        assert f'href="{html.escape(back)}">Cancel' in answer.text
        provider.claims["auth_time"] = int(time.time())
        answer = come_back_once(console, *begin(console, provider, way_back(answer)))
        assert (answer.status_code, answer.headers["Location"]) == (303, back)
        assert "You have signed in again. Nothing is changed yet" in text_of(console.get("/keys"))


@pytest.mark.parametrize(
    ("ago", "asked"), [(None, False), (0, False), (800, False), (-500, False), (1000, True), (10**9, True)]
)
def test_an_old_sign_in_at_the_provider_is_no_proof(
    console: Console, provider: OpenIdProvider, ago: int | None, asked: bool
) -> None:
    if ago is not None:
        provider.claims["auth_time"] = int(time.time()) - ago
    assert sign_in(console, provider).status_code == 303
    answer = console.post("/sessions", {"session": "others"}, follow=False)
    assert ("Sign in again" in answer.text) is asked and answer.status_code == (403 if asked else 303)
