"""The console's password: only its hash is stored; PERCH_ADMIN_PASSWORD takes precedence."""

import hmac
import secrets

from werkzeug.security import check_password_hash, generate_password_hash

from scim.settings import Settings
from storage import workspace
from storage.database import Connection
from storage.repository import Transaction

NAME = "admin_password"
# 32 MiB and three passes, as OWASP asks of scrypt.
METHOD = "scrypt:32768:8:3"
SUBJECT = ("Console", "password", "console")


def make(write: Transaction) -> str:
    """Set a new random password of 22 characters (128 bits) and return it."""
    password = secrets.token_urlsafe(16)
    workspace.put(write.connection, NAME, generate_password_hash(password, METHOD))
    write.note("password", SUBJECT, {})
    return password


def is_set(connection: Connection) -> bool:
    """Tell whether a password was ever set."""
    return workspace.get(connection, NAME) is not None


def matches(connection: Connection, settings: Settings, password: str) -> bool:
    """Tell whether a password opens the console."""
    if settings["PERCH_ADMIN_PASSWORD"]:
        return hmac.compare_digest(settings["PERCH_ADMIN_PASSWORD"].encode(), password.encode("utf-8", "replace"))
    kept = workspace.get(connection, NAME)
    return kept is not None and check_password_hash(str(kept), password)
