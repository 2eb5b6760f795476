"""Requests kept for people, the habits of clients, planned faults, and the figures of the safety fuse."""

from storage.migrations.script import script

STEPS = {
    "m009_traffic": script("""
        CREATE TABLE traffic (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            key TEXT,
            keyName TEXT,
            idp TEXT,
            method TEXT NOT NULL,
            path TEXT NOT NULL,
            status INTEGER NOT NULL,
            duration REAL NOT NULL,
            headers TEXT NOT NULL,
            request TEXT,
            requestSize INTEGER NOT NULL,
            response TEXT,
            responseSize INTEGER NOT NULL,
            requestId TEXT NOT NULL,
            tolerances TEXT NOT NULL,
            ignored TEXT NOT NULL,
            reason TEXT,
            fault TEXT,
            replayOf INTEGER
        );
        CREATE INDEX traffic_key ON traffic (key);
        CREATE INDEX traffic_failed ON traffic (seq) WHERE status >= 400 OR status = 0 OR reason IS NOT NULL"""),
    "m009_quirks": script("""
        CREATE TABLE quirks (
            key TEXT NOT NULL,
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            count INTEGER NOT NULL,
            example TEXT NOT NULL,
            first TEXT NOT NULL,
            last TEXT NOT NULL,
            PRIMARY KEY (key, kind, name)
        ) WITHOUT ROWID;
        CREATE TABLE faults (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            method TEXT NOT NULL,
            path TEXT NOT NULL,
            key TEXT,
            status INTEGER,
            retryAfter INTEGER,
            delay REAL NOT NULL,
            "drop" INTEGER NOT NULL,
            times INTEGER,
            used INTEGER NOT NULL DEFAULT 0,
            created TEXT NOT NULL
        )"""),
    # Per second: the number of active users at its end, the most in it, and how many stopped being active.
    "m010_activity": script("""
        CREATE TABLE activity (
            second INTEGER PRIMARY KEY, active INTEGER NOT NULL, peak INTEGER NOT NULL, lost INTEGER NOT NULL
        );
        INSERT INTO activity SELECT 0, count(*), count(*), 0 FROM resources WHERE type = 'User' AND active = 1;
        CREATE TRIGGER activity_insert AFTER INSERT ON resources WHEN new.type = 'User' AND new.active = 1 BEGIN
            INSERT INTO activity SELECT max(second, unixepoch(new.created)), active + 1, active + 1, 0
            FROM activity WHERE second = (SELECT max(second) FROM activity)
            ON CONFLICT DO UPDATE SET active = excluded.active, peak = max(peak, excluded.active); END;
        CREATE TRIGGER activity_gain AFTER UPDATE OF active ON resources
        WHEN new.type = 'User' AND new.active = 1 AND old.active IS NOT 1 BEGIN
            INSERT INTO activity SELECT max(second, unixepoch(new.lastModified)), active + 1, active + 1, 0
            FROM activity WHERE second = (SELECT max(second) FROM activity)
            ON CONFLICT DO UPDATE SET active = excluded.active, peak = max(peak, excluded.active);
            UPDATE activity SET lost = lost - 1 WHERE second = unixepoch(old.lastModified) AND lost > 0; END;
        CREATE TRIGGER activity_loss AFTER UPDATE OF active ON resources
        WHEN new.type = 'User' AND old.active = 1 AND new.active IS NOT 1 BEGIN
            INSERT INTO activity SELECT max(second, unixepoch(new.lastModified)), active - 1, active, 1
            FROM activity WHERE second = (SELECT max(second) FROM activity)
            ON CONFLICT DO UPDATE SET active = excluded.active, lost = lost + 1; END;
        CREATE TRIGGER activity_delete AFTER DELETE ON resources WHEN old.type = 'User' AND old.active = 1 BEGIN
            INSERT INTO activity SELECT max(second, unixepoch()), active - 1, active, 1
            FROM activity WHERE second = (SELECT max(second) FROM activity)
            ON CONFLICT DO UPDATE SET active = excluded.active, lost = lost + 1; END;
        CREATE TRIGGER activity_prune AFTER INSERT ON activity BEGIN
            DELETE FROM activity
            WHERE second < (SELECT max(second) FROM activity WHERE second < new.second - 86400); END"""),
}
