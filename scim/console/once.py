"""Secrets that are shown once: each form that makes one carries a token, and is good for one secret."""

import secrets

from scim.console.web import field
from storage import sessions
from storage.database import Connection

FIELD = "once"


def token() -> str:
    """Return what a form that makes a secret carries."""
    return secrets.token_urlsafe(16)


def is_first(connection: Connection) -> bool:
    """Spend the token of the sent form; False when it was sent before, so that a reload makes no second secret."""
    return sessions.spend_form(connection, field(FIELD))
