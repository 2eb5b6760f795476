"""Sign-ins with an identity provider that are under way: each is bound to one browser and is used once."""

import time
from dataclasses import astuple, dataclass
from sqlite3 import Connection

LIFETIME_S, MOST = 600, 10_000


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in under way, with digests of state, of the browser's secret and of the session that is proved, if any."""

    state: bytes
    browser: bytes
    nonce: str
    verifier: str
    redirect: str
    wanted: str
    session: bytes | None
    at: int


def add(connection: Connection, login: Login) -> None:
    """Keep a sign-in, and delete those that are too old or too many."""
    connection.execute("INSERT INTO console_logins VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(login))
    connection.execute(
        "DELETE FROM console_logins WHERE at <= ? OR state IN "
        "(SELECT state FROM console_logins ORDER BY at DESC LIMIT -1 OFFSET ?)",
        (int(time.time()) - LIFETIME_S, MOST),
    )


def take(connection: Connection, state: bytes) -> Login | None:
    """Return a sign-in and delete it, so that it is used once; None for one that there is not, or not any more."""
    row = connection.execute("DELETE FROM console_logins WHERE state = ? RETURNING *", (state,)).fetchone()
    login = Login(*row) if row else None
    return login if login and login.at > time.time() - LIFETIME_S else None
