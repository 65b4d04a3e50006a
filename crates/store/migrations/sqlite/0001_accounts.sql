-- Accounts, sessions and settings. No content. Times are microseconds since the epoch.

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    timezone      TEXT NOT NULL,
    locale        TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    created_at    INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX users_one_owner ON users (role) WHERE role = 'owner';

-- `token_hash` and `secret_hash` are SHA-256; who reads the file cannot sign in with it.
-- A session's id is no secret: bearer tokens name their session by it.
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE secrets (
    secret_hash BLOB NOT NULL,
    purpose     TEXT NOT NULL,
    expires_at  INTEGER,
    PRIMARY KEY (purpose, secret_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE kv (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
