"""The applications that are told of withdrawals: by a webhook, by asking for events with a key, or at sign-in."""

from dataclasses import dataclass
from sqlite3 import Connection

from schemas.datetimes import now
from schemas.errors import NotFound, Uniqueness
from schemas.text import fold
from storage import events
from storage.sql.tables import fetch, fetch_all


@dataclass(frozen=True, slots=True)
class Application:
    """An application that is told or `asks` at each sign-in; `begin` is the last event before it was added."""

    id: int
    name: str
    webhook: str | None
    key: str | None
    asks: int
    created: str
    begin: int


def add(connection: Connection, name: str, webhook: str | None, key: str | None, asks: bool) -> Application:
    """Add an application, which is concerned by later events.

    :raises Uniqueness: when its name is taken, in any case, or the webhook or key is another application's.
    """
    taken = "FROM applications WHERE folded = ? OR webhook = ? OR key = ?"
    if other := fetch(connection, Application, taken, fold(name), webhook, key):
        reason = "has that name" if fold(other.name) == fold(name) else "has that webhook or key"
        raise Uniqueness(f"The application '{other.name}' {reason} already.")
    connection.execute(
        "INSERT INTO applications (name, folded, webhook, key, asks, created, begin) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (name, fold(name), webhook, key, asks, now(), events.last(connection)),
    )
    return get(connection, name)


def get(connection: Connection, name: str) -> Application:
    """Return an application by its name, in any case.

    :raises NotFound: when there is none.
    """
    found = fetch(connection, Application, "FROM applications WHERE folded = ?", fold(name))
    if found is None:
        raise NotFound(f"There is no application '{name[:100]}'; `flask applications list` shows them.")
    return found


def of_key(connection: Connection, key: str) -> Application | None:
    """Return the application of an access key, by the key's id."""
    return fetch(connection, Application, "FROM applications WHERE key = ?", key)


def list_all(connection: Connection) -> list[Application]:
    """Return all applications in the order of their names."""
    return fetch_all(connection, Application, "FROM applications ORDER BY folded")


def remove(connection: Connection, application: Application) -> None:
    """Remove an application with its acknowledgements and receipts."""
    connection.execute("DELETE FROM applications WHERE id = ?", (application.id,))
