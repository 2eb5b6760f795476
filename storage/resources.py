"""Users and groups as rows: the document as JSON text, with columns for the attributes that clients look up."""

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from schemas import ResourceType
from schemas.datetimes import now
from schemas.errors import NotFound, Unavailable, Uniqueness
from schemas.json import to_text
from schemas.resource import Document
from schemas.text import compose, fold
from storage import namesakes, words, workspace

_OWN = "r.seq, r.id, r.version, r.created, r.lastModified, r.document, r.type, r.active"
# A version that a restore lost must not be given to another state of the resource.
_NEXT = "max(version + 1, ifnull((SELECT value FROM workspace WHERE name = 'era'), 0))"
_EPOCH = "(SELECT value FROM workspace WHERE name = 'epoch')"
_DECLARED = "(SELECT value FROM workspace WHERE name = 'attributes')"
COLUMNS = f'{_OWN}, {_EPOCH}, (SELECT group_concat("group") FROM members WHERE member = r.seq), r.held'
# For roles of the catalogue, which are in no group and have no role.
OTHER_COLUMNS = f"{_OWN}, {_EPOCH}, NULL, NULL"

# Constant text: with a bound value SQLite would plan each use again, since one index is for groups only.
OF_TYPE = {name: f"r.type = '{name}'" for name in ("User", "Group", "Role")}

CHANGED = "The workspace's attributes have just changed; send the request again."

# Type, `active`, epoch, groups and roles: the end of a row.
Source = tuple[str, int | None, int, str | None, str | None]


class ResourceRow(NamedTuple):
    """A stored resource; `document` is JSON text, instants are stored text, `epoch` is the workspace's.

    `above` lists the groups that it is directly in, by number. `held` lists its own roles, as the elements of a JSON
    array: source, slug, display, type and primary. Both are None instead of empty.
    """

    seq: int
    id: str
    version: int
    created: str
    lastModified: str
    document: str
    type: str
    active: int | None
    epoch: int
    above: str | None
    held: str | None

    @property
    def derived_from(self) -> Source:
        """Everything of the row that derived attributes depend on."""
        return self[6:]

    @property
    def document_with_roles(self) -> Document:
        """The document with a user's direct roles as they were sent: all that clients can write."""
        document: Document = json.loads(self.document)
        direct = [_sent(role) for source, *role in json.loads(f"[{self.held or ''}]") if source == "direct"]
        return {**document, "roles": direct} if direct else document

    @property
    def name(self) -> str:
        """The userName or displayName."""
        return name_of(json.loads(self.document))


def name_of(document: Document) -> str:
    """Return the userName of a user's document, the displayName of a group's."""
    return str(document.get("userName") or document["displayName"])


def _sent(role: list[Any]) -> Document:
    named = zip(("value", "display", "type", "primary"), role, strict=True)
    sent = {name: value for name, value in named if value is not None}
    return sent if "primary" not in sent else {**sent, "primary": bool(sent["primary"])}


