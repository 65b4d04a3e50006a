-- Proofs of a person beside the password. Times are microseconds since the epoch.

-- `secret` is sealed with the server's settings key; who reads the file can't make codes of it.
CREATE TABLE second_factors (
    user_id      TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       TEXT NOT NULL,
    -- Null until a first code was shown; no code is asked before.
    confirmed_at INTEGER,
    -- The time step of the last code that was taken: none is taken twice.
    last_step    INTEGER NOT NULL DEFAULT 0,
    -- Wrong codes in a row, and until when none is looked at.
    failures     INTEGER NOT NULL DEFAULT 0,
    closed_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Codes for the day the second factor is lost, each good once. `code_hash` is SHA-256.
CREATE TABLE recovery_codes (
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash BLOB NOT NULL,
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

-- Accounts by the identity that an OpenID provider gives.
CREATE TABLE external_identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX external_identities_user ON external_identities (user_id);
