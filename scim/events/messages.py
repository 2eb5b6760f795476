"""Turns an event into the body and headers of a push: a signed Standard Webhooks message, or an RFC 8935 token."""

from datetime import UTC, datetime

from schemas.json import to_text
from scim.events import documents, tokens
from storage.events import Event
from storage.journal import Author
from storage.repository import Repository
from storage.webhooks import Webhook

USER_AGENT = "Perch-Webhooks/1"


class MessageBuilder:
    """Builds the messages to receivers; `issuer` is the workspace's URL, `author` makes a missing signing key."""

    def __init__(self, repository: Repository, issuer: str, author: Author) -> None:
        self.repository = repository
        self.issuer = issuer
        self.author = author

    def build(self, webhook: Webhook, event: Event) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of an event for a webhook."""
        if webhook.format == "set":
            key = tokens.signing_key(self.repository, self.author)
            signer = tokens.TokenSigner(key, self.issuer, webhook.url)
            headers = {"Content-Type": tokens.MEDIA_TYPE, "Accept": "application/json", "User-Agent": USER_AGENT}
            return signer.sign(event).encode(), headers
        return signed(webhook, event)


def signed(webhook: Webhook, event: Event) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an event, signed with each valid secret (Standard Webhooks, "Signature scheme")."""
    # Not at the top: a worker that sends no webhook need not load it.
    from standardwebhooks.webhooks import Webhook as Signature

    text, moment = to_text(documents.document(event)), datetime.now(UTC)
    signatures = [Signature(secret).sign(event.id, moment, text) for secret in webhook.secrets()]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": event.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return text.encode(), headers
