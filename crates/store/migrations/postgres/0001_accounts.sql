-- Accounts, sessions and settings. No content, so no row-level security. Times are microseconds since the epoch.
-- Ids and names are compared as bytes, as everywhere in Mana.

CREATE TABLE users (
    id            text COLLATE "C" PRIMARY KEY,
    email         text COLLATE "C" NOT NULL UNIQUE,
    name          text NOT NULL,
    password_hash text NOT NULL,
    timezone      text NOT NULL,
    locale        text NOT NULL,
    role          text NOT NULL CHECK (role IN ('owner', 'member')),
    created_at    bigint NOT NULL
);

CREATE UNIQUE INDEX users_one_owner ON users (role) WHERE role = 'owner';

-- `token_hash` and `secret_hash` are SHA-256; who reads the table cannot sign in with it.
-- A session's id is no secret: bearer tokens name their session by it.
CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,
    id         text COLLATE "C" NOT NULL UNIQUE,
    user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);

CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE secrets (
    secret_hash bytea NOT NULL,
    purpose     text NOT NULL,
    expires_at  bigint,
    PRIMARY KEY (purpose, secret_hash)
);

CREATE TABLE kv (
    key   text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
