"""How far each poller of security event tokens is: it has acknowledged all up to a position, and some beyond."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(slots=True)
class EventStream:
    """An access key's stream: every event up to `position`, and those in `acknowledged`, are done."""

    key: str
    position: int
    acknowledged: set[int]

    def acknowledge(self, seqs: Iterable[int]) -> bool:
        """Add acknowledgements; tell whether one of them is new."""
        fresh = {seq for seq in seqs if seq > self.position} - self.acknowledged
        self.acknowledged |= fresh
        while self.position + 1 in self.acknowledged:
            self.position += 1
            self.acknowledged.discard(self.position)
        return bool(fresh)


def get(connection: Connection, key: str) -> EventStream | None:
    """Return a key's stream, None before its first poll."""
    row = connection.execute("SELECT position, acknowledged FROM event_streams WHERE key = ?", (key,)).fetchone()
    return EventStream(key, row[0], set(json.loads(row[1]))) if row else None


def put(connection: Connection, stream: EventStream) -> None:
    """Store a stream."""
    connection.execute(
        "INSERT OR REPLACE INTO event_streams VALUES (?, ?, ?)",
        (stream.key, stream.position, json.dumps(sorted(stream.acknowledged))),
    )
