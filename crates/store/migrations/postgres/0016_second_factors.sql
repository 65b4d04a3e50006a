-- Proofs of a person beside the password. Times are microseconds since the epoch.

-- `secret` is sealed with the server's settings key; who reads the table can't make codes of it.
CREATE TABLE second_factors (
    user_id      text COLLATE "C" PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       text NOT NULL,
    -- Null until a first code was shown; no code is asked before.
    confirmed_at bigint,
    -- The time step of the last code that was taken: none is taken twice.
    last_step    bigint NOT NULL DEFAULT 0,
    -- Wrong codes in a row, and until when none is looked at.
    failures     bigint NOT NULL DEFAULT 0,
    closed_until bigint NOT NULL DEFAULT 0
);

-- Codes for the day the second factor is lost, each good once. `code_hash` is SHA-256.
CREATE TABLE recovery_codes (
    user_id   text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

-- Accounts by the identity that an OpenID provider gives.
CREATE TABLE external_identities (
    issuer     text COLLATE "C" NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at bigint NOT NULL,
    PRIMARY KEY (issuer, subject)
);

CREATE INDEX external_identities_user ON external_identities (user_id);
