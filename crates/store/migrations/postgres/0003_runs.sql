-- Which mission is due when, who asked for a run, and who is planning it. Ids and times; the inputs of a
-- request are content, and stand apart. Times are microseconds since the epoch.

CREATE TABLE mission_schedule (
    user_id     text COLLATE "C" NOT NULL,
    mission_id  text COLLATE "C" NOT NULL,
    next_run_at bigint NOT NULL,
    slot        text COLLATE "C" NOT NULL,
    PRIMARY KEY (user_id, mission_id)
);

CREATE INDEX mission_schedule_due ON mission_schedule (next_run_at);

CREATE TABLE run_requests (
    user_id      text COLLATE "C" NOT NULL,
    mission_id   text COLLATE "C" NOT NULL,
    slot         text COLLATE "C" NOT NULL,
    iteration_id text COLLATE "C" NOT NULL,
    not_before   bigint NOT NULL,
    PRIMARY KEY (user_id, mission_id, slot)
);

CREATE INDEX run_requests_due ON run_requests (not_before);

CREATE TABLE run_inputs (
    user_id    text COLLATE "C" NOT NULL CHECK (user_id <> ''),
    mission_id text COLLATE "C" NOT NULL,
    slot       text COLLATE "C" NOT NULL,
    inputs     text NOT NULL,
    PRIMARY KEY (user_id, mission_id, slot)
);

ALTER TABLE run_inputs ENABLE ROW LEVEL SECURITY;
ALTER TABLE run_inputs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON run_inputs USING (user_id = (SELECT mana_user()));

-- A later claim has the greater token.
CREATE SEQUENCE mission_claim_tokens;

-- One claim a mission. A claim given back keeps its row, without a worker, so that the attempts at a slot stay
-- counted.
CREATE TABLE mission_claims (
    user_id     text COLLATE "C" NOT NULL,
    mission_id  text COLLATE "C" NOT NULL,
    token       bigint NOT NULL UNIQUE DEFAULT nextval('mission_claim_tokens'),
    slot        text COLLATE "C" NOT NULL,
    worker      text,
    lease_until bigint NOT NULL,
    attempts    bigint NOT NULL,
    PRIMARY KEY (user_id, mission_id)
);
