"""An event as the bytes and headers of a push: signed the Standard Webhooks way, or a token as RFC 8935 wants it."""

from datetime import UTC, datetime

from schemas.json import to_text
from scim.events import documents, tokens
from storage.database import Database
from storage.events import Event
from storage.webhooks import Webhook

AGENT = "Perch-Webhooks/1"


class Messages:
    """Makes messages for receivers; `issuer` is the workspace's URL."""

    def __init__(self, database: Database, issuer: str) -> None:
        self.database = database
        self.issuer = issuer

    def of(self, webhook: Webhook, event: Event) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of an event for a webhook."""
        if webhook.format == "set":
            signer = tokens.Signer(tokens.signing_key(self.database), self.issuer, webhook.url)
            headers = {"Content-Type": tokens.MEDIA_TYPE, "Accept": "application/json", "User-Agent": AGENT}
            return signer.sign(event).encode(), headers
        return signed(webhook, event)


def signed(webhook: Webhook, event: Event) -> tuple[bytes, dict[str, str]]:
    """Return an event signed with every secret that counts (Standard Webhooks, "Signature scheme")."""
    from standardwebhooks.webhooks import Webhook as Signature

    text, moment = to_text(documents.document(event)), datetime.now(UTC)
    signatures = [Signature(secret).sign(event.id, moment, text) for secret in webhook.secrets()]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": AGENT,
        "webhook-id": event.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return text.encode(), headers
