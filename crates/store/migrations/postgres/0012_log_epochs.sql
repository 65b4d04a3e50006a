-- The identity of a log, where it is not its account's id: after a restore, or an import of another log's epoch. And
-- whether the log takes back what devices hold of it. Times are microseconds since the epoch.
CREATE TABLE log_epochs (
    user_id         text COLLATE "C" PRIMARY KEY,
    epoch           text COLLATE "C" NOT NULL,
    -- Occurrences of missions up to there are not run again; null where the log was never restored.
    restored_at     bigint,
    -- Until when devices give back what the log lacks; null where they don't.
    give_back_until bigint,
    -- Devices are to drop what the log lacks.
    discards_newer  boolean NOT NULL DEFAULT false
);
