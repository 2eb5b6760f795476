"""Access keys: the forms of the Authorization header, the rights of a key, and when it stops working."""

import base64
import hashlib
import hmac
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from scim.web import auth
from storage.database import Database
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient, http_transport
from tests.support.commands import create_key, run_command, run_json, scim_path

SEARCH = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "form",
    [
        "Bearer {}",
        "bearer {}",
        "BEARER  {}",
        "Bearer Bearer {}",
        "Bearer\t{} ",
        "{}",
        " {} ",
        basic("okta:{}"),
        basic(":{}"),
        basic("a:{}").replace("Basic", "bAsIc"),
    ],
)
def test_a_key_is_accepted_in_each_form(form: str, generic: ScimClient) -> None:
    if "asic" in form.lower():
        scheme, encoded = form.split()
        form = f"{scheme} " + base64.b64encode(base64.b64decode(encoded).decode().format(generic.key).encode()).decode()
    assert generic.get("/Users", {"Authorization": form.format(generic.key)}).status == 200


@pytest.mark.parametrize(
    "form",
    [
        "",
        " ",
        "non-token",
        "Bearer",
        "Bearer ",
        "Bearer perch_",
        "Bearer perch__",
        "Bearer {}x",
        "Bearer x{}",
        "Bearer {} {}",
        "Token {}",
        "Digest {}",
        "Basic",
        "Basic !!!",
        "Basic \xff\xfe",
        basic("{}:"),
        basic("no colon"),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "perch_" + "0" * 4000,
        "perch_\x7f_\xe9",
        "Bearer perch_' OR 1=1 --_x",
    ],
)
def test_a_header_without_a_valid_key_is_401(form: str, generic: ScimClient) -> None:
    answer = generic.get("/Users", {"Authorization": form.replace("{}", generic.key)})
    assert answer.status == 401
    assert answer.body["status"] == "401"
    assert answer.body["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert generic.key not in str(answer)


@pytest.mark.parametrize("form", ['Bearer "{}"', "'{}'", "Token {}", "Bearer: {}", "Okta access key: {}"])
def test_a_key_with_text_around_it_gets_its_own_message(form: str, generic: ScimClient) -> None:
    detail = generic.get("/Users", {"Authorization": form.format(generic.key)}).body["detail"]
    assert detail == "The Authorization header holds more than a key; send perch_… alone, without quotes."


@pytest.mark.parametrize(
    "path", ["/Users", "/scim/v2/Users", "/w/Users", "/w/scim/Groups?count=1", "/w/scim/v1/Users/1"]
)
def test_an_incomplete_base_url_is_a_scim_404(path: str, generic: ScimClient) -> None:
    answer = ScimClient(generic.transport, "", generic.key).get(path)
    assert answer.status == 404
    assert "a base URL is https://HOST/WORKSPACE_ID/scim/v2" in answer.body["detail"]


def test_a_key_in_the_wrong_letter_case_is_401(generic: ScimClient) -> None:
    assert generic.get("/Users", {"Authorization": f"Bearer {generic.key.swapcase()}"}).status == 401


def test_unknown_paths_are_401_without_a_key_and_404_with_one(generic: ScimClient, app: Flask) -> None:
    for path in ("/Nothing", "/Users/x/y", "", "/", "/.search", "/../../etc/passwd", "/Users/%2e%2e", "/%00"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"):
            assert generic.request(method, path, headers={"Authorization": None}).status == 401, (method, path)
    assert generic.get("/Nothing").status == 404
    other = ScimClient(generic.transport, "/another/scim/v2", generic.key)
    assert other.get("/Users", {"Authorization": None}).status == 401
    assert other.get("/Users").status == 404


def test_a_read_key_reads_and_searches_only(make_client: MakeClient, generic: ScimClient) -> None:
    reader = make_client("generic", "--access", "read")
    person = generic.post("/Users", {"userName": "someone"}).body
    for path in ("/Users", f"/Users/{person['id']}", "/Groups", "/Roles", "/Schemas", "/ResourceTypes"):
        assert reader.get(path).status == 200
        assert reader.request("HEAD", path).status == 200
    for path in ("/.search", "/Users/.search", "/Groups/.search", "/Roles/.search"):
        for spelling in (path, f"{path}/", f"/{path}", path.replace(".", "%2E")):
            assert reader.post(spelling, SEARCH).status == 200, spelling
    for path in ("", "/", "?count=1", "/?filter=id%20pr"):
        assert (reader.get(path).status, reader.request("HEAD", path).status) == (200, 200), path
    for path in ("/events/poll", "/events/poll/"):
        assert reader.beside_scim().post(path, {"returnImmediately": True}).status == 200, path
    for method, path in [
        ("POST", "/Users"),
        ("PUT", f"/Users/{person['id']}"),
        ("PATCH", f"/Users/{person['id']}"),
        ("DELETE", f"/Users/{person['id']}"),
        ("POST", "/Groups"),
        ("POST", "/Bulk"),
        ("POST", "/Nothing"),
        ("POST", "/Nothing/.search"),
        ("POST", "/Users/"),
        ("POST", "/Bulk/"),
        ("POST", "/"),
        ("PUT", ""),
        ("DELETE", "/Users/.search"),
        ("PUT", "/.search"),
    ]:
        answer = reader.request(method, path, {"userName": "other"})
        assert (answer.status, answer.body["status"]) == (403, "403"), (method, path)
    override = {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
    assert reader.get(f"/Users/{person['id']}?_method=DELETE", override).status == 200
    assert generic.get(f"/Users/{person['id']}").status == 200


def test_one_of_two_keys_can_be_revoked(app: Flask, make_client: MakeClient) -> None:
    old, new = make_client("okta"), make_client("okta")
    assert (old.get("/Users").status, new.get("/Users").status) == (200, 200)
    run_command(app, "keys", "revoke", old.key.split("_")[1])
    refused = old.get("/Users")
    assert refused.status == 401
    assert "revoked" in refused.body["detail"]
    assert new.get("/Users").status == 200


def test_only_the_holder_learns_that_a_key_was_revoked(app: Flask, generic: ScimClient) -> None:
    run_command(app, "keys", "revoke", generic.key.split("_")[1])
    guess = generic.key[:-1] + ("A" if generic.key[-1] != "A" else "B")
    assert "revoked" not in generic.get("/Users", {"Authorization": f"Bearer {guess}"}).body["detail"]


def test_expiry_takes_effect_at_once(app: Flask, make_client: MakeClient) -> None:
    client = make_client("generic", "--expires-in", "1")
    identifier = client.key.split("_")[1]
    assert client.get("/Users").status == 200
    run_command(app, "keys", "set", identifier, "--expires-in", "0")
    refused = client.get("/Users")
    assert refused.status == 401
    assert "expired" in refused.body["detail"]
    run_command(app, "keys", "set", identifier, "--expires-in", "1")
    assert client.get("/Users").status == 200


def test_revocation_takes_effect_at_once_in_all_workers(make_server: MakeServer, make_app: MakeApp) -> None:
    server = make_server(workers=3)
    server.start()
    app = make_app(PERCH_DATABASE=str(server.database))
    key, path = create_key(app, "test"), scim_path(app)
    clients = [ScimClient(http_transport(server.origin), path, key) for _ in range(9)]
    assert [client.get("/Users").status for client in clients] == [200] * 9
    run_command(app, "keys", "revoke", key.split("_")[1])
    assert [client.get("/Users").status for client in clients] == [401] * 9


def test_only_the_digest_of_a_key_is_stored(app: Flask, generic: ScimClient) -> None:
    secret = generic.key.split("_", 2)[2]
    assert len(base64.urlsafe_b64decode(secret + "=")) * 8 >= 256
    database: Database = app.extensions["perch"].database
    with database.read() as connection:
        (digest,) = connection.execute("SELECT digest FROM keys").fetchone()
    assert digest == hashlib.sha256(secret.encode()).digest()
    stored = b"".join(file.read_bytes() for file in database.path.parent.iterdir() if file.is_file())
    assert secret.encode() not in stored


def test_the_last_use_of_a_key_is_written_once_a_minute(
    make_app: MakeApp, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing else is written meanwhile.
    app = make_app(PERCH_TRAFFIC="off")
    generic = make_client("generic", app=app)

    def last_used() -> Any:
        return run_json(app, "keys", "list")[0]["lastUsed"]

    assert last_used() is None
    generic.get("/Users")
    first = last_used()
    assert first is not None
    with closing(sqlite3.connect(app.extensions["perch"].database.path)) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        for _ in range(20):
            generic.get("/Users")
        assert connection.execute("PRAGMA data_version").fetchone() == before
    monkeypatch.setattr(auth, "WRITE_EVERY", 0)
    generic.get("/Users")
    assert last_used() > first


def test_no_request_waits_for_the_write_of_the_last_use(app: Flask, generic: ScimClient) -> None:
    database: Database = app.extensions["perch"].database
    database.write_wait = 600
    with Database(database.path).write():
        begin = time.monotonic()
        assert generic.get("/Users").status == 200
        assert time.monotonic() - begin < 60
    assert run_json(app, "keys", "list")[0]["lastUsed"] is None


def test_unknown_key_ids_are_compared_in_constant_time_too(
    app: Flask, generic: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr("scim.web.auth.hmac.compare_digest", compare)
    generic.get("/Users", {"Authorization": "Bearer perch_0123456789_nothing"})
    generic.get("/Users", {"Authorization": f"Bearer {generic.key}x"})
    assert compared == [(32, 32)] * 2
