-- What calls to models cost, and what is reserved for those that are under way. Counts, ids and times, no content,
-- so no row-level security. `quarter` is the quarter of an hour, in microseconds since the epoch: the day of every
-- time zone begins with one.

-- Calls under way. What they reserved is in `ledger_accounts` already.
CREATE TABLE ledger_reservations (
    id          text COLLATE "C" PRIMARY KEY,
    reserved_at bigint NOT NULL,
    expires_at  bigint NOT NULL,
    tokens      bigint NOT NULL,
    micros_usd  bigint NOT NULL,
    accounts    text NOT NULL,
    tags        text NOT NULL
);

CREATE INDEX ledger_reservations_expiry ON ledger_reservations (expires_at);

-- What each account has used or reserved: what budgets are checked against.
CREATE TABLE ledger_accounts (
    account    text COLLATE "C" NOT NULL,
    quarter    bigint NOT NULL,
    tokens     bigint NOT NULL,
    micros_usd bigint NOT NULL,
    PRIMARY KEY (account, quarter)
);

CREATE INDEX ledger_accounts_quarter ON ledger_accounts (quarter);

-- What ended calls used, by whom and with what: what people look at.
CREATE TABLE usage (
    quarter           bigint NOT NULL,
    user_id           text COLLATE "C" NOT NULL,
    mission_id        text COLLATE "C" NOT NULL,
    agent_id          text COLLATE "C" NOT NULL,
    key_id            text COLLATE "C" NOT NULL,
    model             text COLLATE "C" NOT NULL,
    calls             bigint NOT NULL,
    failed            bigint NOT NULL,
    cancelled         bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    micros_usd        bigint NOT NULL,
    PRIMARY KEY (quarter, user_id, mission_id, agent_id, key_id, model)
);
