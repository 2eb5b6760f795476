"""Whether an SQLite file is Perch's, and one that this Perch knows how to work on."""

import sqlite3
from pathlib import Path

from sqlite_utils import Database as SqliteUtils

from storage.errors import MUCH_LATER, NewerFile, UnusableFile
from storage.migrations import perch


def utilities(connection: sqlite3.Connection) -> SqliteUtils:
    """Return sqlite-utils' view of a connection."""
    return SqliteUtils(connection, recursive_triggers=False, execute_plugins=False)


def refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what another program made, and what a newer Perch made; an empty file is neither.

    :raises UnusableFile: when the tables are not Perch's.
    :raises NewerFile: naming what this Perch does not know.
    """
    applied = {step.name for step in perch.applied(utilities(connection))}
    unknown = applied - {step.name for step in perch._migrations}
    if unknown:
        raise NewerFile(
            f"{path} was written by a newer Perch ({', '.join(sorted(unknown))}); update Perch.", MUCH_LATER
        )
    if not applied and _tables(connection):
        raise UnusableFile(f"{path} is a database of another program, not of Perch.", MUCH_LATER)


def refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole file and refuse it unless all of it is sound and it holds a workspace.

    :raises UnusableFile: naming the first fault.
    """
    (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if first != "ok":
        raise UnusableFile(f"{path} is damaged: {first.splitlines()[-1].rstrip('.')}.", MUCH_LATER)
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        raise UnusableFile(f"{path} is damaged: it refers to rows that it does not hold.", MUCH_LATER)
    refuse_foreign(connection, path)
    if not _tables(connection):
        raise UnusableFile(f"{path} is empty.", MUCH_LATER)


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the tables, without those of SQLite and Litestream."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in rows if not name.startswith(("sqlite_", "_litestream_"))]
