"""The OAuth clients of others against a real server: Authlib's and oauthlib's; tokens in every worker."""

import json
import time
from collections.abc import Iterator

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session as OauthlibSession

from tests.conftest import MakeServer
from tests.operations.test_lightweight import MOST_WITH_TOKENS_MIB, TOKENS, heavy, memory
from tests.support.jwt import Issuer, claims, form, key_set, new_key, signed
from tests.support.server import PerchServer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PerchServer]:
    """A server on which each test makes a client of its own."""
    server = PerchServer(tmp_path_factory.mktemp("shared"))
    server.start()
    yield server
    server.kill()


def make(server: PerchServer, *options: str) -> dict[str, str]:
    server.settings["PORT"] = str(server.port)
    found: dict[str, str] = server.flask_json("keys", "create", "client", "--oauth", *options)
    assert found["tokenUrl"].startswith(server.origin)
    return found


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib(shared: PerchServer, method: str) -> None:
    made = make(shared)
    session = AuthlibSession(
        made["clientId"], made["clientSecret"], scope="scim", token_endpoint_auth_method=method,
        token_endpoint=made["tokenUrl"],
    )  # fmt: skip
    token = session.fetch_token(made["tokenUrl"], grant_type="client_credentials")
    assert (token["token_type"], token["scope"], token["expires_in"]) == ("Bearer", "scim", 3600)
    assert session.post(f"{shared.base_url}/Users", json={"userName": method}).status_code == 201


def test_authlib_signs_for_itself(shared: PerchServer, tmp_path_factory: pytest.TempPathFactory) -> None:

    made, key = make(shared), new_key(kind="RSA")
    file = tmp_path_factory.mktemp("keys") / "jwks.json"
    file.write_text(json.dumps(key_set(key)))
    shared.prepare("keys", "trust", made["id"], "--jwks", str(file))
    session = AuthlibSession(
        made["clientId"], key.as_pem(private=True).decode(), token_endpoint_auth_method="private_key_jwt",
        token_endpoint=made["tokenUrl"],
    )  # fmt: skip
    session.register_client_auth_method(PrivateKeyJWT(made["tokenUrl"], {"exp": int(time.time()) + 300}, {"kid": "k1"}))
    session.fetch_token(made["tokenUrl"], grant_type="client_credentials")
    assert session.get(f"{shared.base_url}/Users").status_code == 200


def test_oauthlib(shared: PerchServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    made = make(shared)
    session = OauthlibSession(client=BackendApplicationClient(made["clientId"], scope=["scim.read"]))
    for include in (True, False):
        token = session.fetch_token(
            made["tokenUrl"], client_id=made["clientId"], client_secret=made["clientSecret"], include_client_id=include
        )
        assert token["scope"] == ["scim.read"]
    assert session.get(f"{shared.base_url}/Users").status_code == 200
    assert session.post(f"{shared.base_url}/Users", json={"userName": "ann"}).status_code == 403


def test_a_token_works_and_stops_in_every_worker_and_survives_a_restart(make_server: MakeServer) -> None:
    server = make_server(4)
    server.start()
    made = make(server)
    form = {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": made["clientSecret"]}
    token = requests.post(made["tokenUrl"], data=form, timeout=30).json()["access_token"]

    def statuses() -> set[int]:
        headers = {"Authorization": f"Bearer {token}"}
        return {requests.get(f"{server.base_url}/Users", headers=headers, timeout=30).status_code for _ in range(24)}

    assert statuses() == {200}
    server.kill()
    server.start()
    assert statuses() == {200}
    server.flask("keys", "secrets", "revoke", made["id"], made["clientSecret"].split("_")[1])
    assert statuses() == {401}


def test_cryptography_is_loaded_at_the_first_assertion(make_server: MakeServer) -> None:
    server, issuer, key = make_server(1), Issuer(), new_key()
    issuer.keys = key_set(key)
    server.application = "tests.support.loaded:app"
    server.start()
    made = make(server)
    trust = ("--issuer", issuer.url, "--subject", "s", "--audience", "a")
    server.prepare("keys", "trust", made["id"], *trust)
    secret = {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": made["clientSecret"]}
    assert requests.post(made["tokenUrl"], data=secret, timeout=30).ok
    assert not TOKENS & heavy(server)
    sent = form(made["id"], signed(key, claims(issuer.url, "s", "a")))
    assert requests.post(made["tokenUrl"], data=sent, timeout=30).ok
    assert heavy(server) >= TOKENS
    assert memory(server) <= MOST_WITH_TOKENS_MIB
    issuer.stop()
