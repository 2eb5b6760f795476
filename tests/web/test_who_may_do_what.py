"""One table of who may do what, walked over all routes that are no pages."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from schemas.datetimes import now
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.jwt import claims, form, new_key, signed
from tests.web.test_assertions import trust_keys
from tests.web.test_oauth import OAuthClient

# What a caller may do: nothing, read, or write as well.
NOTHING, READ, WRITE = "nothing", "read", "write"
READING_POSTS = ("/.search", "/events/poll", "/receipt")
PUBLIC = ("/ServiceProviderConfig", "/jwks.json", "/oauth/token", "/openapi.json")
FREE = "/.well-known"


def nobody(app: Flask) -> str:
    return ""


def read_key(app: Flask) -> str:
    return create_key(app, "reads", "--access", "read")


def provision_key(app: Flask) -> str:
    return create_key(app, "writes")


def token(app: Flask) -> str:
    return OAuthClient(app).token()


def reading_token(app: Flask) -> str:
    return OAuthClient(app).token(scope="scim.read")


def token_of_a_read_key(app: Flask) -> str:
    return OAuthClient(app, "--access", "read").token(scope="scim")


def expired_token(app: Flask) -> str:
    client = OAuthClient(app)
    found = client.token()
    client.sql("UPDATE oauth_tokens SET expires = ?", now())
    return found


def token_of_a_revoked_key(app: Flask) -> str:
    client = OAuthClient(app)
    found = client.token()
    run_command(app, "keys", "revoke", client.id)
    return found


def token_of_a_revoked_secret(app: Flask) -> str:
    client = OAuthClient(app)
    found = client.token()
    run_command(app, "keys", "secrets", "revoke", client.id, client.secret.split("_")[1])
    return found


def token_of_a_trust(app: Flask, revoked: bool = False) -> str:
    client, key = OAuthClient(app), new_key()
    folder = app.extensions["perch"].database.path.parent
    trust = trust_keys(client, folder, key)
    aud = f"http://localhost{client.path}"
    answer = client.ask(form(client.id, signed(key, claims(client.id, client.id, aud, jti="1"))))
    if revoked:
        run_command(app, "keys", "trust", client.id, "--revoke", trust)
    return str(answer.get_json()["access_token"])


def token_of_a_revoked_trust(app: Flask) -> str:
    return token_of_a_trust(app, revoked=True)


def secret(app: Flask) -> str:
    return str(OAuthClient(app).secret)


TABLE: list[tuple[Callable[[Flask], str], str]] = [
    (nobody, NOTHING), (read_key, READ), (provision_key, WRITE), (token, WRITE), (reading_token, READ),
    (token_of_a_read_key, READ), (token_of_a_trust, WRITE), (expired_token, NOTHING),
    (token_of_a_revoked_key, NOTHING), (token_of_a_revoked_secret, NOTHING), (token_of_a_revoked_trust, NOTHING),
    (secret, NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("caller", "may"), TABLE, ids=[caller.__name__ for caller, _ in TABLE])
def test_all_routes(app: Flask, caller: Callable[[Flask], str], may: str) -> None:
    sent, http, workspace = caller(app), app.test_client(), scim_path(app).split("/")[1]
    app.extensions["perch.health"].authenticator.failures.limit = 10_000
    walked = 0
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith(("/<workspace>/", FREE)):
            continue
        path = re.sub(r"<[^>]+>", "1", rule.rule.replace("<workspace>", workspace))
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            body = {"returnImmediately": True} if path.endswith("/poll") else {}
            answer = http.open(path, method=method, json=body, headers={"Authorization": f"Bearer {sent}"})
            reads = method == "GET" or (method == "POST" and path.endswith(READING_POSTS))
            is_public = path.startswith(FREE) or path.endswith(PUBLIC)
            refused = None if is_public or may == WRITE or (may == READ and reads) else 401 if may == NOTHING else 403
            if refused is None:
                assert answer.status_code not in (401, 403), (method, path, answer.data)
            else:
                assert answer.status_code == refused, (method, path, answer.data)
            walked += 1
    assert walked > 25
    assert bool(run_json(app, "keys", "list")) is (caller is not nobody)
