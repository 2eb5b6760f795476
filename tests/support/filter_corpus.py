"""A small directory for tests of filters and orders, as full documents and as rows of a database."""

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sqlite_utils import Database as SqliteUtils

from schemas.datetimes import normalise_instant
from schemas.group import ACCESS_URN as GROUP_ACCESS
from schemas.text import compose, fold
from schemas.user import ACCESS_URN as USER_ACCESS
from storage.migrations import MIGRATIONS
from storage.roles import hold
from storage.sql.filters import register_functions
from tests.support.resource_types import RESOURCE_TYPES

BASE = "https://perch.example/w/scim/v2"
EPOCH = 7
START = "2026-01-01T00:00:00Z"


@dataclass
class Entry:
    """A user or group: the values of clients (`document`, `roles`, `members`), and the roles that were assigned."""

    id: str
    type: str
    document: dict[str, Any]
    version: int = 1
    created: str = START
    lastModified: str = START
    roles: list[dict[str, Any]] = field(default_factory=list)
    manual: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    groupRoles: list[str] = field(default_factory=list)


class Corpus:
    """Entries with the catalogue of their roles, slug to name."""

    def __init__(self, entries: list[Entry], catalogue: dict[str, str]) -> None:
        self.entries = entries
        self.catalogue = catalogue

    def documents(self, type_name: str) -> dict[str, dict[str, Any]]:
        """Return full documents by id, with roles as objects."""
        return {entry.id: self._full(entry) for entry in self.entries if entry.type == type_name}

    def _full(self, entry: Entry) -> dict[str, Any]:
        derived = self._of_user(entry) if entry.type == "User" else self._of_group(entry)
        meta = {
            "resourceType": entry.type,
            "created": entry.created,
            "lastModified": entry.lastModified,
            "location": f"{BASE}/{entry.type}s/{entry.id}",
            "version": f'W/"{entry.version}.{EPOCH}"',
        }
        full = {**self.stored(entry), "id": entry.id, "meta": meta, **derived}
        return {name: value for name, value in full.items() if value not in ([], {})}

    def stored(self, entry: Entry) -> dict[str, Any]:
        """Return the document as it is stored."""
        return RESOURCE_TYPES[entry.type].load(entry.document)

    def _of_user(self, user: Entry) -> dict[str, Any]:
        direct = [group for group in self.entries if user.id in group.members]
        indirect = [group for group in self._above(direct) if group not in direct]
        groups = [self._group_of(group, "direct") for group in direct]
        groups += [self._group_of(group, "indirect") for group in indirect]
        held = [{"value": role["value"], "type": "direct"} for role in user.roles]
        held += [{"value": slug, "type": "manual"} for slug in user.manual]
        for group in (*direct, *indirect):
            held += [{"value": slug, "type": "group", "source": group.id} for slug in group.groupRoles]
        effective = [{**role, "display": self.catalogue[role["value"]]} for role in held]
        allowed = user.document.get("active") is True and bool(held)
        extension = {"loginAllowed": allowed, "effectiveRoles": effective}
        return {"groups": groups, "roles": [self._role(role) for role in user.roles], USER_ACCESS: extension}

    def _above(self, groups: list[Entry]) -> list[Entry]:
        found: list[Entry] = []
        waiting = list(groups)
        while waiting:
            below = waiting.pop()
            above = [group for group in self.entries if below.id in group.members and group not in found]
            found += above
            waiting += above
        return sorted(found, key=self.entries.index)

    def _group_of(self, group: Entry, kind: str) -> dict[str, Any]:
        reference = f"{BASE}/Groups/{group.id}"
        return {"value": group.id, "$ref": reference, "display": group.document["displayName"], "type": kind}

    def _role(self, role: dict[str, Any]) -> dict[str, Any]:
        return {"display": self.catalogue[role["value"]], **role}

    def _of_group(self, group: Entry) -> dict[str, Any]:
        members = [self._member(entry) for entry in self.entries if entry.id in group.members]
        roles = [{"value": slug, "display": self.catalogue[slug]} for slug in group.groupRoles]
        return {"members": members, GROUP_ACCESS: {"roles": roles} if roles else {}}

    def _member(self, entry: Entry) -> dict[str, Any]:
        document = entry.document
        named = {"display": document["displayName"]} if "displayName" in document else {}
        return {"value": entry.id, "$ref": f"{BASE}/{entry.type}s/{entry.id}", **named, "type": entry.type}

    def insert(self, connection: sqlite3.Connection) -> None:
        """Write the rows into an empty database."""
        connection.execute("UPDATE workspace SET value = ? WHERE name = 'epoch'", (EPOCH,))
        for slug, name in self.catalogue.items():
            columns = "slug, name, created, lastModified"
            values = (slug, name, "2026-01-01T00:00:00", "2026-01-01T00:00:00")
            connection.execute(f"INSERT INTO roles ({columns}) VALUES (?, ?, ?, ?)", values)
        seqs = {entry.id: self._insert(connection, entry) for entry in self.entries}
        kinds = {entry.id: entry.type for entry in self.entries}
        for entry in self.entries:
            rows = [(seqs[entry.id], seqs[member], kinds[member] == "Group") for member in entry.members]
            connection.executemany("INSERT INTO members VALUES (?, ?, ?)", rows)

    def _insert(self, connection: sqlite3.Connection, entry: Entry) -> int:
        document = self.stored(entry)
        name, display, external = (document.get(key) for key in ("userName", "displayName", "externalId"))
        row = (
            entry.id, entry.type, entry.version, normalise_instant(entry.created),
            normalise_instant(entry.lastModified), name and fold(name), display and fold(display),
            external and compose(external), document.get("active"), json.dumps(document),
        )  # fmt: skip
        columns = "id, type, version, created, lastModified, userName, displayName, externalId, active, document"
        done = connection.execute(f"INSERT INTO resources ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        seq = done.lastrowid or 0
        for place, email in enumerate(document.get("emails", ())):
            value, kind = (text and fold(text) for text in (email.get("value"), email.get("type")))
            connection.execute(
                "INSERT INTO emails VALUES (?, ?, ?, ?, ?)", (seq, place, value, kind, email.get("primary"))
            )
        self._insert_assignments(connection, seq, entry)
        return seq

    def _insert_assignments(self, connection: sqlite3.Connection, seq: int, entry: Entry) -> None:
        rows = [("direct", place, role) for place, role in enumerate(entry.roles)]
        rows += [("manual", place, {"value": slug}) for place, slug in enumerate(entry.manual)]
        rows += [("group", place, {"value": slug}) for place, slug in enumerate(entry.groupRoles)]
        for source, place, role in rows:
            connection.execute(
                'INSERT INTO assignments (resource, source, position, role, display, type, "primary", since, actor) '
                "VALUES (?, ?, ?, ?, ?, ?, ?, '', '')",
                (seq, source, place, role["value"], role.get("display"), role.get("type"), role.get("primary")),
            )
        hold(connection, seq)


def database(template: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """Return an empty database in memory; copying a template is faster."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    register_functions(connection)
    if template is None:
        MIGRATIONS.apply(SqliteUtils(connection))
        connection.execute("DELETE FROM roles")
    else:
        template.backup(connection)
    return connection
