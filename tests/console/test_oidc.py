"""Signing in to the console with an OpenID provider: the flow, and what is refused."""

import base64
import hmac
import html
import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import oidc_provider_mock
import pytest
import requests
from flask import Flask
from joserfc import jws, jwt
from joserfc.jwk import ECKey, RSAKey

from scim.service import issuers
from scim.settings import WrongSetting, read_settings
from tests.conftest import MakeApp, MakeClient
from tests.support.commands import run_json
from tests.support.console import PASSWORD, Console, text_of
from tests.support.openid import CLIENT, SECRET, OpenIdProvider
from tests.support.openid_console import begin, come_back, is_in, refused, sign_in
from tests.support.resources import user, user_id
from tests.support.tls import Authority


def test_the_sign_in_page_leads_to_the_provider_and_back(console: Console, provider: OpenIdProvider) -> None:
    page = console.get("/sign-in?next=/console/roles")
    (link,) = re.findall(r'href="/console(/oidc[^"]*)"', page.text)
    code, state = begin(console, provider, html.unescape(link))
    assert {name: provider.asked[name] for name in ("scope", "response_type", "code_challenge_method")} == {
        "scope": "openid email profile", "response_type": "code", "code_challenge_method": "S256",
    }  # fmt: skip
    assert provider.asked["client_id"] == CLIENT
    assert provider.asked["redirect_uri"] == "http://localhost/console/oidc/callback"
    answer = come_back(console, code, state)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/roles")
    # No token of the provider goes to the browser.
    assert "eyJ" not in f"{answer.headers}{answer.text}"
    assert is_in(console)
    assert "ada@example.com" in text_of(console.get("/sessions"))


def test_the_journal_and_given_by_name_the_person(
    oidc_app: Flask, console: Console, provider: OpenIdProvider, make_client: MakeClient
) -> None:
    sign_in(console, provider)
    ann = user_id(make_client("okta", app=oidc_app), "ann")
    console.post(f"/users/{ann}/roles", {"slug": "managed:admin"})
    assert "Assigned manually by ada@example.com" in text_of(console.get(f"/users/{ann}"))
    (reason,) = run_json(oidc_app, "roles", "explain", "ann")
    assert (reason["actor"], reason["by"]) == ("person:ada@example.com", "ada@example.com")
    entries = {entry["action"]: entry for entry in run_json(oidc_app, "journal")}
    assert entries["assign"]["actor"] == "person:ada@example.com"
    assert entries["sign-in"]["changes"]["person"]["after"] == "ada@example.com"


def test_a_provider_from_pypi_signs_people_in(make_app: MakeApp) -> None:
    ada = oidc_provider_mock.User(sub="ada", claims={"email": "ada@example.com", "email_verified": True})
    eve = oidc_provider_mock.User(sub="eve", claims={"email": "eve@example.com", "email_verified": True})
    with oidc_provider_mock.run_server_in_thread(user_claims=[ada, eve]) as server:
        issuer = f"http://localhost:{server.server_port}"
        app = make_app(PERCH_OIDC_ISSUER=issuer, PERCH_OIDC_CLIENT_ID="c", PERCH_OIDC_CLIENT_SECRET="s",
                       PERCH_OIDC_ADMINS="ada@example.com")  # fmt: skip
        for name, status in (("ada", 303), ("eve", 403)):
            console = Console(app)
            url = console.get("/oidc").headers["Location"]
            answer = requests.post(url, {"sub": name}, allow_redirects=False, timeout=10)
            back = answer.headers["Location"].removeprefix("http://localhost/console")
            assert console.get(back).status_code == status and is_in(console) is (status == 303)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_three_algorithms_are_taken(console: Console, provider: OpenIdProvider, algorithm: str) -> None:
    if algorithm == "ES256":
        provider.key = ECKey.generate_key("P-256", {"kid": "k1"})
    provider.sign = lambda claims: provider.signed(claims, algorithm)
    assert sign_in(console, provider).status_code == 303


