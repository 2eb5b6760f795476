"""Whether an SQLite file is Perch's and sound, and how it is opened."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection, sqlite_version

from storage.errors import MUCH_LATER, NewerFile, OutdatedFile, UnusableFile
from storage.migrations import MIGRATIONS, known
from storage.sql.tables import utilities

MOST_DAMAGES = 5
# The pragmas that make an acknowledged write safe; synchronous 2 is FULL.
SAFE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
# Several machines, or a cache in between, break the locks and the shared memory that SQLite needs.
NETWORK = frozenset(("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs", "afs"))


# Called before each migration with its name, the number of migrations that are done, and their number in all.
OnMigration = Callable[[str, int, int], object]
log = logging.getLogger("perch")


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that was applied, and the seconds that it took."""

    name: str
    seconds: float


def pending(connection: Connection, path: Path) -> list[str]:
    """Return the names of the pending migrations; raise as `refuse_foreign` does."""
    refuse_foreign(connection, path)
    return [migration.name for migration in MIGRATIONS.pending(utilities(connection))]


def migrate(connection: Connection, path: Path, on_migration: OnMigration | None = None) -> list[Applied]:
    """Apply pending migrations, all or none, and return them; raise as `refuse_foreign` does."""
    names = pending(connection, path)
    if not names:
        return []
    applied = []
    connection.execute("BEGIN IMMEDIATE")
    for number, (name, following) in enumerate(zip(names, [*names[1:], None], strict=True)):
        if on_migration:
            on_migration(name, number, len(names))
        begun = time.monotonic()
        MIGRATIONS.apply(utilities(connection), stop_before=following)
        applied.append(Applied(name, time.monotonic() - begun))
    connection.execute("COMMIT")
    log.info("Applied %d migrations to %s in %.1f s", len(applied), path, sum(each.seconds for each in applied))
    return applied


def versions() -> dict[str, str]:
    """Return the version of SQLite and the name of the newest migration."""
    return {"sqlite": sqlite_version, "schema": max(known())}


def check_schema(connection: Connection, path: Path) -> None:
    """Refuse a file with another schema than this Perch's; raise as `refuse_foreign` does.

    :raises RuntimeError: when the file has an older schema.
    """
    if pending(connection, path):
        raise RuntimeError("migrations are pending; restart Perch")


def refuse_outdated(connection: Connection, path: Path) -> None:
    """Refuse a file with pending migrations; raise as `refuse_foreign` does.

    :raises OutdatedFile: naming the migrations.
    """
    if names := pending(connection, path):
        raise OutdatedFile(path, names)


def refuse_foreign(connection: Connection, path: Path) -> None:
    """Refuse a file of another program or of a newer Perch; an empty file is neither.

    :raises UnusableFile: when the tables are not Perch's.
    :raises NewerFile: naming what this Perch does not know.
    """
    applied = {migration.name for migration in MIGRATIONS.applied(utilities(connection))}
    unknown = applied - known()
    if unknown:
        raise NewerFile(
            f"{path} was written by a newer Perch ({', '.join(sorted(unknown))}); update Perch.", MUCH_LATER
        )
    if not applied and _tables(connection):
        raise UnusableFile(f"{path} is a database of another program, not of Perch.", MUCH_LATER)


def refuse_damaged(connection: Connection, path: Path) -> None:
    """Read the whole file and refuse it unless all of it is sound and it holds a workspace.

    :raises UnusableFile: naming the first damage.
    """
    (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if first != "ok":
        raise UnusableFile(f"{path} is damaged: {first.splitlines()[-1].rstrip('.')}.", MUCH_LATER)
    if connection.execute("PRAGMA foreign_key_check").fetchone():
        raise UnusableFile(f"{path} is damaged: it refers to rows that it does not hold.", MUCH_LATER)
    refuse_foreign(connection, path)
    if not _tables(connection):
        raise UnusableFile(f"{path} is empty.", MUCH_LATER)


def _tables(connection: Connection) -> list[str]:
    """Return the names of the tables, without those of SQLite and Litestream."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in rows if not name.startswith(("sqlite_", "_litestream_"))]


def size(connection: Connection) -> int:
    """Return the bytes of the pages that are in use."""
    pages, unused, page = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - unused) * page)


def unsafe_pragmas(connection: Connection) -> list[str]:
    """Return the pragmas with which an acknowledged write could be lost, each with its value."""
    found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in SAFE}
    return [f"{name} is {value}" for name, value in found.items() if value != SAFE[name]]


def damages(connection: Connection) -> list[str]:
    """Return the first damages of the file in words; every page is read."""
    found = [text for (text,) in connection.execute(f"PRAGMA quick_check({MOST_DAMAGES})") if text != "ok"]
    dangling = connection.execute("PRAGMA foreign_key_check").fetchmany(MOST_DAMAGES)
    return found + [
        f"a row of {table} refers to a row of {parent} that is not there" for table, _, parent, _ in dangling
    ]


def network_file_system(folder: Path) -> str | None:
    """Return the name of the network file system that a folder is on; None where it is on none, or unknown."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    nearest, kind = Path(), ""
    for line in lines:
        mount, _, rest = line.partition(" - ")
        point = Path(mount.split()[4])
        if (point == folder or point in folder.parents) and len(point.parts) >= len(nearest.parts):
            nearest, kind = point, rest.split()[0]
    return kind if kind in NETWORK else None
