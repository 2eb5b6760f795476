"""The schema of the file, as append-only migrations: each runs once, in order, whoever starts first."""

import secrets
from sqlite3 import complete_statement

from sqlite_utils import Database as SqliteUtils
from sqlite_utils import Migrations

from schemas.datetimes import now

perch = Migrations("perch")

BLOCK_SHIFT = 10
STARTING_ROLES = {
    "managed:admin": ("Admin", "May change everything in the workspace."),
    "managed:editor": ("Editor", "May change content, not settings or people."),
    "managed:viewer": ("Viewer", "May look, not change."),
    "managed:inbox_agent": ("Inbox agent", "Answers conversations in the inbox."),
    "managed:analyst": ("Analyst", "Reads reports and exports them."),
}


def run(db: SqliteUtils, script: str) -> None:
    """Run the statements of a script, in the transaction that is open."""
    statement = ""
    for line in script.splitlines():
        statement += f"{line}\n"
        if complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
    db.conn.execute(statement)


@perch()
def m001_workspace(db: SqliteUtils) -> None:
    run(db, "CREATE TABLE workspace (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID")
    values = {
        "id": secrets.token_hex(6),
        "created": now(),
        "epoch": 0,
        "secret": secrets.token_hex(32),
    }
    db.conn.executemany("INSERT INTO workspace VALUES (?, ?)", values.items())


@perch()
def m002_resources(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE resources (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            version INTEGER NOT NULL,
            created TEXT NOT NULL,
            lastModified TEXT NOT NULL,
            userName TEXT,
            displayName TEXT,
            externalId TEXT,
            active INTEGER,
            document TEXT NOT NULL
        );
        CREATE UNIQUE INDEX resources_userName ON resources (type, userName);
        CREATE UNIQUE INDEX resources_group_name ON resources (displayName) WHERE type = 'Group';
        CREATE INDEX resources_type ON resources (type);
        CREATE INDEX resources_displayName ON resources (type, displayName);
        CREATE INDEX resources_externalId ON resources (type, externalId) WHERE externalId IS NOT NULL;
        CREATE INDEX resources_lastModified ON resources (type, lastModified)""",
    )


@perch()
def m002_emails(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE emails (
            resource INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            value TEXT,
            type TEXT,
            "primary" INTEGER,
            PRIMARY KEY (resource, position)
        ) WITHOUT ROWID;
        CREATE INDEX emails_value ON emails (value)""",
    )


@perch()
def m003_blocks(db: SqliteUtils) -> None:
    """Count resources per block of sequence numbers, for totals and for pages deep in a directory."""
    run(
        db,
        f"""
        CREATE TABLE blocks (
            type TEXT NOT NULL, block INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (type, block)
        ) WITHOUT ROWID;
        CREATE TRIGGER blocks_insert AFTER INSERT ON resources BEGIN
            INSERT INTO blocks VALUES (new.type, new.seq >> {BLOCK_SHIFT}, 1)
            ON CONFLICT DO UPDATE SET count = count + 1; END;
        CREATE TRIGGER blocks_delete AFTER DELETE ON resources BEGIN
            UPDATE blocks SET count = count - 1 WHERE type = old.type AND block = old.seq >> {BLOCK_SHIFT}; END""",
    )


@perch()
def m004_members(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE members (
            "group" INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            member INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            nested INTEGER NOT NULL,
            PRIMARY KEY ("group", member)
        ) WITHOUT ROWID;
        CREATE INDEX members_member ON members (member, "group");
        CREATE INDEX members_nested ON members ("group", member) WHERE nested""",
    )


@perch()
def m005_roles(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE roles (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            slug TEXT NOT NULL UNIQUE,
            name TEXT NOT NULL,
            description TEXT,
            version INTEGER NOT NULL DEFAULT 1,
            created TEXT NOT NULL,
            lastModified TEXT NOT NULL
        );
        CREATE TABLE assignments (
            resource INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            source TEXT NOT NULL,
            position INTEGER NOT NULL,
            role TEXT NOT NULL REFERENCES roles (slug),
            display TEXT,
            type TEXT,
            "primary" INTEGER,
            since TEXT NOT NULL,
            actor TEXT NOT NULL,
            PRIMARY KEY (resource, source, position),
            UNIQUE (role, source, resource)
        ) WITHOUT ROWID""",
    )
    rows = [(slug, name, text, now(), now()) for slug, (name, text) in STARTING_ROLES.items()]
    sql = "INSERT INTO roles (slug, name, description, created, lastModified) VALUES (?, ?, ?, ?, ?)"
    db.conn.executemany(sql, rows)


@perch()
def m006_keys(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE keys (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            digest BLOB NOT NULL,
            idp TEXT NOT NULL,
            access TEXT NOT NULL,
            rolesAs TEXT NOT NULL,
            strict INTEGER NOT NULL DEFAULT 0,
            created TEXT NOT NULL,
            expires TEXT,
            revoked TEXT,
            lastUsed TEXT
        ) WITHOUT ROWID""",
    )


@perch()
def m007_journal(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE journal (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            actor TEXT NOT NULL,
            request TEXT NOT NULL,
            action TEXT NOT NULL,
            type TEXT NOT NULL,
            resource TEXT NOT NULL,
            name TEXT NOT NULL,
            folded TEXT NOT NULL,
            changes TEXT NOT NULL
        );
        CREATE INDEX journal_resource ON journal (resource)""",
    )


@perch()
def m008_console_sessions(db: SqliteUtils) -> None:
    run(
        db,
        """
        CREATE TABLE console_sessions (
            digest BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, expires INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE console_attempts (seq INTEGER PRIMARY KEY, address TEXT NOT NULL, at REAL NOT NULL);
        CREATE INDEX console_attempts_address ON console_attempts (address, at);
        CREATE TABLE console_forms (token TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID""",
    )


@perch()
def m009_traffic(db: SqliteUtils) -> None:
    run(
        db,
        """
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
        CREATE INDEX traffic_failed ON traffic (seq) WHERE status >= 400 OR status = 0 OR reason IS NOT NULL""",
    )


@perch()
def m009_quirks(db: SqliteUtils) -> None:
    run(
        db,
        """
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
        )""",
    )


@perch()
def m010_activity(db: SqliteUtils) -> None:
    """Keep, per second, how many users were active at its end and at most, and how many stopped being so."""
    run(
        db,
        """
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
            WHERE second < (SELECT max(second) FROM activity WHERE second < new.second - 86400); END""",
    )


@perch()
def m011_events(db: SqliteUtils) -> None:
    """Keep what applications are told: the outbox."""
    run(
        db,
        """
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
        )""",
    )


@perch()
def m012_webhooks(db: SqliteUtils) -> None:
    """Keep where events are pushed to, and what waits there."""
    run(
        db,
        """
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
        CREATE INDEX webhook_queue_subject ON webhook_queue (webhook, subject, event)""",
    )


@perch()
def m013_security_events(db: SqliteUtils) -> None:
    """Keep how far pollers of security event tokens are, and the keys that sign those."""
    run(
        db,
        """
        CREATE TABLE event_streams (
            key TEXT PRIMARY KEY, position INTEGER NOT NULL, acknowledged TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE signing_keys (
            kid TEXT PRIMARY KEY, created TEXT NOT NULL, private TEXT NOT NULL
        ) WITHOUT ROWID""",
    )
