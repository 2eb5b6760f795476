"""Access keys: only a SHA-256 digest of each secret is kept."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection
from typing import Any, NamedTuple

from schemas.datetimes import now
from schemas.errors import NotFound
from storage.database import Database
from storage.sql.tables import columns, fetch, fetch_all, table, update

NO_PROFILE, INTEROP, IPSIE = "none", "interop", "ipsie"
PROFILES = (NO_PROFILE, INTEROP, IPSIE)


# Not frozen: a frozen dataclass takes five times as long to make, and each request makes one.
@dataclass(slots=True)
class Key:
    """An access key; instants are stored text, None when they never come.

    `unknownRoles` is what happens to role slugs that the catalogue lacks; None means the setting PERCH_UNKNOWN_ROLES.
    `profile` is the profile of SCIM that the key follows, for which it is strict.
    """

    id: str
    name: str
    digest: bytes
    idp: str
    access: str
    rolesAs: str
    strict: int
    created: str
    expires: str | None
    revoked: str | None
    lastUsed: str | None
    unknownRoles: str | None = None
    profile: str = NO_PROFILE

    @property
    def live(self) -> bool:
        """Whether the key works now: it is neither revoked nor expired."""
        # Sorts like `now()`, which takes four times as long; each request with a token asks.
        return self.revoked is None and (self.expires is None or self.expires > datetime.now(UTC).isoformat())

    @property
    def oauth(self) -> bool:
        """Whether it is an OAuth 2.0 client: it has no secret of its own, its tokens are sent instead."""
        return not self.digest


class Caller(NamedTuple):
    """A key, and the version of the declared attributes at the moment when it was read."""

    key: Key
    attributes: int


LOOK_UP = f"SELECT {columns(Key)}, (SELECT value FROM workspace WHERE name = 'attributes') FROM keys WHERE id = ?"


def expiry(days: float | None) -> str | None:
    """Return the instant some days from now as stored text; None for never."""
    return None if days is None else now(timedelta(days=days))


def insert(connection: Connection, key: Key) -> None:
    """Add a key."""
    table(connection, "keys").insert(asdict(key))


def get(connection: Connection, identifier: str) -> Key:
    """Return a key by its id, revoked and expired ones too.

    :raises NotFound: when there is none.
    """
    key = fetch(connection, Key, "FROM keys WHERE id = ?", identifier)
    if key is None:
        raise NotFound(f"There is no access key with the id '{identifier[:40]}'; `flask keys list` shows them.")
    return key


def look_up(database: Database, identifier: str, sql: str = LOOK_UP) -> Caller | None:
    """Return the caller with a key by its id, None when there is none; for every request, so it is one statement."""
    with database.read(once=True) as connection:
        row = connection.execute(sql, (identifier,)).fetchone()
    return Caller(Key(*row[:-1]), row[-1]) if row else None


def note_use(database: Database, identifier: str) -> None:
    """Set when a key was last used to now; a power cut may lose that.

    :raises Unavailable: at once, when others write.
    """
    with database.write(wait=0, durable=False) as connection:
        change(connection, identifier, lastUsed=now())


def list_all(connection: Connection) -> list[Key]:
    """Return all keys, the oldest first."""
    return fetch_all(connection, Key, "FROM keys ORDER BY created, id")


def names(connection: Connection) -> dict[str, str]:
    """Return the name of each key, revoked ones too, by the actor that the journal has for it."""
    return {f"key:{key.id}": key.name for key in list_all(connection)}


def label(actor: str, key_names: dict[str, str]) -> str:
    """Return an actor of the journal for people; a key with its name, out of `names`."""
    kind, _, identifier = actor.partition(":")
    if kind == "console" and identifier:
        return f"console session {identifier}"
    if kind == "person":
        return identifier
    if kind == "address":
        return f"address {identifier}"
    return f"key {key_names[actor]} ({identifier})" if actor in key_names else actor


def spoken(actor: str, key_names: dict[str, str]) -> str:
    """Return an actor of the journal as a part of a sentence; a key with its name only, out of `names`."""
    kind, _, identifier = actor.partition(":")
    sentences = {
        "console": "the console",
        "address": f"the address {identifier}",
        "delivery": "the delivery of webhooks",
        "command": f"{identifier} on the command line",
        "person": identifier,
        "key": f"key {key_names.get(actor, identifier)}",
    }
    return sentences.get(kind, actor)


def change(connection: Connection, identifier: str, **values: Any) -> Key:
    """Set columns of a key and return it.

    :raises NotFound: when there is none.
    """
    update(connection, "keys", identifier, values)
    return get(connection, identifier)


def revoke(connection: Connection, identifier: str) -> Key:
    """Revoke a key, which stops at once; a key that is revoked already keeps the instant.

    :raises NotFound: when there is none.
    """
    key = get(connection, identifier)
    return key if key.revoked else change(connection, identifier, revoked=now())


def discard(connection: Connection, identifier: str) -> None:
    """Delete a key that no client ever had; others stay, since the journal names keys by id."""
    table(connection, "keys").delete(identifier)
