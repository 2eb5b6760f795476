"""Which processes use the database: each holds a shared lock on PATH.in-use, so that a restore knows of all."""

import fcntl
import os
import time
import weakref
from pathlib import Path

from storage.errors import UnusableFile, gone, leftover
from storage.locks import make_file, open_lock, try_lock

PAUSE = 0.02


def log_path(path: Path) -> Path:
    """Return the path of a database's write-ahead log."""
    return path.with_name(path.name + "-wal")


def identity(path: Path) -> str | None:
    """Return what tells a file from others of its file system, or None when there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return f"{found.st_dev}:{found.st_ino}"


class Usage:
    """This process's share in the use of a database; it ends with the object, or with the process however it ends.

    The lock file also says which database the write-ahead log belongs to, as the log itself does not.
    """

    def __init__(self, path: Path) -> None:
        """Name the database; nothing is locked yet."""
        self.path = path
        self._handle = open_lock(path.with_name(path.name + ".in-use"))
        weakref.finalize(self, os.close, self._handle)

    def join(self) -> None:
        """Use the database beside others, making a missing one; the caller holds the writers' lock.

        :raises UnusableFile: when it was deleted while others use it, or holds another file's write-ahead log.
        """
        if identity(self.path) is None:
            if not try_lock(self._handle, fcntl.LOCK_EX):
                raise gone(self.path)
            os.close(make_file(self.path))
        if self.holds_foreign_log():
            raise leftover(self.path)
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def take_over(self, wait: float) -> None:
        """Use the database alone, as a restore must.

        :raises UnusableFile: when another process still uses it after `wait` seconds.
        """
        deadline = time.monotonic() + wait
        while not try_lock(self._handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise UnusableFile(f"Perch is running on {self.path}; stop every server of it first.")
            time.sleep(PAUSE)

    def record(self) -> None:
        """Note which database the write-ahead log belongs to; the caller holds the writers' lock."""
        text = self._pair()
        if os.pread(self._handle, 200, 0) != text:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text, 0)

    def _pair(self) -> bytes:
        return f"{identity(self.path)} {identity(log_path(self.path))}\n".encode()

    def holds_foreign_log(self) -> bool:
        """Tell whether the write-ahead log there is known to belong to another file than the one there."""
        noted = os.pread(self._handle, 200, 0).decode(errors="replace").split()
        now = self._pair().decode().split()
        if len(noted) != 2 or noted[1] != now[1] or noted[0] == now[0]:
            return False
        log = log_path(self.path)
        return log.exists() and log.stat().st_size > 0 and self.path.exists() and self.path.stat().st_size > 0
