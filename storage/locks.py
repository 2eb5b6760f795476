"""Lock files beside the database: whose turn it is to write, and whether any process uses the file at all."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import busy, os_faults

# Longer pauses cost the slowest writers most; only one thread of a process asks at a time.
FIRST_PAUSE, LONGEST_PAUSE = 0.0001, 0.0005


def lock_path(database: Path) -> Path:
    """Return the path of the file that those who write to a database lock."""
    return database.with_name(database.name + ".lock")


def open_lock(path: Path) -> int:
    """Return a descriptor of a lock file, made if need be; the kernel frees the lock of a process that is killed."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return make_file(path)


def make_file(path: Path) -> int:
    """Return a descriptor of a file that only its owner may read; root makes it for the owner of the folder.

    Otherwise a `flask` command run by root would shut the server out.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    folder = os.stat(path.parent)
    if os.geteuid() == 0 and folder.st_uid != 0 and os.fstat(handle).st_uid == 0:
        os.fchown(handle, folder.st_uid, folder.st_gid)
    return handle


def wait_for(handle: int, deadline: float) -> None:
    """Take a lock alone; asking again and again keeps the wait bounded, which a blocking call could not.

    :raises Unavailable: when it is not free by the deadline (of `time.monotonic`).
    """
    pause = FIRST_PAUSE
    while not try_lock(handle, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            raise busy()
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def try_lock(handle: int, kind: int) -> bool:
    """Take a lock (LOCK_EX alone, LOCK_SH beside others) if it is free now; tell whether it was."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def locked(path: Path, deadline: float) -> int:
    """Return the descriptor of a file locked alone, once it is this caller's turn; to close it ends the turn.

    :raises Unavailable: when the turn does not come by the deadline (of `time.monotonic`), or the folder fails.
    """
    with os_faults(path):
        handle = open_lock(path)
    try:
        wait_for(handle, deadline)
    except BaseException:
        os.close(handle)
        raise
    return handle


@contextmanager
def turn(path: Path, deadline: float) -> Iterator[None]:
    """Hold a file locked alone during the block; raise as `locked` does."""
    handle = locked(path, deadline)
    try:
        yield
    finally:
        os.close(handle)
