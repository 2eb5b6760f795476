"""Events as signed security event tokens (RFC 8417) of the SCIM profile (RFC 9967), and the keys that sign them."""

import time
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from scim.events.documents import scim_events
from storage import signing_keys
from storage.database import Database
from storage.events import Event

MEDIA_TYPE = "application/secevent+jwt"
ALGORITHM = "ES256"
CURVE = "P-256"


class Signer:
    """Signs events for one receiver; `issuer` is the workspace's URL, `audience` names the receiver."""

    def __init__(self, key: ECKey, issuer: str, audience: str) -> None:
        self.key = key
        self.issuer = issuer
        self.audience = audience

    def sign(self, event: Event) -> str:
        """Return an event as a signed token; the same event has the same `jti` whenever it is signed."""
        header = {"alg": ALGORITHM, "typ": "secevent+jwt", "kid": self.key.kid}
        return jwt.encode(header, self._claims(event), self.key, algorithms=[ALGORITHM])

    def _claims(self, event: Event) -> dict[str, Any]:
        return {
            "iss": self.issuer,
            "aud": [self.audience],
            "iat": int(time.time()),
            "jti": event.id,
            "txn": event.request,
            "toe": int(datetime.fromisoformat(event.at).replace(tzinfo=UTC).timestamp()),
            "sub_id": _subject(event),
            "events": scim_events(event),
        }


def _subject(event: Event) -> dict[str, str]:
    """Return what an event is about (RFC 9967 section 2.1): the path below the base URL, the externalId if known."""
    found = {"format": "scim", "uri": f"/{event.type}s/{event.subject}", "id": event.subject}
    external = event.named.get("externalId")
    return {**found, "externalId": external} if external else found


def signing_key(database: Database) -> ECKey:
    """Return the key that signs; the deployment makes it at first use, once whoever comes first."""
    with database.read() as connection:
        kept = signing_keys.list_all(connection)
    if not kept:
        with database.write() as connection:
            kept = signing_keys.list_all(connection) or [_make(connection)]
    return ECKey.import_key(kept[0])


def _make(connection: Any) -> dict[str, Any]:
    key = ECKey.generate_key(CURVE, {"use": "sig", "alg": ALGORITHM})
    jwk = {**key.as_dict(private=True), "kid": key.thumbprint()}
    signing_keys.insert(connection, jwk)
    return jwk


def published(database: Database) -> dict[str, Any]:
    """Return the public keys as a JWK Set (RFC 7517 section 5), empty before tokens are in use."""
    with database.read() as connection:
        kept = signing_keys.list_all(connection)
    return {"keys": [ECKey.import_key(jwk).as_dict(private=False) for jwk in kept]}
