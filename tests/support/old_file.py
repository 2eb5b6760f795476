"""A file as Perch wrote it before composed and decomposed characters were one text, with directories of any size."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

NOW = "2026-01-01T00:00:00.000"
RESOURCES = (
    "INSERT INTO resources (id, type, version, created, lastModified, userName, displayName, externalId, active, "
    "document) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"
)
JOURNAL = (
    "INSERT INTO journal (at, actor, request, action, type, resource, name, folded, changes) "
    "VALUES (?, 'key:x', 'r', 'create', ?, ?, ?, ?, ?)"
)
ASSIGNMENTS = "INSERT INTO assignments VALUES (?, 'direct', ?, ?, NULL, NULL, NULL, ?, 'key:x')"


def insert(connection: sqlite3.Connection, documents: Iterable[dict[str, Any]]) -> None:
    """Add users and groups with their journal entries; the document's id is the row's."""
    for document in documents:
        add(connection, document, document.get("userName"))


def add(connection: sqlite3.Connection, document: dict[str, Any], user_name: str | None) -> int:
    """Add one resource as the old version did, which folded by `casefold` alone; return its sequence number."""
    kind, text = ("User" if user_name else "Group"), json.dumps(document, ensure_ascii=False)
    display = document.get("displayName")
    row = (
        document["id"], kind, NOW, NOW, _folded(user_name), _folded(display), document.get("externalId"),
        1 if user_name else None, text,
    )  # fmt: skip
    seq = connection.execute(RESOURCES, row).lastrowid or 0
    emails = [
        (seq, place, _folded(email["value"]), _folded(email.get("type")), None)
        for place, email in enumerate(document.get("emails", ()))
    ]
    connection.executemany("INSERT INTO emails VALUES (?, ?, ?, ?, ?)", emails)
    name = user_name or display or ""
    changes = json.dumps({"userName": {"before": None, "after": name}}, ensure_ascii=False)
    connection.execute(JOURNAL, (NOW, kind, document["id"], name, _folded(name), changes))
    return seq


def give(connection: sqlite3.Connection, seq: int, slugs: Sequence[str]) -> None:
    """Give a user direct roles, which are added to the catalogue."""
    for place, slug in enumerate(slugs):
        connection.execute(
            "INSERT OR IGNORE INTO roles (slug, name, created, lastModified) VALUES (?, ?, ?, ?)",
            (slug, slug, NOW, NOW),
        )
        connection.execute(ASSIGNMENTS, (seq, place, slug, NOW))


def people(count: int, every: int) -> Iterator[dict[str, Any]]:
    """Yield users; the names of every `every`-th one have decomposed characters."""
    for number in range(count):
        name = f"jose\u0301.{number}" if number % every == 0 else f"person.{number}"
        yield {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": f"id-{number}",
            "externalId": f"00u-{name}",
            "userName": f"{name}@example.com",
            "name": {"givenName": name, "familyName": "Example"},
            "displayName": name.title(),
            "emails": [{"value": f"{name}@example.com", "type": "work"}, {"value": f"{name}@home.example"}],
            "active": True,
        }


def _folded(text: str | None) -> str | None:
    return None if text is None else text.casefold()
