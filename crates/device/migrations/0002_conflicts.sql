-- What the texts of a record replaced, so that a conflict is found and can be merged.
CREATE TABLE texts (
    app_id     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    record_id  TEXT NOT NULL,
    field      TEXT NOT NULL,
    lineage    TEXT NOT NULL,
    PRIMARY KEY (app_id, table_name, record_id, field)
) WITHOUT ROWID;

-- Values that lost to others whose authors had not seen them.
CREATE TABLE conflicts (
    conflict_id TEXT PRIMARY KEY,
    app_id      TEXT NOT NULL,
    table_name  TEXT NOT NULL,
    record_id   TEXT NOT NULL,
    noticed_at  INTEGER NOT NULL,
    ended       INTEGER NOT NULL,
    conflict    TEXT NOT NULL
);
CREATE INDEX conflicts_by_record ON conflicts (app_id, table_name, record_id);
