"""Console sessions, attempts to sign in per address, and forms that were sent already."""

import math
import time
from dataclasses import dataclass
from sqlite3 import Connection

from storage.database import Database
from storage.sql.tables import fetch, fetch_all

KEPT_FORMS_S = 2 * 24 * 3600
# A session ends 12 hours after the sign-in, and after two hours without use; its use is written once a minute.
LIFETIME_S, IDLE_S, WRITE_USE_EVERY_S = 12 * 3600, 2 * 3600, 60
# After this many attempts to sign in within the window, an address may make one per pause.
ATTEMPTS, WINDOW_S, PAUSE_S = 8, 600, 60
OPEN = "fingerprint IN (?, ?) AND expires > ? AND used > ?"
# Digests of what may open sessions now: the password, the settings of the identity provider; b"" for none.
Fingerprints = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Session:
    """A session: the digest of its cookie, the address that opened it; times are seconds since 1970.

    `person` is the name by which the identity provider's claim knows somebody, "" for the password; `proved` is when
    they last signed in.
    """

    digest: bytes
    address: str
    opened: int
    used: int
    expires: int
    person: str
    proved: int

    @property
    def id(self) -> str:
        """The id by which pages and the journal name the session; it opens nothing."""
        return session_id(self.digest)


def session_id(digest: bytes) -> str:
    """Return the id of the session with a digest."""
    return digest.hex()[:12]


def open_session(
    connection: Connection, digest: bytes, fingerprint: bytes, address: str, person: str = "", proved: float = math.inf
) -> None:
    """Add a session; `fingerprint` is that of the password or of the provider's settings, `proved` is at most now."""
    now = int(time.time())
    prune(connection)
    values = (digest, fingerprint, address, now, now, now + LIFETIME_S, person, int(min(now, proved)))
    connection.execute("INSERT INTO console_sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def get(connection: Connection, digest: bytes, fingerprints: Fingerprints) -> Session | None:
    """Return a session that is valid: not ended, expired or idle, and opened with the present password or settings."""
    rest = f"FROM console_sessions WHERE digest = ? AND {OPEN}"
    return fetch(connection, Session, rest, digest, *_now(fingerprints))


def list_open(connection: Connection, fingerprints: Fingerprints) -> list[Session]:
    """Return all valid sessions, the last used first."""
    rest = f"FROM console_sessions WHERE {OPEN} ORDER BY used DESC, digest"
    return fetch_all(connection, Session, rest, *_now(fingerprints))


def _now(fingerprints: Fingerprints) -> tuple[bytes, bytes, int, int]:
    now = int(time.time())
    return *fingerprints, now, now - IDLE_S


def note_proof(connection: Connection, digest: bytes) -> None:
    """Set when the person of a session last signed in to now."""
    connection.execute("UPDATE console_sessions SET proved = ? WHERE digest = ?", (int(time.time()), digest))


def close_person(connection: Connection, person: str) -> list[Session]:
    """End all sessions of a person, and return them."""
    found = fetch_all(connection, Session, "FROM console_sessions WHERE person = ?", person)
    connection.execute("DELETE FROM console_sessions WHERE person = ?", (person,))
    return found


def note_use(database: Database, session: Session) -> None:
    """Set when a session was last used to now, if a minute has passed; a power cut may lose that.

    :raises Unavailable: at once, when others write.
    """
    now = int(time.time())
    if now - session.used >= WRITE_USE_EVERY_S:
        with database.write(wait=0, durable=False) as connection:
            connection.execute("UPDATE console_sessions SET used = ? WHERE digest = ?", (now, session.digest))


def close_session(connection: Connection, digest: bytes) -> bool:
    """End a session; False when it had ended."""
    return bool(connection.execute("DELETE FROM console_sessions WHERE digest = ?", (digest,)).rowcount)


def close_all(connection: Connection) -> None:
    """End all sessions."""
    connection.execute("DELETE FROM console_sessions")


def prune(connection: Connection) -> None:
    """Delete sessions that have ended, and attempts that no longer count: both hold addresses."""
    now = int(time.time())
    connection.execute("DELETE FROM console_sessions WHERE expires <= ? OR used <= ?", (now, now - IDLE_S))
    connection.execute("DELETE FROM console_attempts WHERE at <= ?", (now - WINDOW_S,))


def seconds_to_wait(connection: Connection, address: str) -> int:
    """Return 0, or in how many seconds an address may try to sign in again."""
    now = time.time()
    spent, last = connection.execute(
        "SELECT count(*), max(at) FROM console_attempts WHERE address = ? AND at > ?", (address, now - WINDOW_S)
    ).fetchone()
    # A clock that was set back must lock nobody out.
    return min(max(0, math.ceil(last + PAUSE_S - now)), PAUSE_S) if spent >= ATTEMPTS else 0


def take_attempt(connection: Connection, address: str) -> int:
    """Count an attempt to sign in and return 0, or return the seconds to wait before the next one."""
    connection.execute("DELETE FROM console_attempts WHERE at <= ?", (time.time() - WINDOW_S,))
    wait = seconds_to_wait(connection, address)
    if not wait:
        connection.execute("INSERT INTO console_attempts (address, at) VALUES (?, ?)", (address, time.time()))
    return wait


def forget_attempts(connection: Connection, address: str) -> None:
    """Forget the attempts of an address, such as after a right password."""
    connection.execute("DELETE FROM console_attempts WHERE address = ?", (address,))


def forget_address(connection: Connection, address: str, instead: str) -> None:
    """Erase an address from open sessions and from the attempts."""
    connection.execute("UPDATE console_sessions SET address = ? WHERE address = ?", (instead, address))
    forget_attempts(connection, address)


def spend_form(connection: Connection, token: str) -> bool:
    """Note that a form was sent; False when it was sent before, so that a reload does nothing twice."""
    now = int(time.time())
    connection.execute("DELETE FROM console_forms WHERE at <= ?", (now - KEPT_FORMS_S,))
    done = connection.execute("INSERT OR IGNORE INTO console_forms VALUES (?, ?)", (token[:100], now))
    return bool(done.rowcount)
