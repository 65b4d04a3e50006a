BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'accounts','2026-11-30 07:05:40',1,X'189994112E304045E8FBB1041A292F872C1F429FD3C9C71F10FBC0E5A55F526BBAB940DB97F97D8A5DF65DB5502EB18F',2201062);
INSERT INTO "_sqlx_migrations" VALUES(2,'log','2026-11-30 07:05:40',1,X'BE6AD423E2B41ED19358C93500FA1F2706B8710A10DB53ABD1D4BAC4BFC0600DB0D9626EC1BAEC40217B117F1470DF18',2641853);
INSERT INTO "_sqlx_migrations" VALUES(3,'runs','2026-11-30 07:05:40',1,X'1B6ACAB7834414BBB54936DF0191ABB3273E17268E0ED02B55FBCD2CDC87EC1C0464A3A48CCC8657F52EC487D11ADD4B',1964356);
INSERT INTO "_sqlx_migrations" VALUES(4,'retention','2026-11-30 07:05:40',1,X'1BC2B23D21ED82FD392116E4779921ACC58F3C46F05752B2BE7F8CEE58FBE19762BCB8E4AFAF89FC1207A4391A208C5D',11977660);
INSERT INTO "_sqlx_migrations" VALUES(5,'ledger','2026-11-30 07:05:40',1,X'D7A2897FE8E65E7E811CCA11AA6511888D6D224ECB8077318EAEA580C3960B28C54A8B18C2648565BC80200E02AC9E88',9088658);
INSERT INTO "_sqlx_migrations" VALUES(6,'virtual keys','2026-11-30 07:05:40',1,X'57E389F94411FF12B6BD8EEADE41C85CBF5740C094C2E1D44279CF0124540E18DB6BF8F00ECCE2CEF9DA11EA1A532622',11963048);
INSERT INTO "_sqlx_migrations" VALUES(7,'runs','2026-11-30 07:05:40',1,X'6DFDBBD872120FAA28AFA6A57F00BC84125FEBDE9B7AA9BEC5F914C231D34878BF6C6845854DED8740D16980D6FA5E2D',3982341);
INSERT INTO "_sqlx_migrations" VALUES(8,'run records','2026-11-30 07:05:40',1,X'B21BF27815FA543E8E18A697574C44D7217980C191AA940CA13DF5E72F6B083D799E67A403BCC4249649FDE435531339',8152131);
INSERT INTO "_sqlx_migrations" VALUES(9,'calls of accounts','2026-11-30 07:05:40',1,X'E6C9B7496E4FD052A71E0A8F445F9B9DE0ADB7D034484D869EC0EA0E4552098D1A46D188F07B0516B11FABE0814A8867',11970545);
INSERT INTO "_sqlx_migrations" VALUES(10,'unchanged','2026-11-30 07:05:40',1,X'944989576103EED1D664F1799A1EE109F3BDD598282CEA512E96D9E38A5163ECF1140B4D172F855E38E085BC79ABA0D6',16139043);
INSERT INTO "_sqlx_migrations" VALUES(11,'client pushes','2026-11-30 07:05:40',1,X'35095B517D107201DE889BDE52CD5C915FACBAC09F9ED5D693A6B55AA6468746F6EA71BE175F39B241703E0BFA803D45',1658405);
INSERT INTO "_sqlx_migrations" VALUES(12,'log epochs','2026-11-30 07:05:40',1,X'9E98904AF6E4D8497B56D89F3591D5B9A5F44F66C7E64EDA4BFED153B0DA973FEFE2B92A7AF74EB1C92A78FE1CF1C4A6',13822594);
INSERT INTO "_sqlx_migrations" VALUES(13,'postponed runs','2026-11-30 07:05:40',1,X'0D4A763748C3EC3E005AC2EC1D053060105510D9961735CFA98736DD15E33335FFCC488DA939C52D1F121FD375A59478',6460712);
INSERT INTO "_sqlx_migrations" VALUES(14,'forget','2026-11-30 07:05:40',1,X'F897EEE46127F5B527B8AD24967F385E0F9C0413C9EFCFC0AACB6B091D5A04440F238F861959DC3755A91D95F93A6567',45175280);
INSERT INTO "_sqlx_migrations" VALUES(15,'people','2026-11-30 07:05:40',1,X'A3B014F137E38455D52B26BCE6E44A4E06FA53BA4F5F4724F5D985629BFFB011A6322D200DFFD415CA93ABE1E883B057',43989747);
INSERT INTO "_sqlx_migrations" VALUES(16,'second factors','2026-11-30 07:05:40',1,X'5B0D4715ABECAC5BBF90CD40241731A75E24AC58E3E9A68F8D84A8E40A079720B58B4D27C4CFFCCC1FAB0EADEA87C499',21095059);
CREATE TABLE audit_log (
    -- The time in microseconds, or the place after the newest entry: no sequence, which a restore would have to move.
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    class   TEXT NOT NULL CHECK (class IN ('act', 'failure')),
    event   TEXT NOT NULL,
    -- The account that the entry is about, and the one that acted; null where none is known.
    subject TEXT,
    actor   TEXT,
    address TEXT,
    detail  TEXT NOT NULL
) STRICT;
INSERT INTO "audit_log" VALUES(1796022341126834,1796022341126834,'act','account-made','01a22b46-0dfa-7268-9cfe-d01e805d0c6b',NULL,'127.0.0.1','owner, password');
INSERT INTO "audit_log" VALUES(1796022341151161,1796022341151161,'act','sign-in','01a22b46-0dfa-7268-9cfe-d01e805d0c6b','01a22b46-0dfa-7268-9cfe-d01e805d0c6b','127.0.0.1','password');
INSERT INTO "audit_log" VALUES(1796022341300071,1796022341300071,'act','account-made','01a22b46-0e9d-77bd-87c9-e283e581344f',NULL,'127.0.0.1','member, password');
INSERT INTO "audit_log" VALUES(1796022341309564,1796022341309564,'act','sign-in','01a22b46-0e9d-77bd-87c9-e283e581344f','01a22b46-0e9d-77bd-87c9-e283e581344f','127.0.0.1','password');
INSERT INTO "audit_log" VALUES(1796022342044509,1796022342044509,'act','sign-in','01a22b46-0dfa-7268-9cfe-d01e805d0c6b','01a22b46-0dfa-7268-9cfe-d01e805d0c6b','127.0.0.1','password');
INSERT INTO "audit_log" VALUES(1796022342582872,1796022342582872,'act','sign-in','01a22b46-0e9d-77bd-87c9-e283e581344f','01a22b46-0e9d-77bd-87c9-e283e581344f','127.0.0.1','password');
INSERT INTO "audit_log" VALUES(1796022343152683,1796022343152683,'act','key-made',NULL,'01a22b46-0dfa-7268-9cfe-d01e805d0c6b','127.0.0.1','program');
INSERT INTO "audit_log" VALUES(1796022343181219,1796022343181219,'act','models-changed',NULL,'01a22b46-0dfa-7268-9cfe-d01e805d0c6b','127.0.0.1','box');
INSERT INTO "audit_log" VALUES(1796022343203671,1796022343203671,'act','invitation-made',NULL,'01a22b46-0dfa-7268-9cfe-d01e805d0c6b','127.0.0.1','member');
CREATE TABLE client_pushes (
    user_id   TEXT NOT NULL,
    client_id TEXT NOT NULL,
    number    INTEGER NOT NULL,
    -- How many changes the push had, and a digest of their event ids in their order.
    changes   INTEGER NOT NULL,
    digest    TEXT NOT NULL,
    pushed_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id)
) STRICT;
CREATE TABLE deleted_accounts (
    id_hash    BLOB PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE external_identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE kv (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "kv" VALUES('llm.settings',X'7B2270726F766964657273223A7B22626F78223A7B22617069223A6E756C6C2C226261736555726C223A22687474703A2F2F3132372E302E302E313A392F7631222C227365616C65644B6579223A226B6E486155746A4B6C797842645A48326941725A4C4F657A36494875316255787A76666544454675465746712F4A6F3D222C226D6F64656C73223A5B226D225D2C2274696D656F75744D73223A6E756C6C2C22636F6E63757272656E6379223A6E756C6C7D7D2C22616C6961736573223A7B7D2C226D6F64656C73223A7B7D7D');
CREATE TABLE ledger_accounts (
    account    TEXT NOT NULL,
    quarter    INTEGER NOT NULL,
    tokens     INTEGER NOT NULL,
    micros_usd INTEGER NOT NULL, calls INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (account, quarter)
) STRICT, WITHOUT ROWID;
INSERT INTO "ledger_accounts" VALUES('agent:01a22b46-0dfa-7268-9cfe-d01e805d0c6b/default',1796022000000000,0,0,1);
INSERT INTO "ledger_accounts" VALUES('agent:01a22b46-0e9d-77bd-87c9-e283e581344f/default',1796022000000000,0,0,1);
INSERT INTO "ledger_accounts" VALUES('mission:01a22b46-0dfa-7268-9cfe-d01e805d0c6b/m1',1796022000000000,0,0,1);
INSERT INTO "ledger_accounts" VALUES('mission:01a22b46-0e9d-77bd-87c9-e283e581344f/m1',1796022000000000,0,0,1);
INSERT INTO "ledger_accounts" VALUES('user:01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022000000000,0,0,2);
INSERT INTO "ledger_accounts" VALUES('user:01a22b46-0e9d-77bd-87c9-e283e581344f',1796022000000000,0,0,1);
CREATE TABLE ledger_reservations (
    id          TEXT PRIMARY KEY,
    reserved_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tokens      INTEGER NOT NULL,
    micros_usd  INTEGER NOT NULL,
    accounts    TEXT NOT NULL,
    tags        TEXT NOT NULL
, calls INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
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
    attempts    INTEGER NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, mission_id)
) STRICT;
CREATE TABLE mission_schedule (
    user_id     TEXT NOT NULL,
    mission_id  TEXT NOT NULL,
    next_run_at INTEGER NOT NULL,
    slot        TEXT NOT NULL,
    PRIMARY KEY (user_id, mission_id)
) STRICT, WITHOUT ROWID;
INSERT INTO "mission_schedule" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','m1',1796108400000000,'due:1796108400000');
INSERT INTO "mission_schedule" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','m1',1796108400000000,'due:1796108400000');
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
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','todo','tasks','t0','{"data":{"title":"owner task 0"},"meta":{"title":{"at":"2026-11-30T07:05:41.375076Z","actor":{"kind":"user"}}}}',1796022341375081);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','todo','tasks','t1','{"data":{"title":"owner, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:41.531590Z","actor":{"kind":"user"}}}}',1796022341531590);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','todo','tasks','t2','{"data":{"deletedAt":"2026-11-30T07:05:41.707858Z","title":"owner task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:41.707858Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:41.375076Z","actor":{"kind":"user"}}}}',1796022341707858);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','todo','tasks','t3','{"data":{"title":"owner task 3"},"meta":{"title":{"at":"2026-11-30T07:05:41.375076Z","actor":{"kind":"user"}}}}',1796022341375081);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','todo','tasks','t4','{"data":{"title":"owner task 4"},"meta":{"title":{"at":"2026-11-30T07:05:41.375076Z","actor":{"kind":"user"}}}}',1796022341375081);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','todo','tasks','t5','{"data":{"title":"owner task 5"},"meta":{"title":{"at":"2026-11-30T07:05:41.375076Z","actor":{"kind":"user"}}}}',1796022341375081);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','notes','notes','n1','{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:41.735544Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:41.735544Z","actor":{"kind":"user"}}}}',1796022341735544);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','ai','aiMissions','m1','{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:42.898091Z","id":"d6bb9fb6-2c7f-5db0-8346-cc9b26102545","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"79bbb4ae-4275-5c50-938e-eaa4180ffe5f","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:42.898091Z"}],"principalId":"default","slot":"due:1796022281333","source":"server","startedAt":"2026-11-30T07:05:42.656008Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:42.898091Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"owner plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:41.771789Z","actor":{"kind":"user"}}}}',1796022342952829);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','todo','tasks','t0','{"data":{"title":"friend task 0"},"meta":{"title":{"at":"2026-11-30T07:05:42.079264Z","actor":{"kind":"user"}}}}',1796022342079269);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','todo','tasks','t1','{"data":{"title":"friend, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:42.134133Z","actor":{"kind":"user"}}}}',1796022342134133);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','todo','tasks','t2','{"data":{"deletedAt":"2026-11-30T07:05:42.204454Z","title":"friend task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:42.204454Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:42.079264Z","actor":{"kind":"user"}}}}',1796022342204454);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','todo','tasks','t3','{"data":{"title":"friend task 3"},"meta":{"title":{"at":"2026-11-30T07:05:42.079264Z","actor":{"kind":"user"}}}}',1796022342079269);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','todo','tasks','t4','{"data":{"title":"friend task 4"},"meta":{"title":{"at":"2026-11-30T07:05:42.079264Z","actor":{"kind":"user"}}}}',1796022342079269);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','todo','tasks','t5','{"data":{"title":"friend task 5"},"meta":{"title":{"at":"2026-11-30T07:05:42.079264Z","actor":{"kind":"user"}}}}',1796022342079269);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','notes','notes','n1','{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:42.282916Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:42.282916Z","actor":{"kind":"user"}}}}',1796022342282916);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','ai','aiMissions','m1','{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:42.948022Z","id":"d6bb9fb6-2c7f-5db0-8346-cc9b26102545","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"79bbb4ae-4275-5c50-938e-eaa4180ffe5f","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:42.948022Z"}],"principalId":"default","slot":"due:1796022281333","source":"server","startedAt":"2026-11-30T07:05:42.661096Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:42.948022Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"friend plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:42.327126Z","actor":{"kind":"user"}}}}',1796022342993074);
INSERT INTO "records" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','ai','aiRuns','d6bb9fb6-2c7f-5db0-8346-cc9b26102545','{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:42.898091Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022281333","startedAt":"2026-11-30T07:05:42.656008Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:42.898091Z","actor":{"kind":"system","source":"mission-runner"}}}}',1796022342952829);
INSERT INTO "records" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','ai','aiRuns','d6bb9fb6-2c7f-5db0-8346-cc9b26102545','{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:42.948022Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022281333","startedAt":"2026-11-30T07:05:42.661096Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:42.948022Z","actor":{"kind":"system","source":"mission-runner"}}}}',1796022342993074);
CREATE TABLE recovery_codes (
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    code_hash BLOB NOT NULL,
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE second_factors (
    user_id      TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    secret       TEXT NOT NULL,
    -- Null until a first code was shown; no code is asked before.
    confirmed_at INTEGER,
    -- The time step of the last code that was taken: none is taken twice.
    last_step    INTEGER NOT NULL DEFAULT 0,
    -- Wrong codes in a row, and until when none is looked at.
    failures     INTEGER NOT NULL DEFAULT 0,
    closed_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE secrets (
    secret_hash BLOB NOT NULL,
    purpose     TEXT NOT NULL,
    expires_at  INTEGER, label TEXT NOT NULL DEFAULT '', role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'member')), created_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (purpose, secret_hash)
) STRICT, WITHOUT ROWID;
INSERT INTO "secrets" VALUES(X'C58A318AD95E1243533EF7BD351E8DD93028F3D8AE9D709DDDD9E611B208F9E0','invite',1796627143201038,'','member',1796022343201102);
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
, previous_hash BLOB, rotated_at INTEGER NOT NULL DEFAULT 0, used_at INTEGER NOT NULL DEFAULT 0, device TEXT NOT NULL DEFAULT '', address TEXT NOT NULL DEFAULT '', proof TEXT NOT NULL DEFAULT 'password') STRICT, WITHOUT ROWID;
INSERT INTO "sessions" VALUES(X'23658DC86BB93999547ABA598C9217C68594CBD49C5FDCD172162E8E9DDA46BD','01a22b46-0e0a-74b9-b334-27e72e27d0c5','01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341130947,1798614341130947,NULL,1796022341130947,1796022341130947,'','127.0.0.1','password');
INSERT INTO "sessions" VALUES(X'A59DC972E50BB78D42D83BE5E6A35D2AC90A208A0CD0B6C2F12384BF72C36EF1','01a22b46-0eb7-72ce-a2e5-dbb1d0facfdb','01a22b46-0e9d-77bd-87c9-e283e581344f',1796022341302996,1798614341302996,NULL,1796022341302996,1796022341302996,'','127.0.0.1','password');
INSERT INTO "sessions" VALUES(X'D470B83F1B59B5FF4BE0CB99CAC95AC607FDC8C210F99FCC91C67CB82F555754','01a22b46-13b3-77ec-aaff-ae10a8854364','01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342579205,1798614342579205,NULL,1796022342579205,1796022342579205,'','127.0.0.1','password');
INSERT INTO "sessions" VALUES(X'F6A0F3CD1F3B74EA58459F3CE14DABDCA860C0B5079A8BD7F0265012E5A4673C','01a22b46-119a-765b-9b76-25e00ca63004','01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022342042544,1798614342042544,NULL,1796022342042544,1796022342042544,'','127.0.0.1','password');
CREATE TABLE "sync_changes" (
    user_id          TEXT NOT NULL,
    created_at       INTEGER NOT NULL,
    event_id         TEXT NOT NULL,
    app_id           TEXT NOT NULL,
    table_name       TEXT NOT NULL,
    record_id        TEXT NOT NULL,
    op               TEXT NOT NULL CHECK (op IN ('insert', 'update', 'delete', 'forget')),
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
    -- Whether the change left everything as it was, so that a replay is answered alike.
    unchanged        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, created_at),
    UNIQUE (user_id, event_id)
) STRICT;
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341375076,'66cd4f69-00c3-5be9-9964-553835b42890','todo','tasks','t0','insert','{"title":"owner task 0"}','{"title":"2026-11-30T07:05:41.375076Z"}','{"kind":"user"}','laptop',1,1796022341375076,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341375077,'1c29e978-9b2d-5851-8eff-e7decc5a7a41','todo','tasks','t1','insert','{"title":"owner task 1"}','{"title":"2026-11-30T07:05:41.375076Z"}','{"kind":"user"}','laptop',1,1796022341375076,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341375078,'aac89409-0513-55ff-ade0-7f4f602642fd','todo','tasks','t2','insert','{"title":"owner task 2"}','{"title":"2026-11-30T07:05:41.375076Z"}','{"kind":"user"}','laptop',1,1796022341375076,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341375079,'6b60efe4-d396-50ef-ae1f-dffc2cf950d8','todo','tasks','t3','insert','{"title":"owner task 3"}','{"title":"2026-11-30T07:05:41.375076Z"}','{"kind":"user"}','laptop',1,1796022341375076,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341375080,'9ba36dab-4703-5883-9844-91ea99317354','todo','tasks','t4','insert','{"title":"owner task 4"}','{"title":"2026-11-30T07:05:41.375076Z"}','{"kind":"user"}','laptop',1,1796022341375076,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341375081,'f2254472-5e28-5a43-bcd5-bc1b01811a04','todo','tasks','t5','insert','{"title":"owner task 5"}','{"title":"2026-11-30T07:05:41.375076Z"}','{"kind":"user"}','laptop',1,1796022341375076,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341531590,'c689ff55-62ea-5fe1-98b2-a42deb32b762','todo','tasks','t1','update','{"title":"owner, again “ü”"}','{"title":"2026-11-30T07:05:41.531590Z"}','{"kind":"user"}','phone',1,1796022341531590,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341707858,'9e19dd99-63fe-527e-8817-b4a9fa69f630','todo','tasks','t2','delete',NULL,'{"deletedAt":"2026-11-30T07:05:41.707858Z"}','{"kind":"user"}','laptop',1,1796022341707858,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341735544,'0e5e89eb-7db9-5b28-b4a9-ebfccd428e61','notes','notes','n1','insert','{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"}','{"bodyMarkdown":"2026-11-30T07:05:41.735544Z","title":"2026-11-30T07:05:41.735544Z"}','{"kind":"user"}','laptop',1,1796022341735544,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022341771789,'f3d847aa-da98-5413-aed1-f14eb5b90651','ai','aiMissions','m1','insert','{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[],"nextRunAt":"2026-11-30T07:04:41.333000Z","objective":"Plan it.","overlap":"allow","state":"active","timezone":"Europe/Berlin","title":"owner plan"}','{"cadence":"2026-11-30T07:05:41.771789Z","conceptMarkdown":"2026-11-30T07:05:41.771789Z","inputs":"2026-11-30T07:05:41.771789Z","iterations":"2026-11-30T07:05:41.771789Z","nextRunAt":"2026-11-30T07:05:41.771789Z","objective":"2026-11-30T07:05:41.771789Z","overlap":"2026-11-30T07:05:41.771789Z","state":"2026-11-30T07:05:41.771789Z","timezone":"2026-11-30T07:05:41.771789Z","title":"2026-11-30T07:05:41.771789Z"}','{"kind":"user"}','laptop',1,1796022341771789,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342079264,'a221a8cd-ebeb-57c6-8e82-db35bdd8e684','todo','tasks','t0','insert','{"title":"friend task 0"}','{"title":"2026-11-30T07:05:42.079264Z"}','{"kind":"user"}','laptop',1,1796022342079264,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342079265,'3b121a6d-915b-5d89-95ab-4f5672e163d9','todo','tasks','t1','insert','{"title":"friend task 1"}','{"title":"2026-11-30T07:05:42.079264Z"}','{"kind":"user"}','laptop',1,1796022342079264,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342079266,'575513e1-bbd2-5fc5-81d2-d70fc2e6ad25','todo','tasks','t2','insert','{"title":"friend task 2"}','{"title":"2026-11-30T07:05:42.079264Z"}','{"kind":"user"}','laptop',1,1796022342079264,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342079267,'c06438d7-2ef1-58ea-9efc-04444b5bcd18','todo','tasks','t3','insert','{"title":"friend task 3"}','{"title":"2026-11-30T07:05:42.079264Z"}','{"kind":"user"}','laptop',1,1796022342079264,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342079268,'ea620a26-9f4f-523c-b3e5-31462971c98c','todo','tasks','t4','insert','{"title":"friend task 4"}','{"title":"2026-11-30T07:05:42.079264Z"}','{"kind":"user"}','laptop',1,1796022342079264,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342079269,'ea02ed01-9ab0-50a3-b809-9132ee104414','todo','tasks','t5','insert','{"title":"friend task 5"}','{"title":"2026-11-30T07:05:42.079264Z"}','{"kind":"user"}','laptop',1,1796022342079264,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342134133,'f98b3d0b-be3f-5432-a9e5-b7740a26d36f','todo','tasks','t1','update','{"title":"friend, again “ü”"}','{"title":"2026-11-30T07:05:42.134133Z"}','{"kind":"user"}','phone',1,1796022342134133,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342204454,'9e19dd99-63fe-527e-8817-b4a9fa69f630','todo','tasks','t2','delete',NULL,'{"deletedAt":"2026-11-30T07:05:42.204454Z"}','{"kind":"user"}','laptop',1,1796022342204454,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342282916,'0e5e89eb-7db9-5b28-b4a9-ebfccd428e61','notes','notes','n1','insert','{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"}','{"bodyMarkdown":"2026-11-30T07:05:42.282916Z","title":"2026-11-30T07:05:42.282916Z"}','{"kind":"user"}','laptop',1,1796022342282916,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342327126,'39832c3d-e5ca-5532-b6c5-9ffafbe015ba','ai','aiMissions','m1','insert','{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[],"nextRunAt":"2026-11-30T07:04:41.333000Z","objective":"Plan it.","overlap":"allow","state":"active","timezone":"Europe/Berlin","title":"friend plan"}','{"cadence":"2026-11-30T07:05:42.327126Z","conceptMarkdown":"2026-11-30T07:05:42.327126Z","inputs":"2026-11-30T07:05:42.327126Z","iterations":"2026-11-30T07:05:42.327126Z","nextRunAt":"2026-11-30T07:05:42.327126Z","objective":"2026-11-30T07:05:42.327126Z","overlap":"2026-11-30T07:05:42.327126Z","state":"2026-11-30T07:05:42.327126Z","timezone":"2026-11-30T07:05:42.327126Z","title":"2026-11-30T07:05:42.327126Z"}','{"kind":"user"}','laptop',1,1796022342327126,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022342952828,'506d869e-2076-523a-be24-63fca43cf94d','ai','aiMissions','m1','update','{"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:42.898091Z","id":"d6bb9fb6-2c7f-5db0-8346-cc9b26102545","model":"builtin/outline","plan":[{"id":"79bbb4ae-4275-5c50-938e-eaa4180ffe5f","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:42.898091Z"}],"principalId":"default","slot":"due:1796022281333","source":"server","startedAt":"2026-11-30T07:05:42.656008Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:42.898091Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","retrySlot":null}','{"iterations":"2026-11-30T07:05:42.898091Z","nextRunAt":"2026-11-30T07:05:42.898091Z","retrySlot":"2026-11-30T07:05:42.898091Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022342898091,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b',1796022342952829,'d0f0bd6f-28e4-5086-855b-9de2b825590f','ai','aiRuns','d6bb9fb6-2c7f-5db0-8346-cc9b26102545','insert','{"attempts":1,"cost":0.0,"finishedAt":"2026-11-30T07:05:42.898091Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022281333","startedAt":"2026-11-30T07:05:42.656008Z","status":"ran","tokens":0}','{"attempts":"2026-11-30T07:05:42.898091Z","cost":"2026-11-30T07:05:42.898091Z","finishedAt":"2026-11-30T07:05:42.898091Z","missionId":"2026-11-30T07:05:42.898091Z","model":"2026-11-30T07:05:42.898091Z","slot":"2026-11-30T07:05:42.898091Z","startedAt":"2026-11-30T07:05:42.898091Z","status":"2026-11-30T07:05:42.898091Z","tokens":"2026-11-30T07:05:42.898091Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022342898091,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342993073,'2f723b0b-acf5-56e9-8a63-1979c90c9f58','ai','aiMissions','m1','update','{"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:42.948022Z","id":"d6bb9fb6-2c7f-5db0-8346-cc9b26102545","model":"builtin/outline","plan":[{"id":"79bbb4ae-4275-5c50-938e-eaa4180ffe5f","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:42.948022Z"}],"principalId":"default","slot":"due:1796022281333","source":"server","startedAt":"2026-11-30T07:05:42.661096Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:42.948022Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","retrySlot":null}','{"iterations":"2026-11-30T07:05:42.948022Z","nextRunAt":"2026-11-30T07:05:42.948022Z","retrySlot":"2026-11-30T07:05:42.948022Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022342948022,NULL,NULL,0);
INSERT INTO "sync_changes" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f',1796022342993074,'2b94baeb-d861-51ac-9b10-e49f300f0d28','ai','aiRuns','d6bb9fb6-2c7f-5db0-8346-cc9b26102545','insert','{"attempts":1,"cost":0.0,"finishedAt":"2026-11-30T07:05:42.948022Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022281333","startedAt":"2026-11-30T07:05:42.661096Z","status":"ran","tokens":0}','{"attempts":"2026-11-30T07:05:42.948022Z","cost":"2026-11-30T07:05:42.948022Z","finishedAt":"2026-11-30T07:05:42.948022Z","missionId":"2026-11-30T07:05:42.948022Z","model":"2026-11-30T07:05:42.948022Z","slot":"2026-11-30T07:05:42.948022Z","startedAt":"2026-11-30T07:05:42.948022Z","status":"2026-11-30T07:05:42.948022Z","tokens":"2026-11-30T07:05:42.948022Z"}','{"kind":"system","source":"mission-runner"}','mana-runner',1,1796022342948022,NULL,NULL,0);
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
INSERT INTO "usage" VALUES(1796022000000000,'01a22b46-0dfa-7268-9cfe-d01e805d0c6b','','','','builtin/outline',1,0,0,0,0,0);
INSERT INTO "usage" VALUES(1796022000000000,'01a22b46-0dfa-7268-9cfe-d01e805d0c6b','m1','default','','builtin/outline',1,0,0,0,0,0);
INSERT INTO "usage" VALUES(1796022000000000,'01a22b46-0e9d-77bd-87c9-e283e581344f','m1','default','','builtin/outline',1,0,0,0,0,0);
CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    timezone      TEXT NOT NULL,
    locale        TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    created_at    INTEGER NOT NULL
, locked_at INTEGER, limits TEXT) STRICT;
INSERT INTO "users" VALUES('01a22b46-0dfa-7268-9cfe-d01e805d0c6b','owner@example.org','owner','$argon2id$v=19$m=19456,t=2,p=1$uuyg5CBEtdM4Vvda4YguWw$Irf1GMdQjxvcrQT8o9DQttiqJjg1qIGTL+3E5cAEeoI','Europe/Berlin','en','owner',1796022341113555,NULL,NULL);
INSERT INTO "users" VALUES('01a22b46-0e9d-77bd-87c9-e283e581344f','friend@example.org','friend','$argon2id$v=19$m=19456,t=2,p=1$sCoLWXliV4b2DclMumHdbQ$50m5/fQndgGsownFJEY6I3DadH5T95SA4lHCjzWgUNM','Europe/Berlin','en','member',1796022341276814,NULL,NULL);
CREATE TABLE virtual_keys (
    id          TEXT PRIMARY KEY,
    secret_hash BLOB NOT NULL UNIQUE,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    settings    TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "virtual_keys" VALUES('01a22b46-15ea-7115-a40b-d6eadff2da59',X'43B85489931EE9132C4C7C3CE7E4F1A8981AE9F184A24BB31B706365CC1720EF','01a22b46-0dfa-7268-9cfe-d01e805d0c6b','{"models":[],"name":"program","window":"day"}',1796022343146238);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX mission_schedule_due ON mission_schedule (next_run_at);
CREATE INDEX run_requests_due ON run_requests (not_before);
CREATE INDEX ledger_reservations_expiry ON ledger_reservations (expires_at);
CREATE INDEX ledger_accounts_quarter ON ledger_accounts (quarter);
CREATE INDEX run_debug_newest ON run_debug (user_id, at);
CREATE INDEX records_of_runs ON records
    (user_id, state -> 'data' ->> 'missionId', coalesce(state -> 'data' ->> 'startedAt', ''), record_id)
    WHERE app_id = 'ai' AND table_name = 'aiRuns';
CREATE INDEX sync_changes_newer ON sync_changes (user_id, schema_version) WHERE schema_version > 1;
CREATE INDEX records_forgotten ON records (user_id, updated_at) WHERE state = '{"data":{},"meta":{}}';
CREATE INDEX records_by_change ON records (user_id, app_id, table_name, updated_at, record_id);
CREATE INDEX sessions_previous ON sessions (previous_hash);
CREATE INDEX audit_log_class ON audit_log (class, id);
CREATE INDEX audit_log_subject ON audit_log (subject);
CREATE INDEX external_identities_user ON external_identities (user_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('mission_claims',2);
COMMIT;
