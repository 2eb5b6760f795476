"""Console sessions, attempts to sign in per address, and forms that were sent already."""

import sqlite3
import time

KEPT_FORMS_S = 2 * 24 * 3600


def open_session(connection: sqlite3.Connection, digest: bytes, fingerprint: bytes, lifetime: int) -> None:
    """Add a session for `lifetime` seconds; `fingerprint` is that of the password that opened it."""
    now = int(time.time())
    connection.execute("DELETE FROM console_sessions WHERE expires <= ?", (now,))
    connection.execute("INSERT INTO console_sessions VALUES (?, ?, ?)", (digest, fingerprint, now + lifetime))


def is_open(connection: sqlite3.Connection, digest: bytes, fingerprint: bytes) -> bool:
    """Tell whether a session is valid: not signed out, not expired, and opened with the present password."""
    found = connection.execute(
        "SELECT 1 FROM console_sessions WHERE digest = ? AND fingerprint = ? AND expires > ?",
        (digest, fingerprint, int(time.time())),
    )
    return found.fetchone() is not None


def close_session(connection: sqlite3.Connection, digest: bytes) -> None:
    """End a session."""
    connection.execute("DELETE FROM console_sessions WHERE digest = ?", (digest,))


def take_attempt(connection: sqlite3.Connection, address: str, limit: int, window: int) -> int:
    """Count an attempt to sign in; return 0, or the seconds to wait after `limit` attempts in `window` seconds."""
    now = time.time()
    connection.execute("DELETE FROM console_attempts WHERE at <= ?", (now - window,))
    spent, oldest = connection.execute(
        "SELECT count(*), min(at) FROM console_attempts WHERE address = ?", (address,)
    ).fetchone()
    if spent >= limit:
        return max(1, int(oldest + window - now))
    connection.execute("INSERT INTO console_attempts (address, at) VALUES (?, ?)", (address, now))
    return 0


def forget_attempts(connection: sqlite3.Connection, address: str) -> None:
    """Forget the attempts of an address after a right password."""
    connection.execute("DELETE FROM console_attempts WHERE address = ?", (address,))


def spend_form(connection: sqlite3.Connection, token: str) -> bool:
    """Note that a form was sent; False when it was sent before, so that a reload does nothing twice."""
    now = int(time.time())
    connection.execute("DELETE FROM console_forms WHERE at <= ?", (now - KEPT_FORMS_S,))
    done = connection.execute("INSERT OR IGNORE INTO console_forms VALUES (?, ?)", (token[:100], now))
    return bool(done.rowcount)
