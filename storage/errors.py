"""Errors of file and disk as SCIM errors that say what is wrong and what to do."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import InsufficientStorage, ScimError, TooMany, Unavailable

FULL = (errno.ENOSPC, errno.EDQUOT)
SOON, LATER, MUCH_LATER = 2, 30, 300


class NewerFile(Unavailable):
    """The file was written by a newer Perch; the message names the migrations that this one does not know."""


class UnusableFile(Unavailable):
    """Perch cannot work on the file; the message says why and what to do."""


class NotReady(UnusableFile):
    """The file is still to be created or migrated; the message says by which command."""


class OutdatedFile(NotReady):
    """The file has the schema of an older Perch; `pending` names the migrations that are to be applied."""

    def __init__(self, path: Path, pending: list[str]) -> None:
        names = ", ".join(pending)
        super().__init__(
            f"{path} has the schema of an older Perch; start the server or run flask migrate. Pending: {names}.", LATER
        )
        self.pending = pending


def busy() -> Unavailable:
    """Return the error of a write that other writes kept waiting too long."""
    return Unavailable("Perch is busy with other writes; nothing was changed, try again.", SOON)


def missing(path: Path, is_default: bool) -> NotReady:
    """Return the error of a database that a command needs and that nobody has created."""
    found = "is an empty file" if path.is_file() else "is not a file" if path.exists() else "does not exist"
    source = "the default, since PERCH_DATABASE is not set" if is_default else "the value of PERCH_DATABASE"
    return NotReady(
        f"The database {os.path.abspath(path)} ({source}) {found}. "
        "Set PERCH_DATABASE to the file of your deployment, or create a new one there with flask init.",
        LATER,
    )


def held(path: Path) -> NotReady:
    """Return the error of a file that another process has kept for itself too long."""
    return NotReady(f"Another process creates, migrates or restores {path}; try again when it has ended.", LATER)


def log_removed(path: Path) -> UnusableFile:
    """Return the error of a write-ahead log, or its index, that was removed or replaced while Perch runs."""
    return UnusableFile(
        f"{path}-wal or {path}-shm was removed or replaced while Perch runs; nothing was changed. Put both back, or "
        "stop Perch (not with kill -9, which loses the last changes) and start it again.",
        LATER,
    )


def gone(path: Path) -> UnusableFile:
    """Return the error of a file that was deleted while Perch runs."""
    return UnusableFile(
        f"The database file {path} is gone; put it back, or stop Perch and restore a backup (flask restore).", LATER
    )


def replaced(path: Path) -> UnusableFile:
    """Return the error of a file that was replaced while Perch runs."""
    return UnusableFile(
        f"Another file was put in place of {path}; nothing was changed in either. "
        "Put the old one back, or stop Perch and bring the new one in with flask restore.",
        LATER,
    )


def read_only(path: Path) -> UnusableFile:
    """Return the error of a file that Perch may not write."""
    return UnusableFile(f"Perch may not write to its database file {path}; nothing was changed.", LATER)


def leftover(path: Path) -> UnusableFile:
    """Return the error of a database that was replaced, while the write-ahead log of the one before is still there."""
    return UnusableFile(
        f"{path} was replaced, but {path}-wal still holds changes of the file before and would damage this one. "
        f"Move {path}-wal and {path}-shm away; next time use flask restore, which removes both.",
        LATER,
    )


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Translate errors of the operating system about the folder of `path` into SCIM errors."""
    try:
        yield
    except OSError as error:
        raise _of_os(error, path) from error


def _of_os(error: OSError, path: Path) -> ScimError:
    if error.errno in FULL:
        return full(path)
    if isinstance(error, FileNotFoundError):
        return UnusableFile(f"The folder {path.parent} does not exist; make it, or correct PERCH_DATABASE.", LATER)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return UnusableFile(f"Perch cannot write in {path.parent} ({reason}); nothing was changed.", LATER)


def full(path: Path) -> InsufficientStorage:
    """Return the error of a write that the disk has no room for."""
    return InsufficientStorage(f"The disk of {path.parent} is full; nothing was changed. Free some space.")


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Translate SQLite's errors about file and disk into SCIM errors; others pass as they are."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        translate(error, path)
        raise


@contextmanager
def unusable(path: Path) -> Iterator[None]:
    """Translate every error of SQLite about a file that it cannot even open."""
    with sqlite_errors(path):
        try:
            yield
        except sqlite3.OperationalError as error:
            translate(error, path)
            raise UnusableFile(
                f"The database file {path} is damaged ({error}); restore a backup.", MUCH_LATER
            ) from error


def translate(error: sqlite3.DatabaseError, path: Path) -> None:
    """Raise the SCIM error of an error of SQLite about file and disk; return for any other error."""
    translated = _of_sqlite(error, path)
    if translated is not None:
        raise translated from error


def _of_sqlite(error: sqlite3.DatabaseError, path: Path) -> ScimError | None:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return busy()
    if code == sqlite3.SQLITE_INTERRUPT:
        return TooMany("The search took too long and was given up; ask for less at once, or filter more narrowly.")
    if code == sqlite3.SQLITE_FULL:
        return full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM):
        if no_room(path.parent):
            return full(path)
        return UnusableFile(f"Perch cannot use its database file {path} ({error}); nothing was changed.", LATER)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return UnusableFile(f"The database file {path} is damaged ({error}); restore a backup.", MUCH_LATER)
    return None


def no_room(folder: Path) -> bool:
    """Tell whether a read or write may have failed on a full disk: SQLite's shared memory is a file, too."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False
