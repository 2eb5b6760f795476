"""Webhooks as an operator handles them: add, list, test, replay, rotate, pause; no Flask."""

import base64
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from schemas.datetimes import now, stored, to_json
from schemas.errors import InvalidValue
from schemas.events import KINDS
from scim.events import tokens
from scim.events.messages import Messages
from scim.events.sender import Outcome, Sender
from scim.events.urls import Policy
from scim.settings import Settings
from storage import events, webhooks
from storage.database import Database
from storage.events import Event
from storage.webhooks import Webhook

STANDARD, SET = "standard", "set"
OVERLAP_HOURS = 24.0
TEST = "perch.test"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an operator works: the deployment, and the workspace's URL as issuer of tokens."""

    database: Database
    settings: Settings
    issuer: str

    def add(self, url: str, wanted: Sequence[str] = (), form: str = STANDARD) -> Webhook:
        """Add a webhook, which gets what happens from now on; its secret is to be shown this once.

        :raises InvalidValue: for a URL that may not be, or an unknown kind of event.
        """
        Policy.of(self.settings).read(url)
        unknown = [kind for kind in wanted if kind not in KINDS]
        if unknown:
            raise InvalidValue(f"There is no event '{unknown[0][:100]}'; there are {', '.join(KINDS)}.")
        if form == SET:
            tokens.signing_key(self.database)
        identifier = secrets.token_hex(5)
        with self.database.write() as connection:
            webhooks.insert(connection, identifier, url, wanted, form, make_secret())
            return webhooks.get(connection, identifier)

    def list_all(self) -> list[dict[str, Any]]:
        """Return what may be shown of each webhook."""
        with self.database.read() as connection:
            return [
                described(found, webhooks.waiting(connection, found.id)) for found in webhooks.list_all(connection)
            ]  # fmt: skip

    def remove(self, identifier: str) -> Webhook:
        """Remove a webhook; what it has not got is not sent any more."""
        with self.database.write() as connection:
            found = webhooks.get(connection, identifier)
            webhooks.delete(connection, identifier)
        return found

    def rotate(self, identifier: str, overlap: float = OVERLAP_HOURS) -> Webhook:
        """Give a webhook a new secret; for some hours both sign, so that the receiver can change over in peace."""
        with self.database.write() as connection:
            found = webhooks.get(connection, identifier)
            if found.format == SET:
                raise InvalidValue("Tokens are signed with the key of the deployment, not with a secret.")
            until = time.time() + overlap * 3600
            webhooks.change(connection, identifier, secret=make_secret(), oldSecret=found.secret, oldUntil=until)
            return webhooks.get(connection, identifier)

    def pause(self, identifier: str) -> Webhook:
        """Send nothing more to a webhook until it is resumed; nothing is lost while events are kept."""
        with self.database.write() as connection:
            found = webhooks.get(connection, identifier)
            webhooks.change(connection, identifier, paused=found.paused or now(), reason="paused by an operator")
            return webhooks.get(connection, identifier)

    def resume(self, identifier: str) -> Webhook:
        """Go on with a webhook, at once and with fresh patience."""
        with self.database.write() as connection:
            webhooks.get(connection, identifier)
            webhooks.change(
                connection, identifier, paused=None, reason=None, failures=0, failingSince=None, nextTry=0.0
            )
            webhooks.renew(connection, identifier)
            return webhooks.get(connection, identifier)

    def replay(self, identifier: str, begin: str) -> int:
        """Send everything again from a cursor, `oldest`, `latest` (nothing: skip all) or an instant; return how much.

        :raises InvalidValue: when the beginning is none of these; :raises Gone: when it is not kept any more.
        """
        with self.database.write() as connection:
            webhooks.get(connection, identifier)
            position = _position(connection, begin)
            webhooks.change(connection, identifier, position=position, failures=0, failingSince=None, nextTry=0.0)
            # What waits from before is sent in its turn, unless everything is to be skipped.
            webhooks.clear(connection, identifier, -1 if begin == "latest" else position)
            return events.last(connection) - position

    def test(self, identifier: str) -> Outcome:
        """Send an event that says nothing, now, and return how it went."""
        with self.database.read() as connection:
            found = webhooks.get(connection, identifier)
        workspace = self.issuer.rpartition("/")[2]
        event = Event(0, secrets.token_hex(4), now(), TEST, "Workspace", workspace, "test", secrets.token_hex(8), "{}")
        policy = Policy.of(self.settings)
        try:
            target = policy.read(found.url)
        except InvalidValue as refused:
            return Outcome(0, refused.detail)
        sender = Sender(target, policy, self.settings["PERCH_WEBHOOK_TIMEOUT"])
        try:
            return sender.send(*Messages(self.database, self.issuer).of(found, event))
        finally:
            sender.close()


def _position(connection: Any, begin: str) -> int:
    if begin == "latest":
        return events.last(connection)
    if begin == "oldest":
        return events.first(connection) - 1
    if events.CURSOR.fullmatch(begin) or begin == events.BEGINNING:
        return events.position(connection, begin)
    try:
        moment = datetime.fromisoformat(begin)
    except ValueError:
        raise InvalidValue("--from: a cursor, an event's id, oldest, latest, or an instant in ISO 8601.") from None
    utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return webhooks.since(connection, stored(utc))


def make_secret() -> str:
    """Return a new secret as Standard Webhooks writes one: 256 bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def described(found: Webhook, waiting: int) -> dict[str, Any]:
    """Return what may be shown of a webhook: everything but its secrets."""
    state = "paused" if found.paused else "failing" if found.failures else "live"
    return {
        "id": found.id,
        "url": found.url,
        "events": json.loads(found.kinds),
        "format": found.format,
        "state": state,
        "reason": found.reason,
        "failures": found.failures,
        "waiting": waiting,
        "delivered": found.delivered,
        "lastDelivered": found.lastDelivered and to_json(found.lastDelivered),
        "created": to_json(found.created),
        "paused": found.paused and to_json(found.paused),
    }
