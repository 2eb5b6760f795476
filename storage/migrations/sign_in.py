"""Who is signed in to the console, and sign-ins with an identity provider that are under way."""

from storage.migrations.script import script

STEPS = {
    # `person`: the value of the claim by which a person signed in, "" for the password; `proved`: when they last did.
    "m028_oidc": script("""
        ALTER TABLE console_sessions ADD COLUMN person TEXT NOT NULL DEFAULT '';
        ALTER TABLE console_sessions ADD COLUMN proved INTEGER NOT NULL DEFAULT 0;
        UPDATE console_sessions SET proved = opened;
        CREATE TABLE console_logins (
            state BLOB PRIMARY KEY,
            browser BLOB NOT NULL,
            nonce TEXT NOT NULL,
            verifier TEXT NOT NULL,
            redirect TEXT NOT NULL,
            wanted TEXT NOT NULL,
            session BLOB,
            at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX console_logins_at ON console_logins (at)"""),
}
