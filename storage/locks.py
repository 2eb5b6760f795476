"""Lock files beside the database: FILE.lock for the process that writes, FILE.in-use for all that use the file.

FILE.deliver is for the process that delivers events.
"""

import fcntl
import logging
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from storage.errors import NotReady, UnusableFile, busy, gone, log_removed, os_errors

# Longer pauses cost the slowest writers most; only one thread of a process asks at a time.
FIRST_PAUSE, LONGEST_PAUSE = 0.0001, 0.0005
# Seconds between two attempts of a restore to be the only user of the file.
RESTORE_PAUSE = 0.02
# Seconds between two attempts to open a file that another process prepares, and between two notices of the wait.
OPEN_PAUSE, NOTICE = 0.01, 10.0
log = logging.getLogger("perch")


def _beside(suffix: str) -> Callable[[Path], Path]:
    """Return a function that gives the path of a file beside a database; each write and many reads ask for some."""
    return lru_cache(lambda database: database.with_name(database.name + suffix))


# The files that writers lock, the process that delivers events, and each process that uses the database.
lock_path, delivery_lock_path, use_path = _beside(".lock"), _beside(".deliver"), _beside(".in-use")
# The write-ahead log, and the shared memory that is its index.
log_path, index_path = _beside("-wal"), _beside("-shm")
# Where `litestream restore -f` notes how far its copy is.
followed_path = _beside("-txid")


def refuse_followed(database: Path) -> None:
    """Refuse to write to a file that a follow process keeps.

    :raises UnusableFile: saying how to follow it, and what to do in a fail-over.
    """
    if followed_path(database).exists():
        raise UnusableFile(
            f"{database} is a follower's copy, which litestream restore -f keeps ({followed_path(database).name} is "
            "beside it); a write would damage it. Start flask follow, which reads it, or set PERCH_DATABASE to another "
            "path and restore the replica there: docs/second-machine.md."
        )


def holds_data(path: Path) -> bool:
    """Tell whether there is a file at a path, and it is not empty."""
    return path.is_file() and path.stat().st_size > 0


def identity(path: Path) -> str | None:
    """Return device and inode of a file; None when there is no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return f"{found.st_dev}:{found.st_ino}"


def identities(database: Path) -> tuple[str | None, ...]:
    """Return the identities of a database, its write-ahead log and the index of that."""
    return identity(database), identity(log_path(database)), identity(index_path(database))


def open_lock(path: Path) -> int:
    """Return a descriptor of a lock file, made if need be; the kernel frees the lock of a process that is killed."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return make_file(path)


def make_file(path: Path) -> int:
    """Return a descriptor of a file that only its owner may read; root makes it for the owner of the folder."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    folder = os.stat(path.parent)
    if os.geteuid() == 0 and folder.st_uid != 0 and os.fstat(handle).st_uid == 0:
        os.fchown(handle, folder.st_uid, folder.st_gid)
    return handle


def try_lock(handle: int, kind: int) -> bool:
    """Take a lock (LOCK_EX alone, LOCK_SH beside others) if it is free now; tell whether it was."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Tell whether a process keeps a file locked alone; one that tries to at this moment must try again."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not try_lock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def locked(path: Path, deadline: float) -> int:
    """Return the descriptor of a file that is locked alone; closing it frees the lock.

    :raises Unavailable: when the lock is not free by the deadline (of `time.monotonic`), or the folder fails.
    """
    with os_errors(path):
        handle = open_lock(path)
    pause = FIRST_PAUSE
    try:
        # Polling keeps the wait bounded, which a blocking call could not.
        while not try_lock(handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise busy()
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextmanager
def turn(path: Path, deadline: float) -> Iterator[None]:
    """Keep a file locked alone during the block; raise as `locked` does."""
    handle = locked(path, deadline)
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def long_turn(path: Path, database: Path, most: float) -> Iterator[None]:
    """Keep a file locked alone; wait as long as another process keeps it, and say so every 10 s.

    A process that creates, migrates or restores the database keeps the lock until it has done so or has ended.

    :raises NotReady: when that takes longer than `most` seconds.
    """
    with os_errors(path):
        handle = open_lock(path)
    begun, notice = time.monotonic(), NOTICE
    try:
        while not try_lock(handle, fcntl.LOCK_EX):
            waited = time.monotonic() - begun
            if waited > most:
                text = f"Another process creates, migrates or restores {database}; try again when it has ended."
                raise NotReady(text)
            if waited > notice:
                reason = "another process creates, migrates or restores it, or writes to it"
                log.warning("Waiting for %s for %.0f s: %s.", database, waited, reason)
                notice += NOTICE
            time.sleep(LONGEST_PAUSE if waited < 1 else OPEN_PAUSE)
        yield
    finally:
        os.close(handle)


class FileUse:
    """This process's use of a database; it ends with the object or with the process.

    Each process holds a shared lock on FILE.in-use, so that a restore knows of all. The lock file also says which
    database the write-ahead log belongs to, since the log itself does not.
    """

    def __init__(self, path: Path) -> None:
        """Name the database; nothing is locked yet."""
        self.path = path
        self._handle = open_lock(use_path(path))
        self._end = weakref.finalize(self, os.close, self._handle)

    def join(self) -> None:
        """Use the database beside other processes, and make a missing file; the caller holds the writers' lock.

        :raises UnusableFile: when the file or its log was deleted while others use it, or the log is another file's.
        """
        others = not try_lock(self._handle, fcntl.LOCK_EX)
        if identity(self.path) is None:
            if others:
                raise gone(self.path)
            os.close(make_file(self.path))
        if self.has_foreign_log():
            raise UnusableFile(
                f"{self.path} was replaced, but {self.path}-wal still holds changes of the file before and would "
                f"damage this one. Move {self.path}-wal and {self.path}-shm away; next time use flask restore, which "
                "removes both."
            )
        noted, now = self._noted(), identities(self.path)
        if others and noted[:1] == now[:1] and noted != now[: len(noted)]:
            # A connection that is opened now would make a second log beside the one that the others still write.
            raise log_removed(self.path)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def take_over(self, wait: float) -> None:
        """Use the database alone, as a restore must.

        :raises UnusableFile: when another process still uses it after `wait` seconds.
        """
        deadline = time.monotonic() + wait
        while not try_lock(self._handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise UnusableFile(f"Perch is running on {self.path}; stop every server of it first.")
            time.sleep(RESTORE_PAUSE)

    def leave(self) -> None:
        """End the use."""
        self._end()

    def record(self) -> None:
        """Note which database the write-ahead log belongs to; the caller holds the writers' lock."""
        found = identities(self.path)
        if self._noted() != found:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{' '.join(map(str, found))}\n".encode(), 0)

    def _noted(self) -> tuple[str | None, ...]:
        """Return the identities in the lock file; an older Perch noted two."""
        text = os.pread(self._handle, 200, 0).decode(errors="replace")
        return tuple(None if each == "None" else each for each in text.split())

    def has_foreign_log(self) -> bool:
        """Tell whether the write-ahead log is known to belong to another file than the one at the path."""
        noted, now = self._noted(), identities(self.path)
        if len(noted) < 2 or noted[1] != now[1] or noted[0] == now[0]:
            return False
        return holds_data(log_path(self.path)) and holds_data(self.path)
