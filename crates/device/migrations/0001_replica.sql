CREATE TABLE records (
    app_id     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    record_id  TEXT NOT NULL,
    state      TEXT NOT NULL,
    PRIMARY KEY (app_id, table_name, record_id)
) WITHOUT ROWID;

-- Never reuses a number: what one process has sent must not clear what another has queued since.
CREATE TABLE outbox (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    change TEXT NOT NULL,
    -- The cursor when it was written.
    since  TEXT NOT NULL
);

CREATE TABLE set_aside (
    event_id  TEXT PRIMARY KEY,
    set_aside TEXT NOT NULL
);

CREATE TABLE proposals (
    id         TEXT PRIMARY KEY,
    mission_id TEXT NOT NULL,
    proposal   TEXT NOT NULL
);
CREATE INDEX proposals_by_mission ON proposals (mission_id);

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
