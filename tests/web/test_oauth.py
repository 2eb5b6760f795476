"""The token endpoint: secrets, errors, scopes, and how long tokens work."""

import base64
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from schemas.datetimes import now
from scim.service.oauth import InvalidClient, by_secret, issue
from storage.journal import Author
from tests.conftest import MakeApp
from tests.support.commands import run_command, run_json, scim_path

GRANT = {"grant_type": "client_credentials"}
LATER = "2999-01-01T00:00:00"


class OAuthClient:
    """A client of the token endpoint of an app."""

    def __init__(self, app: Flask, *options: str) -> None:
        self.app, self.http = app, app.test_client()
        made = run_json(app, "keys", "create", "client", "--oauth", *options)
        self.id, self.secret, self.url = made["clientId"], made["clientSecret"], made["tokenUrl"]
        self.path = "/" + self.url.split("/", 3)[3]
        assert made.keys() == {"id", "name", "clientId", "clientSecret", "tokenUrl"}

    @property
    def named(self) -> dict[str, str]:
        return {**GRANT, "client_id": self.id, "client_secret": self.secret}

    @property
    def basic(self) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()}

    def ask(self, form: Any, headers: Mapping[str, str] | None = None, query: str = "") -> TestResponse:
        return self.http.post(self.path + query, data=form, headers=headers)

    def token(self, **more: str) -> str:
        answer = self.ask({**self.named, **more})
        assert answer.status_code == 200, answer.data
        return str(answer.get_json()["access_token"])

    def scim(self, token: str, method: str = "GET", path: str = "/Users", json: Any = None) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return self.http.open(scim_path(self.app) + path, method=method, headers=headers, json=json).status_code

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.app.extensions["perch"].database.path)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@pytest.fixture
def client(app: Flask) -> OAuthClient:
    return OAuthClient(app)


@pytest.mark.parametrize("minutes", [5, 60, 77, 360])
def test_gallery_test_21_a_secret_in_the_body(make_app: MakeApp, minutes: int) -> None:
    client = OAuthClient(make_app(PERCH_TOKEN_MINUTES=str(minutes)))
    answer = client.ask(client.named)
    body = answer.get_json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", minutes * 60, "scim")
    assert body["access_token"].startswith("perch_t") and answer.headers["Cache-Control"] == "no-store"
    assert client.scim(body["access_token"], path="/Users?startIndex=1&count=1") == 200
    assert client.scim(body["access_token"], "POST", json={"userName": "ann"}) == 201


def test_basic_is_accepted_with_and_without_the_same_client_id(client: OAuthClient) -> None:
    assert client.ask(GRANT, client.basic).status_code == 200
    assert client.ask({**GRANT, "client_id": client.id}, client.basic).status_code == 200
    assert client.ask({**GRANT, "client_id": "other"}, client.basic).status_code == 400


