-- How far a run is, whether its person cancelled it, and what went to a model in it. Times are microseconds since the
-- epoch.

-- A run's slot is not its claim's where several occurrences were missed.
ALTER TABLE mission_claims
    ADD COLUMN cancelled    boolean NOT NULL DEFAULT false,
    ADD COLUMN run_slot     text COLLATE "C",
    ADD COLUMN iteration_id text COLLATE "C",
    ADD COLUMN phase        text,
    ADD COLUMN started_at   bigint;

CREATE TABLE run_debug (
    user_id      text COLLATE "C" NOT NULL CHECK (user_id <> ''),
    iteration_id text COLLATE "C" NOT NULL,
    at           bigint NOT NULL,
    body         text NOT NULL,
    PRIMARY KEY (user_id, iteration_id)
);

CREATE INDEX run_debug_newest ON run_debug (user_id, at);

ALTER TABLE run_debug ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_debug FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON run_debug USING (user_id = (SELECT mana_user()));