def unsigned(provider: OpenIdProvider, claims: dict[str, Any]) -> str:
    return f"{encoded({'alg': 'none', 'kid': 'k1'})}.{encoded(claims)}."


def by_public_key(provider: OpenIdProvider, claims: dict[str, Any]) -> str:
    signed = ".".join(encoded(part) for part in ({"alg": "HS256", "kid": "k1"}, claims))
    mac = hmac.digest(provider.key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def by_another_key(provider: OpenIdProvider, claims: dict[str, Any]) -> str:
    other = RSAKey.generate_key(2048, {"kid": "k1"})
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, other)


FORGERIES: list[Callable[[OpenIdProvider, dict[str, Any]], str]] = [
    unsigned,
    by_public_key,
    by_another_key,
    lambda provider, claims: provider.signed(claims, "RS512"),
    lambda provider, claims: provider.signed(claims, kid="unknown"),
    lambda provider, claims: provider.signed(claims)[:-6] + "AAAAAA",
    lambda provider, claims: "nonsense",
    lambda provider, claims: "a.b.c",
]


def test_a_token_that_the_provider_did_not_sign_is_refused(console: Console, provider: OpenIdProvider) -> None:
    for forge in FORGERIES:
        provider.sign = lambda claims, forge=forge: forge(provider, claims)  # type: ignore[misc]
        refused(sign_in(console, provider), "is not signed by")
        assert not is_in(console)


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "RS512"}, {"kid": "k2"}, {"n": "AA"}, "weak"])
def test_a_key_that_is_not_for_signatures_is_refused(
    console: Console, provider: OpenIdProvider, change: dict[str, str] | str
) -> None:
    if isinstance(change, str):
        provider.key = RSAKey.generate_key(1024, {"kid": "k1"})
    else:
        provider.keys = lambda: {"keys": [{**provider.key.as_dict(private=False), **change}]}
    refused(sign_in(console, provider), "is not signed by a key of", "RSA keys need 2048 bits")
    assert not is_in(console)


@pytest.mark.parametrize("keys", [[], "x", {"padding": "x" * 300_000}])
def test_keys_that_cannot_be_read_are_told(console: Console, provider: OpenIdProvider, keys: Any) -> None:
    provider.keys = lambda: keys
    refused(sign_in(console, provider), f"The provider's keys cannot be read: {provider.issuer}/keys", status=503)
    assert not is_in(console)


WRONG_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"iss": "https://evil.example"}, "iss is"),
    ({"iss": None}, "iss is null"),
    ({"aud": "other"}, "aud is"),
    ({"aud": ""}, "aud is"),
    ({"aud": []}, "aud is"),
    ({"aud": None}, "aud is"),
    ({"aud": [CLIENT, "other"]}, "azp is null"),
    ({"aud": [CLIENT, "other"], "azp": "other"}, "azp is"),
    ({"azp": "other"}, "azp is"),
    ({"nonce": "another"}, "nonce is"),
    ({"nonce": None}, "nonce is null"),
    ({"exp": 1}, "exp is 1"),
    ({"exp": None}, "exp is null"),
    ({"exp": "9999999999"}, "exp is"),
    ({"exp": True}, "exp is"),
    ({"iat": 9999999999}, "iat is"),
    ({"nbf": 9999999999}, "nbf is"),
    (
        {"email": "eve@example.com"},
        "The claim 'email' says eve@example.com, whom PERCH_OIDC_ADMINS does not list",
    ),
    ({"email": None}, "no claim 'email'"),
    ({"email": ["ada@example.com"]}, "no claim 'email' with one name in it"),
    ({"email": "ada@example.com\0"}, "no claim 'email'"),
    ({"email": " ada@example.com"}, "whom PERCH_OIDC_ADMINS does not list"),
    ({"email_verified": False}, "(email_verified: true). Verify it there. To the"),
    ({"email_verified": None}, "is verified (email_verified: true)."),
    ({"email_verified": "true"}, "is verified (email_verified: true)."),
    ({"email_verified": 1}, "is verified (email_verified: true)."),
]


