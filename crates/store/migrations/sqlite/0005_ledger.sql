-- What calls to models cost, and what is reserved for those that are under way. Counts, ids and times, no content.
-- `quarter` is the quarter of an hour, in microseconds since the epoch: the day of every time zone begins with one.

-- Calls under way. What they reserved is in `ledger_accounts` already.
CREATE TABLE ledger_reservations (
    id          TEXT PRIMARY KEY,
    reserved_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,
    micros_usd  INTEGER NOT NULL,
    accounts    TEXT NOT NULL,
    tags        TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_reservations_expiry ON ledger_reservations (expires_at);

-- What each account has used or reserved: what budgets are checked against.
CREATE TABLE ledger_accounts (
    account    TEXT NOT NULL,
    quarter    INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    micros_usd INTEGER NOT NULL,
    PRIMARY KEY (account, quarter)
) STRICT, WITHOUT ROWID;

CREATE INDEX ledger_accounts_quarter ON ledger_accounts (quarter);

-- What ended calls used, by whom and with what: what people look at.
CREATE TABLE usage (
    quarter           INTEGER NOT NULL,
    user_id           TEXT NOT NULL,
    mission_id        TEXT NOT NULL,
    agent_id          TEXT NOT NULL,
    key_id            TEXT NOT NULL,
    model             TEXT NOT NULL,
    calls             INTEGER NOT NULL,
    failed            INTEGER NOT NULL,
    cancelled         INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    micros_usd        INTEGER NOT NULL,
    PRIMARY KEY (quarter, user_id, mission_id, agent_id, key_id, model)
) STRICT, WITHOUT ROWID;
