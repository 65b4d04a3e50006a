-- What programs show instead of a provider's key. `secret_hash` is SHA-256; who reads the table cannot call with it.

CREATE TABLE virtual_keys (
    id          text COLLATE "C" PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,
    user_id     text COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    settings    text NOT NULL,
    created_at  bigint NOT NULL
);
