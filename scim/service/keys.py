"""Makes and changes access keys, with a journal entry for each act, and chooses the shape of roles for each."""

import hashlib
import secrets
from dataclasses import asdict
from typing import Any

from schemas.datetimes import now
from schemas.errors import InvalidValue
from storage import journal, keys, oauth
from storage.keys import Key
from storage.repository import Transaction

PREFIX = "perch"
# Compared instead of the digest of an unknown key, so that the time of an answer does not tell which keys exist.
DUMMY_DIGEST = bytes(32)
# The journal has every other column of a key.
UNNAMED = {"id", "digest", "created", "lastUsed"}


def make_key(
    name: str, idp: str, access: str, roles_as: str | None, expires_in: float | None, unknown_roles: str | None = None,
    profile: str = keys.NO_PROFILE, *, oauth: bool = False,
) -> tuple[Key, str]:  # fmt: skip
    """Return a new key, not yet stored, and the text that its client sends; `expires_in` is in days.

    The text of an OAuth client is of no use: none has its digest.
    """
    identifier, text, stored = make_secret()
    shape = roles_as or ("strings" if idp == "okta" else "objects")
    key = Key(
        identifier, name, b"" if oauth else stored, idp, access, shape, 0, now(), keys.expiry(expires_in), None, None,
        unknown_roles, profile,
    )  # fmt: skip
    return key, text


def make_secret(kind: str = "") -> tuple[str, str, bytes]:
    """Return the id of a new secret, the text that its holder sends, and the digest that is stored.

    `kind` is "" for an access key, "s" for a secret of an OAuth client, "t" for an access token.
    """
    identifier, secret = kind + secrets.token_hex(5), secrets.token_urlsafe(32)
    return identifier, f"{PREFIX}_{identifier}_{secret}", digest(secret)


def add(write: Transaction, key: Key) -> None:
    """Store a new key."""
    keys.insert(write.connection, key)
    _note(write, "create", key, {}, _values(key))


def change(write: Transaction, identifier: str, **values: Any) -> Key:
    """Set columns of a key and return it.

    :raises NotFound: when there is none; :raises InvalidValue: when IPSIE's profile does not fit.
    """
    before = keys.get(write.connection, identifier)
    if values.get("profile") == keys.IPSIE and (
        not before.oauth or before.access == "read" or oauth.list_all(write.connection, identifier, "secret")
    ):
        raise InvalidValue(
            f"IPSIE's profile needs an OAuth client that may write and has no secret, which {identifier} is not. "
            "Revoke its secrets, or make a client: flask keys create NAME --oauth --profile ipsie."
        )
    key = keys.change(write.connection, identifier, **values)
    _note(write, "change", key, _values(before), _values(key))
    return key


def revoke(write: Transaction, identifier: str) -> Key:
    """Revoke a key, which stops at once; a key that is revoked already keeps the instant.

    :raises NotFound: when there is none.
    """
    before = keys.get(write.connection, identifier)
    key = keys.revoke(write.connection, identifier)
    _note(write, "revoke", key, _values(before), _values(key))
    return key


def discard(write: Transaction, key: Key) -> None:
    """Delete a key that no client ever had."""
    keys.discard(write.connection, key.id)
    _note(write, "remove", key, _values(key), {})


def _values(key: Key) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name not in UNNAMED}


def _note(write: Transaction, action: str, key: Key, before: dict[str, Any], after: dict[str, Any]) -> None:
    changes = journal.difference(before, after)
    if changes:
        write.note(action, ("AccessKey", key.id, key.name), changes)


def split_secret(text: str) -> tuple[str, str, str]:
    """Return the prefix, the id and the random part of the text of a key or secret; "" for what is missing."""
    prefix, _, rest = text.partition("_")
    identifier, _, random = rest.partition("_")
    return prefix, identifier, random


def digest(secret: str) -> bytes:
    """Return the digest of a key's secret that is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
