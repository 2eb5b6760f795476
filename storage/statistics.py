"""What monitoring asks of the file: figures that cost next to nothing, figures that cost a walk, and its fitness."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from storage import search
from storage.console_figures import HOLDING
from storage.database import Database
from storage.fitness import refuse_foreign, utilities
from storage.migrations import perch
from storage.search import Query, Selection
from storage.usage import log_path


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows that are counted as they come and go, and bytes on the disk."""

    users: int
    groups: int
    file: int
    log: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows that must be walked over: 0.4 s per 100,000 people."""

    may_log_in: int
    journal: int
    traffic: int


def sizes(connection: sqlite3.Connection, file: Path) -> Sizes:
    """Return the exact figures that are there to be read."""
    users, groups = (search.total(connection, Query((Selection(kind),))) for kind in ("User", "Group"))
    return Sizes(users, groups, _bytes(file), _bytes(log_path(file)))


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def counts(connection: sqlite3.Connection) -> Counts:
    """Count the people who may log in (active, with some role), the journal and the traffic."""
    may_log_in, journal, traffic = connection.execute(
        f"{HOLDING} SELECT (SELECT count(nullif(r.active, 0)) FROM holding JOIN resources r ON r.seq = holding.seq "
        "WHERE r.type = 'User'), (SELECT count(*) FROM journal), (SELECT count(*) FROM traffic)"
    ).fetchone()
    return Counts(may_log_in, journal, traffic)


def free_bytes(file: Path) -> int:
    """Return what the disk of the file has left for its owner."""
    found = os.statvfs(file.parent)
    return found.f_bavail * found.f_frsize


def check_schema(connection: sqlite3.Connection, file: Path) -> None:
    """Refuse a file that is another program's, a newer Perch's, or not yet this one's.

    :raises ScimError: saying which.
    """
    refuse_foreign(connection, file)
    if perch.pending(utilities(connection)):
        raise RuntimeError("migrations are pending; restart Perch")


def check_writable(database: Database, wait: float) -> None:
    """Take the writer's turn, and write nothing.

    :raises ScimError: when the turn does not come within `wait` seconds, or the file cannot be written.
    """
    with database.write(wait):
        pass