def get(connection: sqlite3.Connection, type_name: str, identifier: str) -> ResourceRow:
    """Return a resource by id (RFC 7644 section 3.4.1).

    :raises NotFound: when there is none of that type.
    """
    row = connection.execute(
        f"SELECT {COLUMNS} FROM resources r WHERE r.id = ? AND {OF_TYPE[type_name]}", (identifier,)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no {type_name} with the id '{identifier[:100]}'; it may have been deleted.")
    return ResourceRow(*row)


def find(connection: sqlite3.Connection, type_name: str, name: str) -> ResourceRow | None:
    """Return the user of that userName or the group of that displayName, in any case, or None."""
    sql = f"SELECT {COLUMNS} FROM resources r WHERE {OF_TYPE[type_name]} AND r.{namesakes.NAME_COLUMNS[type_name]} = ?"
    row = connection.execute(sql, (fold(name),)).fetchone()
    return ResourceRow(*row) if row else None


def find_external(connection: sqlite3.Connection, external: str) -> ResourceRow | None:
    """Return the user with an externalId, None if there is none or more than one."""
    sql = f"SELECT {COLUMNS} FROM resources r WHERE {OF_TYPE['User']} AND r.externalId = ? LIMIT 2"
    rows = connection.execute(sql, (compose(external),)).fetchall()
    return ResourceRow(*rows[0]) if len(rows) == 1 else None


def existing(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    """Return those ids that a user or group has."""
    sql = "SELECT r.id FROM json_each(?) j JOIN resources r ON r.id = j.value"
    return {identifier for (identifier,) in connection.execute(sql, (json.dumps(ids),))}


def insert(connection: sqlite3.Connection, kind: ResourceType, document: Document) -> tuple[int, str]:
    """Add the row of a resource, with its emails, words and copy of its roles; return its number and its new id.

    :raises Uniqueness: when its userName or group displayName is taken, in any case.
    """
    instant, identifier = now(), new_id()
    text, held = _stored(kind, document), _held(document.get("roles", ()))
    try:
        done = connection.execute(
            "INSERT INTO resources (id, type, version, created, lastModified, userName, displayName, externalId, "
            "active, document, held) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (identifier, kind.name, instant, instant, *_looked_up(document).values(), text, held),
        )
    except sqlite3.IntegrityError as error:
        raise _taken(error, document) from None
    seq = done.lastrowid or 0
    _insert_emails(connection, seq, document)
    words.insert(connection, kind.name, seq, words.of_document(document))
    return seq, identifier


def update(
    connection: sqlite3.Connection, kind: ResourceType, row: ResourceRow, before: Document, document: Document
) -> None:
    """Give a resource read in the same transaction its next version, with a document in place of the one `before`.

    :raises Uniqueness: when its new userName or group displayName is taken, in any case.
    :raises Unavailable: when the declared attributes have changed since the documents were read.
    """
    old = _looked_up(before)
    # Only changed columns, since SQLite writes the index of each column that is named.
    moved = {name: value for name, value in _looked_up(document).items() if value != old[name]}
    names = "".join(f", {name} = ?" for name in moved)
    try:
        done = connection.execute(
            f"UPDATE resources SET version = {_NEXT}, lastModified = ?, document = ?{names} "
            f"WHERE seq = ? AND {_DECLARED} = ?",
            (now(), _stored(kind, document), *moved.values(), row.seq, kind.version),
        )
    except sqlite3.IntegrityError as error:
        raise _taken(error, document) from None
    if not done.rowcount:
        raise Unavailable(CHANGED, 1)
    if namesakes.NAME_COLUMNS[kind.name] in moved:
        namesakes.release(connection, kind.name, row.seq, fold(name_of(before)))
    if before.get("emails") != document.get("emails"):
        connection.execute("DELETE FROM emails WHERE resource = ?", (row.seq,))
        _insert_emails(connection, row.seq, document)
    words.replace(connection, kind.name, row.seq, before, document)
    if before.get("displayName") != document.get("displayName"):
        workspace.move_epoch(connection)


def touch(connection: sqlite3.Connection, row: ResourceRow) -> None:
    """Give a resource its next version: something beside its document has changed."""
    connection.execute(f"UPDATE resources SET version = {_NEXT}, lastModified = ? WHERE seq = ?", (now(), row.seq))


def delete(connection: sqlite3.Connection, row: ResourceRow) -> None:
    """Delete a resource with its memberships and assignments; the groups that it was in get their next version."""
    groups = connection.execute(
        f"UPDATE resources SET version = {_NEXT}, lastModified = ? "
        'WHERE seq IN (SELECT "group" FROM members WHERE member = ?)',
        (now(), row.seq),
    )
    connection.execute("DELETE FROM resources WHERE seq = ?", (row.seq,))
    words.delete(connection, row.seq)
    namesakes.release(connection, row.type, row.seq, fold(row.name))
    if groups.rowcount or row.type == "Group":
        workspace.move_epoch(connection)


def new_id() -> str:
    """Return a new opaque id (UUID version 7): the index grows at its end only."""
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | 0b10 << 62
    value |= int.from_bytes(os.urandom(10)) & ~(0xF << 76 | 0b11 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _stored(kind: ResourceType, document: Document) -> str:
    """Return the text to store of a document, without a user's roles, which are rows of their own."""
    return str(kind.schema.dumps({name: value for name, value in document.items() if name != "roles"}))


def _held(roles: Sequence[Document]) -> str | None:
    """Return direct roles as the row has them: the text that storage.roles makes of the assignments."""
    held = [["direct", role["value"], role.get("display"), role.get("type"), role.get("primary")] for role in roles]
    return to_text([[int(item) if isinstance(item, bool) else item for item in role] for role in held])[1:-1] or None


def _looked_up(document: Document) -> dict[str, str | int | None]:
    """Return the values of the columns that clients look up."""
    external, active = document.get("externalId"), document.get("active")
    return {
        "userName": _folded(document.get("userName")),
        "displayName": _folded(document.get("displayName")),
        "externalId": None if external is None else compose(external),
        "active": None if active is None else int(active),
    }


def _insert_emails(connection: sqlite3.Connection, seq: int, document: Document) -> None:
    rows = [
        (seq, position, _folded(email.get("value")), _folded(email.get("type")), email.get("primary"))
        for position, email in enumerate(document.get("emails", ()))
    ]
    if rows:
        connection.executemany("INSERT INTO emails VALUES (?, ?, ?, ?, ?)", rows)


def _folded(text: str | None) -> str | None:
    return None if text is None else fold(text)


def _taken(error: sqlite3.IntegrityError, document: Document) -> Exception:
    for name, kind in (("userName", "user"), ("displayName", "group")):
        if f"resources.{name}" in str(error):
            return Uniqueness(f"{name}: another {kind} already has '{document[name][:200]}', ignoring case.")
    return error
