"""How far each poller of security event tokens is: all up to a position, and some beyond, are acknowledged."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Stream:
    """An access key's stream: every event up to `position`, and those in `acknowledged`, are dealt with."""

    key: str
    position: int
    acknowledged: set[int]

    def acknowledge(self, seqs: Iterable[int]) -> bool:
        """Take acknowledgements in; tell whether there was one that counts."""
        fresh = {seq for seq in seqs if seq > self.position} - self.acknowledged
        self.acknowledged |= fresh
        while self.position + 1 in self.acknowledged:
            self.position += 1
            self.acknowledged.discard(self.position)
        return bool(fresh)


def get(connection: sqlite3.Connection, key: str) -> Stream | None:
    """Return a key's stream, None before its first poll."""
    row = connection.execute("SELECT position, acknowledged FROM event_streams WHERE key = ?", (key,)).fetchone()
    return Stream(key, row[0], set(json.loads(row[1]))) if row else None


def put(connection: sqlite3.Connection, stream: Stream) -> None:
    """Keep a stream."""
    connection.execute(
        "INSERT OR REPLACE INTO event_streams VALUES (?, ?, ?)",
        (stream.key, stream.position, json.dumps(sorted(stream.acknowledged))),
    )
