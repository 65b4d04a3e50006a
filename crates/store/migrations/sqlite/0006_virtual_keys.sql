-- What programs show instead of a provider's key. `secret_hash` is SHA-256; who reads the file cannot call with it.

CREATE TABLE virtual_keys (
    id          TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    settings    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
