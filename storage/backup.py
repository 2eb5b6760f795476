"""One consistent file out of a running deployment, and back into a stopped one."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from schemas.errors import Conflict
from storage import workspace
from storage.database import STEPS_BETWEEN_CHECKS, Database
from storage.errors import UnusableFile, no_room, os_errors, sqlite_errors, translate
from storage.integrity import refuse_damaged, size
from storage.locks import FileUse, index_path, lock_path, log_path, make_file, refuse_followed, turn

STOP_WAIT_S = 1.0
# The steps of a backup and of a restore, with the bytes that are done and their number; 0 while that is unknown.
COPYING, CHECKING = "Copying", "Checking"
OnProgress = Callable[[str, int, int], None]
AT_ONCE = 1024 * 1024  # in bytes


def silent(step: str, done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of a file, for people to compare: the workspace's id, and how many users and groups."""

    workspace: str
    users: int
    groups: int


def backup(database: Database, target: Path, *, force: bool = False, on_progress: OnProgress = silent) -> Contents:
    """Write one snapshot of a whole deployment to one file, while its writers go on.

    VACUUM INTO takes a little longer than SQLite's page-wise copy, but its file is smaller, has no deleted data, and
    needs no write-ahead log, so that any tool reads it from a read-only place.

    :raises Conflict: when the target exists, unless `force`d.
    :raises UnusableFile: when the deployment's file is missing or damaged.
    """
    database.open(may_create=False)
    if target.exists() and target.samefile(database.file):
        raise Conflict(f"{target} is the deployment's own file; choose another name for the backup.")
    if target.exists() and not force:
        raise Conflict(f"{target} exists; choose another name, or add --force to overwrite it.")
    with _unfinished(target) as new:
        _vacuum(database, new, on_progress)
        contents = _checked(new, database.file, on_progress)
        _put(new, target)
    return contents


def stream(database: Database, output: BinaryIO, on_progress: OnProgress = silent) -> Contents:
    """Write one snapshot of a whole deployment to a stream, by way of a copy beside the deployment's file.

    :raises UnusableFile: when the deployment's file is missing or damaged.
    :raises OSError: when the stream cannot be written.
    """
    database.open(may_create=False)
    with _unfinished(database.file) as new:
        _vacuum(database, new, on_progress)
        contents = _checked(new, database.file, on_progress)
        with new.open("rb") as copy:
            # From here on nothing is left behind even by a process that is killed while its reader takes its time.
            new.unlink()
            shutil.copyfileobj(copy, output, AT_ONCE)
    return contents


def _vacuum(database: Database, new: Path, on_progress: OnProgress) -> None:
    connection = database.connection
    total = size(connection)
    try:
        with database.stepping(lambda: on_progress(COPYING, min(new.stat().st_size, total), total)):
            connection.execute("VACUUM INTO ?", (str(new),))
        on_progress(COPYING, total, total)
    except sqlite3.DatabaseError as error:
        if not no_room(new.absolute().parent):
            # SQLite has other names for damages that it meets while copying: a full disk, a constraint.
            with sqlite_errors(database.file):
                refuse_damaged(connection, database.file)
        translate(error, new.absolute())
        raise


def restore(
    database: Database, source: Path, *, force: bool = False, keep: bool = True, on_progress: OnProgress = silent
) -> tuple[Contents, Path | None]:
    """Put a backup in place of a stopped deployment's file; return its contents, and where the old file is kept.

    :raises Conflict: when there is a file to replace, unless `force`d.
    :raises UnusableFile: when the deployment is running, or the backup is damaged, another program's or a newer one's.
    """
    path = database.file
    refuse_followed(path)
    if not source.is_file():
        raise UnusableFile(f"There is no file {source}.")
    with turn(lock_path(path), time.monotonic() + STOP_WAIT_S), os_errors(path):
        use = FileUse(path)
        use.take_over(STOP_WAIT_S)
        if path.exists() and path.samefile(source):
            raise Conflict(f"{source} is the deployment's own file.")
        if path.exists() and path.stat().st_size and not force:
            raise Conflict(f"{path} exists; add --force to replace it. The old file is kept.")
        with _unfinished(path) as new:
            contents = _copied(source, new, on_progress)
            kept = _set_aside(path, keep, use.has_foreign_log())
            _put(new, path)
    return contents, kept


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Make an empty file beside the target, for its owner only; remove it after the block unless it was renamed."""
    new = target.with_name(f".{target.name}.{os.getpid()}.part")
    with os_errors(target.absolute()):
        os.close(make_file(new.absolute()))
    try:
        yield new
    finally:
        for path in (new, log_path(new), index_path(new)):
            path.unlink(missing_ok=True)


def _copied(source: Path, new: Path, on_progress: OnProgress) -> Contents:
    """Copy a backup with its write-ahead log into one file, and check that."""
    with os_errors(new):
        _copy(source, new, on_progress)
        if log_path(source).exists():
            _copy(log_path(source), log_path(new), on_progress)
    contents = _checked(new, source, on_progress)
    with sqlite_errors(new), closing(sqlite3.connect(new, isolation_level=None)) as connection:
        workspace.begin_era(connection)
    return contents


def _copy(source: Path, target: Path, on_progress: OnProgress) -> None:
    with source.open("rb") as data, target.open("wb") as copy:
        total = os.fstat(data.fileno()).st_size
        while part := data.read(AT_ONCE):
            copy.write(part)
            on_progress(COPYING, copy.tell(), total)


def _checked(new: Path, name: Path, on_progress: OnProgress) -> Contents:
    """Check a copy of the file of that name, and return what it holds."""
    with sqlite_errors(name), closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.set_progress_handler(lambda: on_progress(CHECKING, 0, 0), STEPS_BETWEEN_CHECKS)
        connection.execute("PRAGMA journal_mode = DELETE")
        on_progress(CHECKING, 0, 0)
        refuse_damaged(connection, name)
        (workspace,) = connection.execute("SELECT value FROM workspace WHERE name = 'id'").fetchone()
        counted = dict(connection.execute("SELECT type, count(*) FROM resources GROUP BY type").fetchall())
    return Contents(workspace, counted.get("User", 0), counted.get("Group", 0))


def _set_aside(path: Path, keep: bool, foreign_log: bool) -> Path | None:
    """Move the old file aside if it is to be kept; leave no log, which SQLite would merge into the new file."""
    kept = path.with_name(f"{path.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    sound = path.exists() and not foreign_log and _merge_log(path)
    log = log_path(path)
    if log.exists():
        # A log that could not be merged is kept: nothing else has its changes.
        os.replace(log, log_path(kept)) if keep and not sound else log.unlink()
    index_path(path).unlink(missing_ok=True)
    if not keep or not path.exists():
        return None
    try:
        os.link(path, kept)
    except OSError:
        shutil.copy2(path, kept)
    return kept


def _merge_log(path: Path) -> bool:
    """Merge a file's write-ahead log into the file; tell whether that was possible.

    :raises UnusableFile: when a program that takes no part in Perch's locks has the file open.
    """
    try:
        with closing(sqlite3.connect(path, timeout=STOP_WAIT_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise UnusableFile(f"Another program, such as Litestream, has {path} open; stop it first.") from None
        return False
    return True


def _put(new: Path, target: Path) -> None:
    """Give a finished file its name: a power cut leaves either the old file or the new one."""
    with os_errors(target.absolute()):
        _sync(new)
        os.replace(new, target)
        _sync(target.absolute().parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
