"""Which SQL statements the application runs, for tests of what a request may cost."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask


@contextmanager
def traced(app: Flask) -> Iterator[list[str]]:
    """Collect the statements that this thread's connection runs inside the block."""
    connection = app.extensions["perch"].database.connection
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    try:
        yield statements
    finally:
        connection.set_trace_callback(None)
