"""Another program at Perch's database file: it changes rows, or holds a write transaction."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from storage.database import Database


def change_file(database: Database, sql: str, *values: Any) -> None:
    """Run a statement on the file and commit it."""
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute(sql, values)


@contextmanager
def write_transaction(database: Database) -> Iterator[None]:
    """Hold a write transaction for the block."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
