-- The log of changes, which is the truth, and the records merged from it.

-- `created_at` strictly increases for a user, so that `> cursor` is exact.
-- `data` holds the values by field, `field_timestamps` their times; a delete is a time of `deletedAt`.
CREATE TABLE sync_changes (
    user_id          TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    event_id         TEXT NOT NULL,
    app_id           TEXT NOT NULL,
    table_name       TEXT NOT NULL,
    record_id        TEXT NOT NULL,
    op               TEXT NOT NULL CHECK (op IN ('insert', 'update', 'delete')),
    data             TEXT,
    field_timestamps TEXT NOT NULL,
    actor            TEXT NOT NULL,
    client_id        TEXT NOT NULL,
    schema_version   INTEGER NOT NULL,
    -- The change's own time; those that count are in `field_timestamps`.
    at               INTEGER,
    -- Fields of the change that this version doesn't know, passed on as they came.
    extra            TEXT,
    -- Stamps that were set back when it was stored, so that a replay is answered alike.
    adjusted         TEXT,
    PRIMARY KEY (user_id, created_at),
    UNIQUE (user_id, event_id)
) STRICT;

CREATE TABLE records (
    user_id    TEXT NOT NULL,
    app_id     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    record_id  TEXT NOT NULL,
    state      TEXT NOT NULL,
    -- `created_at` of the last change folded in.
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, app_id, table_name, record_id)
) STRICT;
