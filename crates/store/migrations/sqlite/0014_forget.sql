-- Records that are forgotten: a change of the server's takes them away, and of each the id alone stays, as a record
-- without fields, so that nothing brings it back.

-- SQLite can't change the words that a column may hold: the table is made anew.
CREATE TABLE sync_changes_anew (
    user_id          TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    event_id         TEXT NOT NULL,
    app_id           TEXT NOT NULL,
    table_name       TEXT NOT NULL,
    record_id        TEXT NOT NULL,
    op               TEXT NOT NULL CHECK (op IN ('insert', 'update', 'delete', 'forget')),
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
    -- Whether the change left everything as it was, so that a replay is answered alike.
    unchanged        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, created_at),
    UNIQUE (user_id, event_id)
) STRICT;
INSERT INTO sync_changes_anew
    SELECT user_id, created_at, event_id, app_id, table_name, record_id, op, data, field_timestamps, actor, client_id,
        schema_version, at, extra, adjusted, unchanged
    FROM sync_changes;
DROP TABLE sync_changes;
ALTER TABLE sync_changes_anew RENAME TO sync_changes;
CREATE INDEX sync_changes_newer ON sync_changes (user_id, schema_version) WHERE schema_version > 1;

-- The oldest of them go.
CREATE INDEX records_forgotten ON records (user_id, updated_at) WHERE state = '{"data":{},"meta":{}}';

-- A run reads of a table the records that changed last, and no others.
CREATE INDEX records_by_change ON records (user_id, app_id, table_name, updated_at, record_id);
