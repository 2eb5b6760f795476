"""Client assertions at the token endpoint: a client's own keys, an issuer's, and attacks."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from scim.service import issuers
from tests.support.commands import run_command, run_json
from tests.support.jwt import ASSERTION_TYPE, Issuer, claims, form, key_set, new_key, signed
from tests.web.test_oauth import OAuthClient

SUBJECT, AUDIENCE = "0b3e-object", "api://perch"


def trust_keys(client: OAuthClient, folder: Path, *keys: Any, **options: str) -> str:
    file = folder / "jwks.json"
    file.write_text(json.dumps(key_set(*keys)))
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return str(run_json(client.app, "keys", "trust", client.id, "--jwks", str(file), *words)["id"])


@pytest.fixture
def client(app: Flask) -> OAuthClient:
    client = OAuthClient(app)
    # The CLI does not know the host of the test's requests.
    client.url = f"http://localhost{client.path}"
    return client


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    issuers._cache.clear()
    yield made
    made.stop()


def own(client: OAuthClient, **changes: Any) -> dict[str, Any]:
    return claims(client.id, client.id, client.url, **{"jti": str(time.perf_counter_ns()), **changes})


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def status(client: OAuthClient, assertion: str, **more: str) -> int:
    answer = client.ask(form(client.id, assertion, **more))
    assert answer.status_code in (200, 401)
    if answer.status_code == 401:
        assert answer.get_json()["error"] == "invalid_client"
    return answer.status_code


# Not by value: the processes of a run must have the same names, and the time goes on.
BY_NAME = ",".join


@pytest.mark.parametrize(("kind", "alg"), [("EC", "ES256"), ("RSA", "RS256"), ("RSA", "PS256")])
def test_a_client_signs_for_itself(client: OAuthClient, tmp_path: Path, kind: str, alg: str) -> None:
    key = new_key(kind=kind)
    trust_keys(client, tmp_path, key)
    assert status(client, signed(key, own(client), alg)) == 200
    issuer = client.url.removesuffix("/oauth/token")
    assert status(client, signed(key, own(client, aud=[issuer, "other"]), alg)) == 200
    assert client.ask(form(None, signed(key, own(client), alg))).status_code == 200, "client_id need not be named"
    assert status(client, signed(key, own(client), alg, kid=None)) == 200


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://other.example/token"}, {"aud": []}, {"aud": None}, {"iss": "other"}, {"sub": "other"},
        {"iss": None}, {"jti": None}, {"jti": ""}, {"jti": 1}, {"exp": None}, {"exp": "9999999999"},
        {"exp": int(time.time()) - 120}, {"exp": int(time.time()) + 3600}, {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600}, {"exp": True}, {"exp": 1e400},
    ],
    ids=BY_NAME,
)  # fmt: skip
def test_wrong_claims_of_a_client(client: OAuthClient, tmp_path: Path, change: dict[str, Any]) -> None:
    key = new_key()
    trust_keys(client, tmp_path, key)
    found = {name: value for name, value in {**own(client), **change}.items() if value is not None}
    assert status(client, signed(key, found)) == 401


@pytest.mark.filterwarnings("ignore:Key size")
def test_short_rsa_keys_sign_nothing(client: OAuthClient, tmp_path: Path) -> None:
    key = RSAKey.generate_key(1024, {"kid": "k1"})
    trust_keys(client, tmp_path, key)
    assert status(client, signed(key, own(client), "RS256")) == 401


def test_a_replayed_jti_is_refused(client: OAuthClient, tmp_path: Path) -> None:
    key = new_key()
    trust_keys(client, tmp_path, key)
    assertion = signed(key, own(client, jti="one"))
    assert [status(client, assertion) for _ in range(3)] == [200, 401, 401]
    assert status(client, signed(key, own(client, jti="one", seconds=100))) == 401
    assert status(client, signed(key, own(client, jti="two"))) == 200


def test_attacks_on_the_signature(client: OAuthClient, tmp_path: Path) -> None:
    key, other = new_key(kind="RSA"), new_key()
    trust_keys(client, tmp_path, key)
    good = signed(key, own(client), "RS256")
    head, body, signature = good.split(".")
    mac_head = encoded(b'{"alg":"HS256","kid":"k1"}')
    mac = hmac.digest(key.as_pem(private=False), f"{mac_head}.{body}".encode(), "sha256")
    none = "eyJhbGciOiJub25lIn0"
    attacks = {
        "none": f"{none}.{body}.", "none with signature": f"{none}.{body}.{signature}",
        "HS256 with the public key": f"{mac_head}.{body}.{encoded(mac)}", "another key": signed(other, own(client)),
        "another key, same kid": signed(new_key(kind="RSA"), own(client), "RS256"), "no signature": f"{head}.{body}.",
        "another alg": signed(key, own(client), "RS512"), "PS512": signed(key, own(client), "PS512"),
        "another kid": signed(key, own(client), "RS256", kid="k2"), "empty": "..", "text": "x", "long": "a" * 60000,
        "claims of another": f"{head}.{signed(key, own(client), 'RS256').split('.')[1]}.{signature}",
    }  # fmt: skip
    for name, assertion in attacks.items():
        assert status(client, assertion) == 401, name
    wrong_type = form(client.id, signed(key, own(client), "RS256"), client_assertion_type="urn:x")
    assert client.ask(wrong_type).status_code == 401
    assert status(client, good) == 200, "the same assertion is right"


STRANGE_HEADERS: list[Any] = [
    {"alg": ["RS256"]}, {"alg": {"RS256": 1}}, {"alg": 256}, {"alg": None}, {"alg": True}, {}, [], "RS256", None,
    {"alg": "RS256", "kid": ["k1"]}, {"alg": "RS256", "kid": {}}, {"alg": "RS256", "kid": 1}, {"alg": "\ud800"},
]  # fmt: skip
STRANGE_CLAIMS: list[Any] = [
    {"sub": "\ud800"}, {"sub": "a\udfff"}, {"sub": ["a"]}, {"sub": {"a": "\ud83d"}}, {"sub": None}, {"sub": "\u0000"},
    {"sub": 1e308}, {"sub": "x" * 9000}, {},
]  # fmt: skip

STRANGE_VALUES: list[Any] = [[], {}, [[]], [{}], True, "\ud800x", float("inf"), float("nan"), -(10**400)]


def test_strange_headers_and_claims_name_nobody(client: OAuthClient) -> None:
    for header in STRANGE_HEADERS:
        assert status(client, unsigned(header, own(client))) == 401, header
    for found in STRANGE_CLAIMS:
        answer = client.ask(form(None, unsigned({"alg": "RS256", "kid": "k1"}, found)))
        assert (answer.status_code, answer.get_json()["error"]) == (401, "invalid_client"), found


def unsigned(header: Any, found: Any) -> str:
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(found).encode())}.eA"


def test_strange_values_of_signed_claims_are_refused(client: OAuthClient, tmp_path: Path) -> None:
    key = new_key()
    trust_keys(client, tmp_path, key)
    for name in ("iss", "sub", "aud", "exp", "nbf", "iat", "jti"):
        for value in STRANGE_VALUES:
            body = {**own(client), name: value}
            text = jws.serialize_compact(
                {"alg": "ES256", "kid": "k1"}, json.dumps(body).encode(), key, algorithms=["ES256"]
            )
            usable = (name in ("nbf", "iat") and isinstance(value, int) and value < 0) or (name, value) == (
                "jti",
                "\ud800x",
            )
            assert status(client, text) == (200 if usable else 401), (name, value)


def test_double_credentials_are_refused(client: OAuthClient, tmp_path: Path) -> None:
    key = new_key()
    trust_keys(client, tmp_path, key)
    asked = form(client.id, signed(key, own(client)))
    assert client.ask({**asked, "client_secret": client.secret}).status_code == 400
    assert client.ask(asked, client.basic).status_code == 400


def test_another_clients_key_is_not_taken(client: OAuthClient, tmp_path: Path) -> None:
    key, other = new_key(), OAuthClient(client.app)
    trust_keys(other, tmp_path, key)
    assert status(client, signed(key, own(client))) == 401
    assert client.ask(form(client.id, signed(key, claims(other.id, other.id, client.url, jti="x")))).status_code == 401


def federate(client: OAuthClient, issuer: Issuer, *keys: Any) -> str:
    issuer.keys = key_set(*keys)
    words = ("--issuer", issuer.url, "--subject", SUBJECT, "--audience", AUDIENCE, "--audience", "guid")
    return str(run_json(client.app, "keys", "trust", client.id, *words)["id"])


def entra(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    more = {"oid": SUBJECT, "ver": "2.0", "uti": "u", **changes}
    return claims(issuer.url, SUBJECT, AUDIENCE, 3900, **more)


def test_gallery_test_22_workload_identity(client: OAuthClient, issuer: Issuer) -> None:
    key = new_key(kind="RSA")
    trust = federate(client, issuer, key)
    asked = form(client.id, signed(key, entra(issuer), "RS256"), baseAddress="https://perch.example.com/scim")
    answer = client.ask(asked)
    assert answer.status_code == 200, answer.data
    assert 3600 <= answer.get_json()["expires_in"] <= 21600
    assert client.ask(asked).status_code == 200, "without a jti it may come again"
    token = answer.get_json()["access_token"]
    assert client.scim(token, path="/Users?startIndex=1&count=1") == 200
    run_command(client.app, "keys", "trust", client.id, "--revoke", trust)
    assert client.scim(token) == 401
    assert status(client, signed(key, entra(issuer), "RS256")) == 401
    assert len(issuer.asked) == 2, "keys are cached"


@pytest.mark.parametrize(
    "change",
    [{"iss": "https://other.example"}, {"sub": "other"}, {"aud": "API://perch"}, {"aud": "api://perch/"}, {"aud": None},
     {"sub": None}, {"exp": int(time.time()) - 100}, {"nbf": int(time.time()) + 1000}],
    ids=BY_NAME,
)  # fmt: skip
def test_wrong_claims_of_an_issuer(client: OAuthClient, issuer: Issuer, change: dict[str, Any]) -> None:
    key = new_key()
    federate(client, issuer, key)
    assert status(client, signed(key, entra(issuer, **change))) == 401
    assert status(client, signed(key, entra(issuer, aud=["x", "guid"]))) == 200
    assert status(client, signed(key, entra(issuer, exp=int(time.time()) - 30))) == 200, "clocks may differ by 60 s"


def test_a_federated_jti_comes_once(client: OAuthClient, issuer: Issuer) -> None:
    key = new_key()
    federate(client, issuer, key)
    assertion = signed(key, entra(issuer, jti="a"))
    assert [status(client, assertion), status(client, assertion)] == [200, 401]


def test_an_issuer_is_not_swapped(client: OAuthClient, issuer: Issuer) -> None:
    """Another registered issuer's key does not sign for this one, nor a discovery document of another name."""
    key, other_key, other = new_key(), new_key(), Issuer()
    federate(client, issuer, key)
    federate(client, other, other_key)
    assert status(client, signed(other_key, entra(issuer))) == 401
    assert status(client, signed(other_key, entra(other))) == 200
    issuers._cache.clear()
    issuer.metadata = {**issuer.metadata, "issuer": other.url}
    assert status(client, signed(key, entra(issuer))) == 401
    other.stop()


