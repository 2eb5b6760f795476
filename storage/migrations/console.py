"""Sessions of the console, attempts to sign in, and forms that were sent."""

from storage.migrations.script import script

STEPS = {
    "m008_console_sessions": script("""
        CREATE TABLE console_sessions (
            digest BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, expires INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE console_attempts (seq INTEGER PRIMARY KEY, address TEXT NOT NULL, at REAL NOT NULL);
        CREATE INDEX console_attempts_address ON console_attempts (address, at);
        CREATE TABLE console_forms (token TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID"""),
}
