"""The SQL statements that the application runs, for tests of the cost of a request."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask

from storage.database import Database


@contextmanager
def traced(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that this thread runs inside the block."""
    database = app.extensions["perch"].database
    statements: list[str] = []
    own: int | None = None

    def collect(text: str) -> None:
        # The threads of a process share the connection for writing.
        if threading.get_ident() == own:
            statements.append(text)

    _trace(database, collect)
    own = threading.get_ident()
    try:
        yield statements
    finally:
        own = None
        _trace(database, None)


def _trace(database: Database, callback: Callable[[str], None] | None) -> None:
    # Only inside a write is no other thread using the connection for writing; otherwise this could deadlock.
    with database.write() as writing:
        writing.set_trace_callback(callback)
    database.reading_connection().set_trace_callback(callback)


def about_resources(statements: list[str]) -> list[str]:
    """Return the statements about people, groups and roles; those about keys and traffic vary with time."""
    return [text for text in statements if any(table in text for table in ("resources", "members", "assignments"))]
