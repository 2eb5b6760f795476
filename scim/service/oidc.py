"""Sign-in with an OpenID provider (OpenID Connect Core 1.0 section 3.1): the request to it, and its signed answer.

Authlib, requests, joserfc and with them `cryptography` are imported at the first sign-in only: they take memory.
"""

import json
import math
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.errors import Forbidden, Unavailable
from scim.service import issuers
from scim.service.jose import ALGORITHMS, LEEWAY, SHORTEST_RSA, is_signed, is_time, issuer_keys, read_jwt
from scim.settings import Settings

SCOPE = "openid email profile"
# Seconds of a request to the provider.
TIMEOUT = 5.0

Claims = Mapping[str, Any]


class Request(NamedTuple):
    """A request to the provider: the URL for the browser, and what its answer is compared with."""

    url: str
    state: str
    nonce: str
    verifier: str


class OpenIdProvider:
    """The provider of PERCH_OIDC_ISSUER, with its metadata as they were read last."""

    def __init__(self, settings: Settings) -> None:
        self.issuer: str = settings["PERCH_OIDC_ISSUER"]
        self.client: str = settings["PERCH_OIDC_CLIENT_ID"]
        self._secret: str = settings["PERCH_OIDC_CLIENT_SECRET"]
        self._metadata: dict[str, Any] = {}
        self._metadata_read = float("-inf")

    def metadata(self) -> dict[str, Any]:
        """Return the provider's metadata (OpenID Connect Discovery 1.0 section 4).

        :raises Unavailable: saying why the provider cannot be used.
        """
        if time.monotonic() - self._metadata_read > issuers.KEPT:
            url = self.issuer.rstrip("/") + issuers.WELL_KNOWN
            try:
                found = issuers.read_json(url)
            except issuers.UNREADABLE as error:
                reason = getattr(error, "strerror", None) or error
                raise Unavailable(f"The provider of PERCH_OIDC_ISSUER cannot be used: {url}: {reason}.") from None
            if found.get("issuer") != self.issuer:
                named = str(found.get("issuer"))[:200]
                raise Unavailable(f"PERCH_OIDC_ISSUER is {self.issuer}, but the provider calls itself {named}.")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not isinstance(found.get(name), str):
                    raise Unavailable(f"The provider's metadata lack {name}.")
            self._metadata, self._metadata_read = found, time.monotonic()
        return self._metadata

    def is_named(self, issuer: str | None) -> bool:
        """Tell whether an answer is from this provider; one that names itself in all answers must do so (RFC 9207)."""
        always = self.metadata().get("authorization_response_iss_parameter_supported")
        return issuer == self.issuer or (issuer is None and always is not True)

    def request(self, redirect: str, max_age: int | None = None) -> Request:
        """Return a request for a person's sign-in, of at most `max_age` seconds ago (RFC 7636, S256).

        :raises Unavailable: when the provider cannot be used.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        more = {} if max_age is None else {"max_age": max_age}
        url, _ = self._client(redirect).create_authorization_url(
            self.metadata()["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier, **more
        )
        return Request(url, state, nonce, verifier)

    def claims(self, code: str, redirect: str, verifier: str, nonce: str) -> Claims:
        """Return the claims of the person for whose sign-in the provider gave a code.

        :raises Forbidden: saying what is wrong with the provider's answer; :raises Unavailable: when there is none.
        """
        import requests
        from authlib.common.errors import AuthlibBaseError

        endpoint = self.metadata()["token_endpoint"]
        # The authorities that `issuers` trusts, not those of requests.
        trusted = ssl.get_default_verify_paths()
        try:
            token = self._client(redirect).fetch_token(
                endpoint, code=code, code_verifier=verifier, timeout=TIMEOUT, allow_redirects=False,
                verify=trusted.cafile or trusted.capath or True,
            )  # fmt: skip
        except AuthlibBaseError as error:
            raise Forbidden(f"The provider did not accept the sign-in: {error.description or error.error}.") from None
        except (requests.RequestException, ValueError) as error:
            raise Unavailable(f"The provider did not answer {endpoint}: {type(error).__name__}.") from None
        text = token.get("id_token") if isinstance(token, dict) else None
        if not isinstance(text, str):
            raise Forbidden("The provider sent no id_token; allow the scope openid for this client.")
        claims = self._signed(text)
        self._check(claims, nonce)
        return claims

    def _client(self, redirect: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        return OAuth2Session(
            self.client, self._secret, "client_secret_basic", scope=SCOPE, redirect_uri=redirect,
            code_challenge_method="S256",
        )  # fmt: skip

    def _signed(self, text: str) -> Claims:
        """Return the claims of an id_token, after checking its signature."""
        token = read_jwt(text)
        keys = issuer_keys(token, self.issuer) if token else {}
        if token and not keys:
            raise Unavailable(f"The provider's keys cannot be read: {self.metadata()['jwks_uri']}.")
        if token is None or not is_signed(token, keys):
            raise Forbidden(
                f"The id_token is not signed by a key of {self.issuer} that Perch accepts. Choose "
                f"{' or '.join(ALGORITHMS)} for this client in the provider; RSA keys need {SHORTEST_RSA} bits."
            )
        return token.claims

    def _check(self, claims: Claims, nonce: str) -> None:
        """Check an id_token's claims (OpenID Connect Core 1.0 section 3.1.3.7)."""
        audience = claims.get("aud")
        several = isinstance(audience, list) and len(audience) > 1
        listed = audience if isinstance(audience, list) else [audience]
        now = time.time()
        wanted: tuple[tuple[str, object, Callable[[Any], bool]], ...] = (
            ("iss", self.issuer, lambda value: bool(value == self.issuer)),
            ("aud", self.client, lambda _: self.client in listed),
            ("azp", self.client, lambda value: value == self.client if several or value is not None else True),
            ("nonce", "that of this sign-in", lambda value: bool(value == nonce)),
            ("exp", "a later time", lambda value: is_time(value) and value > now - LEEWAY),
            ("iat", "an earlier time", lambda value: is_time(value) and value < now + LEEWAY),
            ("nbf", "an earlier time", lambda value: value is None or (is_time(value) and value < now + LEEWAY)),
        )
        for name, expected, holds in wanted:
            if not holds(claims.get(name)):
                raise Forbidden(f"The id_token's {name} is {json.dumps(claims.get(name))[:200]}, not {expected}.")


def signed_in_at(claims: Claims) -> float:
    """Return when the person signed in at the provider (`auth_time`), infinity where it does not say."""
    value = claims.get("auth_time")
    return value if is_time(value) else math.inf


def signed_in_since(claims: Claims, seconds: int) -> bool:
    """Tell whether the provider says that the person signed in within the last seconds (`auth_time`)."""
    return -LEEWAY <= time.time() - signed_in_at(claims) <= seconds + LEEWAY
