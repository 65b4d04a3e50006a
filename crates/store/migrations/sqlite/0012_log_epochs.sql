-- The identity of a log, where it is not its account's id: after a restore, or an import of another log's epoch. And
-- whether the log takes back what devices hold of it. Times are microseconds since the epoch.
CREATE TABLE log_epochs (
    user_id         TEXT PRIMARY KEY,
    epoch           TEXT NOT NULL,
    -- Occurrences of missions up to there are not run again; null where the log was never restored.
    restored_at     INTEGER,
    -- Until when devices give back what the log lacks; null where they don't.
    give_back_until INTEGER,
    -- Devices are to drop what the log lacks.
    discards_newer  INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
