"""Users and groups as rows: the document as JSON text, with columns for what clients look up."""

import json
import os
import sqlite3
import time
from typing import Any, NamedTuple

from schemas import ResourceType
from schemas.datetimes import now
from schemas.errors import NotFound, Uniqueness
from storage import workspace

_OWN = "r.seq, r.id, r.version, r.created, r.lastModified, r.document, r.type, r.active"
_EPOCH = "(SELECT value FROM workspace WHERE name = 'epoch')"
COLUMNS = f'{_OWN}, {_EPOCH}, (SELECT group_concat("group") FROM members WHERE member = r.seq), r.held'
# Of what is kept in other tables: roles of the catalogue are in no group and hold no role.
OTHER_COLUMNS = f"{_OWN}, {_EPOCH}, NULL, NULL"


# Bound as a value, SQLite would plan the statement anew at each use, as one of the indexes is for groups only.
OF_TYPE = {name: f"r.type = '{name}'" for name in ("User", "Group", "Role")}


# Type, `active`, epoch, groups and roles: the end of a row.
Source = tuple[str, int | None, int, str | None, str | None]


class Row(NamedTuple):
    """A stored resource; `document` is JSON text, instants are stored text, `epoch` is the workspace's.

    `above` lists the groups it is directly in, by number, and `held` the roles that hang on itself, as the elements of
    a JSON array: source, slug, display, type and primary. Both are None where there is nothing.
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
    def derived_from(self) -> "Source":
        """All that what is derived of the resource depends on, but for the caller."""
        return self[6:]

    @property
    def document_with_roles(self) -> dict[str, Any]:
        """What clients can write of the resource: its document, with a user's direct roles as they were sent."""
        document: dict[str, Any] = json.loads(self.document)
        direct = [_sent(role) for source, *role in json.loads(f"[{self.held or ''}]") if source == "direct"]
        return {**document, "roles": direct} if direct else document

    @property
    def name(self) -> str:
        """What people call the user or group."""
        return name_of(json.loads(self.document))


def name_of(document: dict[str, Any]) -> str:
    """Return what people call the user or group of a document."""
    return str(document.get("userName") or document["displayName"])


def _sent(role: list[Any]) -> dict[str, Any]:
    named = zip(("value", "display", "type", "primary"), role, strict=True)
    sent = {name: value for name, value in named if value is not None}
    return sent if "primary" not in sent else {**sent, "primary": bool(sent["primary"])}


def get(connection: sqlite3.Connection, type_name: str, identifier: str) -> Row:
    """Return a resource by id (RFC 7644 section 3.4.1).

    :raises NotFound: when there is none of that type.
    """
    row = connection.execute(
        f"SELECT {COLUMNS} FROM resources r WHERE r.id = ? AND {OF_TYPE[type_name]}", (identifier,)
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no {type_name} with the id '{identifier[:100]}'; it may have been deleted.")
    return Row(*row)


def find(connection: sqlite3.Connection, type_name: str, name: str) -> Row | None:
    """Return the user of that userName or the group of that displayName, in any case, or None."""
    column = "userName" if type_name == "User" else "displayName"
    row = connection.execute(
        f"SELECT {COLUMNS} FROM resources r WHERE {OF_TYPE[type_name]} AND r.{column} = ?", (name.casefold(),)
    ).fetchone()
    return Row(*row) if row else None


def insert(connection: sqlite3.Connection, kind: ResourceType, document: dict[str, Any]) -> tuple[int, str]:
    """Add the row of a resource, with its emails; return its sequence number and its new id.

    :raises Uniqueness: when its userName or group displayName is taken, in any case.
    """
    instant, identifier = now(), new_id()
    try:
        done = connection.execute(
            "INSERT INTO resources (id, type, version, created, lastModified, userName, displayName, externalId, "
            "active, document) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
            (identifier, kind.name, instant, instant, *_looked_up(document).values(), _stored(kind, document)),
        )
    except sqlite3.IntegrityError as error:
        raise _taken(error, document) from None
    seq = done.lastrowid or 0
    _insert_emails(connection, seq, document)
    return seq, identifier


def update(
    connection: sqlite3.Connection, kind: ResourceType, row: Row, before: dict[str, Any], document: dict[str, Any]
) -> None:
    """Give a resource read in the same transaction its next version, with that document in place of the one `before`.

    :raises Uniqueness: when its new userName or group displayName is taken, in any case.
    """
    old = _looked_up(before)
    # SQLite would write the index of each column that is named, changed or not.
    moved = {name: value for name, value in _looked_up(document).items() if value != old[name]}
    names = "".join(f", {name} = ?" for name in moved)
    try:
        connection.execute(
            f"UPDATE resources SET version = version + 1, lastModified = ?, document = ?{names} WHERE seq = ?",
            (now(), _stored(kind, document), *moved.values(), row.seq),
        )
    except sqlite3.IntegrityError as error:
        raise _taken(error, document) from None
    if before.get("emails") != document.get("emails"):
        connection.execute("DELETE FROM emails WHERE resource = ?", (row.seq,))
        _insert_emails(connection, row.seq, document)
    if before.get("displayName") != document.get("displayName"):
        workspace.move_epoch(connection)


def touch(connection: sqlite3.Connection, row: Row) -> None:
    """Give a resource its next version: something kept beside its document has changed."""
    connection.execute("UPDATE resources SET version = version + 1, lastModified = ? WHERE seq = ?", (now(), row.seq))


def delete(connection: sqlite3.Connection, row: Row) -> None:
    """Delete a resource with its memberships and assignments; the groups that held it get their next version."""
    groups = connection.execute(
        "UPDATE resources SET version = version + 1, lastModified = ? "
        'WHERE seq IN (SELECT "group" FROM members WHERE member = ?)',
        (now(), row.seq),
    )
    connection.execute("DELETE FROM resources WHERE seq = ?", (row.seq,))
    if groups.rowcount or row.type == "Group":
        workspace.move_epoch(connection)


def new_id() -> str:
    """Return a new opaque id; ids made one after the other lie side by side in the index (UUID version 7)."""
    value = (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | 0b10 << 62
    value |= int.from_bytes(os.urandom(10)) & ~(0xF << 76 | 0b11 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _stored(kind: ResourceType, document: dict[str, Any]) -> str:
    """Return the text that is stored of a document: a user's roles are rows of their own."""
    text: str = kind.schema.dumps({name: value for name, value in document.items() if name != "roles"})
    return text


def _looked_up(document: dict[str, Any]) -> dict[str, str | int | None]:
    """Return the values of the columns that clients look for."""
    user_name, display_name = document.get("userName"), document.get("displayName")
    active = document.get("active")
    return {
        "userName": user_name.casefold() if user_name else None,
        "displayName": display_name.casefold() if display_name else None,
        "externalId": document.get("externalId"),
        "active": None if active is None else int(active),
    }


def _insert_emails(connection: sqlite3.Connection, seq: int, document: dict[str, Any]) -> None:
    rows = [
        (seq, position, _folded(email.get("value")), _folded(email.get("type")), email.get("primary"))
        for position, email in enumerate(document.get("emails", ()))
    ]
    if rows:
        connection.executemany("INSERT INTO emails VALUES (?, ?, ?, ?, ?)", rows)


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _taken(error: sqlite3.IntegrityError, document: dict[str, Any]) -> Exception:
    for name, kind in (("userName", "user"), ("displayName", "group")):
        if f"resources.{name}" in str(error):
            return Uniqueness(f"{name}: another {kind} already has '{document[name][:200]}', ignoring case.")
    return error
