"""Roles and their assignments, access keys, and the journal."""

from sqlite_utils import Database as SqliteUtils

from schemas.datetimes import now
from storage.migrations.script import script

STARTING_ROLES = {
    "managed:admin": ("Admin", "May change everything in the workspace."),
    "managed:editor": ("Editor", "May change content, not settings or people."),
    "managed:viewer": ("Viewer", "May look, not change."),
    "managed:inbox_agent": ("Inbox agent", "Answers conversations in the inbox."),
    "managed:analyst": ("Analyst", "Reads reports and exports them."),
}


TABLES_OF_ROLES = script("""
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
        ) WITHOUT ROWID""")


def roles(db: SqliteUtils) -> None:
    """Make the tables of roles, and fill the catalogue of a new deployment."""
    TABLES_OF_ROLES(db)
    rows = [(slug, name, text, now(), now()) for slug, (name, text) in STARTING_ROLES.items()]
    sql = "INSERT INTO roles (slug, name, description, created, lastModified) VALUES (?, ?, ?, ?, ?)"
    db.conn.executemany(sql, rows)


STEPS = {
    "m005_roles": roles,
    "m006_keys": script("""
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
        ) WITHOUT ROWID"""),
    "m007_journal": script("""
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
        CREATE INDEX journal_resource ON journal (resource)"""),
}
