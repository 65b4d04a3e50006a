BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
INSERT INTO "_sqlx_migrations" VALUES(1,'accounts','2026-11-23 00:00:00',1,X'189994112E304045E8FBB1041A292F872C1F429FD3C9C71F10FBC0E5A55F526BBAB940DB97F97D8A5DF65DB5502EB18F',1);
INSERT INTO "_sqlx_migrations" VALUES(2,'log','2026-11-23 00:00:00',1,X'BE6AD423E2B41ED19358C93500FA1F2706B8710A10DB53ABD1D4BAC4BFC0600DB0D9626EC1BAEC40217B117F1470DF18',1);
INSERT INTO "_sqlx_migrations" VALUES(3,'runs','2026-11-23 00:00:00',1,X'1B6ACAB7834414BBB54936DF0191ABB3273E17268E0ED02B55FBCD2CDC87EC1C0464A3A48CCC8657F52EC487D11ADD4B',1);
INSERT INTO "_sqlx_migrations" VALUES(4,'retention','2026-11-23 00:00:00',1,X'1BC2B23D21ED82FD392116E4779921ACC58F3C46F05752B2BE7F8CEE58FBE19762BCB8E4AFAF89FC1207A4391A208C5D',1);
INSERT INTO "_sqlx_migrations" VALUES(5,'ledger','2026-11-23 00:00:00',1,X'D7A2897FE8E65E7E811CCA11AA6511888D6D224ECB8077318EAEA580C3960B28C54A8B18C2648565BC80200E02AC9E88',1);
INSERT INTO "_sqlx_migrations" VALUES(6,'virtual keys','2026-11-23 00:00:00',1,X'57E389F94411FF12B6BD8EEADE41C85CBF5740C094C2E1D44279CF0124540E18DB6BF8F00ECCE2CEF9DA11EA1A532622',1);
INSERT INTO "_sqlx_migrations" VALUES(7,'runs','2026-11-23 00:00:00',1,X'6DFDBBD872120FAA28AFA6A57F00BC84125FEBDE9B7AA9BEC5F914C231D34878BF6C6845854DED8740D16980D6FA5E2D',1);
CREATE TABLE kv (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "kv" VALUES('llm.settings',X'7B2270726F766964657273223A7B22626F78223A7B22617069223A6E756C6C2C226261736555726C223A22687474703A2F2F3132372E302E302E313A392F7631222C227365616C65644B6579223A2261422B6143754C7A5643392B624C30367763706264684873586E4279432F67774151305A4E466E6C366E485A4E54553D222C226D6F64656C73223A5B226D225D2C2274696D656F75744D73223A6E756C6C2C22636F6E63757272656E6379223A6E756C6C7D7D2C22616C6961736573223A7B7D2C226D6F64656C73223A7B7D7D');
CREATE TABLE ledger_accounts (
    account    TEXT NOT NULL,
    quarter    INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    micros_usd INTEGER NOT NULL,
    PRIMARY KEY (account, quarter)
) STRICT, WITHOUT ROWID;
INSERT INTO "ledger_accounts" VALUES('agent:01a22b45-e13f-731d-9455-bef54da977a1/default',1796022000000000,0,0);
INSERT INTO "ledger_accounts" VALUES('agent:01a22b45-e1d7-730a-91ad-7a4a8576a3fe/default',1796022000000000,0,0);
INSERT INTO "ledger_accounts" VALUES('mission:01a22b45-e13f-731d-9455-bef54da977a1/m1',1796022000000000,0,0);
INSERT INTO "ledger_accounts" VALUES('mission:01a22b45-e1d7-730a-91ad-7a4a8576a3fe/m1',1796022000000000,0,0);
INSERT INTO "ledger_accounts" VALUES('user:01a22b45-e13f-731d-9455-bef54da977a1',1796022000000000,0,0);
INSERT INTO "ledger_accounts" VALUES('user:01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022000000000,0,0);
CREATE TABLE ledger_reservations (
    id          TEXT PRIMARY KEY,
    reserved_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,
    micros_usd  INTEGER NOT NULL,
    accounts    TEXT NOT NULL,
    tags        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE log_floors (
    user_id TEXT PRIMARY KEY,
    floor   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE mission_claims (
    token       INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id     TEXT NOT NULL,
    mission_id  TEXT NOT NULL,
    slot        TEXT NOT NULL,
    worker      TEXT,
    lease_until INTEGER NOT NULL,
    attempts    INTEGER NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, mission_id)
) STRICT;
CREATE TABLE mission_schedule (
    user_id     TEXT NOT NULL,
    mission_id  TEXT NOT NULL,
    next_run_at INTEGER NOT NULL,
    slot        TEXT NOT NULL,
    PRIMARY KEY (user_id, mission_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "mission_schedule" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','m1',1796108400000000,'due:1796108400000');
INSERT INTO "mission_schedule" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','m1',1796108400000000,'due:1796108400000');
CREATE TABLE records (
    user_id    TEXT NOT NULL,
    app_id     TEXT NOT NULL,
    table_name TEXT NOT NULL,
    record_id  TEXT NOT NULL,
    state      TEXT NOT NULL,
    -- `created_at` of the last change folded in.
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, app_id, table_name, record_id)
) STRICT;
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','todo','tasks','t0','{"data":{"title":"owner task 0"},"meta":{"title":{"at":"2026-11-30T07:05:29.835407Z","actor":{"kind":"user"}}}}',1796022329835412);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','todo','tasks','t1','{"data":{"title":"owner, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:29.884742Z","actor":{"kind":"user"}}}}',1796022329884742);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','todo','tasks','t2','{"data":{"deletedAt":"2026-11-30T07:05:29.945163Z","title":"owner task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:29.945163Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:29.835407Z","actor":{"kind":"user"}}}}',1796022329945163);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','todo','tasks','t3','{"data":{"title":"owner task 3"},"meta":{"title":{"at":"2026-11-30T07:05:29.835407Z","actor":{"kind":"user"}}}}',1796022329835412);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','todo','tasks','t4','{"data":{"title":"owner task 4"},"meta":{"title":{"at":"2026-11-30T07:05:29.835407Z","actor":{"kind":"user"}}}}',1796022329835412);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','todo','tasks','t5','{"data":{"title":"owner task 5"},"meta":{"title":{"at":"2026-11-30T07:05:29.835407Z","actor":{"kind":"user"}}}}',1796022329835412);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','notes','notes','n1','{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:29.968694Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:29.968694Z","actor":{"kind":"user"}}}}',1796022329968694);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','ai','aiMissions','m1','{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:30.432961Z","id":"931f60b2-52d0-535d-8028-b5d7cc81edd2","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"2fa0af64-3618-550a-8c7f-0798b442d033","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:30.432961Z"}],"principalId":"default","slot":"due:1796022269832","source":"server","startedAt":"2026-11-30T07:05:30.353861Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:30.432961Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"owner plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:29.974897Z","actor":{"kind":"user"}}}}',1796022330434703);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','todo','tasks','t0','{"data":{"title":"friend task 0"},"meta":{"title":{"at":"2026-11-30T07:05:30.076939Z","actor":{"kind":"user"}}}}',1796022330076944);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','todo','tasks','t1','{"data":{"title":"friend, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:30.086926Z","actor":{"kind":"user"}}}}',1796022330086926);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','todo','tasks','t2','{"data":{"deletedAt":"2026-11-30T07:05:30.135661Z","title":"friend task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:30.135661Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:30.076939Z","actor":{"kind":"user"}}}}',1796022330135661);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','todo','tasks','t3','{"data":{"title":"friend task 3"},"meta":{"title":{"at":"2026-11-30T07:05:30.076939Z","actor":{"kind":"user"}}}}',1796022330076944);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','todo','tasks','t4','{"data":{"title":"friend task 4"},"meta":{"title":{"at":"2026-11-30T07:05:30.076939Z","actor":{"kind":"user"}}}}',1796022330076944);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','todo','tasks','t5','{"data":{"title":"friend task 5"},"meta":{"title":{"at":"2026-11-30T07:05:30.076939Z","actor":{"kind":"user"}}}}',1796022330076944);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','notes','notes','n1','{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:30.144444Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:30.144444Z","actor":{"kind":"user"}}}}',1796022330144444);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','ai','aiMissions','m1','{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:30.418761Z","id":"931f60b2-52d0-535d-8028-b5d7cc81edd2","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"2fa0af64-3618-550a-8c7f-0798b442d033","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:30.418761Z"}],"principalId":"default","slot":"due:1796022269832","source":"server","startedAt":"2026-11-30T07:05:30.353559Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:30.418761Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"friend plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:30.151993Z","actor":{"kind":"user"}}}}',1796022330420133);
INSERT INTO "records" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','ai','aiRuns','931f60b2-52d0-535d-8028-b5d7cc81edd2','{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:30.418761Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022269832","startedAt":"2026-11-30T07:05:30.353559Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:30.418761Z","actor":{"kind":"system","source":"mission-runner"}}}}',1796022330420133);
INSERT INTO "records" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','ai','aiRuns','931f60b2-52d0-535d-8028-b5d7cc81edd2','{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:30.432961Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022269832","startedAt":"2026-11-30T07:05:30.353861Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:30.432961Z","actor":{"kind":"system","source":"mission-runner"}}}}',1796022330434703);
CREATE TABLE run_debug (
    user_id      TEXT NOT NULL,
    iteration_id TEXT NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT NOT NULL,
    PRIMARY KEY (user_id, iteration_id)
) STRICT;
CREATE TABLE run_inputs (
    user_id    TEXT NOT NULL,
    mission_id TEXT NOT NULL,
    slot       TEXT NOT NULL,
    inputs     TEXT NOT NULL,
    PRIMARY KEY (user_id, mission_id, slot)
) STRICT;
CREATE TABLE run_requests (
    user_id      TEXT NOT NULL,
    mission_id   TEXT NOT NULL,
    slot         TEXT NOT NULL,
    iteration_id TEXT NOT NULL,
    not_before   INTEGER NOT NULL,
    PRIMARY KEY (user_id, mission_id, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE secrets (
    secret_hash BLOB NOT NULL,
    purpose     TEXT NOT NULL,
    expires_at  INTEGER,
    PRIMARY KEY (purpose, secret_hash)
) STRICT, WITHOUT ROWID;
INSERT INTO "secrets" VALUES(X'3F00B545643B0E1CFE03BDF265D68EFF303D94A74FF109BEE5886C6E88A3109B','invite',1796627130547093);
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES(X'A38827D72B224E1671C2D6A6C47AA905EFF1AA644340CAB810244A0B96AFC43C','01a22b45-e3d8-721c-9652-96b76560c777','01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330328427,1798614330328427);
INSERT INTO "sessions" VALUES(X'B342FC0B5CCF7BF218F08F517415B39A375C84DD4F6CB250ABF61452E0B2CB73','01a22b45-e2ce-7539-b20f-3752f37eee23','01a22b45-e13f-731d-9455-bef54da977a1',1796022330062905,1798614330062905);
INSERT INTO "sessions" VALUES(X'E1427B343C9E2F17F77E497EF95B9CC491180F7C6840FF24CC617AC479D0845A','01a22b45-e1e4-7398-bdbb-d0010b422803','01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022329827035,1798614329827035);
INSERT INTO "sessions" VALUES(X'F349A046EDBC27D5A552156D29762B4612EDA1770018C9E4A12FC7065D08685B','01a22b45-e157-764e-8200-975de7c60206','01a22b45-e13f-731d-9455-bef54da977a1',1796022329687621,1798614329687621);
CREATE TABLE sync_changes (
    user_id          TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    event_id         TEXT NOT NULL,
    app_id           TEXT NOT NULL,
    table_name       TEXT NOT NULL,
    record_id        TEXT NOT NULL,
    op               TEXT NOT NULL CHECK (op IN ('insert', 'update', 'delete')),
    data             TEXT,
    field_timestamps TEXT NOT NULL,
    actor            TEXT NOT NULL,
    client_id        TEXT NOT NULL,
    schema_version   INTEGER NOT NULL,
    -- The change's own time; those that count are in `field_timestamps`.
    at               INTEGER,
    -- Fields of the change that this version doesn't know, passed on as they came.
    extra            TEXT,
    -- Stamps that were set back when it was stored, so that a replay is answered alike.
    adjusted         TEXT,
    PRIMARY KEY (user_id, created_at),
    UNIQUE (user_id, event_id)
) STRICT;
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329835407,'66cd4f69-00c3-5be9-9964-553835b42890','todo','tasks','t0','insert','{"title":"owner task 0"}','{"title":"2026-11-30T07:05:29.835407Z"}','{"kind":"user"}','laptop',1,1796022329835407,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329835408,'1c29e978-9b2d-5851-8eff-e7decc5a7a41','todo','tasks','t1','insert','{"title":"owner task 1"}','{"title":"2026-11-30T07:05:29.835407Z"}','{"kind":"user"}','laptop',1,1796022329835407,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329835409,'aac89409-0513-55ff-ade0-7f4f602642fd','todo','tasks','t2','insert','{"title":"owner task 2"}','{"title":"2026-11-30T07:05:29.835407Z"}','{"kind":"user"}','laptop',1,1796022329835407,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329835410,'6b60efe4-d396-50ef-ae1f-dffc2cf950d8','todo','tasks','t3','insert','{"title":"owner task 3"}','{"title":"2026-11-30T07:05:29.835407Z"}','{"kind":"user"}','laptop',1,1796022329835407,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329835411,'9ba36dab-4703-5883-9844-91ea99317354','todo','tasks','t4','insert','{"title":"owner task 4"}','{"title":"2026-11-30T07:05:29.835407Z"}','{"kind":"user"}','laptop',1,1796022329835407,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329835412,'f2254472-5e28-5a43-bcd5-bc1b01811a04','todo','tasks','t5','insert','{"title":"owner task 5"}','{"title":"2026-11-30T07:05:29.835407Z"}','{"kind":"user"}','laptop',1,1796022329835407,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329884742,'c689ff55-62ea-5fe1-98b2-a42deb32b762','todo','tasks','t1','update','{"title":"owner, again “ü”"}','{"title":"2026-11-30T07:05:29.884742Z"}','{"kind":"user"}','phone',1,1796022329884742,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329945163,'9e19dd99-63fe-527e-8817-b4a9fa69f630','todo','tasks','t2','delete',NULL,'{"deletedAt":"2026-11-30T07:05:29.945163Z"}','{"kind":"user"}','laptop',1,1796022329945163,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329968694,'0e5e89eb-7db9-5b28-b4a9-ebfccd428e61','notes','notes','n1','insert','{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"}','{"bodyMarkdown":"2026-11-30T07:05:29.968694Z","title":"2026-11-30T07:05:29.968694Z"}','{"kind":"user"}','laptop',1,1796022329968694,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022329974897,'993653ef-66ef-5a8d-a5b1-03c33d61c1ae','ai','aiMissions','m1','insert','{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[],"nextRunAt":"2026-11-30T07:04:29.832000Z","objective":"Plan it.","overlap":"allow","state":"active","timezone":"Europe/Berlin","title":"owner plan"}','{"cadence":"2026-11-30T07:05:29.974897Z","conceptMarkdown":"2026-11-30T07:05:29.974897Z","inputs":"2026-11-30T07:05:29.974897Z","iterations":"2026-11-30T07:05:29.974897Z","nextRunAt":"2026-11-30T07:05:29.974897Z","objective":"2026-11-30T07:05:29.974897Z","overlap":"2026-11-30T07:05:29.974897Z","state":"2026-11-30T07:05:29.974897Z","timezone":"2026-11-30T07:05:29.974897Z","title":"2026-11-30T07:05:29.974897Z"}','{"kind":"user"}','laptop',1,1796022329974897,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330076939,'a221a8cd-ebeb-57c6-8e82-db35bdd8e684','todo','tasks','t0','insert','{"title":"friend task 0"}','{"title":"2026-11-30T07:05:30.076939Z"}','{"kind":"user"}','laptop',1,1796022330076939,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330076940,'3b121a6d-915b-5d89-95ab-4f5672e163d9','todo','tasks','t1','insert','{"title":"friend task 1"}','{"title":"2026-11-30T07:05:30.076939Z"}','{"kind":"user"}','laptop',1,1796022330076939,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330076941,'575513e1-bbd2-5fc5-81d2-d70fc2e6ad25','todo','tasks','t2','insert','{"title":"friend task 2"}','{"title":"2026-11-30T07:05:30.076939Z"}','{"kind":"user"}','laptop',1,1796022330076939,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330076942,'c06438d7-2ef1-58ea-9efc-04444b5bcd18','todo','tasks','t3','insert','{"title":"friend task 3"}','{"title":"2026-11-30T07:05:30.076939Z"}','{"kind":"user"}','laptop',1,1796022330076939,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330076943,'ea620a26-9f4f-523c-b3e5-31462971c98c','todo','tasks','t4','insert','{"title":"friend task 4"}','{"title":"2026-11-30T07:05:30.076939Z"}','{"kind":"user"}','laptop',1,1796022330076939,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330076944,'ea02ed01-9ab0-50a3-b809-9132ee104414','todo','tasks','t5','insert','{"title":"friend task 5"}','{"title":"2026-11-30T07:05:30.076939Z"}','{"kind":"user"}','laptop',1,1796022330076939,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330086926,'f98b3d0b-be3f-5432-a9e5-b7740a26d36f','todo','tasks','t1','update','{"title":"friend, again “ü”"}','{"title":"2026-11-30T07:05:30.086926Z"}','{"kind":"user"}','phone',1,1796022330086926,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330135661,'9e19dd99-63fe-527e-8817-b4a9fa69f630','todo','tasks','t2','delete',NULL,'{"deletedAt":"2026-11-30T07:05:30.135661Z"}','{"kind":"user"}','laptop',1,1796022330135661,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330144444,'0e5e89eb-7db9-5b28-b4a9-ebfccd428e61','notes','notes','n1','insert','{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"}','{"bodyMarkdown":"2026-11-30T07:05:30.144444Z","title":"2026-11-30T07:05:30.144444Z"}','{"kind":"user"}','laptop',1,1796022330144444,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330151993,'7588feb7-0545-5533-8e74-e7d0274faa55','ai','aiMissions','m1','insert','{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[],"nextRunAt":"2026-11-30T07:04:29.832000Z","objective":"Plan it.","overlap":"allow","state":"active","timezone":"Europe/Berlin","title":"friend plan"}','{"cadence":"2026-11-30T07:05:30.151993Z","conceptMarkdown":"2026-11-30T07:05:30.151993Z","inputs":"2026-11-30T07:05:30.151993Z","iterations":"2026-11-30T07:05:30.151993Z","nextRunAt":"2026-11-30T07:05:30.151993Z","objective":"2026-11-30T07:05:30.151993Z","overlap":"2026-11-30T07:05:30.151993Z","state":"2026-11-30T07:05:30.151993Z","timezone":"2026-11-30T07:05:30.151993Z","title":"2026-11-30T07:05:30.151993Z"}','{"kind":"user"}','laptop',1,1796022330151993,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330420132,'07553c3b-c7d9-59a4-8d7a-88bb621bdb69','ai','aiMissions','m1','update','{"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:30.418761Z","id":"931f60b2-52d0-535d-8028-b5d7cc81edd2","model":"builtin/outline","plan":[{"id":"2fa0af64-3618-550a-8c7f-0798b442d033","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:30.418761Z"}],"principalId":"default","slot":"due:1796022269832","source":"server","startedAt":"2026-11-30T07:05:30.353559Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:30.418761Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","retrySlot":null}','{"iterations":"2026-11-30T07:05:30.418761Z","nextRunAt":"2026-11-30T07:05:30.418761Z","retrySlot":"2026-11-30T07:05:30.418761Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022330418761,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe',1796022330420133,'80022124-8b0f-56b6-9bd3-a6284bf17c6f','ai','aiRuns','931f60b2-52d0-535d-8028-b5d7cc81edd2','insert','{"attempts":1,"cost":0.0,"finishedAt":"2026-11-30T07:05:30.418761Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022269832","startedAt":"2026-11-30T07:05:30.353559Z","status":"ran","tokens":0}','{"attempts":"2026-11-30T07:05:30.418761Z","cost":"2026-11-30T07:05:30.418761Z","finishedAt":"2026-11-30T07:05:30.418761Z","missionId":"2026-11-30T07:05:30.418761Z","model":"2026-11-30T07:05:30.418761Z","slot":"2026-11-30T07:05:30.418761Z","startedAt":"2026-11-30T07:05:30.418761Z","status":"2026-11-30T07:05:30.418761Z","tokens":"2026-11-30T07:05:30.418761Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022330418761,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022330434702,'2f4937d5-9eac-59c4-8ae5-aecb4ce4ae38','ai','aiMissions','m1','update','{"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:30.432961Z","id":"931f60b2-52d0-535d-8028-b5d7cc81edd2","model":"builtin/outline","plan":[{"id":"2fa0af64-3618-550a-8c7f-0798b442d033","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:30.432961Z"}],"principalId":"default","slot":"due:1796022269832","source":"server","startedAt":"2026-11-30T07:05:30.353861Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:30.432961Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","retrySlot":null}','{"iterations":"2026-11-30T07:05:30.432961Z","nextRunAt":"2026-11-30T07:05:30.432961Z","retrySlot":"2026-11-30T07:05:30.432961Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022330432961,NULL,NULL);
INSERT INTO "sync_changes" VALUES('01a22b45-e13f-731d-9455-bef54da977a1',1796022330434703,'a607da12-019b-5b05-a87f-4448436206ac','ai','aiRuns','931f60b2-52d0-535d-8028-b5d7cc81edd2','insert','{"attempts":1,"cost":0.0,"finishedAt":"2026-11-30T07:05:30.432961Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022269832","startedAt":"2026-11-30T07:05:30.353861Z","status":"ran","tokens":0}','{"attempts":"2026-11-30T07:05:30.432961Z","cost":"2026-11-30T07:05:30.432961Z","finishedAt":"2026-11-30T07:05:30.432961Z","missionId":"2026-11-30T07:05:30.432961Z","model":"2026-11-30T07:05:30.432961Z","slot":"2026-11-30T07:05:30.432961Z","startedAt":"2026-11-30T07:05:30.432961Z","status":"2026-11-30T07:05:30.432961Z","tokens":"2026-11-30T07:05:30.432961Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022330432961,NULL,NULL);
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
INSERT INTO "usage" VALUES(1796022000000000,'01a22b45-e13f-731d-9455-bef54da977a1','','','','builtin/outline',1,0,0,0,0,0);
INSERT INTO "usage" VALUES(1796022000000000,'01a22b45-e13f-731d-9455-bef54da977a1','m1','default','','builtin/outline',1,0,0,0,0,0);
INSERT INTO "usage" VALUES(1796022000000000,'01a22b45-e1d7-730a-91ad-7a4a8576a3fe','m1','default','','builtin/outline',1,0,0,0,0,0);
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    timezone      TEXT NOT NULL,
    locale        TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    created_at    INTEGER NOT NULL
) STRICT;
INSERT INTO "users" VALUES('01a22b45-e13f-731d-9455-bef54da977a1','owner@example.org','owner','$argon2id$v=19$m=19456,t=2,p=1$4UuhllvoXg8AHIAjswrrxg$zffGoDTpOnfEr+fo6pvFJ/2D5mpYvL4qyOiR6Xy1Yqs','Europe/Berlin','en','owner',1796022329661594);
INSERT INTO "users" VALUES('01a22b45-e1d7-730a-91ad-7a4a8576a3fe','friend@example.org','friend','$argon2id$v=19$m=19456,t=2,p=1$LzRPfy4RRNzsgEpvqc5ENQ$nc08XsQfkHcsOA55bvuibQDiITzpu1YLTzcBHN8In9g','Europe/Berlin','en','member',1796022329814881);
CREATE TABLE virtual_keys (
    id          TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    settings    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "virtual_keys" VALUES('01a22b45-e472-73a5-ab9e-7529ff7cb661',X'D95C78F07975A0C83A416540BA8DEE3D342CB957D81B4A9E213CF2B15997A102','01a22b45-e13f-731d-9455-bef54da977a1','{"models":[],"name":"program","window":"day"}',1796022330483041);
CREATE UNIQUE INDEX users_one_owner ON users (role) WHERE role = 'owner';
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX mission_schedule_due ON mission_schedule (next_run_at);
CREATE INDEX run_requests_due ON run_requests (not_before);
CREATE INDEX ledger_reservations_expiry ON ledger_reservations (expires_at);
CREATE INDEX ledger_accounts_quarter ON ledger_accounts (quarter);
CREATE INDEX run_debug_newest ON run_debug (user_id, at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('mission_claims',0);
COMMIT;
