"""Forms that create a secret: each carries a token that works once, so that a reload makes no second secret."""

import secrets

from scim.console.web import field
from storage import sessions
from storage.database import Connection


def token() -> str:
    """Return a new token for a form."""
    return secrets.token_urlsafe(16)


def is_first(connection: Connection) -> bool:
    """Use up the token of the sent form; False when the form was sent before."""
    return sessions.spend_form(connection, field("once"))
