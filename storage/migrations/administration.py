"""Who is signed in to the console from where, and until when old signing keys are published."""

from storage.migrations.script import script

STEPS = {
    # The sessions of the version before are lost: nothing says when they were last used.
    "m017_sessions_and_signing_keys": script("""
        DROP TABLE console_sessions;
        CREATE TABLE console_sessions (
            digest BLOB PRIMARY KEY,
            fingerprint BLOB NOT NULL,
            address TEXT NOT NULL,
            opened INTEGER NOT NULL,
            used INTEGER NOT NULL,
            expires INTEGER NOT NULL
        ) WITHOUT ROWID;
        ALTER TABLE signing_keys ADD COLUMN retired TEXT"""),
}