def test_a_wrong_claim_is_refused_by_name(console: Console, provider: OpenIdProvider) -> None:
    for change, told in WRONG_CLAIMS:
        provider.spoil = lambda claims, change=change: claims.update(change)  # type: ignore[misc]
        refused(sign_in(console, provider), told)
        assert not is_in(console), change


def test_half_a_surrogate_pair_names_nobody(console: Console, provider: OpenIdProvider) -> None:
    for email in ("\ud800@example.com", "ada\udfff@example.com", "\udc00\ud800", "a\ud83d"):
        provider.sign = lambda claims, email=email: jws.serialize_compact(  # type: ignore[misc]
            {"alg": "RS256", "kid": "k1"}, json.dumps({**claims, "email": email}).encode(), provider.key,
            algorithms=["RS256"],
        )  # fmt: skip
        refused(sign_in(console, provider), "no claim 'email'")


STRANGE: list[Any] = [
    [], "x", 1, None, {}, {"error": None}, {"error": ["x"]}, {"error": {"a": 1}}, {"id_token": []}, [["a", "b"]],
    {"access_token": "x", "expires_in": "soon"}, {"expires_at": "x"}, {"error": 1, "error_description": {}},
]  # fmt: skip


def test_a_strange_answer_of_the_provider_is_told(console: Console, provider: OpenIdProvider) -> None:
    for status, answer in product((200, 302, 400, 500), STRANGE):
        provider.token = lambda *_, said=(status, answer): said  # type: ignore[method-assign]
        assert sign_in(console, provider).status_code in (403, 503), (status, answer)
        assert not is_in(console)


def test_several_audiences_with_the_right_party_are_taken(console: Console, provider: OpenIdProvider) -> None:
    provider.spoil = lambda claims: claims.update(aud=["other", CLIENT], azp=CLIENT)
    assert sign_in(console, provider).status_code == 303


def test_a_state_is_for_one_browser_and_used_once(oidc_app: Flask, provider: OpenIdProvider) -> None:
    victim, thief = Console(oidc_app), Console(oidc_app)
    code, state = begin(victim, provider)
    begin(thief, provider)
    refused(come_back(thief, code, state), "not begun at http://localhost in this browser")
    # The thief's attempt has used it up.
    refused(come_back(victim, code, state), "used already")
    code, state = begin(victim, provider)
    assert come_back(victim, code, state).status_code == 303
    refused(come_back(victim, code, state), "used already")
    refused(come_back(Console(oidc_app), "", ""), "not begun")
    refused(come_back(thief, code, "x" * 5000), "not begun")


def test_a_stolen_code_does_not_work_in_another_sign_in(oidc_app: Flask, provider: OpenIdProvider) -> None:
    victim, thief = Console(oidc_app), Console(oidc_app)
    stolen, _ = begin(victim, provider)
    _, state = begin(thief, provider)
    refused(come_back(thief, stolen, state), "the code is not for you")


@pytest.mark.parametrize(("seconds", "is_old"), [(540, False), (601, True), (86_400, True)])
def test_a_state_lives_ten_minutes(
    oidc_app: Flask, console: Console, provider: OpenIdProvider, seconds: int, is_old: bool
) -> None:
    code, state = begin(console, provider)
    with closing(sqlite3.connect(oidc_app.extensions["perch"].database.path)) as file, file:
        file.execute("UPDATE console_logins SET at = at - ?", (seconds,))
        assert state not in str(file.execute("SELECT * FROM console_logins").fetchall())
    if is_old:
        refused(come_back(console, code, state), "over ten minutes old")
    assert (come_back(console, code, state).status_code == 303) is not is_old


def test_a_provider_that_always_names_itself_must_do_so(console: Console, provider: OpenIdProvider) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    refused(sign_in(console, provider), "from a provider without a name, not from " + provider.issuer)
    assert come_back(console, *begin(console, provider), iss=provider.issuer).status_code == 303


