-- The last numbered push of each client: a number that comes again with other changes is a copy's.

CREATE TABLE client_pushes (
    user_id   text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    number    bigint NOT NULL,
    -- How many changes the push had, and a digest of their event ids in their order.
    changes   bigint NOT NULL,
    digest    text NOT NULL,
    pushed_at bigint NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- The rows that an older device can't read; an older device asks with each push.
CREATE INDEX sync_changes_newer ON sync_changes (user_id, schema_version) WHERE schema_version > 1;
