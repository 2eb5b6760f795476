"""Errors of file and disk as SCIM errors that say what is wrong and what to do."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import InsufficientStorage, TooMany, Unavailable

FULL = (errno.ENOSPC, errno.EDQUOT)
SOON, MUCH_LATER = 2, 300


class NewerFile(Unavailable):
    """The file was written by a newer Perch; the message names the migrations that this one does not know."""


class UnusableFile(Unavailable):
    """Perch cannot work on the file; the message says why and what to do."""

    wait = 30


class NotReady(UnusableFile):
    """The file is still to be created or migrated; the message says by which command."""


class OutdatedFile(NotReady):
    """The file has the schema of an older Perch; `pending` names the migrations that are to be applied."""

    def __init__(self, path: Path, pending: list[str]) -> None:
        advice = "start the server or run flask migrate"
        super().__init__(f"{path} has the schema of an older Perch; {advice}. Pending: {', '.join(pending)}.")
        self.pending = pending


def busy() -> Unavailable:
    """Return the error of a write that other writes kept waiting too long."""
    return Unavailable("Perch is busy with other writes; nothing was changed, try again.", SOON)


def log_removed(path: Path) -> UnusableFile:
    """Return the error of a write-ahead log, or its index, that was removed or replaced while Perch runs."""
    return UnusableFile(
        f"{path}-wal or {path}-shm was removed or replaced while Perch runs; nothing was changed. Put both back, or "
        "stop Perch (not with kill -9, which loses the last changes) and start it again."
    )


def gone(path: Path) -> UnusableFile:
    """Return the error of a file that was deleted while Perch runs."""
    return UnusableFile(
        f"The database file {path} is gone; put it back, or stop Perch and restore a backup (flask restore)."
    )


def full(path: Path) -> InsufficientStorage:
    """Return the error of a write that the disk has no room for."""
    return InsufficientStorage(f"The disk of {path.parent} is full; nothing was changed. Free some space.")


def damaged(path: Path, error: sqlite3.DatabaseError) -> UnusableFile:
    """Return the error of a file that SQLite cannot read."""
    return UnusableFile(f"The database file {path} is damaged ({error}); restore a backup.", MUCH_LATER)


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Translate errors of the operating system about the folder of `path` into SCIM errors."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise full(path) from error
        text = f"The folder {path.parent} does not exist; make it, or correct PERCH_DATABASE or the file's name."
        if not isinstance(error, FileNotFoundError):
            reason = os.strerror(error.errno) if error.errno else str(error)
            text = f"Perch cannot write in {path.parent} ({reason}); nothing was changed."
        raise UnusableFile(text) from error


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
            raise damaged(path, error) from error


def translate(error: sqlite3.DatabaseError, path: Path) -> None:
    """Raise the SCIM error of an error of SQLite about file and disk; return for any other error."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            raise busy() from error
        case sqlite3.SQLITE_INTERRUPT:
            text = "The search took too long and was given up; ask for less at once, or filter more narrowly."
            raise TooMany(text) from error
        case sqlite3.SQLITE_FULL:
            raise full(path) from error
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PERM:
            text = f"Perch cannot use its database file {path} ({error}); nothing was changed."
            raise (full(path) if no_room(path.parent) else UnusableFile(text)) from error
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            raise damaged(path, error) from error


def no_room(folder: Path) -> bool:
    """Tell whether a read or write may have failed on a full disk: SQLite's shared memory is a file, too."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False
