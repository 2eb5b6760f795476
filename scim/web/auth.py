"""Authentication by access key, and what a key may do (RFC 7644 section 2)."""

import base64
import hmac
import math
import re
import time

from schemas.errors import Forbidden, ScimError, Unauthorized
from scim.service.keys import DUMMY_DIGEST, PREFIX, digest, split_secret
from scim.web import addresses
from storage import keys, oauth
from storage.database import Database
from storage.failed_keys import FailedKeys
from storage.keys import NO_PROFILE, Caller, Key

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Perch"'}
READING = ("GET", "HEAD", "OPTIONS")
# What a key may POST that only reads: searches, polls for security event tokens (RFC 8936), receipts of events.
READING_POSTS = ("/.search", "/events/poll", "/receipt")
BEARER = re.compile(r"^(bearer(\s+|$))+", re.IGNORECASE)
USUAL = re.compile(rf"Bearer ({PREFIX}_[A-Za-z0-9_-]+)")
INVALID_TOKEN = {"WWW-Authenticate": 'Bearer realm="Perch", error="invalid_token"'}
# Seconds between two writes of a key's last use by a process, and until a retry if the writer was busy.
WRITE_EVERY, RETRY_AFTER = 60, 5


class DeadKey(Unauthorized):
    """The key is the right one, but it was revoked or has expired."""

    def __init__(self, key: Key) -> None:
        state = "revoked" if key.revoked else "expired"
        super().__init__(f"The access key {key.id} was {state}; make a new one in Perch.", CHALLENGE)
        self.key = key


class Authenticator:
    """Admits callers with a live key, counts refused ones per address, and writes when each key was last used."""

    def __init__(self, database: Database, failed_keys: int) -> None:
        """Allow each address `failed_keys` requests without a valid key per minute; further ones are answered 429."""
        self.database = database
        # A follower writes nothing beside its file: each of its processes counts alone.
        self.failures = FailedKeys(None if database.follows else f"{database.path}.failures", failed_keys)
        self._written: dict[str, float] = {}

    def admit(self, authorization: str | None, address: str | None) -> Caller:
        """Return the caller with the live key of an Authorization header: Bearer, bare, or the password of Basic.

        :raises Unauthorized: saying what to put into the header.
        :raises TooManyRequests: when the address sent too many requests without one; a valid key always passes.
        """
        try:
            caller = self._find(_sent_key(authorization))
        except Unauthorized:
            addresses.count_refused(self.failures, address)
            raise
        self._write_last_use(caller.key)
        return caller

    def profile(self, authorization: str | None) -> str:
        """Return the profile of the key in a header that need not have one, for what is open to everybody."""
        try:
            return self._find(_sent_key(authorization)).key.profile if authorization else NO_PROFILE
        except ScimError:
            return NO_PROFILE

    def _find(self, text: str) -> Caller:
        prefix, identifier, secret = split_secret(text)
        if prefix != PREFIX and f"{PREFIX}_" in text:
            raise _unauthorised("The Authorization header holds more than a key; send perch_… alone, without quotes.")
        if prefix != PREFIX:
            raise _unauthorised("The Authorization header holds no Perch access key; a key begins with perch_.")
        sent = digest(secret)
        is_token = identifier.startswith("t")
        # Each request reads the key from the file, so that a revocation counts at once in every process.
        caller = (oauth.look_up_token if is_token else keys.look_up)(self.database, identifier)
        # Compare against a dummy digest for unknown keys (constant time).
        same = hmac.compare_digest(caller.key.digest if caller else DUMMY_DIGEST, sent)
        if caller is not None and same and caller.key.live:
            return caller
        if is_token and not (caller is not None and same and caller.key.revoked):
            raise Unauthorized(
                "The access token is not valid or has expired; ask the token endpoint for a new one.", INVALID_TOKEN
            )
        if caller is None or not same:
            raise _unauthorised("The access key is not valid; copy it again or make a new one in Perch.")
        raise DeadKey(caller.key)

    def _write_last_use(self, key: Key) -> None:
        """Write when a key was last used, once a minute and only if the writer is free: no request waits for it."""
        moment = time.monotonic()
        if self.database.follows or moment - self._written.get(key.id, -math.inf) < WRITE_EVERY:
            return
        self._written[key.id] = moment
        try:
            keys.note_use(self.database, key.id)
        except ScimError:
            self._written[key.id] = moment - WRITE_EVERY + RETRY_AFTER


def authorise(key: Key, method: str, route: str) -> None:
    """Refuse a request that its key does not allow: a `read` key may GET, search, poll and acknowledge.

    `route` is the rule that matched, the same for all spellings of a path; "" if none did.

    :raises Forbidden: naming the key.
    """
    if key.access == "read" and method not in READING and not (method == "POST" and route.endswith(READING_POSTS)):
        raise Forbidden(f"The access key '{key.name}' may only read; use a key with provision access.")


def _sent_key(authorization: str | None) -> str:
    if not authorization:
        raise _unauthorised("Send an access key in the header Authorization: Bearer perch_…")
    if usual := USUAL.fullmatch(authorization):
        return usual[1]
    # Okta's form puts "Bearer " before the pasted key, which may begin with "Bearer " itself.
    text = BEARER.sub("", authorization.strip())
    scheme, _, rest = text.partition(" ")
    return text if scheme.lower() != "basic" else decoded_basic(rest).partition(":")[2]


def decoded_basic(sent: str) -> str:
    """Return name and password of Basic credentials with a colon between them (RFC 7617), "" for what is none."""
    try:
        return base64.b64decode(sent.strip(), validate=True).decode()
    except ValueError:
        return ""


def _unauthorised(detail: str) -> Unauthorized:
    return Unauthorized(detail, CHALLENGE)
