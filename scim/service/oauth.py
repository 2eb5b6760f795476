"""OAuth 2.0 clients (RFC 6749 section 4.4): their secrets and trusts, with a journal entry for each act, and tokens."""

import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any, NamedTuple

from schemas.datetimes import from_seconds, now, to_seconds
from schemas.errors import BadRequest, InvalidValue, Unauthorized
from scim.service import issuers, jose
from scim.service.keys import DUMMY_DIGEST, PREFIX, add, digest, make_secret, split_secret
from storage import journal, keys, oauth
from storage.database import Database
from storage.journal import Author
from storage.keys import Key
from storage.oauth import READ, Credential, Token
from storage.repository import Repository, Transaction

SCIM = "scim"
SECRET_DAYS, MOST_SECRET_DAYS = 365, 1095
MOST_AUDIENCES, LONGEST = 20, 1000


class OAuthError(BadRequest):
    """A token request that is wrong (RFC 6749 section 5.2)."""

    error = "invalid_request"


class UnsupportedGrantType(OAuthError):
    error = "unsupported_grant_type"


class InvalidClient(Unauthorized):
    """The client is unknown, or its secret or assertion is wrong; which of them is not told."""

    error = "invalid_client"

    def __init__(self) -> None:
        super().__init__(
            "The client is unknown, or its secret or assertion is wrong or has expired; compare client id and secret, "
            "or issuer, subject and audience, with those in Perch.",
            {"WWW-Authenticate": 'Basic realm="Perch"'},
        )


class Issued(NamedTuple):
    """A new access token, the seconds that it works, and its scope."""

    token: str
    seconds: int
    scope: str


def add_client(write: Transaction, key: Key, bearer: str) -> str | None:
    """Store a new key and return the text that its client sends: `bearer`, or the first secret of an OAuth client.

    None for a client of IPSIE's profile, which has no secret.
    """
    add(write, key)
    if not key.oauth:
        return bearer
    return None if key.profile == keys.IPSIE else add_secret(write, key, SECRET_DAYS)[1]


def add_secret(write: Transaction, key: Key, days: float) -> tuple[Credential, str]:
    """Add a secret that works for some days; return it with the text that its client sends.

    :raises InvalidValue: for a key that is no OAuth client, or is revoked or expired.
    """
    _check_client(key)
    if key.profile == keys.IPSIE:
        raise InvalidValue(
            f"{key.id} follows IPSIE's profile and takes signed assertions only: flask keys trust {key.id}."
        )
    identifier, text, stored = make_secret("s")
    credential = Credential(identifier, key.id, now(), keys.expiry(days), stored)
    _add(write, key, credential, {"secret": identifier, "expires": credential.expires})
    return credential, text


def add_trust(
    write: Transaction, key: Key, issuer: str | None, subject: str | None, audiences: list[str], jwks: str | None
) -> Credential:
    """Add a trust: in the holder of a key set (RFC 7523 section 2.2), or in an issuer that names a subject so.

    :raises InvalidValue: naming what is missing or wrong.
    """
    _check_client(key)
    if issuer is None and (subject or audiences or not jwks):
        raise InvalidValue("Give a key set (--jwks), or an issuer (--issuer) with its --subject and --audience.")
    if issuer is not None:
        issuers.parse(issuer)
        if not subject or not audiences or not all(audiences) or len(audiences) > MOST_AUDIENCES:
            raise InvalidValue("An issuer needs one subject and 1 to 20 audiences; copy them from the provider.")
    if any(len(text) > LONGEST for text in (issuer or "", subject or "", *audiences)):
        raise InvalidValue(f"Issuer, subject and audience have at most {LONGEST} characters each.")
    if jwks is not None:
        jwks = json.dumps(jose.read_key_set(jwks))
    identifier = "j" + make_secret()[0]
    credential = Credential(
        identifier, key.id, now(), None, None, issuer, subject, json.dumps(audiences) if audiences else None, jwks
    )
    _add(write, key, credential, {"trust": identifier, "issuer": issuer, "subject": subject, "audience": audiences})
    return credential


def revoke_credential(write: Transaction, key: Key, kind: str, identifier: str) -> Credential:
    """Delete a secret or trust; its tokens stop at once.

    :raises NotFound: when the key has none of that id.
    """
    credential = oauth.get(write.connection, key.id, kind, identifier)
    oauth.delete(write.connection, identifier)
    _note(write, key, {kind: identifier}, {})
    return credential


def check_oauth(key: Key) -> None:
    """Refuse a key that is no OAuth client.

    :raises InvalidValue: saying how to make one.
    """
    if not key.oauth:
        raise InvalidValue(f"{key.id} is an access key; make an OAuth client with flask keys create NAME --oauth.")


def _check_client(key: Key) -> None:
    check_oauth(key)
    if not key.live:
        raise InvalidValue(f"The key {key.id} is revoked or expired; make a new one.")


def _add(write: Transaction, key: Key, credential: Credential, told: dict[str, Any]) -> None:
    oauth.insert(write.connection, credential)
    _note(write, key, {}, {name: value for name, value in told.items() if value})


def _note(write: Transaction, key: Key, before: dict[str, Any], after: dict[str, Any]) -> None:
    write.note("change", ("AccessKey", key.id, key.name), journal.difference(before, after))


def by_secret(database: Database, client: str, secret: str) -> tuple[Key, Credential]:
    """Return the client with a secret; unknown clients and wrong secrets take the same time.

    :raises InvalidClient: when one of them is wrong, revoked or expired.
    """
    prefix, identifier, random = split_secret(secret)
    found, sent = oauth.look_up_secret(database, client, identifier), digest(random)
    same = hmac.compare_digest((found[1].digest if found else None) or DUMMY_DIGEST, sent)
    if found is None or not same or prefix != PREFIX or not (found[0].live and found[1].live):
        raise InvalidClient()
    return found


def issue(
    repository: Repository, key: Key, credential: Credential, asked: str, minutes: int, author: Author,
    once: tuple[str, float] | None = None,
) -> Issued:  # fmt: skip
    """Store a new access token and return it; it ends with its secret at the latest.

    `once` is the `jti` of an assertion and its end in seconds since 1970.

    :raises InvalidClient: when the assertion came before, or key or credential was revoked meanwhile.
    """
    identifier, text, stored = make_secret("t")
    # Unknown scopes are ignored; without any it is all that the key may. IPSIE has the scope scim only.
    known = set() if key.profile == keys.IPSIE else {SCIM, READ}.intersection(asked.split())
    scope = SCIM if key.access == "provision" and known != {READ} else READ
    ends = min([now(timedelta(minutes=minutes)), *filter(None, (key.expires, credential.expires))])
    with repository.writing(author) as write:
        oauth.prune(write.connection)
        if not oauth.is_live(write.connection, key.id, credential.id):
            raise InvalidClient()
        if once is not None and not oauth.take_assertion(
            write.connection, credential.id, hashlib.sha256(once[0].encode("utf-8", "surrogatepass")).digest(),
            from_seconds(once[1]),
        ):  # fmt: skip
            raise InvalidClient()
        oauth.insert_token(write.connection, Token(identifier, key.id, credential.id, stored, scope, ends))
        write.note_count("token", ("AccessKey", key.id, key.name))
    return Issued(text, max(1, round(to_seconds(ends) - to_seconds(now()))), scope)