WRONG_REQUESTS: list[tuple[str, Any, str]] = [
    ("no grant_type", {"grant_type": ""}, "invalid_request"),
    ("another grant", {"grant_type": "password"}, "unsupported_grant_type"),
    ("a grant of another case", {"grant_type": "Client_Credentials"}, "unsupported_grant_type"),
    ("grant_type twice", {"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
    ("scope twice", {"scope": ["scim", "scim"]}, "invalid_request"),
    ("client_id twice", {"client_id": ["a", "b"]}, "invalid_request"),
    ("an unknown parameter twice", {"baseAddress": ["a", "b"]}, "invalid_request"),
    ("secret and assertion", {"client_assertion": "x.y.z"}, "invalid_request"),
    ("too many fields", {f"p{number}": "1" for number in range(200)}, "invalid_request"),
]


@pytest.mark.parametrize(("change", "error"), [case[1:] for case in WRONG_REQUESTS], ids=[c[0] for c in WRONG_REQUESTS])
def test_wrong_requests(client: OAuthClient, change: Any, error: str) -> None:
    answer = client.ask({**client.named, **change})
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert answer.get_json()["error_description"] and answer.mimetype == "application/json"


@pytest.mark.parametrize("name", ["client_secret", "client_assertion", "client_id", "access_token"])
def test_credentials_in_the_url_are_refused(client: OAuthClient, name: str) -> None:
    answer = client.ask(client.named, query=f"?{name}=x")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


def test_other_parameters_of_the_url_and_of_entra_are_ignored(client: OAuthClient) -> None:
    assert client.ask({**client.named, "baseAddress": "x"}, query="?aadOptscim062020").status_code == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data", ""])
def test_only_forms_are_read(client: OAuthClient, kind: str) -> None:
    answer = client.http.post(client.path, data=b"grant_type=client_credentials", content_type=kind)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("body", [b"a=%ff", b"x=" + b"a" * 65536, b"", b"\xff=\xff"])
def test_bodies_that_are_no_form_or_too_large(client: OAuthClient, body: bytes) -> None:
    answer = client.http.post(client.path, data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (400, 413) and answer.get_json()["error"] == "invalid_request"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_possible(client: OAuthClient, method: str) -> None:
    answer = client.http.open(client.path, method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")
    assert answer.get_json()["status"] == "405"


def test_wrong_clients_get_one_answer_in_one_time(client: OAuthClient) -> None:
    other = OAuthClient(client.app)
    wrong = [
        {"client_id": "unknown"}, {"client_secret": "x"}, {"client_secret": client.secret[:-1]}, {"client_secret": ""},
        {"client_id": other.id}, {"client_id": ""}, {"client_secret": other.secret},
        {"client_secret": "perch_s_" + client.secret.rpartition("_")[2]}, {"client_id": client.id.upper() + " "},
        {"client_secret": client.secret + "x"},
    ]  # fmt: skip
    seconds, answers = [], []
    for change in wrong:
        began = time.perf_counter()
        answers.append(client.ask({**client.named, **change}))
        seconds.append(time.perf_counter() - began)
    for header in ("Basic", "Basic !!", "Bearer x", "Basic " + base64.b64encode(b"no colon").decode()):
        answers.append(client.ask(GRANT, {"Authorization": header}))
    assert {(answer.status_code, answer.data) for answer in answers} == {(401, answers[0].data)}
    assert answers[0].get_json()["error"] == "invalid_client"
    assert all(answer.headers["WWW-Authenticate"].startswith("Basic") for answer in answers)
    assert min(seconds) >= 0.02


def test_wrong_clients_are_throttled_like_wrong_keys(make_app: MakeApp) -> None:
    client = OAuthClient(make_app(PERCH_FAILED_KEYS="3"))
    found = [client.ask({**client.named, "client_secret": "x"}).status_code for _ in range(5)]
    assert found == [401, 401, 401, 429, 429]
    last = client.ask({**client.named, "client_secret": "x"})
    assert last.headers["Retry-After"] and last.get_json()["error"] == "temporarily_unavailable"
    assert client.ask(client.named).status_code == 200, "a right client always passes"


@pytest.mark.parametrize(
    ("access", "asked", "granted"),
    [
        ("provision", None, "scim"),
        ("provision", "scim", "scim"),
        ("provision", "scim.read", "scim.read"),
        ("provision", "scim scim.read", "scim"),
        ("provision", "scim.readwrite", "scim"),
        ("provision", "https://graph.example/.default", "scim"),
        ("provision", "SCIM.READ", "scim"),
        ("read", None, "scim.read"),
        ("read", "scim", "scim.read"),
        ("read", "openid", "scim.read"),
    ],
)
def test_scopes(app: Flask, access: str, asked: str | None, granted: str) -> None:
    client = OAuthClient(app, "--access", access)
    answer = client.ask({**client.named, **({"scope": asked} if asked else {})}).get_json()
    assert answer["scope"] == granted
    status = client.scim(answer["access_token"], "POST", json={"userName": "ann"})
    assert status == (201 if granted == "scim" else 403)
    assert client.scim(answer["access_token"]) == 200


@pytest.mark.parametrize("how", ["key", "secret", "token expired", "key expired", "forged", "no such token"])
def test_a_token_stops_at_once(client: OAuthClient, how: str) -> None:
    token = client.token()
    assert client.scim(token) == 200
    if how == "key":
        run_command(client.app, "keys", "revoke", client.id)
    elif how == "secret":
        run_command(client.app, "keys", "secrets", "revoke", client.id, client.secret.split("_")[1])
    elif how == "token expired":
        client.sql("UPDATE oauth_tokens SET expires = ?", now())
    elif how == "key expired":
        run_command(client.app, "keys", "set", client.id, "--expires-in", "0")
    token = {"forged": token[:-1] + "~", "no such token": "perch_t0123456789_x"}.get(how, token)
    assert client.scim(token) == 401


def test_a_token_ends_with_its_secret_and_key(app: Flask) -> None:
    client = OAuthClient(app, "--expires-in", "0.01")
    assert client.ask(client.named).get_json()["expires_in"] in range(860, 865)
    client.sql("UPDATE oauth_credentials SET expires = ?", now())
    assert client.ask(client.named).status_code == 401


def test_neither_secret_nor_client_is_a_bearer_key_and_no_secret_is_stored(client: OAuthClient) -> None:
    token = client.token()
    for text in (client.secret, f"perch_{client.id}_", f"perch_{client.id}_x", client.id):
        assert client.scim(text) == 401
    client.app.extensions["perch"].database.close()
    stored = b"".join(
        path.read_bytes() for path in client.app.extensions["perch"].database.path.parent.glob("perch.db*")
    )
    for text in (token, client.secret):
        assert text.rpartition("_")[2].encode() not in stored


def test_a_bearer_key_has_no_secrets(client: OAuthClient) -> None:
    key = run_json(client.app, "keys", "create", "plain")
    result = client.app.test_cli_runner().invoke(args=["keys", "secrets", "add", key["id"]])
    assert result.exit_code == 1 and "--oauth" in result.stderr
    form = {**client.named, "client_id": key["id"], "client_secret": key["key"]}
    assert client.ask(form).status_code == 401


def test_several_secrets_work_until_they_are_revoked(client: OAuthClient) -> None:
    app = client.app
    made = run_json(app, "keys", "secrets", "add", client.id, "--expires-in", "30")
    assert made.keys() == {"id", "clientSecret", "expiresAt"} and made["expiresAt"].endswith("Z")
    assert client.ask({**client.named, "client_secret": made["clientSecret"]}).status_code == 200
    assert run_json(app, "keys", "list")[0]["secrets"] == 2
    first = client.token()
    run_command(app, "keys", "secrets", "revoke", client.id, made["id"])
    assert client.ask({**client.named, "client_secret": made["clientSecret"]}).status_code == 401
    assert client.scim(first) == 200, "the token of another secret stays"
    assert [secret["state"] for secret in run_json(app, "keys", "secrets", "list", client.id)] == ["live"]


@pytest.mark.parametrize("what", ["secret", "client"])
def test_what_is_revoked_while_a_token_is_asked_for_gets_none(client: OAuthClient, what: str) -> None:
    perch, secret = client.app.extensions["perch"], client.secret.split("_")[1]
    found = by_secret(perch.database, client.id, client.secret)
    run_command(
        client.app, "keys", *(["secrets", "revoke", client.id, secret] if what == "secret" else ["revoke", client.id])
    )
    with pytest.raises(InvalidClient):
        issue(perch.repository, *found, "", 60, Author("key:x", "r"))


def test_expired_secrets_do_not_count(client: OAuthClient) -> None:
    run_command(client.app, "keys", "secrets", "add", client.id, "--expires-in", "0")
    assert run_json(client.app, "keys", "list")[0]["secrets"] == 1
    states = [secret["state"] for secret in run_json(client.app, "keys", "secrets", "list", client.id)]
    assert states == ["live", "expired"]


@pytest.mark.parametrize("arguments", ["--expires-in 1096", "--expires-in -1", "--expires-in x"])
def test_secrets_live_three_years_at_most(client: OAuthClient, arguments: str) -> None:
    result = client.app.test_cli_runner().invoke(args=["keys", "secrets", "add", client.id, *arguments.split()])
    assert result.exit_code == 2


def test_expired_tokens_are_pruned(client: OAuthClient) -> None:
    client.token()
    client.sql("UPDATE oauth_tokens SET expires = '2020-01-01T00:00:00'")
    client.token()
    assert client.sql("SELECT count(*) FROM oauth_tokens") == [(1,)]
    client.sql("UPDATE oauth_tokens SET expires = '2020-01-01T00:00:00'")
    client.app.extensions["perch"].repository.prune(365, 30)
    assert client.sql("SELECT count(*) FROM oauth_tokens") == [(0,)]


def test_metadata(client: OAuthClient) -> None:
    workspace = client.path.split("/")[1]
    found = client.http.get(f"/.well-known/oauth-authorization-server/{workspace}").get_json()
    assert found["issuer"] == f"http://localhost/{workspace}"
    assert found["token_endpoint"] == f"{found['issuer']}/oauth/token"
    assert found["response_types_supported"] == ["none"]
    assert client.http.get("/.well-known/oauth-authorization-server/other").status_code == 404
    assert client.http.post("/other/oauth/token", data=client.named).status_code == 404
