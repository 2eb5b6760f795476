"""Access keys over HTTP: who calls, and whether the key may do it (RFC 7644 section 2)."""

import base64
import binascii
import hashlib
import hmac
import secrets

from schemas.errors import Forbidden, NotFound, Unauthorized
from storage import keys
from storage.database import Database
from storage.instants import now
from storage.keys import Key

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Perch"'}
READING = ("GET", "HEAD", "OPTIONS")
PREFIX = "perch"


def make_key(name: str, idp: str, access: str, roles_as: str | None, expires_in: float | None) -> tuple[Key, str]:
    """Return a new key, not yet stored, and the text that its client sends; `expires_in` is in days."""
    identifier, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    shape = roles_as or ("strings" if idp == "okta" else "objects")
    key = Key(
        identifier, name, _digest(secret), idp, access, shape, 0, now(), keys.expiry(expires_in), None, None
    )  # fmt: skip
    return key, f"{PREFIX}_{identifier}_{secret}"


def authenticate(database: Database, authorization: str | None) -> Key:
    """Return the live key that an Authorization header carries: Bearer, bare, or as the password of Basic.

    :raises Unauthorized: saying what to put into the header.
    """
    if not authorization:
        raise Unauthorized("Send an access key in the header Authorization: Bearer perch_…", CHALLENGE)
    prefix, identifier, secret = _split(_sent_key(authorization))
    if prefix != PREFIX:
        raise Unauthorized("The Authorization header holds no Perch access key; a key begins with perch_.", CHALLENGE)
    try:
        with database.read() as connection:
            key = keys.get(connection, identifier)
    except NotFound:
        raise _refused() from None
    if not hmac.compare_digest(key.digest, _digest(secret)):
        raise _refused()
    if not key.live:
        state = "revoked" if key.revoked else "expired"
        raise Unauthorized(f"The access key {identifier} was {state}; make a new one in Perch.", CHALLENGE)
    return key


def authorise(key: Key, method: str, path: str) -> None:
    """Refuse what a key may not do: a `read` key may GET and search.

    :raises Forbidden: naming the key.
    """
    if key.access == "read" and method not in READING and not (method == "POST" and path.endswith("/.search")):
        raise Forbidden(f"The access key '{key.name}' may only read; use a key with provision access.")


def _sent_key(authorization: str) -> str:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return authorization.strip()
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _split(text: str) -> tuple[str, str, str]:
    prefix, _, rest = text.partition("_")
    identifier, _, secret = rest.partition("_")
    return prefix, identifier, secret


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _refused() -> Unauthorized:
    return Unauthorized("The access key is not valid; copy it again or make a new one in Perch.", CHALLENGE)