def test_a_mixed_up_provider_and_a_refusal_are_told(console: Console, provider: OpenIdProvider) -> None:
    refused(come_back(console, *begin(console, provider), iss="https://other.example"), "from https://other.example")
    assert come_back(console, *begin(console, provider), iss=provider.issuer).status_code == 303
    code, state = begin(console, provider)
    answer = come_back(console, code, state, error="access_denied", error_description="<b>not assigned</b>")
    refused(answer, "The provider refused the sign-in: <b>not assigned</b>")
    assert "<b>not" not in answer.text


def test_the_way_back_leads_nowhere_else(oidc_app: Flask, provider: OpenIdProvider) -> None:
    for wanted in ("https://evil.example/", "//evil.example", "/elsewhere", "/console/\\evil", "javascript:1"):
        console = Console(oidc_app)
        code, state = begin(console, provider, f"/oidc?next={wanted}")
        assert come_back(console, code, state).headers["Location"] == "/console/"


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"issuer": "https://other.example"}, "calls itself https://other.example"),
        ({"status": 404}, "with 404"),
        ({"status": 302}, "with 302"),
        ({"token_endpoint": None}, "lack token_endpoint"),
        ({"jwks_uri": 5}, "lack jwks_uri"),
        ({"more": "x" * 300_000}, "not with a document"),
    ],
)
def test_a_wrong_provider_is_told_on_the_sign_in_page(
    oidc_app: Flask, console: Console, provider: OpenIdProvider, metadata: dict[str, Any], told: str
) -> None:
    provider.metadata = metadata
    page = console.get("/oidc")
    refused(page, told, "Sign in with the password", status=503)
    assert "aria-invalid" not in page.text
    doctor = oidc_app.test_cli_runner().invoke(args=["doctor"])
    assert doctor.exit_code == 1 and told in " ".join(doctor.stdout.split())
    provider.metadata = {}
    assert sign_in(console, provider).status_code == 303


