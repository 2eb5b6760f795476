"""OAuth 2.0 clients: their credentials, their access tokens, and the assertions that came already."""

from storage.migrations.script import script

STEPS = {
    # A credential is a secret, which has a digest, or the trust in a signer of assertions; nothing else of a secret is
    # kept. What depends on a credential goes with it.
    "m026_oauth": script("""
        CREATE TABLE oauth_credentials (
            id TEXT PRIMARY KEY,
            key TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
            created TEXT NOT NULL,
            expires TEXT,
            digest BLOB,
            issuer TEXT,
            subject TEXT,
            audiences TEXT,
            jwks TEXT
        ) WITHOUT ROWID;
        CREATE INDEX oauth_credentials_key ON oauth_credentials (key);
        CREATE TABLE oauth_tokens (
            id TEXT PRIMARY KEY,
            key TEXT NOT NULL REFERENCES keys (id) ON DELETE CASCADE,
            credential TEXT NOT NULL REFERENCES oauth_credentials (id) ON DELETE CASCADE,
            digest BLOB NOT NULL,
            scope TEXT NOT NULL,
            expires TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX oauth_tokens_key ON oauth_tokens (key);
        CREATE INDEX oauth_tokens_credential ON oauth_tokens (credential);
        CREATE INDEX oauth_tokens_expires ON oauth_tokens (expires);
        CREATE TABLE oauth_assertions (
            credential TEXT NOT NULL REFERENCES oauth_credentials (id) ON DELETE CASCADE,
            jti BLOB NOT NULL,
            expires TEXT NOT NULL,
            PRIMARY KEY (credential, jti)
        ) WITHOUT ROWID;
        CREATE INDEX oauth_assertions_expires ON oauth_assertions (expires)"""),
}
