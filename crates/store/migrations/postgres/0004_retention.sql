-- How far a log has been compacted: the place of the newest row that was ever dropped from it. A cursor before it
-- would miss rows. Microseconds since the epoch.
CREATE TABLE log_floors (
    user_id text COLLATE "C" PRIMARY KEY,
    floor   bigint NOT NULL
);
