"""What an operator can do with webhooks: add, list, test, replay, rotate, pause, resume, remove; no Flask."""

import base64
import json
import secrets
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from schemas.datetimes import from_seconds, now, to_json, typed
from schemas.errors import InvalidValue
from schemas.events import KINDS
from scim.events import messages, tokens
from scim.events.sender import SendResult, WebhookSender
from scim.events.urls import AddressPolicy
from scim.settings import Settings
from storage import events, journal, webhooks
from storage.database import Connection
from storage.events import Event
from storage.journal import Author
from storage.repository import Repository, Transaction
from storage.webhooks import Webhook

STANDARD, SET = "standard", "set"
NO_DELIVERER = "no deliverer"
OVERLAP_HOURS = 24.0
TEST = "perch.test"


@dataclass(frozen=True, slots=True)
class WebhookService:
    """The webhooks of a deployment, changed by one author; `issuer` is the workspace's URL."""

    repository: Repository
    settings: Settings
    issuer: str
    author: Author

    def add(self, url: str, wanted: Sequence[str] = (), form: str = STANDARD) -> Webhook:
        """Add a webhook for events from now on and return it with its secret, which must be shown only once.

        :raises InvalidValue: for a URL that is not allowed, and for an unknown kind of event.
        """
        AddressPolicy.of(self.settings).parse(url)
        unknown = [kind for kind in wanted if kind not in KINDS]
        if unknown:
            raise InvalidValue(f"There is no event '{unknown[0][:100]}'. Send any of {', '.join(KINDS)}.")
        if form == SET:
            tokens.signing_key(self.repository, self.author)
        identifier = secrets.token_hex(5)
        with self._writing() as write:
            webhooks.insert(write.connection, identifier, url, wanted, form, make_secret())
            made = webhooks.get(write.connection, identifier)
            values = {"url": shown_url(url), "events": list(wanted), "format": form}
            _note(write, "create", made, {}, values)
            return made

    def list_all(self) -> list[dict[str, Any]]:
        """Return the description of each webhook."""
        with self.repository.reading() as snapshot:
            return [self.described(snapshot.connection, each) for each in webhooks.list_all(snapshot.connection)]

    def described(self, connection: Connection, found: Webhook) -> dict[str, Any]:
        """Return everything but the secrets of a webhook; nobody delivers to one in the state `no deliverer`."""
        state = "paused" if found.paused else "failing" if found.failures else "live"
        if state != "paused" and not webhooks.is_delivering(self.repository.database.file):
            state = NO_DELIVERER
        return {
            "id": found.id, "url": found.url, "events": json.loads(found.kinds), "format": found.format,
            "state": state, "reason": found.reason, "failures": found.failures,
            "waiting": webhooks.waiting(connection, found.id), "delivered": found.delivered,
            "lastDelivered": found.lastDelivered and to_json(found.lastDelivered),
            "created": to_json(found.created), "paused": found.paused and to_json(found.paused),
        }  # fmt: skip

    def remove(self, identifier: str) -> Webhook:
        """Remove a webhook with its undelivered events."""
        with self._writing() as write:
            found = webhooks.get(write.connection, identifier)
            webhooks.delete(write.connection, identifier)
            _note(write, "remove", found, {"url": shown_url(found.url)}, {})
        return found

    def rotate(self, identifier: str, overlap: float = OVERLAP_HOURS) -> Webhook:
        """Make a new secret; the old one signs, too, for `overlap` hours, in which the receiver can switch.

        :raises InvalidValue: for a webhook that gets tokens.
        """
        with self._writing() as write:
            found = webhooks.get(write.connection, identifier)
            if found.format == SET:
                raise InvalidValue("This webhook has no secret: its tokens are signed with the deployment's key.")
            until = time.time() + overlap * 3600
            webhooks.change(write.connection, identifier, secret=make_secret(), oldSecret=found.secret, oldUntil=until)
            _note(write, "rotate", found, {}, {"old secret signs until": from_seconds(until)})
            return webhooks.get(write.connection, identifier)

    def pause(self, identifier: str) -> Webhook:
        """Pause a webhook; its events wait, for as long as PERCH_EVENTS_DAYS keeps them."""
        with self._writing() as write:
            pause(write, webhooks.get(write.connection, identifier), "paused by an operator")
            return webhooks.get(write.connection, identifier)

    def resume(self, identifier: str) -> Webhook:
        """Resume a webhook at once, with its failures and retry delays reset."""
        with self._writing() as write:
            connection, found = write.connection, webhooks.get(write.connection, identifier)
            webhooks.change(
                connection, identifier, paused=None, reason=None, failures=0, failingSince=None, nextTry=0.0
            )
            webhooks.renew(connection, identifier)
            before = {"paused": found.paused, "failures": found.failures}
            _note(write, "resume", found, before, {"paused": None, "failures": 0})
            return webhooks.get(connection, identifier)

    def replay(self, identifier: str, begin: str) -> int:
        """Move a webhook back, or on, and return the number of events to send.

        `begin` is a cursor, an instant in ISO 8601, `oldest`, or `latest`, which skips all undelivered events.

        :raises InvalidValue: for another beginning.
        :raises Gone: for a cursor whose events were pruned.
        """
        with self._writing() as write:
            connection, found = write.connection, webhooks.get(write.connection, identifier)
            position = _position(connection, begin)
            webhooks.change(connection, identifier, position=position, failures=0, failingSince=None, nextTry=0.0)
            # Queued events before the new position stay queued, unless everything is skipped.
            webhooks.clear(connection, identifier, -1 if begin == "latest" else position)
            _note(write, "replay", found, {"position": found.position}, {"position": position})
            return events.last(connection) - position

    def test(self, identifier: str) -> SendResult:
        """Send an empty test event now and return the result."""
        with self.repository.reading() as snapshot:
            found = webhooks.get(snapshot.connection, identifier)
        workspace = self.issuer.rpartition("/")[2]
        event = Event(0, secrets.token_hex(4), now(), TEST, "Workspace", workspace, "test", secrets.token_hex(8), "{}")
        with closing(self.sender(found)) as sender:
            return sender.send(*self.message(found, event))

    def sender(self, webhook: Webhook) -> WebhookSender:
        """Return a sender of messages to a webhook."""
        return WebhookSender(webhook.url, AddressPolicy.of(self.settings), self.settings["PERCH_WEBHOOK_TIMEOUT"])

    def message(self, webhook: Webhook, event: Event) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of an event for a webhook."""
        if webhook.format != SET:
            return messages.signed(webhook, event)
        key = tokens.signing_key(self.repository, self.author)
        return messages.token(tokens.TokenSigner(key, self.issuer, webhook.url), event)

    def _writing(self) -> AbstractContextManager[Transaction]:
        return self.repository.writing(self.author)


def pause(write: Transaction, webhook: Webhook, reason: str) -> None:
    """Pause a webhook for a reason; one that is paused already keeps the instant."""
    instant = webhook.paused or now()
    webhooks.change(write.connection, webhook.id, paused=instant, reason=reason)
    _note(write, "pause", webhook, {"paused": webhook.paused}, {"paused": instant})


def shown_url(url: str) -> str:
    """Return a URL for the journal: without user and query, which may hold secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" + ("?…" if parts.query else "")


def _note(write: Transaction, action: str, webhook: Webhook, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Journal an act on a webhook, with those values before and after it that differ."""
    write.note(action, ("Webhook", webhook.id, shown_url(webhook.url)), journal.difference(before, after))


def _position(connection: Connection, begin: str) -> int:
    if begin == "latest":
        return events.last(connection)
    if begin == "oldest":
        return events.first(connection) - 1
    if events.CURSOR.fullmatch(begin) or begin == events.BEGINNING:
        return events.position(connection, begin)
    try:
        return webhooks.since(connection, typed(begin))
    except ValueError:
        raise InvalidValue("from: send a cursor, an event's id, oldest, latest, or an instant in ISO 8601.") from None


def make_secret() -> str:
    """Return a new secret of 256 bits, in the format of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
