"""A peer as durable as Perch: scim2-flask over SQLite, one row per resource with its JSON, and indexes for look-ups.

It runs in a virtual environment of its own (tests/bench/peers.py). It has no access keys and no journal.
"""

import os
import re
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from scim2_flask import ScimServer  # type: ignore[import-not-found]
from scim2_models import (
    Group,
    InvalidFilterException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    ScimProvider,
    SearchRequest,
    UniquenessException,
    User,
)
from scim2_server.storage import ScimStorage, SearchPage
from scim2_server.utils import load_default_service_provider_config

LOOK_UP = re.compile(r'(userName|externalId) eq "((?:[^"\\]|\\.)*)"', re.IGNORECASE)
COLUMNS = {"username": "userName", "externalid": "externalId"}


def prepare(path: str) -> None:
    """Create the file."""
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute(
            "CREATE TABLE resources (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, "
            "userName TEXT, externalId TEXT, version INTEGER NOT NULL, document TEXT NOT NULL)"
        )
        made.execute("CREATE UNIQUE INDEX resources_userName ON resources (type, userName)")
        made.execute("CREATE INDEX resources_externalId ON resources (type, externalId)")


class SqliteStorage(ScimStorage):
    """scim2-server's storage over one table."""

    def __init__(self, path: str, provider: Any) -> None:
        """Name the file; each thread opens its own connection."""
        self.path, self.local, self.turn = path, threading.local(), threading.Lock()
        self.models = {kind.name: provider.model_for(kind) for kind in provider.resource_types}

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, as durable as Perch's."""
        held: sqlite3.Connection | None = getattr(self.local, "held", None)
        if held is None:
            held = self.local.held = sqlite3.connect(self.path, isolation_level=None, timeout=30)
            held.execute("PRAGMA synchronous = FULL")
        return held

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        # Without this lock, concurrent threads would sleep in SQLite's busy handler.
        with self.turn:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException as error:
                self.connection.execute("ROLLBACK")
                raise UniquenessException() if isinstance(error, sqlite3.IntegrityError) else error from None

    def _load(self, kind: ResourceType, document: str) -> Resource[Any]:
        found: Resource[Any] = self.models[kind.name].model_validate_json(document)
        return found

    def get(
        self, resource_type: ResourceType, resource_id: str, *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:  # fmt: skip
        """Return a resource."""
        row = self.connection.execute(
            "SELECT document FROM resources WHERE id = ? AND type = ?", (resource_id, resource_type.name)
        ).fetchone()
        if row is None:
            raise NotFoundException()
        return self._load(resource_type, row[0])

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """Return a page in the order of creation; the only filters are look-ups by userName and externalId."""
        kind = resource_types[0]
        where, values = "type = ?", [kind.name]
        if search_request.filter is not None:
            found = LOOK_UP.fullmatch(str(search_request.filter))
            if found is None:
                raise InvalidFilterException()
            column = COLUMNS[found[1].lower()]
            where += f" AND {column} = ?"
            values.append(found[2].casefold() if column == "userName" else found[2])
        total = self.connection.execute(f"SELECT count(*) FROM resources WHERE {where}", values).fetchone()[0]
        rows = self.connection.execute(
            f"SELECT document FROM resources WHERE {where} ORDER BY seq LIMIT ? OFFSET ?",
            (*values, -1 if search_request.count is None else search_request.count, search_request.start_index_0 or 0),
        )
        return SearchPage(total, [self._load(kind, document) for (document,) in rows])

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Store a new resource."""
        made, now = resource.model_copy(deep=True), datetime.now(UTC)
        made.id = uuid.uuid4().hex
        made.meta = Meta(resource_type=resource_type.name, created=now, last_modified=now, version='W/"1"')
        document = made.model_dump_json()
        with self._write() as connection:
            connection.execute(
                "INSERT INTO resources (id, type, userName, externalId, version, document) VALUES (?, ?, ?, ?, 1, ?)",
                (made.id, resource_type.name, _user_name(made), made.external_id, document),
            )
        return made

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Store a changed resource."""
        changed = resource.model_copy(deep=True)
        with self._write() as connection:
            row = connection.execute("SELECT version, document FROM resources WHERE id = ?", (changed.id,)).fetchone()
            if row is None:
                raise NotFoundException()
            if expected_version not in (None, f'W/"{row[0]}"'):
                raise PreconditionFailedException()
            meta = self._load(resource_type, row[1]).meta
            assert meta is not None
            meta.last_modified, meta.version, changed.meta = datetime.now(UTC), f'W/"{row[0] + 1}"', meta
            connection.execute(
                "UPDATE resources SET version = version + 1, userName = ?, externalId = ?, document = ? WHERE id = ?",
                (_user_name(changed), changed.external_id, changed.model_dump_json(), changed.id),
            )
        return changed

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Delete a resource."""
        with self._write() as connection:
            connection.execute("DELETE FROM resources WHERE id = ?", (resource_id,))


def _user_name(resource: Resource[Any]) -> str | None:
    name: str | None = getattr(resource, "user_name", None)
    return name.casefold() if name else None


def create_app() -> Flask:
    """Return the application over the file that BENCH_DATABASE names."""
    # Cheaper than the models that scim2-server builds from the RFC's schemas.
    provider = ScimProvider(models=[User, Group], config=load_default_service_provider_config())
    made = Flask("peer")
    ScimServer(SqliteStorage(os.environ["BENCH_DATABASE"], provider), provider, made, url_prefix="/v2")
    return made
