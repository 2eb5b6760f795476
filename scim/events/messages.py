"""Turns an event into the body and headers of a push: a signed Standard Webhooks message, or an RFC 8935 token."""

from datetime import UTC, datetime

from schemas.json import to_text
from scim.events import documents, tokens
from storage.events import Event
from storage.webhooks import Webhook

USER_AGENT = "Perch-Webhooks/1"


def token(signer: tokens.TokenSigner, event: Event) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of an event as a security event token (RFC 8935 section 2.1)."""
    headers = {"Content-Type": tokens.MEDIA_TYPE, "Accept": "application/json", "User-Agent": USER_AGENT}
    return signer.sign(event).encode(), headers


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
