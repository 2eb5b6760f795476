"""The workspace, users and groups as rows, and the members of groups."""

import secrets

from sqlite_utils import Database as SqliteUtils

from schemas.datetimes import now
from storage.migrations.script import script

BLOCK_SHIFT = 10


def workspace(db: SqliteUtils) -> None:
    """Make the table of values of the whole deployment, with its id, epoch and secret."""
    script("CREATE TABLE workspace (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID")(db)
    values = {
        "id": secrets.token_hex(6),
        "created": now(),
        "epoch": 0,
        "secret": secrets.token_hex(32),
    }
    db.conn.executemany("INSERT INTO workspace VALUES (?, ?)", values.items())


STEPS = {
    "m001_workspace": workspace,
    "m002_resources": script("""
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
        CREATE INDEX resources_lastModified ON resources (type, lastModified)"""),
    "m002_emails": script("""
        CREATE TABLE emails (
            resource INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            value TEXT,
            type TEXT,
            "primary" INTEGER,
            PRIMARY KEY (resource, position)
        ) WITHOUT ROWID;
        CREATE INDEX emails_value ON emails (value)"""),
    # Counts per block of sequence numbers, for totals and for pages deep in a directory.
    "m003_blocks": script(f"""
        CREATE TABLE blocks (
            type TEXT NOT NULL, block INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (type, block)
        ) WITHOUT ROWID;
        CREATE TRIGGER blocks_insert AFTER INSERT ON resources BEGIN
            INSERT INTO blocks VALUES (new.type, new.seq >> {BLOCK_SHIFT}, 1)
            ON CONFLICT DO UPDATE SET count = count + 1; END;
        CREATE TRIGGER blocks_delete AFTER DELETE ON resources BEGIN
            UPDATE blocks SET count = count - 1 WHERE type = old.type AND block = old.seq >> {BLOCK_SHIFT}; END"""),
    "m004_members": script("""
        CREATE TABLE members (
            "group" INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            member INTEGER NOT NULL REFERENCES resources (seq) ON DELETE CASCADE,
            nested INTEGER NOT NULL,
            PRIMARY KEY ("group", member)
        ) WITHOUT ROWID;
        CREATE INDEX members_member ON members (member, "group");
        CREATE INDEX members_nested ON members ("group", member) WHERE nested"""),
}
