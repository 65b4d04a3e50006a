-- How far a log has been compacted: the place of the newest row that was ever dropped from it. A cursor before it
-- would miss rows.
CREATE TABLE log_floors (
    user_id TEXT PRIMARY KEY,
    floor   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
