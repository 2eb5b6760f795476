"""OAuth 2.0 clients: the credentials of a key, its access tokens, and the assertions that came already.

Only digests of secrets and tokens are kept. Whatever depends on a key or a credential is deleted with it, so that a
token works exactly as long as its row is there, is not over, and its key is live.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from sqlite3 import Connection

from schemas.datetimes import now
from schemas.errors import NotFound
from storage.database import Database
from storage.keys import Caller, Key, look_up
from storage.sql.tables import columns, fetch, fetch_all, first_value, table

READ = "scim.read"
KINDS = {"secret": "digest IS NOT NULL", "trust": "digest IS NULL"}
# What a token makes of its key: the digest is the token's, so are end and access where they are narrower.
OF_TOKEN = {
    '"digest"': "t.digest",
    '"access"': f"CASE t.scope WHEN '{READ}' THEN 'read' ELSE k.access END",
    '"expires"': "min(t.expires, coalesce(k.expires, t.expires))",
}
LOOK_UP_TOKEN = (
    f"SELECT {', '.join(OF_TOKEN.get(name, f'k.{name}') for name in columns(Key).split(', '))}, "
    "(SELECT value FROM workspace WHERE name = 'attributes') "
    "FROM oauth_tokens t JOIN keys k ON k.id = t.key WHERE t.id = ?"
)


@dataclass(slots=True)
class Credential:
    """A secret (with a digest) or a trust: in one key set if `issuer` is None, else in an issuer of assertions.

    Instants are stored text; `audiences` is a JSON array and `jwks` a JWK Set (RFC 7517 section 5), as text.
    """

    id: str
    key: str
    created: str
    expires: str | None = None
    digest: bytes | None = None
    issuer: str | None = None
    subject: str | None = None
    audiences: str | None = None
    jwks: str | None = None

    @property
    def kind(self) -> str:
        """What it is, a "secret" or a "trust"."""
        return "trust" if self.digest is None else "secret"

    @property
    def live(self) -> bool:
        """Whether it works now."""
        return self.expires is None or self.expires > now()

    @property
    def accepted(self) -> list[str]:
        """The audiences of which an assertion must name one."""
        return list(json.loads(self.audiences or "[]"))


@dataclass(slots=True)
class Token:
    """An access token; only the digest of its secret is kept."""

    id: str
    key: str
    credential: str
    digest: bytes
    scope: str
    expires: str


def insert(connection: Connection, credential: Credential) -> None:
    """Add a credential."""
    table(connection, "oauth_credentials").insert(asdict(credential))


def insert_token(connection: Connection, token: Token) -> None:
    """Add a token."""
    table(connection, "oauth_tokens").insert(asdict(token))


def list_all(connection: Connection, key: str, kind: str) -> list[Credential]:
    """Return a key's secrets or trusts, the oldest first, expired ones too."""
    rest = f"FROM oauth_credentials WHERE key = ? AND {KINDS[kind]} ORDER BY created, id"
    return fetch_all(connection, Credential, rest, key)


def get(connection: Connection, key: str, kind: str, identifier: str) -> Credential:
    """Return a key's secret or trust.

    :raises NotFound: when there is none.
    """
    rest = f"FROM oauth_credentials WHERE id = ? AND key = ? AND {KINDS[kind]}"
    found = fetch(connection, Credential, rest, identifier, key)
    if found is None:
        shown = "secrets list" if kind == "secret" else "trust"
        raise NotFound(f"The key has no {kind} '{identifier[:40]}'; `flask keys {shown} {key[:40]}` lists them.")
    return found


def delete(connection: Connection, identifier: str) -> None:
    """Delete a credential with its tokens."""
    connection.execute("DELETE FROM oauth_credentials WHERE id = ?", (identifier,))


def count_secrets(connection: Connection) -> dict[str, int]:
    """Return the number of secrets of each key that has any, by the key's id; expired ones do not count."""
    sql = "SELECT key, count(*) FROM oauth_credentials WHERE digest IS NOT NULL AND expires > ? GROUP BY key"
    return dict(connection.execute(sql, (now(),)))


def look_up_secret(database: Database, key: str, identifier: str) -> tuple[Key, Credential] | None:
    """Return a key and a secret of it by their ids, or None."""
    sql = (
        f"SELECT {columns(Key, 'k')}, {columns(Credential, 'c')} FROM oauth_credentials c JOIN keys k ON k.id = c.key "
        "WHERE c.id = ? AND c.key = ? AND c.digest IS NOT NULL"
    )
    width = len(fields(Key))
    with database.read(once=True) as connection:
        row = connection.execute(sql, (identifier, key)).fetchone()
    return (Key(*row[:width]), Credential(*row[width:])) if row else None


def trusts(database: Database, key: str) -> tuple[Key, Sequence[Credential]] | None:
    """Return a key and its trusts, None when there is no such key."""
    with database.read() as connection:
        found = fetch(connection, Key, "FROM keys WHERE id = ?", key)
        return (found, list_all(connection, key, "trust")) if found else None


def look_up_token(database: Database, identifier: str) -> Caller | None:
    """Return the caller with a token; the key has the token's digest, end and access. One statement, as for keys."""
    return look_up(database, identifier, LOOK_UP_TOKEN)


def take_assertion(connection: Connection, credential: str, jti: bytes, expires: str) -> bool:
    """Note that an assertion came; False when it came before. It is forgotten when it has expired."""
    done = connection.execute("INSERT OR IGNORE INTO oauth_assertions VALUES (?, ?, ?)", (credential, jti, expires))
    return bool(done.rowcount)


def prune(connection: Connection) -> None:
    """Delete tokens and notes of assertions that are over."""
    for name in ("oauth_tokens", "oauth_assertions"):
        connection.execute(f"DELETE FROM {name} WHERE expires <= ?", (now(),))


def is_live(connection: Connection, key: str, credential: str) -> bool:
    """Tell whether a credential, and the key that has it, are still there and work."""
    sql = (
        "SELECT 1 FROM oauth_credentials c JOIN keys k ON k.id = c.key WHERE c.id = ?1 AND k.id = ?2 "
        "AND k.revoked IS NULL AND coalesce(k.expires > ?3, 1) AND coalesce(c.expires > ?3, 1)"
    )
    return first_value(connection, sql, credential, key, now()) is not None
