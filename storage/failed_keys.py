"""Refused access keys per address, counted in one small file for all processes of a deployment."""

import fcntl
import hashlib
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
SET_BYTES = WAYS * SLOT.size
SIZE = SALT_BYTES + SETS * SET_BYTES
WINDOW = 60


class FailedKeys:
    """Counts failures per address and minute in 64 KiB, whatever the number of addresses.

    The counts are in a file beside the database, so that a failure writes nothing into the database. Where no such
    file can be made or written, each process counts alone.
    """

    def __init__(self, path: str | Path | None, limit: int) -> None:
        """Name the file, None for none; it is opened at the first failure. `limit` is per address and minute."""
        self.path = path
        self.limit = limit
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._memory: bytearray | None = None

    def add(self, address: str) -> int:
        """Count a failure; return 0, or past the limit the seconds until the address may fail again."""
        with self._locked():
            name = hashlib.blake2b(address.encode("utf-8", "replace"), digest_size=12, key=self._salt()).digest()
            place = SALT_BYTES + int.from_bytes(name[8:]) % SETS * SET_BYTES
            slots = bytearray(self._read(place, SET_BYTES))
            start, count = _count(slots, name[:8], int(time.time()))
            self._write(place, slots)
        return 0 if count <= self.limit else max(1, start + WINDOW - int(time.time()))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            if self._handle is None and self._memory is None:
                try:
                    if self.path is not None:
                        self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                except OSError:
                    pass
                if self._handle is None:
                    self._memory = bytearray(SIZE)
            handle = self._handle
            if handle is None:
                yield
                return
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)

    def _salt(self) -> bytes:
        """Return the salt of the hash; without it a caller could choose addresses that displace a certain other one."""
        salt = self._read(0, SALT_BYTES)
        if not any(salt):
            salt = os.urandom(SALT_BYTES)
            self._write(0, salt)
        return salt

    def _read(self, place: int, size: int) -> bytes:
        if self._memory is not None:
            return bytes(self._memory[place : place + size])
        return os.pread(self._handle or 0, size, place).ljust(size, b"\0")

    def _write(self, place: int, data: bytes | bytearray) -> None:
        try:
            if self._memory is None:
                os.pwrite(self._handle or 0, data, place)
        except OSError:
            # A full disk must not end the counting.
            self._memory = bytearray(self._read(0, SIZE))
        if self._memory is not None:
            self._memory[place : place + len(data)] = data


def _count(slots: bytearray, name: bytes, now: int) -> tuple[int, int]:
    """Count one more failure in a set of slots; a new address takes the slot with the fewest failures."""
    least, chosen = (now + 1, 0), 0
    for place in range(0, SET_BYTES, SLOT.size):
        kept, start, count = SLOT.unpack_from(slots, place)
        over = not now - WINDOW < start <= now
        if kept == name:
            start, count = (now, 1) if over else (start, count + 1)
            SLOT.pack_into(slots, place, name, start, count)
            return start, count
        rank = (0 if over else count, start)
        if place == 0 or rank < least:
            least, chosen = rank, place
    SLOT.pack_into(slots, chosen, name, now, 1)
    return now, 1
