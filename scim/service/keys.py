"""Makes access keys, and chooses the shape of roles for each."""

import hashlib
import secrets

from schemas.datetimes import now
from storage import keys
from storage.keys import Key

PREFIX = "perch"


def make_key(
    name: str, idp: str, access: str, roles_as: str | None, expires_in: float | None, unknown_roles: str | None = None
) -> tuple[Key, str]:
    """Return a new key, not yet stored, and the text that its client sends; `expires_in` is in days."""
    identifier, secret = secrets.token_hex(5), secrets.token_urlsafe(32)
    shape = roles_as or roles_shape(idp)
    key = Key(
        identifier, name, digest(secret), idp, access, shape, 0, now(), keys.expiry(expires_in), None, None,
        unknown_roles,
    )  # fmt: skip
    return key, f"{PREFIX}_{identifier}_{secret}"


def roles_shape(idp: str) -> str:
    """Return the default shape of `roles` for a provider's key."""
    return "strings" if idp == "okta" else "objects"


def digest(secret: str) -> bytes:
    """Return the digest of a key's secret that is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
