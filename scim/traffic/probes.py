"""Requests that Perch sends to itself to test its connection: they are not recorded, since no client sent them."""

import hmac
import time

from flask import Request

from storage import workspace
from storage.database import Database

HEADER, VARIABLE = "Perch-Probe", "HTTP_PERCH_PROBE"
LIFETIME_S = 60


def mark(database: Database) -> str:
    """Return the value of HEADER with which any process of this deployment knows its own requests for a minute."""
    return _signed(database, int(time.time()))


def is_own(database: Database, sent: Request) -> bool:
    """Tell whether this deployment sent a request itself; only reads are believed."""
    text: str = sent.environ.get(VARIABLE, "")
    second = text.partition(".")[0]
    if sent.method != "GET" or not (second.isascii() and second.isdecimal() and len(second) < 12):
        return False
    fresh = 0 <= time.time() - int(second) <= LIFETIME_S
    return fresh and hmac.compare_digest(_signed(database, int(second)).encode(), text.encode("utf-8", "replace"))


def _signed(database: Database, second: int) -> str:
    with database.read() as connection:
        secret = bytes.fromhex(str(workspace.get(connection, "secret")))
    return f"{second}.{hmac.digest(secret, f'probe {second}'.encode(), 'sha256').hex()}"
