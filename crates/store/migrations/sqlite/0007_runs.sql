-- A run that its person cancelled while somebody held it, and what went to a model in a run.

ALTER TABLE mission_claims ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;

CREATE TABLE run_debug (
    user_id      TEXT NOT NULL,
    iteration_id TEXT NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (user_id, iteration_id)
) STRICT;

CREATE INDEX run_debug_newest ON run_debug (user_id, at);
