SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;
CREATE FUNCTION public.mana_at(micros bigint) RETURNS timestamp with time zone
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN ('1970-01-01 00:00:00+00'::timestamp with time zone + ((micros)::double precision * '00:00:00.000001'::interval));
CREATE FUNCTION public.mana_log_key(owner text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN hashtextextended(('mana log '::text || owner), (0)::bigint);
CREATE FUNCTION public.mana_micros(at timestamp with time zone) RETURNS bigint
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN ((EXTRACT(epoch FROM at) * (1000000)::numeric))::bigint;
CREATE FUNCTION public.mana_order_row() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
DECLARE
    newest timestamptz;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'sync_changes takes rows in READ COMMITTED only: another level can''t see the end of the log'
            USING ERRCODE = 'invalid_transaction_state', HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED';
    END IF;
    PERFORM pg_advisory_xact_lock(public.mana_log_key(NEW.user_id));
    SELECT max(created_at) INTO newest FROM public.sync_changes WHERE user_id = NEW.user_id;
    NEW.created_at := greatest(clock_timestamp(), newest + interval '1 microsecond');
    INSERT INTO public.pending_folds (user_id) VALUES (NEW.user_id) ON CONFLICT DO NOTHING;
    -- The same text again in a transaction is one message.
    PERFORM pg_notify('mana_changes', json_build_object('pending', NEW.user_id)::text);
    RETURN NEW;
END
$$;
CREATE FUNCTION public.mana_user() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('app.current_user_id'::text, true), ''::text);
CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.kv (
    key text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL
);
CREATE TABLE public.ledger_accounts (
    account text NOT NULL COLLATE pg_catalog."C",
    quarter bigint NOT NULL,
    tokens bigint NOT NULL,
    micros_usd bigint NOT NULL,
    calls bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.ledger_reservations (
    id text NOT NULL COLLATE pg_catalog."C",
    reserved_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    tokens bigint NOT NULL,
    micros_usd bigint NOT NULL,
    accounts text NOT NULL,
    tags text NOT NULL,
    calls bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.log_floors (
    user_id text NOT NULL COLLATE pg_catalog."C",
    floor bigint NOT NULL
);
CREATE SEQUENCE public.mission_claim_tokens
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.mission_claims (
    user_id text NOT NULL COLLATE pg_catalog."C",
    mission_id text NOT NULL COLLATE pg_catalog."C",
    token bigint DEFAULT nextval('public.mission_claim_tokens'::regclass) NOT NULL,
    slot text NOT NULL COLLATE pg_catalog."C",
    worker text,
    lease_until bigint NOT NULL,
    attempts bigint NOT NULL,
    cancelled boolean DEFAULT false NOT NULL,
    run_slot text COLLATE pg_catalog."C",
    iteration_id text COLLATE pg_catalog."C",
    phase text,
    started_at bigint
);
CREATE TABLE public.mission_schedule (
    user_id text NOT NULL COLLATE pg_catalog."C",
    mission_id text NOT NULL COLLATE pg_catalog."C",
    next_run_at bigint NOT NULL,
    slot text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.pending_folds (
    user_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.records (
    user_id text NOT NULL COLLATE pg_catalog."C",
    app_id text NOT NULL COLLATE pg_catalog."C",
    table_name text NOT NULL COLLATE pg_catalog."C",
    record_id text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT records_user_id_check CHECK ((user_id <> ''::text))
);
ALTER TABLE ONLY public.records FORCE ROW LEVEL SECURITY;
CREATE TABLE public.run_debug (
    user_id text NOT NULL COLLATE pg_catalog."C",
    iteration_id text NOT NULL COLLATE pg_catalog."C",
    at bigint NOT NULL,
    body text NOT NULL,
    CONSTRAINT run_debug_user_id_check CHECK ((user_id <> ''::text))
);
ALTER TABLE ONLY public.run_debug FORCE ROW LEVEL SECURITY;
CREATE TABLE public.run_inputs (
    user_id text NOT NULL COLLATE pg_catalog."C",
    mission_id text NOT NULL COLLATE pg_catalog."C",
    slot text NOT NULL COLLATE pg_catalog."C",
    inputs text NOT NULL,
    CONSTRAINT run_inputs_user_id_check CHECK ((user_id <> ''::text))
);
ALTER TABLE ONLY public.run_inputs FORCE ROW LEVEL SECURITY;
CREATE TABLE public.run_requests (
    user_id text NOT NULL COLLATE pg_catalog."C",
    mission_id text NOT NULL COLLATE pg_catalog."C",
    slot text NOT NULL COLLATE pg_catalog."C",
    iteration_id text NOT NULL COLLATE pg_catalog."C",
    not_before bigint NOT NULL
);
CREATE TABLE public.secrets (
    secret_hash bytea NOT NULL,
    purpose text NOT NULL,
    expires_at bigint
);
CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE TABLE public.sync_changes (
    user_id text DEFAULT public.mana_user() NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone NOT NULL,
    event_id text DEFAULT (gen_random_uuid())::text NOT NULL COLLATE pg_catalog."C",
    app_id text NOT NULL COLLATE pg_catalog."C",
    table_name text NOT NULL COLLATE pg_catalog."C",
    record_id text NOT NULL COLLATE pg_catalog."C",
    op text NOT NULL,
    data jsonb,
    field_timestamps jsonb DEFAULT '{}'::jsonb NOT NULL,
    actor jsonb DEFAULT '{"kind": "user"}'::jsonb NOT NULL,
    client_id text DEFAULT 'sql'::text NOT NULL COLLATE pg_catalog."C",
    schema_version bigint DEFAULT 1 NOT NULL,
    at timestamp with time zone,
    extra text,
    adjusted text,
    folded boolean DEFAULT false NOT NULL,
    CONSTRAINT sync_changes_op_check CHECK ((op = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text]))),
    CONSTRAINT sync_changes_user_id_check CHECK ((user_id <> ''::text))
);
ALTER TABLE ONLY public.sync_changes FORCE ROW LEVEL SECURITY;
CREATE TABLE public.sync_refused (
    user_id text NOT NULL COLLATE pg_catalog."C",
    refused_at timestamp with time zone DEFAULT now() NOT NULL,
    reason text NOT NULL,
    change jsonb NOT NULL
);
ALTER TABLE ONLY public.sync_refused FORCE ROW LEVEL SECURITY;
CREATE TABLE public.usage (
    quarter bigint NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    mission_id text NOT NULL COLLATE pg_catalog."C",
    agent_id text NOT NULL COLLATE pg_catalog."C",
    key_id text NOT NULL COLLATE pg_catalog."C",
    model text NOT NULL COLLATE pg_catalog."C",
    calls bigint NOT NULL,
    failed bigint NOT NULL,
    cancelled bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    micros_usd bigint NOT NULL
);
CREATE TABLE public.users (
    id text NOT NULL COLLATE pg_catalog."C",
    email text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    password_hash text NOT NULL,
    timezone text NOT NULL,
    locale text NOT NULL,
    role text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'member'::text])))
);
CREATE TABLE public.virtual_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    secret_hash bytea NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    settings text NOT NULL,
    created_at bigint NOT NULL
);
INSERT INTO public._sqlx_migrations VALUES (1, 'accounts', '2026-11-30 07:05:33.861849+00', true, '\xdc4cc94d7fd3af6baaaf61634866917940ec1e3b48d96ca931d7edb05220a19c829e79198a905ff265a7d8c52e664152', 74714131);
INSERT INTO public._sqlx_migrations VALUES (2, 'log', '2026-11-30 07:05:33.937213+00', true, '\xf8c3610440097556c145d29df8f6dd23a95f9f1891d35c2343343e2825593f2a937cf5af9997dea2b21da5caaca1693f', 108880033);
INSERT INTO public._sqlx_migrations VALUES (3, 'runs', '2026-11-30 07:05:34.070348+00', true, '\x7783ed36ed79fafbbbd6560b181e27018a498a14935296b27e36a5e7525c134ac534174179d9c800bf624a7eb834e314', 107355516);
INSERT INTO public._sqlx_migrations VALUES (4, 'retention', '2026-11-30 07:05:34.192117+00', true, '\x6bc8f2393ca7f948b6cd8280277742e43c34c7c157471d413920f38b3010eeff8c8f6ae7ff6b513aaa90ac73cc94a8ca', 13373870);
INSERT INTO public._sqlx_migrations VALUES (5, 'ledger', '2026-11-30 07:05:34.206816+00', true, '\xfc2a5e39e9a4c48a9f05b04392ac62b24cab999ef3df66ce19947e34153f088f49bf85dd9d581618b88e28386821cc78', 80679600);
INSERT INTO public._sqlx_migrations VALUES (6, 'virtual keys', '2026-11-30 07:05:34.291328+00', true, '\xcaf2d083ebaf0edef07346089c0b86263da2c4bf71e021631cc227318a9560d3a93e4df039b45180aa55da28b662f757', 19856384);
INSERT INTO public._sqlx_migrations VALUES (7, 'runs', '2026-11-30 07:05:34.315024+00', true, '\x13c0b533321e9a5a8418e3365be39ec63f73c53ae1677c5975c0db450795629a45ee6673009f846ed2989b2485056c1c', 109137427);
INSERT INTO public._sqlx_migrations VALUES (8, 'run records', '2026-11-30 07:05:34.431389+00', true, '\x99bf5f2c3111cae44350463266aa4290e946739cfe92e35483502ed0853de1b69939b78de853607a93bc64f5f313341f', 25175884);
INSERT INTO public._sqlx_migrations VALUES (9, 'calls of accounts', '2026-11-30 07:05:34.471411+00', true, '\xc8d7ef7feccb000bc29e4061ccaa0fc370469f3ab49a3467fb06fb73005c73f7674d9eff008e807aa3365ef3124751b3', 17224363);
INSERT INTO public.kv VALUES ('token.key', '\x3051020101300506032b657004220420462503d50a8da4758a1486b6b9123b65b7fba515e6ce6166489313c1df202dba812100d7b3730147cf841c512c5a81489551350d4aebd8bda1e9d0eae183fed557dea4');
INSERT INTO public.kv VALUES ('llm.settings', '\x7b2270726f766964657273223a7b22626f78223a7b22617069223a6e756c6c2c226261736555726c223a22687474703a2f2f3132372e302e302e313a392f7631222c227365616c65644b6579223a2253555866647646516c355a49623353706b51697742525339744e4f6933756e36504156527731544f5842676461334d3d222c226d6f64656c73223a5b226d225d2c2274696d656f75744d73223a6e756c6c2c22636f6e63757272656e6379223a6e756c6c7d7d2c22616c6961736573223a7b7d2c226d6f64656c73223a7b7d7d');
INSERT INTO public.ledger_accounts VALUES ('agent:01a22b45-f810-74b8-829e-2c61c2805eb2/default', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('mission:01a22b45-f810-74b8-829e-2c61c2805eb2/m1', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('agent:01a22b45-f903-725d-b98d-1b3903e03917/default', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('mission:01a22b45-f903-725d-b98d-1b3903e03917/m1', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('user:01a22b45-f903-725d-b98d-1b3903e03917', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('user:01a22b45-f810-74b8-829e-2c61c2805eb2', 1796022000000000, 0, 0, 2);
INSERT INTO public.mission_schedule VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'm1', 1796108400000000, 'due:1796108400000');
INSERT INTO public.mission_schedule VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'm1', 1796108400000000, 'due:1796108400000');
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'todo', 'tasks', 't0', '{"data":{"title":"owner task 0"},"meta":{"title":{"at":"2026-11-30T07:05:35.907779Z","actor":{"kind":"user"}}}}', 1796022335907784);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'todo', 'tasks', 't3', '{"data":{"title":"owner task 3"},"meta":{"title":{"at":"2026-11-30T07:05:35.907779Z","actor":{"kind":"user"}}}}', 1796022335907784);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'todo', 'tasks', 't4', '{"data":{"title":"owner task 4"},"meta":{"title":{"at":"2026-11-30T07:05:35.907779Z","actor":{"kind":"user"}}}}', 1796022335907784);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'todo', 'tasks', 't5', '{"data":{"title":"owner task 5"},"meta":{"title":{"at":"2026-11-30T07:05:35.907779Z","actor":{"kind":"user"}}}}', 1796022335907784);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'todo', 'tasks', 't1', '{"data":{"title":"owner, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:36.197590Z","actor":{"kind":"user"}}}}', 1796022336197590);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'todo', 'tasks', 't2', '{"data":{"deletedAt":"2026-11-30T07:05:36.466776Z","title":"owner task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:36.466776Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:35.907779Z","actor":{"kind":"user"}}}}', 1796022336466776);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'notes', 'notes', 'n1', '{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:36.974863Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:36.974863Z","actor":{"kind":"user"}}}}', 1796022336974863);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'todo', 'tasks', 't0', '{"data":{"title":"friend task 0"},"meta":{"title":{"at":"2026-11-30T07:05:37.966420Z","actor":{"kind":"user"}}}}', 1796022337966425);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'todo', 'tasks', 't3', '{"data":{"title":"friend task 3"},"meta":{"title":{"at":"2026-11-30T07:05:37.966420Z","actor":{"kind":"user"}}}}', 1796022337966425);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'todo', 'tasks', 't4', '{"data":{"title":"friend task 4"},"meta":{"title":{"at":"2026-11-30T07:05:37.966420Z","actor":{"kind":"user"}}}}', 1796022337966425);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'todo', 'tasks', 't5', '{"data":{"title":"friend task 5"},"meta":{"title":{"at":"2026-11-30T07:05:37.966420Z","actor":{"kind":"user"}}}}', 1796022337966425);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'todo', 'tasks', 't1', '{"data":{"title":"friend, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:37.982910Z","actor":{"kind":"user"}}}}', 1796022337982910);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'todo', 'tasks', 't2', '{"data":{"deletedAt":"2026-11-30T07:05:38.003608Z","title":"friend task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:38.003608Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:37.966420Z","actor":{"kind":"user"}}}}', 1796022338003608);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'notes', 'notes', 'n1', '{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:38.018787Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:38.018787Z","actor":{"kind":"user"}}}}', 1796022338018787);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'ai', 'aiMissions', 'm1', '{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:38.315553Z","id":"45b24322-8c54-51ec-abd5-16a36acd40c2","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"9eee7385-5934-56dd-915a-7bce3a006af9","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:38.315553Z"}],"principalId":"default","slot":"due:1796022275752","source":"server","startedAt":"2026-11-30T07:05:38.196899Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:38.315553Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"friend plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:38.038760Z","actor":{"kind":"user"}}}}', 1796022338325414);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'ai', 'aiMissions', 'm1', '{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:38.306443Z","id":"45b24322-8c54-51ec-abd5-16a36acd40c2","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"9eee7385-5934-56dd-915a-7bce3a006af9","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:38.306443Z"}],"principalId":"default","slot":"due:1796022275752","source":"server","startedAt":"2026-11-30T07:05:38.196813Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:38.306443Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"owner plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:37.478105Z","actor":{"kind":"user"}}}}', 1796022338316818);
INSERT INTO public.records VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'ai', 'aiRuns', '45b24322-8c54-51ec-abd5-16a36acd40c2', '{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:38.306443Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022275752","startedAt":"2026-11-30T07:05:38.196813Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:38.306443Z","actor":{"kind":"system","source":"mission-runner"}}}}', 1796022338316818);
INSERT INTO public.records VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'ai', 'aiRuns', '45b24322-8c54-51ec-abd5-16a36acd40c2', '{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:38.315553Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022275752","startedAt":"2026-11-30T07:05:38.196899Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:38.315553Z","actor":{"kind":"system","source":"mission-runner"}}}}', 1796022338325414);
INSERT INTO public.secrets VALUES ('\xc4e1c55cee7eef416e33b110e4960cc9d9fa6fe6a695298be336146f8c3f34e5', 'invite', 1796627138422722);
INSERT INTO public.sessions VALUES ('\x52d3f8e64b04651b4130cf8b37932a84b820e05f4354c5678f09d02f2e98ce9f', '01a22b45-f812-744a-a3ad-2c9a62fd9a40', '01a22b45-f810-74b8-829e-2c61c2805eb2', 1796022335577106, 1798614335577106);
INSERT INTO public.sessions VALUES ('\xa823dcaf2e1f5fe57fb51f52b5c08c5cd87521d10cb969e2cf6e6d96dd4ee684', '01a22b45-f905-7501-a686-5ee12ac70755', '01a22b45-f903-725d-b98d-1b3903e03917', 1796022335820086, 1798614335820086);
INSERT INTO public.sessions VALUES ('\xfb28eeef5672c2d7f7463af6bb3e6a43cd783fe849ab3cefe01c579c43efd0ba', '01a22b46-014b-7717-93f1-84a9a71899ce', '01a22b45-f810-74b8-829e-2c61c2805eb2', 1796022337938085, 1798614337938085);
INSERT INTO public.sessions VALUES ('\xe7f23b8f74ebea1163e7a31b23280be44f23ae9eece1822decfc987a6342559a', '01a22b46-023a-741e-928d-f66d3f6506f8', '01a22b45-f903-725d-b98d-1b3903e03917', 1796022338177991, 1798614338177991);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:35.907779+00', '66cd4f69-00c3-5be9-9964-553835b42890', 'todo', 'tasks', 't0', 'insert', '{"title": "owner task 0"}', '{"title": "2026-11-30T07:05:35.907779Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:35.907779+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:35.90778+00', '1c29e978-9b2d-5851-8eff-e7decc5a7a41', 'todo', 'tasks', 't1', 'insert', '{"title": "owner task 1"}', '{"title": "2026-11-30T07:05:35.907779Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:35.907779+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:35.907781+00', 'aac89409-0513-55ff-ade0-7f4f602642fd', 'todo', 'tasks', 't2', 'insert', '{"title": "owner task 2"}', '{"title": "2026-11-30T07:05:35.907779Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:35.907779+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:35.907782+00', '6b60efe4-d396-50ef-ae1f-dffc2cf950d8', 'todo', 'tasks', 't3', 'insert', '{"title": "owner task 3"}', '{"title": "2026-11-30T07:05:35.907779Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:35.907779+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:35.907783+00', '9ba36dab-4703-5883-9844-91ea99317354', 'todo', 'tasks', 't4', 'insert', '{"title": "owner task 4"}', '{"title": "2026-11-30T07:05:35.907779Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:35.907779+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:35.907784+00', 'f2254472-5e28-5a43-bcd5-bc1b01811a04', 'todo', 'tasks', 't5', 'insert', '{"title": "owner task 5"}', '{"title": "2026-11-30T07:05:35.907779Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:35.907779+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:36.19759+00', 'c689ff55-62ea-5fe1-98b2-a42deb32b762', 'todo', 'tasks', 't1', 'update', '{"title": "owner, again “ü”"}', '{"title": "2026-11-30T07:05:36.197590Z"}', '{"kind": "user"}', 'phone', 1, '2026-11-30 07:05:36.19759+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:36.466776+00', '9e19dd99-63fe-527e-8817-b4a9fa69f630', 'todo', 'tasks', 't2', 'delete', NULL, '{"deletedAt": "2026-11-30T07:05:36.466776Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:36.466776+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:36.974863+00', '0e5e89eb-7db9-5b28-b4a9-ebfccd428e61', 'notes', 'notes', 'n1', 'insert', '{"title": "A note", "bodyMarkdown": "# A note\n\nwith\nlines"}', '{"title": "2026-11-30T07:05:36.974863Z", "bodyMarkdown": "2026-11-30T07:05:36.974863Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:36.974863+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:37.478105+00', '12966057-f7d3-52d7-8bb2-fdd38d94d2fd', 'ai', 'aiMissions', 'm1', 'insert', '{"state": "active", "title": "owner plan", "inputs": [], "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "overlap": "allow", "timezone": "Europe/Berlin", "nextRunAt": "2026-11-30T07:04:35.752000Z", "objective": "Plan it.", "iterations": [], "conceptMarkdown": "- milk"}', '{"state": "2026-11-30T07:05:37.478105Z", "title": "2026-11-30T07:05:37.478105Z", "inputs": "2026-11-30T07:05:37.478105Z", "cadence": "2026-11-30T07:05:37.478105Z", "overlap": "2026-11-30T07:05:37.478105Z", "timezone": "2026-11-30T07:05:37.478105Z", "nextRunAt": "2026-11-30T07:05:37.478105Z", "objective": "2026-11-30T07:05:37.478105Z", "iterations": "2026-11-30T07:05:37.478105Z", "conceptMarkdown": "2026-11-30T07:05:37.478105Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.478105+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.96642+00', 'a221a8cd-ebeb-57c6-8e82-db35bdd8e684', 'todo', 'tasks', 't0', 'insert', '{"title": "friend task 0"}', '{"title": "2026-11-30T07:05:37.966420Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.96642+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.966421+00', '3b121a6d-915b-5d89-95ab-4f5672e163d9', 'todo', 'tasks', 't1', 'insert', '{"title": "friend task 1"}', '{"title": "2026-11-30T07:05:37.966420Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.96642+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.966422+00', '575513e1-bbd2-5fc5-81d2-d70fc2e6ad25', 'todo', 'tasks', 't2', 'insert', '{"title": "friend task 2"}', '{"title": "2026-11-30T07:05:37.966420Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.96642+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.966423+00', 'c06438d7-2ef1-58ea-9efc-04444b5bcd18', 'todo', 'tasks', 't3', 'insert', '{"title": "friend task 3"}', '{"title": "2026-11-30T07:05:37.966420Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.96642+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.966424+00', 'ea620a26-9f4f-523c-b3e5-31462971c98c', 'todo', 'tasks', 't4', 'insert', '{"title": "friend task 4"}', '{"title": "2026-11-30T07:05:37.966420Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.96642+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.966425+00', 'ea02ed01-9ab0-50a3-b809-9132ee104414', 'todo', 'tasks', 't5', 'insert', '{"title": "friend task 5"}', '{"title": "2026-11-30T07:05:37.966420Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:37.96642+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:37.98291+00', 'f98b3d0b-be3f-5432-a9e5-b7740a26d36f', 'todo', 'tasks', 't1', 'update', '{"title": "friend, again “ü”"}', '{"title": "2026-11-30T07:05:37.982910Z"}', '{"kind": "user"}', 'phone', 1, '2026-11-30 07:05:37.98291+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:38.003608+00', '9e19dd99-63fe-527e-8817-b4a9fa69f630', 'todo', 'tasks', 't2', 'delete', NULL, '{"deletedAt": "2026-11-30T07:05:38.003608Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:38.003608+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:38.018787+00', '0e5e89eb-7db9-5b28-b4a9-ebfccd428e61', 'notes', 'notes', 'n1', 'insert', '{"title": "A note", "bodyMarkdown": "# A note\n\nwith\nlines"}', '{"title": "2026-11-30T07:05:38.018787Z", "bodyMarkdown": "2026-11-30T07:05:38.018787Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:38.018787+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:38.03876+00', '77c52ea2-5af0-5ad6-b210-87d9d151cb35', 'ai', 'aiMissions', 'm1', 'insert', '{"state": "active", "title": "friend plan", "inputs": [], "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "overlap": "allow", "timezone": "Europe/Berlin", "nextRunAt": "2026-11-30T07:04:35.752000Z", "objective": "Plan it.", "iterations": [], "conceptMarkdown": "- milk"}', '{"state": "2026-11-30T07:05:38.038760Z", "title": "2026-11-30T07:05:38.038760Z", "inputs": "2026-11-30T07:05:38.038760Z", "cadence": "2026-11-30T07:05:38.038760Z", "overlap": "2026-11-30T07:05:38.038760Z", "timezone": "2026-11-30T07:05:38.038760Z", "nextRunAt": "2026-11-30T07:05:38.038760Z", "objective": "2026-11-30T07:05:38.038760Z", "iterations": "2026-11-30T07:05:38.038760Z", "conceptMarkdown": "2026-11-30T07:05:38.038760Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:38.03876+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:38.316817+00', '853fe08a-205b-5468-b77a-0022a3fe501a', 'ai', 'aiMissions', 'm1', 'update', '{"nextRunAt": "2026-12-01T07:00:00.000000Z", "retrySlot": null, "iterations": [{"id": "45b24322-8c54-51ec-abd5-16a36acd40c2", "plan": [{"id": "9eee7385-5934-56dd-915a-7bce3a006af9", "index": 0, "intent": {"kind": "toolCall", "params": {"title": "milk"}, "toolName": "create_task"}, "status": "planned", "summary": "milk", "rationale": "Bullet point 1 of this mission’s concept, word for word. No AI took part.", "updatedAt": "2026-11-30T07:05:38.306443Z"}], "slot": "due:1796022275752", "model": "builtin/outline", "source": "server", "summary": "The bullet points of the concept as tasks. No AI took part: no model is connected.", "startedAt": "2026-11-30T07:05:38.196813Z", "updatedAt": "2026-11-30T07:05:38.306443Z", "finishedAt": "2026-11-30T07:05:38.306443Z", "displayName": "Mana", "principalId": "default"}]}', '{"nextRunAt": "2026-11-30T07:05:38.306443Z", "retrySlot": "2026-11-30T07:05:38.306443Z", "iterations": "2026-11-30T07:05:38.306443Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:38.306443+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', '2026-11-30 07:05:38.316818+00', '08ae8e71-d8ae-53fe-9e2a-0a8c9ba33be8', 'ai', 'aiRuns', '45b24322-8c54-51ec-abd5-16a36acd40c2', 'insert', '{"cost": 0.0, "slot": "due:1796022275752", "model": "builtin/outline", "status": "ran", "tokens": 0, "attempts": 1, "missionId": "m1", "startedAt": "2026-11-30T07:05:38.196813Z", "finishedAt": "2026-11-30T07:05:38.306443Z"}', '{"cost": "2026-11-30T07:05:38.306443Z", "slot": "2026-11-30T07:05:38.306443Z", "model": "2026-11-30T07:05:38.306443Z", "status": "2026-11-30T07:05:38.306443Z", "tokens": "2026-11-30T07:05:38.306443Z", "attempts": "2026-11-30T07:05:38.306443Z", "missionId": "2026-11-30T07:05:38.306443Z", "startedAt": "2026-11-30T07:05:38.306443Z", "finishedAt": "2026-11-30T07:05:38.306443Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:38.306443+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:38.325413+00', '77fb017d-9299-5c31-8020-9a8bebe19c94', 'ai', 'aiMissions', 'm1', 'update', '{"nextRunAt": "2026-12-01T07:00:00.000000Z", "retrySlot": null, "iterations": [{"id": "45b24322-8c54-51ec-abd5-16a36acd40c2", "plan": [{"id": "9eee7385-5934-56dd-915a-7bce3a006af9", "index": 0, "intent": {"kind": "toolCall", "params": {"title": "milk"}, "toolName": "create_task"}, "status": "planned", "summary": "milk", "rationale": "Bullet point 1 of this mission’s concept, word for word. No AI took part.", "updatedAt": "2026-11-30T07:05:38.315553Z"}], "slot": "due:1796022275752", "model": "builtin/outline", "source": "server", "summary": "The bullet points of the concept as tasks. No AI took part: no model is connected.", "startedAt": "2026-11-30T07:05:38.196899Z", "updatedAt": "2026-11-30T07:05:38.315553Z", "finishedAt": "2026-11-30T07:05:38.315553Z", "displayName": "Mana", "principalId": "default"}]}', '{"nextRunAt": "2026-11-30T07:05:38.315553Z", "retrySlot": "2026-11-30T07:05:38.315553Z", "iterations": "2026-11-30T07:05:38.315553Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:38.315553+00', NULL, NULL, true);
INSERT INTO public.sync_changes VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', '2026-11-30 07:05:38.325414+00', '4951928f-f996-56bb-90e9-f70bd0f04d8e', 'ai', 'aiRuns', '45b24322-8c54-51ec-abd5-16a36acd40c2', 'insert', '{"cost": 0.0, "slot": "due:1796022275752", "model": "builtin/outline", "status": "ran", "tokens": 0, "attempts": 1, "missionId": "m1", "startedAt": "2026-11-30T07:05:38.196899Z", "finishedAt": "2026-11-30T07:05:38.315553Z"}', '{"cost": "2026-11-30T07:05:38.315553Z", "slot": "2026-11-30T07:05:38.315553Z", "model": "2026-11-30T07:05:38.315553Z", "status": "2026-11-30T07:05:38.315553Z", "tokens": "2026-11-30T07:05:38.315553Z", "attempts": "2026-11-30T07:05:38.315553Z", "missionId": "2026-11-30T07:05:38.315553Z", "startedAt": "2026-11-30T07:05:38.315553Z", "finishedAt": "2026-11-30T07:05:38.315553Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:38.315553+00', NULL, NULL, true);
INSERT INTO public.usage VALUES (1796022000000000, '01a22b45-f810-74b8-829e-2c61c2805eb2', 'm1', 'default', '', 'builtin/outline', 1, 0, 0, 0, 0, 0);
INSERT INTO public.usage VALUES (1796022000000000, '01a22b45-f903-725d-b98d-1b3903e03917', 'm1', 'default', '', 'builtin/outline', 1, 0, 0, 0, 0, 0);
INSERT INTO public.usage VALUES (1796022000000000, '01a22b45-f810-74b8-829e-2c61c2805eb2', '', '', '', 'builtin/outline', 1, 0, 0, 0, 0, 0);
INSERT INTO public.users VALUES ('01a22b45-f810-74b8-829e-2c61c2805eb2', 'owner@example.org', 'owner', '$argon2id$v=19$m=19456,t=2,p=1$kqz2GQ3CodIeA7ymEPwH8A$bcBNJku8SMU3IIHWUC9XOHspkonr1d5qlmo1aSXlZws', 'Europe/Berlin', 'en', 'owner', 1796022335573349);
INSERT INTO public.users VALUES ('01a22b45-f903-725d-b98d-1b3903e03917', 'friend@example.org', 'friend', '$argon2id$v=19$m=19456,t=2,p=1$T9AoFuB1c5SqC13gnNgL9A$BbBxRWHMBgnT5jT2FcJvb9z2Bzs4XtW8jkqkrjiIx8g', 'Europe/Berlin', 'en', 'member', 1796022335818438);
INSERT INTO public.virtual_keys VALUES ('01a22b46-030f-717a-8d6c-c067b90a5c6f', '\x5dc731ff18de215f780340e98ca527d79dd27399accf2708acecbf0160b61dd1', '01a22b45-f810-74b8-829e-2c61c2805eb2', '{"models":[],"name":"program","window":"day"}', 1796022338390802);
SELECT pg_catalog.setval('public.mission_claim_tokens', 2, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.kv
    ADD CONSTRAINT kv_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.ledger_accounts
    ADD CONSTRAINT ledger_accounts_pkey PRIMARY KEY (account, quarter);
ALTER TABLE ONLY public.ledger_reservations
    ADD CONSTRAINT ledger_reservations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.log_floors
    ADD CONSTRAINT log_floors_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.mission_claims
    ADD CONSTRAINT mission_claims_pkey PRIMARY KEY (user_id, mission_id);
ALTER TABLE ONLY public.mission_claims
    ADD CONSTRAINT mission_claims_token_key UNIQUE (token);
ALTER TABLE ONLY public.mission_schedule
    ADD CONSTRAINT mission_schedule_pkey PRIMARY KEY (user_id, mission_id);
ALTER TABLE ONLY public.pending_folds
    ADD CONSTRAINT pending_folds_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (user_id, app_id, table_name, record_id);
ALTER TABLE ONLY public.run_debug
    ADD CONSTRAINT run_debug_pkey PRIMARY KEY (user_id, iteration_id);
ALTER TABLE ONLY public.run_inputs
    ADD CONSTRAINT run_inputs_pkey PRIMARY KEY (user_id, mission_id, slot);
ALTER TABLE ONLY public.run_requests
    ADD CONSTRAINT run_requests_pkey PRIMARY KEY (user_id, mission_id, slot);
ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (purpose, secret_hash);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_id_key UNIQUE (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.sync_changes
    ADD CONSTRAINT sync_changes_pkey PRIMARY KEY (user_id, created_at);
ALTER TABLE ONLY public.sync_changes
    ADD CONSTRAINT sync_changes_user_id_event_id_key UNIQUE (user_id, event_id);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (quarter, user_id, mission_id, agent_id, key_id, model);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.virtual_keys
    ADD CONSTRAINT virtual_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.virtual_keys
    ADD CONSTRAINT virtual_keys_secret_hash_key UNIQUE (secret_hash);
CREATE INDEX ledger_accounts_quarter ON public.ledger_accounts USING btree (quarter);
CREATE INDEX ledger_reservations_expiry ON public.ledger_reservations USING btree (expires_at);
CREATE INDEX mission_schedule_due ON public.mission_schedule USING btree (next_run_at);
CREATE INDEX records_of_runs ON public.records USING btree (user_id, ((((state)::jsonb -> 'data'::text) ->> 'missionId'::text)), COALESCE((((state)::jsonb -> 'data'::text) ->> 'startedAt'::text), ''::text), record_id) WHERE ((app_id = 'ai'::text) AND (table_name = 'aiRuns'::text));
CREATE INDEX run_debug_newest ON public.run_debug USING btree (user_id, at);
CREATE INDEX run_requests_due ON public.run_requests USING btree (not_before);
CREATE INDEX sessions_user ON public.sessions USING btree (user_id);
CREATE INDEX sync_changes_unfolded ON public.sync_changes USING btree (user_id, created_at) WHERE (NOT folded);
CREATE INDEX sync_refused_user ON public.sync_refused USING btree (user_id);
CREATE UNIQUE INDEX users_one_owner ON public.users USING btree (role) WHERE (role = 'owner'::text);
CREATE TRIGGER sync_changes_order BEFORE INSERT ON public.sync_changes FOR EACH ROW WHEN ((NOT new.folded)) EXECUTE FUNCTION public.mana_order_row();
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.virtual_keys
    ADD CONSTRAINT virtual_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
CREATE POLICY own_rows ON public.records USING ((user_id = ( SELECT public.mana_user() AS mana_user)));
CREATE POLICY own_rows ON public.run_debug USING ((user_id = ( SELECT public.mana_user() AS mana_user)));
CREATE POLICY own_rows ON public.run_inputs USING ((user_id = ( SELECT public.mana_user() AS mana_user)));
CREATE POLICY own_rows ON public.sync_changes USING ((user_id = ( SELECT public.mana_user() AS mana_user)));
CREATE POLICY own_rows ON public.sync_refused USING ((user_id = ( SELECT public.mana_user() AS mana_user)));
ALTER TABLE public.records ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.run_debug ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.run_inputs ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sync_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.sync_refused ENABLE ROW LEVEL SECURITY;