def test_a_provider_with_a_certificate_of_the_machines_authorities_is_used(
    make_app: MakeApp, provider: OpenIdProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    provider.server.socket = authority.context("localhost").wrap_socket(provider.server.socket, server_side=True)
    provider.issuer = f"https://localhost:{provider.server.server_port}"
    console = with_settings(make_app, provider)
    refused(console.get("/oidc"), "certificate verify failed", status=503)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    assert sign_in(console, provider).status_code == 303 and is_in(console)


def test_a_missing_provider_is_told_and_the_start_is_not_stopped(console: Console, provider: OpenIdProvider) -> None:
    provider.stop()
    told = f"The provider of PERCH_OIDC_ISSUER cannot be used: {provider.issuer}/.well-known/openid-configuration: "
    refused(console.get("/oidc"), f"{told}Connection refused.", status=503)
    assert console.sign_in().status_code == 303


def test_a_new_key_is_found_and_an_unknown_one_is_looked_for_once_a_minute(
    console: Console, provider: OpenIdProvider, oidc_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(console, provider)
    provider.key = RSAKey.generate_key(2048, {"kid": "k2"})
    provider.sign = lambda claims: provider.signed(claims, kid="k2")
    refused(sign_in(Console(oidc_app), provider), "is not signed by")
    assert provider.reads.count("/keys") == 1
    monkeypatch.setattr(issuers, "BETWEEN", 0.0)
    assert sign_in(Console(oidc_app), provider).status_code == 303
    assert provider.reads.count("/keys") == 2


def test_the_settings_have_the_documented_defaults() -> None:
    settings = read_settings({})
    assert {name: settings[name] for name in settings if "_OIDC_" in name or name == "PERCH_CONSOLE_PASSWORD"} == {
        "PERCH_CONSOLE_PASSWORD": True, "PERCH_OIDC_ISSUER": "", "PERCH_OIDC_CLIENT_ID": "",
        "PERCH_OIDC_CLIENT_SECRET": "", "PERCH_OIDC_ADMINS": (), "PERCH_OIDC_CLAIM": "email",
        "PERCH_OIDC_VERIFIED": "claim",
    }  # fmt: skip


def test_the_client_secret_comes_from_a_file(make_app: MakeApp, provider: OpenIdProvider, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    settings = {**provider.settings, "PERCH_OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    del settings["PERCH_OIDC_CLIENT_SECRET"]
    assert sign_in(Console(make_app(**settings)), provider).status_code == 303


def with_settings(make_app: MakeApp, provider: OpenIdProvider, **settings: str) -> Console:
    return Console(make_app(PERCH_ADMIN_PASSWORD=PASSWORD, **{**provider.settings, **settings}))


@pytest.mark.parametrize(
    ("settings", "claims", "status"),
    [
        ({"PERCH_OIDC_VERIFIED": "issuer"}, {"email": "ADA@example.com"}, 303),
        ({"PERCH_OIDC_VERIFIED": "issuer"}, {"email": "ada@example.com", "email_verified": False}, 403),
        ({}, {"email": "ada@example.com"}, 403),
        ({"PERCH_OIDC_CLAIM": "sub", "PERCH_OIDC_ADMINS": "x, 00u1"}, {"sub": "00u1"}, 303),
        ({"PERCH_OIDC_CLAIM": "sub", "PERCH_OIDC_ADMINS": "00u1"}, {"sub": "00U1"}, 403),
        ({"PERCH_OIDC_CLAIM": "upn", "PERCH_OIDC_ADMINS": "ada@x"}, {"sub": "s", "upn": "ada@x"}, 303),
        ({"PERCH_OIDC_CLAIM": "upn", "PERCH_OIDC_ADMINS": "ada@x"}, {"sub": "s", "upn": "Ada@x"}, 403),
        ({"PERCH_OIDC_ADMINS": "role:managed:admin"}, {"email": "nobody@x", "email_verified": True}, 403),
    ],
)
def test_claims_are_compared_as_the_settings_say(
    make_app: MakeApp, provider: OpenIdProvider, settings: dict[str, str], claims: dict[str, Any], status: int
) -> None:
    provider.claims = claims
    assert sign_in(with_settings(make_app, provider, **settings), provider).status_code == status


# What the providers of docs/sign-in.md put into an id_token of this flow, and the settings that the page gives for it.
OKTA = {
    "sub": "00u1", "name": "Ada Lovelace", "email": "ada@example.com", "ver": 1, "amr": ["pwd"], "idp": "00o1",
    "preferred_username": "Ada@example.com", "auth_time": 1_700_000_000, "at_hash": "x",
}  # fmt: skip
ENTRA = {
    "sub": "pairwise", "oid": "0b3e", "tid": "1c4f", "upn": "ada@example.com", "email": "ada@example.com", "ver": "2.0",
    "preferred_username": "ada@example.com", "auth_time": 1_700_000_000, "rh": "x", "uti": "y",
}  # fmt: skip
KEYCLOAK = {
    "sub": "7f0c", "azp": CLIENT, "email": "ada@example.com", "email_verified": True, "acr": "1", "sid": "s",
    "preferred_username": "ada", "auth_time": 1_700_000_000, "typ": "ID",
}  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "settings", "refusal"),
    [
        (OKTA, {"PERCH_OIDC_CLAIM": "preferred_username"}, ""),
        (OKTA, {"PERCH_OIDC_VERIFIED": "issuer"}, ""),
        (OKTA, {}, "as Okta and Entra, set PERCH_OIDC_VERIFIED=issuer"),
        (ENTRA, {"PERCH_OIDC_CLAIM": "upn"}, ""),
        (ENTRA, {"PERCH_OIDC_VERIFIED": "issuer"}, ""),
        (KEYCLOAK, {}, ""),
        ({**KEYCLOAK, "email_verified": False}, {}, "does not say that ada@example.com is verified"),
    ],
)
def test_three_providers_sign_in_as_the_guide_says(
    make_app: MakeApp, make_client: MakeClient, provider: OpenIdProvider, claims: dict[str, Any],
    settings: dict[str, str], refusal: str,
) -> None:  # fmt: skip
    provider.claims = claims
    app = make_app(**{**provider.settings, "PERCH_OIDC_ADMINS": "role:managed:admin", **settings})
    user(make_client("generic", app=app), "ada@example.com", roles=["managed:admin"])
    answer = sign_in(Console(app), provider)
    assert refusal in text_of(answer) if refusal else answer.status_code == 303


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"PERCH_OIDC_ISSUER": "https://x.example"},
            "Set PERCH_OIDC_CLIENT_ID, PERCH_OIDC_CLIENT_SECRET, PERCH_OIDC_ADMINS, too: a sign-in",
        ),
        ({"PERCH_OIDC_CLIENT_ID": "x"}, "Set PERCH_OIDC_ISSUER, PERCH_OIDC_CLIENT_SECRET, PERCH_OIDC_ADMINS, too"),
        ({"PERCH_OIDC_ADMINS": "x"}, "Set PERCH_OIDC_ISSUER, PERCH_OIDC_CLIENT_ID, PERCH_OIDC_CLIENT_SECRET, too"),
        ({"PERCH_OIDC_ISSUER": "http://x.example"}, "https://"),
        ({"PERCH_OIDC_ISSUER": "x.example"}, "https://"),
        ({"PERCH_CONSOLE_PASSWORD": "off"}, "PERCH_CONSOLE_PASSWORD=off"),
        ({"PERCH_CONSOLE_PASSWORD": "no"}, "must be on or off"),
        ({"PERCH_OIDC_VERIFIED": "x"}, "must be one of claim, issuer"),
    ],
)
def test_settings_by_which_nobody_could_sign_in_stop_the_start(
    make_app: MakeApp, settings: dict[str, str], told: str
) -> None:
    with pytest.raises(WrongSetting, match=re.escape(told)):
        make_app(opened=False, **settings)


