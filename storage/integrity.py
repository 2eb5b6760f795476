"""What `flask doctor` reads of the file: how it is opened, whether it is sound, and what in it looks forgotten."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from storage.console_figures import HOLDING

MOST_FAULTS = 5
# Where several machines, or a cache in between, break the locks and the shared memory that SQLite needs.
NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs", "afs"))


@dataclass(frozen=True, slots=True)
class Pragmas:
    """How the file is opened: SQLite's own names and numbers."""

    journal_mode: str
    synchronous: int
    foreign_keys: int


@dataclass(frozen=True, slots=True)
class Holding:
    """Roles that nobody and no group has, and how many people there are and have no role."""

    unheld: list[str]
    people: int
    without_role: int


def pragmas(connection: sqlite3.Connection) -> Pragmas:
    """Return the pragmas that durability and soundness hang on."""
    (mode,), (level,), (keys,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous", "foreign_keys")
    )
    return Pragmas(mode, level, keys)


def faults(connection: sqlite3.Connection) -> list[str]:
    """Return the first faults in the file; every page is read."""
    found = [text for (text,) in connection.execute(f"PRAGMA quick_check({MOST_FAULTS})") if text != "ok"]
    dangling = connection.execute("PRAGMA foreign_key_check").fetchmany(MOST_FAULTS)
    return found + [
        f"a row of {table} refers to a row of {parent} that is not there" for table, _, parent, _ in dangling
    ]


def newest(connection: sqlite3.Connection) -> str | None:
    """Return the latest instant at which anything was written, as stored text."""
    found: str | None = connection.execute(
        "SELECT max(at) FROM (SELECT max(lastModified) AS at FROM resources UNION ALL "
        "SELECT (SELECT at FROM journal ORDER BY seq DESC LIMIT 1))"
    ).fetchone()[0]
    return found


def holding(connection: sqlite3.Connection) -> Holding:
    """Return who holds what."""
    unheld = connection.execute(
        "SELECT slug FROM roles WHERE NOT EXISTS (SELECT 1 FROM assignments WHERE role = slug) ORDER BY slug"
    ).fetchall()
    people, holders = connection.execute(
        f"{HOLDING} SELECT (SELECT count(*) FROM resources WHERE type = 'User' AND active = 1), "
        "(SELECT count(*) FROM holding JOIN resources r ON r.seq = holding.seq WHERE r.type = 'User' AND r.active = 1)"
    ).fetchone()
    return Holding([slug for (slug,) in unheld], people, people - holders)


def network_file_system(folder: Path) -> str | None:
    """Return the name of the network file system that a folder is on, None where it is on none, or unknown."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    place, kind = Path(), ""
    for line in lines:
        mount, _, rest = line.partition(" - ")
        point = Path(mount.split()[4])
        if (point == folder or point in folder.parents) and len(point.parts) >= len(place.parts):
            place, kind = point, rest.split()[0]
    return kind if kind in NETWORK else None
