"""Which SQL statements the application runs, for tests of what a request may cost."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask


@contextmanager
def traced(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that this thread reads and writes with inside the block."""
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
    """Those that read or write people, groups and roles; not keys, traffic and the like, which vary with the time."""
    return [text for text in statements if any(table in text for table in ("resources", "members", "assignments"))]