@pytest.mark.parametrize("case", ["redirect", "large", "no object", "http elsewhere", "not found", "private key set"])
def test_documents_that_are_refused(client: OAuthClient, issuer: Issuer, case: str) -> None:
    key = new_key()
    federate(client, issuer, key)
    if case in ("redirect", "not found"):
        issuer.status = 302 if case == "redirect" else 404
    elif case == "large":
        issuer.keys = {**issuer.keys, "padding": "x" * 256 * 1024}
    elif case == "no object":
        issuer.keys = ["x"]  # type: ignore[assignment]
    elif case == "http elsewhere":
        issuer.metadata = {**issuer.metadata, "jwks_uri": "http://93.184.216.34/keys"}
    else:
        issuer.keys = {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]}
    assert status(client, signed(key, entra(issuer))) == 401


def test_a_document_that_comes_byte_by_byte_is_given_up(
    client: OAuthClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    federate(client, issuer, key)
    monkeypatch.setattr(issuers, "SECONDS", 0.5)
    issuer.pause = 0.02  # 86 bytes of metadata and 200 of keys: longer than the limit on any machine
    assert status(client, signed(key, entra(issuer))) == 401 and len(issuer.asked) < 3
    issuer.pause = 0.0
    monkeypatch.setattr(issuers, "SECONDS", 60.0)
    monkeypatch.setattr(issuers, "BETWEEN", 0.0)
    assert status(client, signed(key, entra(issuer))) == 200


def test_critical_headers_are_not_understood(client: OAuthClient, tmp_path: Path) -> None:
    key = new_key()
    trust_keys(client, tmp_path, key)
    header = {"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": True}
    text = jws.serialize_compact(header, json.dumps(own(client)).encode(), key, algorithms=["ES256"])
    assert status(client, text) == 401


def test_new_keys_are_fetched_at_most_once_a_minute(
    client: OAuthClient, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, rotated = new_key(), new_key("k2")
    federate(client, issuer, key)
    assert status(client, signed(key, entra(issuer))) == 200
    issuer.keys = key_set(rotated)
    for _ in range(3):
        assert status(client, signed(rotated, entra(issuer), kid="k2")) == 401
    assert len(issuer.asked) == 2
    monkeypatch.setattr(issuers, "BETWEEN", 0.0)
    assert status(client, signed(rotated, entra(issuer), kid="k2")) == 200
    assert len(issuer.asked) == 4


def test_an_issuer_with_a_file_of_keys_is_never_asked(client: OAuthClient, issuer: Issuer, tmp_path: Path) -> None:
    key = new_key()
    trust_keys(client, tmp_path, key, issuer=issuer.url, subject=SUBJECT, audience=AUDIENCE)
    assert status(client, signed(key, entra(issuer))) == 200 and issuer.asked == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--issuer http://idp.example --subject s --audience a", "https"),
        ("--issuer https://u@idp.example --subject s --audience a", "https"),
        ("--issuer ftp://localhost --subject s --audience a", "https"),
        ("--issuer https://idp.example --audience a", "subject"),
        ("--issuer https://idp.example --subject s", "audience"),
        ("--issuer https://idp.example --subject s --audience=", "audience"),
        ("--issuer https://idp.example --subject s --audience a --audience=", "audience"),
        ("--subject s --audience a", "--jwks"),
        ("--jwks {private}", "private"),
        ("--jwks {empty}", "RSA"),
        ("--jwks {p384}", "P-256"),
        ("--jwks {text}", "JSON"),
    ],
)
def test_wrong_trusts_are_refused(client: OAuthClient, tmp_path: Path, options: str, said: str) -> None:
    documents = {"private": json.dumps({"keys": [new_key().as_dict(private=True)]}), "empty": "{}", "text": "x"}
    documents["p384"] = json.dumps(key_set(ECKey.generate_key("P-384")))
    for name, text in documents.items():
        (tmp_path / name).write_text(text)
    words = options.format_map({name: tmp_path / name for name in documents}).split()
    result = client.app.test_cli_runner().invoke(args=["keys", "trust", client.id, *words])
    assert result.exit_code == 1 and said in result.stderr, result.stderr
    assert run_json(client.app, "keys", "trust", client.id) == []


def test_the_type_of_assertion_is_that_of_rfc_7523() -> None:
    assert ASSERTION_TYPE.endswith("client-assertion-type:jwt-bearer")