def test_the_password_can_be_closed(make_app: MakeApp, provider: OpenIdProvider) -> None:
    console = with_settings(make_app, provider, PERCH_CONSOLE_PASSWORD="off")
    page = console.get("/sign-in")
    assert "password" not in page.text.lower()
    assert console.post("/sign-in", {"password": PASSWORD}, follow=False).status_code == 403
    doctor = console.client.application.test_cli_runner().invoke(args=["doctor"])
    assert "The OpenID provider answers." in doctor.stdout
    assert "PERCH_ADMIN_PASSWORD is set, but the password does not open the console." in doctor.stdout
    assert sign_in(console, provider).status_code == 303


def test_new_settings_end_the_sessions_of_the_old_ones(
    make_app: MakeApp, provider: OpenIdProvider, oidc_app: Flask, console: Console
) -> None:
    sign_in(console, provider)
    cookie = console.client.get_cookie("perch_console", path="/console")
    assert cookie is not None
    other = with_settings(make_app, provider, PERCH_OIDC_ADMINS="someone@example.com")
    other.client.set_cookie("perch_console", cookie.value, path="/console")
    assert not is_in(other)


def test_over_https_the_cookie_of_a_sign_in_is_the_hosts_own(make_app: MakeApp, provider: OpenIdProvider) -> None:
    app = make_app(PERCH_PUBLIC_URL="https://perch.example", **provider.settings)
    answer = Console(app, secure=True).get("/oidc")
    (cookie,) = [each for each in answer.headers.getlist("Set-Cookie") if "perch_oidc" in each]
    assert cookie.startswith("__Host-perch_oidc=") and "Secure" in cookie and "HttpOnly" in cookie
    assert "redirect_uri=https%3A%2F%2Fperch.example%2Fconsole%2Foidc%2Fcallback" in answer.headers["Location"]


def test_without_a_provider_nothing_of_it_is_there(make_app: MakeApp) -> None:
    console = Console(make_app(PERCH_ADMIN_PASSWORD=PASSWORD))
    assert console.get("/oidc").status_code == console.get("/oidc/callback").status_code == 404
    assert "Sign in with" not in console.get("/sign-in").text
