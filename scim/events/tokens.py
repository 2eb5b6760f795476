"""Events as signed security event tokens (RFC 8417, SCIM profile RFC 9967), and the keys that sign them.

joserfc is imported in the functions that use it: with cryptography it takes 4 MiB, and few workers ever sign.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.datetimes import now
from scim.events.documents import scim_events
from storage import journal, signing_keys
from storage.database import Database
from storage.events import Event
from storage.journal import Author
from storage.repository import Repository, Transaction

if TYPE_CHECKING:
    from joserfc.jwk import ECKey

MEDIA_TYPE = "application/secevent+jwt"
ALGORITHM = "ES256"
CURVE = "P-256"
OVERLAP_HOURS = 24.0
MINUTES_BEFORE = signing_keys.PUBLISHED_FIRST // timedelta(minutes=1)
SUBJECT = ("Workspace", "signing key", "signing key")


class TokenSigner(NamedTuple):
    """Signs events for one receiver; `issuer` is the workspace's URL, `audience` names the receiver."""

    key: "ECKey"
    issuer: str
    audience: str

    def sign(self, event: Event) -> str:
        """Return an event as a signed token; every token of an event has the same `jti`."""
        from joserfc import jwt

        header = {"alg": ALGORITHM, "typ": "secevent+jwt", "kid": self.key.kid}
        claims = {
            "iss": self.issuer, "aud": [self.audience], "iat": int(time.time()), "jti": event.id, "txn": event.request,
            "toe": int(datetime.fromisoformat(event.at).replace(tzinfo=UTC).timestamp()),
            "sub_id": _subject(event), "events": scim_events(event),
        }  # fmt: skip
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])


def _subject(event: Event) -> dict[str, str]:
    """Return the subject of an event (RFC 9967 section 2.1): its path below the base URL, and externalId if known."""
    found = {"format": "scim", "uri": f"/{event.type}s/{event.subject}", "id": event.subject}
    external = event.named.get("externalId")
    return {**found, "externalId": external} if external else found


def signing_key(repository: Repository, author: Author) -> "ECKey":
    """Return the deployment's key that signs now; the first is made when it is needed."""
    with repository.reading() as snapshot:
        kept = signing_keys.signing(snapshot.connection)
    if kept is None:
        with repository.writing(author) as write:
            # Another process may have made it since the read.
            kept = signing_keys.signing(write.connection)
            if kept is None:
                kept = _insert(write)
                write.note("create", SUBJECT, journal.difference({}, {"kid": kept["kid"]}))
    return _key(kept)


def rotate(repository: Repository, author: Author, overlap: float = OVERLAP_HOURS) -> str:
    """Make a new key and return its id; the keys before it stay published for `overlap` hours.

    The new one signs once receivers have had time to see it in the key set; without an overlap it signs at once.
    """
    with repository.writing(author) as write:
        instant = now(timedelta(hours=overlap))
        old = signing_keys.retire(write.connection, instant)
        signing_keys.prune(write.connection)
        made = _insert(write)
        after = {"kid": made["kid"], "published until": instant}
        write.note("rotate", SUBJECT, journal.difference({"kid": old}, after))
    return str(made["kid"])


def _key(jwk: dict[str, Any]) -> "ECKey":
    from joserfc.jwk import ECKey

    return ECKey.import_key(jwk)


def _insert(write: Transaction) -> dict[str, Any]:
    """Make a key and store it."""
    from joserfc.jwk import ECKey

    key = ECKey.generate_key(CURVE, {"use": "sig", "alg": ALGORITHM})
    made = {**key.as_dict(private=True), "kid": key.thumbprint()}
    signing_keys.insert(write.connection, made)
    return made


def published(database: Database) -> dict[str, Any]:
    """Return the public keys as a JWK Set (RFC 7517 section 5); it is empty until a token is asked for."""
    with database.read() as connection:
        kept = signing_keys.list_all(connection)
    return {"keys": [_key(jwk).as_dict(private=False) for jwk in kept]}
