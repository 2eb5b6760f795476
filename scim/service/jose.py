"""Signed JWTs (RFC 7519): id_tokens of the sign-in provider, and assertions of clients (RFC 7523 section 2.2).

joserfc is imported in the function that uses it: with cryptography it takes 4 MiB, and few workers ever see a JWT.
"""

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from schemas.errors import InvalidValue
from scim.service import issuers
from storage.oauth import Credential

# The type of key that each algorithm takes; no other algorithm is accepted, whatever a key set or a token says.
ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
# Seconds: allowed difference of clocks, how far ahead an assertion of a client's own may end, and any other.
LEEWAY, OWN_LIFE, MOST_LIFE = 60, 600, 7 * 86400
# Members of a JWK, and those of private and symmetric keys.
NEEDED = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
SECRET_MEMBERS = ("d", "k", "p", "q")
MOST_KEYS, SHORTEST_RSA, MOST_JTI = 50, 2048, 1000


@dataclass(frozen=True, slots=True)
class SignedJwt:
    """A JWT as it was sent, not verified: its text, `alg` and `kid` of its header, and its claims."""

    text: str
    alg: str
    kid: str | None
    claims: dict[str, Any]


def read_jwt(text: str) -> SignedJwt | None:
    """Return what a JWT says, None when it is no JWS in compact form (RFC 7515 section 7.1)."""
    try:
        head, body, _ = text.split(".")
        header, claims = _decoded(head), _decoded(body)
    except (ValueError, RecursionError):
        return None
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str) or alg not in ALGORITHMS or not isinstance(kid, str | None) or "crit" in header:
        return None
    return SignedJwt(text, alg, kid, claims)


def _decoded(part: str) -> dict[str, Any]:
    found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(found, dict):
        raise ValueError
    return found


def verify(
    assertion: SignedJwt, client: str, trusts: Sequence[Credential], own_audiences: Sequence[str]
) -> tuple[Credential, tuple[str, float] | None] | None:
    """Return the trust that an assertion fulfils, with its `jti` and the time until which that must not come again.

    `own_audiences` are the token URL and the issuer, one of which a client names that signs for itself.
    """
    for trust in trusts:
        if _claims_fit(assertion.claims, client, trust, own_audiences) and _signed(assertion, trust):
            jti = assertion.claims.get("jti")
            return trust, None if jti is None else (jti, assertion.claims["exp"] + LEEWAY)
    return None


def _claims_fit(claims: dict[str, Any], client: str, trust: Credential, own: Sequence[str]) -> bool:
    """Tell whether the claims are those that a trust asks for (RFC 7523 section 3)."""
    now, is_own = time.time(), trust.issuer is None
    issuer, subject, accepted = (client, client, own) if is_own else (trust.issuer, trust.subject, trust.accepted)
    named, jti = claims.get("aud"), claims.get("jti")
    exp, others = claims.get("exp"), [claims[name] for name in ("nbf", "iat") if name in claims]
    return (
        claims.get("iss") == issuer
        and claims.get("sub") == subject
        and any(audience in accepted for audience in (named if isinstance(named, list) else [named]))
        and (jti is not None or not is_own)
        and (jti is None or (isinstance(jti, str) and 0 < len(jti) <= MOST_JTI))
        and is_time(exp)
        and now - LEEWAY < exp <= now + (OWN_LIFE if is_own else MOST_LIFE)
        and all(is_time(instant) and instant <= now + LEEWAY for instant in others)
    )


def is_time(value: Any) -> TypeGuard[float]:
    """Tell whether a claim is a NumericDate (RFC 7519 section 2), in seconds since 1970."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _signed(assertion: SignedJwt, trust: Credential) -> bool:
    own = trust.jwks is not None
    return is_signed(assertion, json.loads(trust.jwks or "") if own else issuer_keys(assertion, trust.issuer or ""))


def issuer_keys(token: SignedJwt, issuer: str) -> dict[str, Any]:
    """Return the JWK Set of an issuer, {} when it cannot be read; it is fetched again when no key fits the token."""
    return issuers.key_set(issuer, lambda found: any(_fits(token, key) for key in issuers.keys_of(found)))


def is_signed(token: SignedJwt, key_set: dict[str, Any]) -> bool:
    """Tell whether one of the first 50 keys of a JWK Set signed a token."""
    return any(_fits(token, key) and _verifies(token, key) for key in issuers.keys_of(key_set)[:MOST_KEYS])


def _fits(token: SignedJwt, key: dict[str, Any]) -> bool:
    """Tell whether a key may have signed a token: of its `kid`, if both have one, and of the algorithm's type."""
    return (
        key.get("kty") == ALGORITHMS[token.alg]
        and (token.kid is None or key.get("kid") in (token.kid, None))
        and key.get("use", "sig") == "sig"
        and key.get("alg", token.alg) == token.alg
    )


def _verifies(token: SignedJwt, jwk: dict[str, Any]) -> bool:
    from joserfc import jws
    from joserfc.jwk import ECKey, RSAKey

    try:
        key = (RSAKey if jwk["kty"] == "RSA" else ECKey).import_key(_public(jwk))
        if isinstance(key, RSAKey) and key.public_key.key_size < SHORTEST_RSA:
            return False
        jws.deserialize_compact(token.text, key, algorithms=[token.alg])
    except Exception:
        # Keys and texts of others: joserfc and cryptography raise errors of many kinds.
        return False
    return True


def _public(jwk: dict[str, Any]) -> dict[str, Any]:
    return {name: jwk[name] for name in ("kty", *NEEDED[jwk["kty"]])}


def read_key_set(text: str) -> dict[str, Any]:
    """Return a JWK Set (RFC 7517 section 5) of public keys without what is not needed.

    :raises InvalidValue: saying what to correct.
    """
    try:
        found = issuers.keys_of(json.loads(text))
    except (ValueError, RecursionError):
        raise InvalidValue('The key set is no JSON; it is a document such as {"keys": [{"kty": "EC", …}]}.') from None
    if any(member in key for key in found for member in SECRET_MEMBERS):
        raise InvalidValue("The key set holds a private or symmetric key; send the public keys only.")
    usable = [key for key in found if _is_usable(key)]
    if not usable or len(usable) > MOST_KEYS:
        raise InvalidValue(
            f"The key set needs 1 to {MOST_KEYS} public keys for {', '.join(ALGORITHMS)}: RSA, or EC with curve P-256."
        )
    kept = ("kid", "use", "alg")
    return {"keys": [{**_public(key), **{name: key[name] for name in kept if name in key}} for key in usable]}


def _is_usable(key: dict[str, Any]) -> bool:
    needed = NEEDED.get(str(key.get("kty")), ())
    return bool(needed) and all(isinstance(key.get(name), str) for name in needed) and key.get("crv") in (None, "P-256")
