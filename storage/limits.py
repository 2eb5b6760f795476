"""Failed access keys per address: one small table in memory that all processes of a deployment share."""

import fcntl
import hashlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SLOT = struct.Struct("<8sII")
SALT_BYTES = 16
SETS, WAYS = 512, 8
SIZE = SALT_BYTES + SETS * WAYS * SLOT.size
WINDOW = 60


class Failures:
    """Counts failures per address over a minute, exactly, in 64 KiB however many addresses there are.

    The table is a file beside the database, mapped into the memory of every process, so that a failure costs no write
    of the database. Where no such file can be made, each process counts alone.
    """

    def __init__(self, path: str | Path, limit: int) -> None:
        """Name the file; it is opened at the first failure. `limit` is per address and minute."""
        self.path = Path(path)
        self.limit = limit
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._table: mmap.mmap | None = None

    def add(self, address: str) -> int:
        """Count a failure; return 0, or past the limit the seconds until the address may fail again."""
        with self._locked() as table:
            salt = _salt(table)
            name = hashlib.blake2b(address.encode("utf-8", "replace"), digest_size=12, key=salt).digest()
            place = SALT_BYTES + int.from_bytes(name[8:]) % SETS * WAYS * SLOT.size
            start, count = _count(table, place, name[:8], int(time.time()))
        return 0 if count <= self.limit else max(1, start + WINDOW - int(time.time()))

    @contextmanager
    def _locked(self) -> Iterator[mmap.mmap]:
        with self._lock:
            if self._table is None:
                self._table = self._open()
            if self._handle is None:
                yield self._table
                return
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                yield self._table
            finally:
                fcntl.flock(self._handle, fcntl.LOCK_UN)

    def _open(self) -> mmap.mmap:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return mmap.mmap(-1, SIZE)
        try:
            os.truncate(handle, SIZE)
            table = mmap.mmap(handle, SIZE)
        except OSError:
            os.close(handle)
            return mmap.mmap(-1, SIZE)
        self._handle = handle
        return table


def _salt(table: mmap.mmap) -> bytes:
    """Return what keeps a caller from choosing addresses that push a certain other one out."""
    if not any(table[:SALT_BYTES]):
        table[:SALT_BYTES] = os.urandom(SALT_BYTES)
    return table[:SALT_BYTES]


def _count(table: mmap.mmap, place: int, name: bytes, now: int) -> tuple[int, int]:
    """Count one more in a set of slots; the address with the fewest failures makes room for a new one."""
    least, chosen = (now + 1, 0), place
    for offset in range(place, place + WAYS * SLOT.size, SLOT.size):
        kept, start, count = SLOT.unpack_from(table, offset)
        over = not now - WINDOW < start <= now
        if kept == name:
            start, count = (now, 1) if over else (start, count + 1)
            SLOT.pack_into(table, offset, name, start, count)
            return start, count
        rank = (0 if over else count, start)
        if offset == place or rank < least:
            least, chosen = rank, offset
    SLOT.pack_into(table, chosen, name, now, 1)
    return now, 1
