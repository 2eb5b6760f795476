"""Applications, and when each of them acknowledged that somebody's access has ended."""

import sqlite3
from collections.abc import Iterator
from itertools import chain, count
from urllib.parse import urlsplit

from sqlite_utils import Database as SqliteUtils

from schemas.datetimes import now
from schemas.text import fold
from storage.migrations.script import script

WITHDRAWAL = "kind IN ('user.deleted', 'login.withdrawn', 'user.deactivated', 'roles.lost', 'roles.changed_for_many')"
# `begin`: the number of the last event before the application was there. An acknowledgement covers the events from
# `first` to `last`. `withdrawal_totals` count what pruned events had: seconds by bucket, as text, and their sum.
TABLES = script(f"""
        ALTER TABLE events ADD COLUMN received TEXT NOT NULL DEFAULT '';
        CREATE INDEX events_withdrawals ON events (seq) WHERE {WITHDRAWAL};
        CREATE INDEX events_withdrawn ON events (subject) WHERE {WITHDRAWAL};
        CREATE TABLE applications (
            id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
            webhook TEXT UNIQUE REFERENCES webhooks (id) ON DELETE CASCADE, key TEXT UNIQUE,
            asks INTEGER NOT NULL, created TEXT NOT NULL, begin INTEGER NOT NULL
        );
        CREATE TABLE acknowledgements (
            application INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
            last INTEGER NOT NULL, first INTEGER NOT NULL, at TEXT NOT NULL, PRIMARY KEY (application, last)
        ) WITHOUT ROWID;
        CREATE TABLE receipts (
            application INTEGER NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
            event INTEGER NOT NULL, outcome TEXT NOT NULL, sessions INTEGER, reason TEXT, at TEXT NOT NULL,
            PRIMARY KEY (application, event)
        ) WITHOUT ROWID;
        CREATE TABLE withdrawal_totals (
            application INTEGER PRIMARY KEY REFERENCES applications (id) ON DELETE CASCADE,
            buckets TEXT NOT NULL, seconds REAL NOT NULL
        )""")


def receipts(db: SqliteUtils) -> None:
    """Make the tables; each webhook is an application by its host, each key with an event stream one by its name."""
    TABLES(db)
    connection: sqlite3.Connection = db.conn
    used = set[str]()
    for name, webhook, key in _found(connection):
        names = chain([name], (f"{name} {number}" for number in count(2)))
        free = next(each for each in names if fold(each) not in used)
        used.add(fold(free))
        connection.execute(
            "INSERT INTO applications (name, folded, webhook, key, asks, created, begin) VALUES (?, ?, ?, ?, 0, ?, "
            "ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))",
            (free, fold(free), webhook, key, now()),
        )


def _found(connection: sqlite3.Connection) -> Iterator[tuple[str, str | None, str | None]]:
    for identifier, url in connection.execute("SELECT id, url FROM webhooks ORDER BY created, id").fetchall():
        yield urlsplit(url).hostname or identifier, identifier, None
    sql = "SELECT k.name, k.id FROM event_streams s JOIN keys k ON k.id = s.key ORDER BY k.created, k.id"
    for name, identifier in connection.execute(sql).fetchall():
        yield name, None, identifier


STEPS = {"m027_receipts": receipts}
