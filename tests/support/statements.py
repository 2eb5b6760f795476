"""The SQL statements that the application runs, for tests of the cost of a request."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask


@contextmanager
def traced(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that this thread runs inside the block."""
    database = app.extensions["perch"].database
    with database.write() as writing:
        pass
    statements: list[str] = []
    for connection in (writing, database.connection):
        connection.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        for connection in (writing, database.connection):
            connection.set_trace_callback(None)


def about_resources(statements: list[str]) -> list[str]:
    """Return the statements about people, groups and roles; those about keys and traffic vary with time."""
    return [text for text in statements if any(table in text for table in ("resources", "members", "assignments"))]
