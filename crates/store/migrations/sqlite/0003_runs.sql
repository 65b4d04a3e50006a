-- Which mission is due when, who asked for a run, and who is planning it. Ids and times; the inputs of a
-- request are content, and stand apart.

CREATE TABLE mission_schedule (
    user_id     TEXT NOT NULL,
    mission_id  TEXT NOT NULL,
    next_run_at INTEGER NOT NULL,
    slot        TEXT NOT NULL,
    PRIMARY KEY (user_id, mission_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX mission_schedule_due ON mission_schedule (next_run_at);

CREATE TABLE run_requests (
    user_id      TEXT NOT NULL,
    mission_id   TEXT NOT NULL,
    slot         TEXT NOT NULL,
    iteration_id TEXT NOT NULL,
    not_before   INTEGER NOT NULL,
    PRIMARY KEY (user_id, mission_id, slot)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_requests_due ON run_requests (not_before);

CREATE TABLE run_inputs (
    user_id    TEXT NOT NULL,
    mission_id TEXT NOT NULL,
    slot       TEXT NOT NULL,
    inputs     TEXT NOT NULL,
    PRIMARY KEY (user_id, mission_id, slot)
) STRICT;

-- One claim a mission. AUTOINCREMENT never gives a token twice, so a later claim has the greater one.
-- A claim given back keeps its row, without a worker, so that the attempts at a slot stay counted.
CREATE TABLE mission_claims (
    token       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     TEXT NOT NULL,
    mission_id  TEXT NOT NULL,
    slot        TEXT NOT NULL,
    worker      TEXT,
    lease_until INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    UNIQUE (user_id, mission_id)
) STRICT;
