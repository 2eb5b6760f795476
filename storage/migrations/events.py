"""Events for applications, and how far each receiver is."""

from storage.migrations.script import script

STEPS = {
    "m011_events": script("""
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            tag TEXT NOT NULL,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            type TEXT NOT NULL,
            subject TEXT NOT NULL,
            action TEXT NOT NULL,
            request TEXT NOT NULL,
            data TEXT NOT NULL
        )"""),
    "m012_webhooks": script("""
        CREATE TABLE webhooks (
            id TEXT PRIMARY KEY,
            url TEXT NOT NULL,
            kinds TEXT NOT NULL,
            format TEXT NOT NULL,
            secret TEXT NOT NULL,
            oldSecret TEXT,
            oldUntil REAL,
            created TEXT NOT NULL,
            position INTEGER NOT NULL,
            paused TEXT,
            reason TEXT,
            failures INTEGER NOT NULL DEFAULT 0,
            failingSince REAL,
            nextTry REAL NOT NULL DEFAULT 0,
            delivered INTEGER NOT NULL DEFAULT 0,
            lastDelivered TEXT
        ) WITHOUT ROWID;
        CREATE TABLE webhook_queue (
            webhook TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
            event INTEGER NOT NULL,
            subject TEXT NOT NULL,
            attempts INTEGER NOT NULL,
            since REAL NOT NULL,
            nextTry REAL NOT NULL,
            PRIMARY KEY (webhook, event)
        ) WITHOUT ROWID;
        CREATE INDEX webhook_queue_subject ON webhook_queue (webhook, subject, event)"""),
    # How far each poller of security event tokens is, and the keys that sign the tokens.
    "m013_security_events": script("""
        CREATE TABLE event_streams (
            key TEXT PRIMARY KEY, position INTEGER NOT NULL, acknowledged TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE signing_keys (
            kid TEXT PRIMARY KEY, created TEXT NOT NULL, private TEXT NOT NULL
        ) WITHOUT ROWID"""),
}
