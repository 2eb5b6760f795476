"""Migrations that are SQL only."""

from collections.abc import Callable
from sqlite3 import complete_statement

from sqlite_utils import Database as SqliteUtils


def script(text: str) -> Callable[[SqliteUtils], None]:
    """Return a migration that runs the statements of a text in the open transaction."""

    def run(db: SqliteUtils) -> None:
        statement = ""
        for line in text.splitlines():
            statement += f"{line}\n"
            if complete_statement(statement):
                db.conn.execute(statement)
                statement = ""
        db.conn.execute(statement)

    return run
