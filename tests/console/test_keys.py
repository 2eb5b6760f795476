"""Access keys in the console: shown once, listed without their secret, revoked at once."""

import html
import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import run_json, scim_path
from tests.support.console import PASSWORD, Console, text_of

KEY = re.compile(r"perch_[0-9a-f]{10}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def console_app(make_app: MakeApp) -> Flask:
    return make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_TRAFFIC="all")


def create(admin: Console, **fields: str) -> TestResponse:
    once = re.search(r'name="once" value="([^"]+)"', admin.get("/keys").text)
    assert once
    form = {"name": "Okta", "idp": "okta", "access": "provision", "rolesAs": "", "days": "", "once": once[1]}
    return admin.post("/keys", {**form, **fields}, follow=False)


def key_in(answer: TestResponse) -> str:
    found = KEY.search(answer.text)
    assert answer.status_code == 201 and found, answer.text
    return found[0]


def status_with(app: Flask, key: str) -> int:
    return ScimClient(wsgi_transport(app), scim_path(app), key).get("/Users").status


def test_a_key_is_shown_once_and_opens_scim(admin: Console, console_app: Flask) -> None:
    answer = create(admin)
    key = key_in(answer)
    assert "only this once" in text_of(answer)
    assert status_with(console_app, key) == 200
    for path in ("/keys", "/", "/journal", "/requests"):
        assert key.split("_", 2)[2] not in admin.get(path).text
    assert f"perch_{key.split('_')[1]}_…" in text_of(admin.get("/keys"))


def test_the_same_form_sent_again_makes_no_other_key(admin: Console, console_app: Flask) -> None:
    first = create(admin, once="a-form")
    assert key_in(first)
    again = create(admin, once="a-form")
    assert again.status_code == 303
    assert "no second key was made" in text_of(admin.get("/keys"))
    assert len(run_json(console_app, "keys", "list")) == 1


def test_a_key_has_the_properties_that_the_form_asks_for(admin: Console, console_app: Flask) -> None:
    key_in(create(admin, name="  Entra  ", idp="entra", access="read", rolesAs="strings", days="30"))
    (key,) = run_json(console_app, "keys", "list")
    assert (key["name"], key["idp"], key["access"], key["rolesAs"]) == ("Entra", "entra", "read", "strings")
    assert key["expires"] is not None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": " "}, "Give the key a name"),
        ({"name": "x" * 201}, "Give the key a name"),
        ({"days": "0"}, "whole number from 1"),
        ({"days": "-1"}, "whole number from 1"),
        ({"days": "1.5"}, "whole number from 1"),
        ({"days": "9" * 30}, "whole number from 1"),
        ({"days": "\u0661"}, "whole number from 1"),
        ({"idp": "other"}, "from the lists"),
        ({"access": "all"}, "from the lists"),
        ({"rolesAs": "both"}, "from the lists"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(admin: Console, console_app: Flask, fields: dict[str, str], told: str) -> None:
    answer = create(admin, **fields)
    assert answer.status_code == 400
    assert told in text_of(answer)
    assert run_json(console_app, "keys", "list") == []


def test_revoking_asks_first_and_works_at_once(admin: Console, console_app: Flask) -> None:
    key = key_in(create(admin))
    path = f"/keys/{key.split('_')[1]}/revoke"
    assert f'action="/console{path}"' in admin.get("/keys").text
    assert "This cannot be undone" in text_of(admin.get(path))
    assert status_with(console_app, key) == 200
    assert "is revoked" in text_of(admin.post(path))
    assert status_with(console_app, key) == 401
    assert "revoked" in text_of(admin.get("/keys"))
    assert "<button" not in re.split("<main", admin.get(path).text)[1]


def test_names_with_markup_stay_text(admin: Console) -> None:
    name = "<script>alert(1)</script>&\"'"
    answer = create(admin, name=name)
    assert "<script>alert" not in answer.text
    listed = admin.get("/keys")
    assert "<script>alert" not in listed.text
    assert name in html.unescape(listed.text)


def test_use_and_requests_of_today_are_shown(admin: Console, console_app: Flask) -> None:
    key = key_in(create(admin))
    assert "never" in text_of(admin.get("/keys"))
    status_with(console_app, key)
    traffic = console_app.extensions.get("perch.traffic")
    if traffic is not None:
        traffic.writer.flush()
        assert f"/console/requests?key={key.split('_')[1]}" in admin.get("/keys").text


def test_an_oauth_client_is_made_and_gets_secrets_and_trusts(console_app: Flask, admin: Console) -> None:
    answer = create(admin, oauth="1")
    secret = re.search(r"perch_s[0-9a-f]{10}_[A-Za-z0-9_-]{43}", answer.text)
    assert answer.status_code == 201 and secret and "/oauth/token" in answer.text
    (key,) = run_json(console_app, "keys", "list")
    assert (key["oauth"], key["secrets"]) == (True, 1)
    form = {"grant_type": "client_credentials", "client_id": key["id"], "client_secret": secret[0]}
    url = scim_path(console_app).replace("scim/v2", "oauth/token")
    assert console_app.test_client().post(url, data=form).status_code == 200
    path = f"/keys/{key['id']}/oauth"
    once = re.search(r'name="once" value="([^"]+)"', admin.get(path).text)
    assert once
    for expected in (201, 303):
        again = admin.post(f"{path}/secrets", {"days": "30", "once": once[1]}, follow=False)
        assert again.status_code == expected
    assert run_json(console_app, "keys", "list")[0]["secrets"] == 2
    for days in ("0", "1096", "x", ""):
        assert admin.post(f"{path}/secrets", {"days": days, "once": "x"}, follow=False).status_code == 400
    wrong = admin.post(f"{path}/trusts", {"issuer": "http://idp.example", "subject": "s", "audiences": "a"})
    assert wrong.status_code == 400 and "https" in text_of(wrong)
    admin.post(f"{path}/trusts", {"issuer": "https://idp.example/x", "subject": "s-1", "audiences": "a b"})
    (trust,) = run_json(console_app, "keys", "trust", key["id"])
    assert (trust["issuer"], trust["audiences"]) == ("https://idp.example/x", ["a", "b"])
    assert "s-1" in text_of(admin.get(path))
    admin.post(f"{path}/trust/{trust['id']}/revoke", {})
    admin.post(f"{path}/secret/{secret[0].split('_')[1]}/revoke", {})
    assert run_json(console_app, "keys", "trust", key["id"]) == []
    assert console_app.test_client().post(url, data=form).status_code == 401


def test_an_access_key_has_no_page_of_a_client(console_app: Flask, admin: Console) -> None:
    key = run_json(console_app, "keys", "create", "plain")["id"]
    assert admin.get(f"/keys/{key}/oauth").status_code == 400
    assert admin.get("/keys/none/oauth").status_code == 404
    for form in ({"days": "30", "once": "x"}, {"days": "no number", "once": "x"}):
        assert admin.post(f"/keys/{key}/oauth/secrets", form).status_code == 400
        assert admin.post("/keys/none/oauth/secrets", form).status_code == 404
    assert admin.post(f"/keys/{key}/oauth/trusts", {"jwks": "{}"}).status_code == 400
    assert admin.post("/keys/none/oauth/trusts", {}).status_code == 404
    assert admin.post(f"/keys/{key}/oauth/foo/x/revoke").status_code == 404
