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
CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    at bigint NOT NULL,
    class text NOT NULL,
    event text NOT NULL,
    subject text COLLATE pg_catalog."C",
    actor text COLLATE pg_catalog."C",
    address text,
    detail text NOT NULL,
    CONSTRAINT audit_log_class_check CHECK ((class = ANY (ARRAY['act'::text, 'failure'::text])))
);
CREATE TABLE public.client_pushes (
    user_id text NOT NULL COLLATE pg_catalog."C",
    client_id text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL,
    changes bigint NOT NULL,
    digest text NOT NULL,
    pushed_at bigint NOT NULL
);
CREATE TABLE public.deleted_accounts (
    id_hash bytea NOT NULL,
    deleted_at bigint NOT NULL
);
CREATE TABLE public.external_identities (
    issuer text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL
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
CREATE TABLE public.log_epochs (
    user_id text NOT NULL COLLATE pg_catalog."C",
    epoch text NOT NULL COLLATE pg_catalog."C",
    restored_at bigint,
    give_back_until bigint,
    discards_newer boolean DEFAULT false NOT NULL
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
    started_at bigint,
    not_before bigint DEFAULT 0 NOT NULL,
    tries bigint DEFAULT 0 NOT NULL
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
CREATE TABLE public.recovery_codes (
    user_id text NOT NULL COLLATE pg_catalog."C",
    code_hash bytea NOT NULL
);
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
CREATE TABLE public.second_factors (
    user_id text NOT NULL COLLATE pg_catalog."C",
    secret text NOT NULL,
    confirmed_at bigint,
    last_step bigint DEFAULT 0 NOT NULL,
    failures bigint DEFAULT 0 NOT NULL,
    closed_until bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.secrets (
    secret_hash bytea NOT NULL,
    purpose text NOT NULL,
    expires_at bigint,
    label text DEFAULT ''::text NOT NULL,
    role text DEFAULT 'member'::text NOT NULL,
    created_at bigint DEFAULT 0 NOT NULL,
    CONSTRAINT secrets_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'member'::text])))
);
CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    user_id text NOT NULL COLLATE pg_catalog."C",
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    previous_hash bytea,
    rotated_at bigint DEFAULT 0 NOT NULL,
    used_at bigint DEFAULT 0 NOT NULL,
    device text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    proof text DEFAULT 'password'::text NOT NULL
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
    unchanged boolean DEFAULT false NOT NULL,
    CONSTRAINT sync_changes_op_check CHECK ((op = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'forget'::text]))),
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
    locked_at bigint,
    limits text,
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'member'::text])))
);
CREATE TABLE public.virtual_keys (
    id text NOT NULL COLLATE pg_catalog."C",
    secret_hash bytea NOT NULL,
    user_id text NOT NULL COLLATE pg_catalog."C",
    settings text NOT NULL,
    created_at bigint NOT NULL
);
INSERT INTO public._sqlx_migrations VALUES (1, 'accounts', '2026-11-30 07:05:45.441937+00', true, '\xdc4cc94d7fd3af6baaaf61634866917940ec1e3b48d96ca931d7edb05220a19c829e79198a905ff265a7d8c52e664152', 6849030);
INSERT INTO public._sqlx_migrations VALUES (2, 'log', '2026-11-30 07:05:45.450242+00', true, '\xf8c3610440097556c145d29df8f6dd23a95f9f1891d35c2343343e2825593f2a937cf5af9997dea2b21da5caaca1693f', 101664897);
INSERT INTO public._sqlx_migrations VALUES (3, 'runs', '2026-11-30 07:05:45.558276+00', true, '\x7783ed36ed79fafbbbd6560b181e27018a498a14935296b27e36a5e7525c134ac534174179d9c800bf624a7eb834e314', 34791561);
INSERT INTO public._sqlx_migrations VALUES (4, 'retention', '2026-11-30 07:05:45.594652+00', true, '\x6bc8f2393ca7f948b6cd8280277742e43c34c7c157471d413920f38b3010eeff8c8f6ae7ff6b513aaa90ac73cc94a8ca', 11485429);
INSERT INTO public._sqlx_migrations VALUES (5, 'ledger', '2026-11-30 07:05:45.605053+00', true, '\xfc2a5e39e9a4c48a9f05b04392ac62b24cab999ef3df66ce19947e34153f088f49bf85dd9d581618b88e28386821cc78', 21009091);
INSERT INTO public._sqlx_migrations VALUES (6, 'virtual keys', '2026-11-30 07:05:45.626298+00', true, '\xcaf2d083ebaf0edef07346089c0b86263da2c4bf71e021631cc227318a9560d3a93e4df039b45180aa55da28b662f757', 37055577);
INSERT INTO public._sqlx_migrations VALUES (7, 'runs', '2026-11-30 07:05:45.665359+00', true, '\x13c0b533321e9a5a8418e3365be39ec63f73c53ae1677c5975c0db450795629a45ee6673009f846ed2989b2485056c1c', 8235965);
INSERT INTO public._sqlx_migrations VALUES (8, 'run records', '2026-11-30 07:05:45.67357+00', true, '\x99bf5f2c3111cae44350463266aa4290e946739cfe92e35483502ed0853de1b69939b78de853607a93bc64f5f313341f', 18119361);
INSERT INTO public._sqlx_migrations VALUES (9, 'calls of accounts', '2026-11-30 07:05:45.692916+00', true, '\xc8d7ef7feccb000bc29e4061ccaa0fc370469f3ab49a3467fb06fb73005c73f7674d9eff008e807aa3365ef3124751b3', 6683036);
INSERT INTO public._sqlx_migrations VALUES (10, 'unchanged', '2026-11-30 07:05:45.700609+00', true, '\x41e3d0c2593d2243d456908ab0fe63eab7400672e89cbc35cd776e4cd93d630cc18e6cf395151cd6c337ab505b648a46', 13477345);
INSERT INTO public._sqlx_migrations VALUES (11, 'client pushes', '2026-11-30 07:05:45.715192+00', true, '\xa898ec69dc656ed5aff2c1b504e6f05caeb991fb4b082df223ffbbeba54ebb6150ccc5756a1f26b49a547ae1cbf4c78a', 42332565);
INSERT INTO public._sqlx_migrations VALUES (12, 'log epochs', '2026-11-30 07:05:45.764962+00', true, '\xd6f8922cc6a94fae02c3588b89b674fce9e4e08696a4ef76950a007a068891eba5ccc80a1bb72924ef79940baf3ab93a', 34040985);
INSERT INTO public._sqlx_migrations VALUES (13, 'postponed runs', '2026-11-30 07:05:45.804882+00', true, '\xd65a5cdae59da9e17598113f00895e6df1b079e589d857470d3ec37212a3f0461958c1bc4212d7b843e8b23418a19b6d', 19915756);
INSERT INTO public._sqlx_migrations VALUES (14, 'forget', '2026-11-30 07:05:45.835958+00', true, '\x037d67bc20845cea574eac463692faa5babdcc742a5823a4853b5dc7835960634d30a956fc22d135788f97317e53bfd5', 25878739);
INSERT INTO public._sqlx_migrations VALUES (15, 'people', '2026-11-30 07:05:45.863421+00', true, '\x78bf0c230b51de4ae7715f90f82c3f1ef56d37adde466289ce4003199dfc31bc21c5002610d29862aa1bb293094500b0', 83174244);
INSERT INTO public._sqlx_migrations VALUES (16, 'second factors', '2026-11-30 07:05:45.953136+00', true, '\x1f2349baf46dc2ad01321202ba4856f4ef21ac38076faccef896878106aedad134fb3755ad22ac484b6cf634eda4aa40', 35894811);
INSERT INTO public.audit_log VALUES (1796022348114010, 1796022348114010, 'act', 'account-made', '01a22b46-2942-7321-be6f-b3b18c09cb26', NULL, '127.0.0.1', 'owner, password');
INSERT INTO public.audit_log VALUES (1796022348151969, 1796022348151969, 'act', 'sign-in', '01a22b46-2942-7321-be6f-b3b18c09cb26', '01a22b46-2942-7321-be6f-b3b18c09cb26', '127.0.0.1', 'password');
INSERT INTO public.audit_log VALUES (1796022348377385, 1796022348377385, 'act', 'account-made', '01a22b46-2a43-75c8-82fa-210bde15f908', NULL, '127.0.0.1', 'member, password');
INSERT INTO public.audit_log VALUES (1796022348534811, 1796022348534811, 'act', 'sign-in', '01a22b46-2a43-75c8-82fa-210bde15f908', '01a22b46-2a43-75c8-82fa-210bde15f908', '127.0.0.1', 'password');
INSERT INTO public.audit_log VALUES (1796022350791662, 1796022350791662, 'act', 'sign-in', '01a22b46-2942-7321-be6f-b3b18c09cb26', '01a22b46-2942-7321-be6f-b3b18c09cb26', '127.0.0.1', 'password');
INSERT INTO public.audit_log VALUES (1796022352102973, 1796022352102973, 'act', 'sign-in', '01a22b46-2a43-75c8-82fa-210bde15f908', '01a22b46-2a43-75c8-82fa-210bde15f908', '127.0.0.1', 'password');
INSERT INTO public.audit_log VALUES (1796022354668226, 1796022354668226, 'act', 'key-made', NULL, '01a22b46-2942-7321-be6f-b3b18c09cb26', '127.0.0.1', 'program');
INSERT INTO public.audit_log VALUES (1796022354770598, 1796022354770598, 'act', 'models-changed', NULL, '01a22b46-2942-7321-be6f-b3b18c09cb26', '127.0.0.1', 'box');
INSERT INTO public.audit_log VALUES (1796022354853259, 1796022354853259, 'act', 'invitation-made', NULL, '01a22b46-2942-7321-be6f-b3b18c09cb26', '127.0.0.1', 'member');
INSERT INTO public.kv VALUES ('token.key', '\x7365616c65643a4e32764f43676d476854744f6f6472794e654c35326571336b32737348415142726b696851722f77724359537358735a703768744c44776837336d4c3859363972486a3955674f794648366565634e4e52314d78616a425964445a533055772b446b38356b717243595665765a74647961716356386d4c794152314e43454a464b45694d477345674141494d4539377346306f474946573149636c432b4c76482b59744a34463070745958576f30386a4839374c787872796844733d');
INSERT INTO public.kv VALUES ('llm.settings', '\x7b2270726f766964657273223a7b22626f78223a7b22617069223a6e756c6c2c226261736555726c223a22687474703a2f2f3132372e302e302e313a392f7631222c227365616c65644b6579223a227954493562546a7a4a39685459594e71307965574e64453972436864556961574b484442414d706d6b2b62425755383d222c226d6f64656c73223a5b226d225d2c2274696d656f75744d73223a6e756c6c2c22636f6e63757272656e6379223a6e756c6c7d7d2c22616c6961736573223a7b7d2c226d6f64656c73223a7b7d7d');
INSERT INTO public.ledger_accounts VALUES ('agent:01a22b46-2942-7321-be6f-b3b18c09cb26/default', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('mission:01a22b46-2942-7321-be6f-b3b18c09cb26/m1', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('agent:01a22b46-2a43-75c8-82fa-210bde15f908/default', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('mission:01a22b46-2a43-75c8-82fa-210bde15f908/m1', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('user:01a22b46-2a43-75c8-82fa-210bde15f908', 1796022000000000, 0, 0, 1);
INSERT INTO public.ledger_accounts VALUES ('user:01a22b46-2942-7321-be6f-b3b18c09cb26', 1796022000000000, 0, 0, 2);
INSERT INTO public.mission_schedule VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'm1', 1796108400000000, 'due:1796108400000');
INSERT INTO public.mission_schedule VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'm1', 1796108400000000, 'due:1796108400000');
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'todo', 'tasks', 't0', '{"data":{"title":"owner task 0"},"meta":{"title":{"at":"2026-11-30T07:05:48.909572Z","actor":{"kind":"user"}}}}', 1796022348909577);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'todo', 'tasks', 't3', '{"data":{"title":"owner task 3"},"meta":{"title":{"at":"2026-11-30T07:05:48.909572Z","actor":{"kind":"user"}}}}', 1796022348909577);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'todo', 'tasks', 't4', '{"data":{"title":"owner task 4"},"meta":{"title":{"at":"2026-11-30T07:05:48.909572Z","actor":{"kind":"user"}}}}', 1796022348909577);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'todo', 'tasks', 't5', '{"data":{"title":"owner task 5"},"meta":{"title":{"at":"2026-11-30T07:05:48.909572Z","actor":{"kind":"user"}}}}', 1796022348909577);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'todo', 'tasks', 't1', '{"data":{"title":"owner, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:49.836778Z","actor":{"kind":"user"}}}}', 1796022349836778);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'todo', 'tasks', 't2', '{"data":{"deletedAt":"2026-11-30T07:05:50.019320Z","title":"owner task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:50.019320Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:48.909572Z","actor":{"kind":"user"}}}}', 1796022350019320);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'notes', 'notes', 'n1', '{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:50.225921Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:50.225921Z","actor":{"kind":"user"}}}}', 1796022350225921);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'todo', 'tasks', 't0', '{"data":{"title":"friend task 0"},"meta":{"title":{"at":"2026-11-30T07:05:50.860605Z","actor":{"kind":"user"}}}}', 1796022350860610);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'todo', 'tasks', 't3', '{"data":{"title":"friend task 3"},"meta":{"title":{"at":"2026-11-30T07:05:50.860605Z","actor":{"kind":"user"}}}}', 1796022350860610);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'todo', 'tasks', 't4', '{"data":{"title":"friend task 4"},"meta":{"title":{"at":"2026-11-30T07:05:50.860605Z","actor":{"kind":"user"}}}}', 1796022350860610);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'todo', 'tasks', 't5', '{"data":{"title":"friend task 5"},"meta":{"title":{"at":"2026-11-30T07:05:50.860605Z","actor":{"kind":"user"}}}}', 1796022350860610);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'todo', 'tasks', 't1', '{"data":{"title":"friend, again “ü”"},"meta":{"title":{"at":"2026-11-30T07:05:50.942434Z","actor":{"kind":"user"}}}}', 1796022350942434);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'todo', 'tasks', 't2', '{"data":{"deletedAt":"2026-11-30T07:05:51.066590Z","title":"friend task 2"},"meta":{"deletedAt":{"at":"2026-11-30T07:05:51.066590Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:50.860605Z","actor":{"kind":"user"}}}}', 1796022351066590);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'notes', 'notes', 'n1', '{"data":{"bodyMarkdown":"# A note\n\nwith\nlines","title":"A note"},"meta":{"bodyMarkdown":{"at":"2026-11-30T07:05:51.338487Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:51.338487Z","actor":{"kind":"user"}}}}', 1796022351338487);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'ai', 'aiMissions', 'm1', '{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:53.249086Z","id":"6fee9498-0e58-59ec-9a95-e6a53397ab5b","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"ea0f0098-b388-57e5-90d6-80212dbfd862","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:53.249086Z"}],"principalId":"default","slot":"due:1796022288849","source":"server","startedAt":"2026-11-30T07:05:52.233797Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:53.249086Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"friend plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:51.412324Z","actor":{"kind":"user"}}}}', 1796022353874931);
INSERT INTO public.records VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'ai', 'aiRuns', '6fee9498-0e58-59ec-9a95-e6a53397ab5b', '{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:53.249086Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022288849","startedAt":"2026-11-30T07:05:52.233797Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:53.249086Z","actor":{"kind":"system","source":"mission-runner"}}}}', 1796022353874931);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'ai', 'aiMissions', 'm1', '{"data":{"cadence":{"atHour":8,"atMinute":0,"kind":"daily"},"conceptMarkdown":"- milk","inputs":[],"iterations":[{"displayName":"Mana","finishedAt":"2026-11-30T07:05:52.977328Z","id":"6fee9498-0e58-59ec-9a95-e6a53397ab5b","model":"builtin/outline","overallStatus":"awaiting-review","plan":[{"decisions":[],"id":"ea0f0098-b388-57e5-90d6-80212dbfd862","index":0,"intent":{"kind":"toolCall","params":{"title":"milk"},"toolName":"create_task"},"rationale":"Bullet point 1 of this mission’s concept, word for word. No AI took part.","status":"planned","summary":"milk","updatedAt":"2026-11-30T07:05:52.977328Z"}],"principalId":"default","slot":"due:1796022288849","source":"server","startedAt":"2026-11-30T07:05:52.236388Z","summary":"The bullet points of the concept as tasks. No AI took part: no model is connected.","updatedAt":"2026-11-30T07:05:52.977328Z"}],"nextRunAt":"2026-12-01T07:00:00.000000Z","objective":"Plan it.","overlap":"allow","retrySlot":null,"state":"active","timezone":"Europe/Berlin","title":"owner plan"},"meta":{"cadence":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"conceptMarkdown":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"inputs":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"iterations":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"nextRunAt":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"objective":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"overlap":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"retrySlot":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"state":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"timezone":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}},"title":{"at":"2026-11-30T07:05:50.279130Z","actor":{"kind":"user"}}}}', 1796022353284613);
INSERT INTO public.records VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'ai', 'aiRuns', '6fee9498-0e58-59ec-9a95-e6a53397ab5b', '{"data":{"attempts":1,"cost":0,"finishedAt":"2026-11-30T07:05:52.977328Z","missionId":"m1","model":"builtin/outline","slot":"due:1796022288849","startedAt":"2026-11-30T07:05:52.236388Z","status":"ran","tokens":0},"meta":{"attempts":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"cost":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"finishedAt":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"missionId":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"model":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"slot":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"startedAt":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"status":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}},"tokens":{"at":"2026-11-30T07:05:52.977328Z","actor":{"kind":"system","source":"mission-runner"}}}}', 1796022353284613);
INSERT INTO public.secrets VALUES ('\x7d218fed6df396d9277af73c034e22e917d3ddfe1c2d9c5bebba484e3e1add66', 'invite', 1796627154812633, '', 'member', 1796022354812744);
INSERT INTO public.sessions VALUES ('\xc80bdf9eb7f1ba18781b99f16ef988098250b278d180cc0506ba7b0d2392bbd4', '01a22b46-2960-75e4-844f-5b2d89d22e0b', '01a22b46-2942-7321-be6f-b3b18c09cb26', 1796022348142569, 1798614348142569, NULL, 1796022348142569, 1796022348142569, '', '127.0.0.1', 'password');
INSERT INTO public.sessions VALUES ('\xf655ef7e35126f9b7694ca4f85921f01653de37708691bda5ddaf7e9a507ad40', '01a22b46-2ad2-717a-a1f6-752ebab53ac2', '01a22b46-2a43-75c8-82fa-210bde15f908', 1796022348513071, 1798614348513071, NULL, 1796022348513071, 1796022348513071, '', '127.0.0.1', 'password');
INSERT INTO public.sessions VALUES ('\x6c646e33d6172ac996700ae37d8cf33dd6a0dfa0b76393445861d4871c8acca8', '01a22b46-33ac-7608-8361-c94389ebfa73', '01a22b46-2942-7321-be6f-b3b18c09cb26', 1796022350778707, 1798614350778707, NULL, 1796022350778707, 1796022350778707, '', '127.0.0.1', 'password');
INSERT INTO public.sessions VALUES ('\xf486ad3c1f41d506c1a5d1bbfade4a313990029735eb24ad64263746fdbe9c09', '01a22b46-38c1-73af-a1eb-74b82cf7d81e', '01a22b46-2a43-75c8-82fa-210bde15f908', 1796022352079905, 1798614352079905, NULL, 1796022352079905, 1796022352079905, '', '127.0.0.1', 'password');
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:48.909572+00', '66cd4f69-00c3-5be9-9964-553835b42890', 'todo', 'tasks', 't0', 'insert', '{"title": "owner task 0"}', '{"title": "2026-11-30T07:05:48.909572Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:48.909572+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:48.909573+00', '1c29e978-9b2d-5851-8eff-e7decc5a7a41', 'todo', 'tasks', 't1', 'insert', '{"title": "owner task 1"}', '{"title": "2026-11-30T07:05:48.909572Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:48.909572+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:48.909574+00', 'aac89409-0513-55ff-ade0-7f4f602642fd', 'todo', 'tasks', 't2', 'insert', '{"title": "owner task 2"}', '{"title": "2026-11-30T07:05:48.909572Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:48.909572+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:48.909575+00', '6b60efe4-d396-50ef-ae1f-dffc2cf950d8', 'todo', 'tasks', 't3', 'insert', '{"title": "owner task 3"}', '{"title": "2026-11-30T07:05:48.909572Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:48.909572+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:48.909576+00', '9ba36dab-4703-5883-9844-91ea99317354', 'todo', 'tasks', 't4', 'insert', '{"title": "owner task 4"}', '{"title": "2026-11-30T07:05:48.909572Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:48.909572+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:48.909577+00', 'f2254472-5e28-5a43-bcd5-bc1b01811a04', 'todo', 'tasks', 't5', 'insert', '{"title": "owner task 5"}', '{"title": "2026-11-30T07:05:48.909572Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:48.909572+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:49.836778+00', 'c689ff55-62ea-5fe1-98b2-a42deb32b762', 'todo', 'tasks', 't1', 'update', '{"title": "owner, again “ü”"}', '{"title": "2026-11-30T07:05:49.836778Z"}', '{"kind": "user"}', 'phone', 1, '2026-11-30 07:05:49.836778+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:50.01932+00', '9e19dd99-63fe-527e-8817-b4a9fa69f630', 'todo', 'tasks', 't2', 'delete', NULL, '{"deletedAt": "2026-11-30T07:05:50.019320Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.01932+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:50.225921+00', '0e5e89eb-7db9-5b28-b4a9-ebfccd428e61', 'notes', 'notes', 'n1', 'insert', '{"title": "A note", "bodyMarkdown": "# A note\n\nwith\nlines"}', '{"title": "2026-11-30T07:05:50.225921Z", "bodyMarkdown": "2026-11-30T07:05:50.225921Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.225921+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:50.27913+00', 'd9e90602-425e-58e6-9fab-b718687604a7', 'ai', 'aiMissions', 'm1', 'insert', '{"state": "active", "title": "owner plan", "inputs": [], "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "overlap": "allow", "timezone": "Europe/Berlin", "nextRunAt": "2026-11-30T07:04:48.849000Z", "objective": "Plan it.", "iterations": [], "conceptMarkdown": "- milk"}', '{"state": "2026-11-30T07:05:50.279130Z", "title": "2026-11-30T07:05:50.279130Z", "inputs": "2026-11-30T07:05:50.279130Z", "cadence": "2026-11-30T07:05:50.279130Z", "overlap": "2026-11-30T07:05:50.279130Z", "timezone": "2026-11-30T07:05:50.279130Z", "nextRunAt": "2026-11-30T07:05:50.279130Z", "objective": "2026-11-30T07:05:50.279130Z", "iterations": "2026-11-30T07:05:50.279130Z", "conceptMarkdown": "2026-11-30T07:05:50.279130Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.27913+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.860605+00', 'a221a8cd-ebeb-57c6-8e82-db35bdd8e684', 'todo', 'tasks', 't0', 'insert', '{"title": "friend task 0"}', '{"title": "2026-11-30T07:05:50.860605Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.860605+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.860606+00', '3b121a6d-915b-5d89-95ab-4f5672e163d9', 'todo', 'tasks', 't1', 'insert', '{"title": "friend task 1"}', '{"title": "2026-11-30T07:05:50.860605Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.860605+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.860607+00', '575513e1-bbd2-5fc5-81d2-d70fc2e6ad25', 'todo', 'tasks', 't2', 'insert', '{"title": "friend task 2"}', '{"title": "2026-11-30T07:05:50.860605Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.860605+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.860608+00', 'c06438d7-2ef1-58ea-9efc-04444b5bcd18', 'todo', 'tasks', 't3', 'insert', '{"title": "friend task 3"}', '{"title": "2026-11-30T07:05:50.860605Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.860605+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.860609+00', 'ea620a26-9f4f-523c-b3e5-31462971c98c', 'todo', 'tasks', 't4', 'insert', '{"title": "friend task 4"}', '{"title": "2026-11-30T07:05:50.860605Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.860605+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.86061+00', 'ea02ed01-9ab0-50a3-b809-9132ee104414', 'todo', 'tasks', 't5', 'insert', '{"title": "friend task 5"}', '{"title": "2026-11-30T07:05:50.860605Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:50.860605+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:50.942434+00', 'f98b3d0b-be3f-5432-a9e5-b7740a26d36f', 'todo', 'tasks', 't1', 'update', '{"title": "friend, again “ü”"}', '{"title": "2026-11-30T07:05:50.942434Z"}', '{"kind": "user"}', 'phone', 1, '2026-11-30 07:05:50.942434+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:51.06659+00', '9e19dd99-63fe-527e-8817-b4a9fa69f630', 'todo', 'tasks', 't2', 'delete', NULL, '{"deletedAt": "2026-11-30T07:05:51.066590Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:51.06659+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:51.338487+00', '0e5e89eb-7db9-5b28-b4a9-ebfccd428e61', 'notes', 'notes', 'n1', 'insert', '{"title": "A note", "bodyMarkdown": "# A note\n\nwith\nlines"}', '{"title": "2026-11-30T07:05:51.338487Z", "bodyMarkdown": "2026-11-30T07:05:51.338487Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:51.338487+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:51.412324+00', 'a66bc09e-4f54-536f-bdce-361cdfe6acb9', 'ai', 'aiMissions', 'm1', 'insert', '{"state": "active", "title": "friend plan", "inputs": [], "cadence": {"kind": "daily", "atHour": 8, "atMinute": 0}, "overlap": "allow", "timezone": "Europe/Berlin", "nextRunAt": "2026-11-30T07:04:48.849000Z", "objective": "Plan it.", "iterations": [], "conceptMarkdown": "- milk"}', '{"state": "2026-11-30T07:05:51.412324Z", "title": "2026-11-30T07:05:51.412324Z", "inputs": "2026-11-30T07:05:51.412324Z", "cadence": "2026-11-30T07:05:51.412324Z", "overlap": "2026-11-30T07:05:51.412324Z", "timezone": "2026-11-30T07:05:51.412324Z", "nextRunAt": "2026-11-30T07:05:51.412324Z", "objective": "2026-11-30T07:05:51.412324Z", "iterations": "2026-11-30T07:05:51.412324Z", "conceptMarkdown": "2026-11-30T07:05:51.412324Z"}', '{"kind": "user"}', 'laptop', 1, '2026-11-30 07:05:51.412324+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:53.284612+00', 'a638a83d-f0ec-569b-8832-3b220303ffa7', 'ai', 'aiMissions', 'm1', 'update', '{"nextRunAt": "2026-12-01T07:00:00.000000Z", "retrySlot": null, "iterations": [{"id": "6fee9498-0e58-59ec-9a95-e6a53397ab5b", "plan": [{"id": "ea0f0098-b388-57e5-90d6-80212dbfd862", "index": 0, "intent": {"kind": "toolCall", "params": {"title": "milk"}, "toolName": "create_task"}, "status": "planned", "summary": "milk", "rationale": "Bullet point 1 of this mission’s concept, word for word. No AI took part.", "updatedAt": "2026-11-30T07:05:52.977328Z"}], "slot": "due:1796022288849", "model": "builtin/outline", "source": "server", "summary": "The bullet points of the concept as tasks. No AI took part: no model is connected.", "startedAt": "2026-11-30T07:05:52.236388Z", "updatedAt": "2026-11-30T07:05:52.977328Z", "finishedAt": "2026-11-30T07:05:52.977328Z", "displayName": "Mana", "principalId": "default"}]}', '{"nextRunAt": "2026-11-30T07:05:52.977328Z", "retrySlot": "2026-11-30T07:05:52.977328Z", "iterations": "2026-11-30T07:05:52.977328Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:52.977328+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', '2026-11-30 07:05:53.284613+00', '23ab187e-13b8-5b60-87b6-d8698ac1bb10', 'ai', 'aiRuns', '6fee9498-0e58-59ec-9a95-e6a53397ab5b', 'insert', '{"cost": 0.0, "slot": "due:1796022288849", "model": "builtin/outline", "status": "ran", "tokens": 0, "attempts": 1, "missionId": "m1", "startedAt": "2026-11-30T07:05:52.236388Z", "finishedAt": "2026-11-30T07:05:52.977328Z"}', '{"cost": "2026-11-30T07:05:52.977328Z", "slot": "2026-11-30T07:05:52.977328Z", "model": "2026-11-30T07:05:52.977328Z", "status": "2026-11-30T07:05:52.977328Z", "tokens": "2026-11-30T07:05:52.977328Z", "attempts": "2026-11-30T07:05:52.977328Z", "missionId": "2026-11-30T07:05:52.977328Z", "startedAt": "2026-11-30T07:05:52.977328Z", "finishedAt": "2026-11-30T07:05:52.977328Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:52.977328+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:53.87493+00', '2ceb0e1a-7fcd-5f25-9151-84e75263b924', 'ai', 'aiMissions', 'm1', 'update', '{"nextRunAt": "2026-12-01T07:00:00.000000Z", "retrySlot": null, "iterations": [{"id": "6fee9498-0e58-59ec-9a95-e6a53397ab5b", "plan": [{"id": "ea0f0098-b388-57e5-90d6-80212dbfd862", "index": 0, "intent": {"kind": "toolCall", "params": {"title": "milk"}, "toolName": "create_task"}, "status": "planned", "summary": "milk", "rationale": "Bullet point 1 of this mission’s concept, word for word. No AI took part.", "updatedAt": "2026-11-30T07:05:53.249086Z"}], "slot": "due:1796022288849", "model": "builtin/outline", "source": "server", "summary": "The bullet points of the concept as tasks. No AI took part: no model is connected.", "startedAt": "2026-11-30T07:05:52.233797Z", "updatedAt": "2026-11-30T07:05:53.249086Z", "finishedAt": "2026-11-30T07:05:53.249086Z", "displayName": "Mana", "principalId": "default"}]}', '{"nextRunAt": "2026-11-30T07:05:53.249086Z", "retrySlot": "2026-11-30T07:05:53.249086Z", "iterations": "2026-11-30T07:05:53.249086Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:53.249086+00', NULL, NULL, true, false);
INSERT INTO public.sync_changes VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', '2026-11-30 07:05:53.874931+00', 'fdc5d70e-355c-55ca-ba2c-47f188c190b7', 'ai', 'aiRuns', '6fee9498-0e58-59ec-9a95-e6a53397ab5b', 'insert', '{"cost": 0.0, "slot": "due:1796022288849", "model": "builtin/outline", "status": "ran", "tokens": 0, "attempts": 1, "missionId": "m1", "startedAt": "2026-11-30T07:05:52.233797Z", "finishedAt": "2026-11-30T07:05:53.249086Z"}', '{"cost": "2026-11-30T07:05:53.249086Z", "slot": "2026-11-30T07:05:53.249086Z", "model": "2026-11-30T07:05:53.249086Z", "status": "2026-11-30T07:05:53.249086Z", "tokens": "2026-11-30T07:05:53.249086Z", "attempts": "2026-11-30T07:05:53.249086Z", "missionId": "2026-11-30T07:05:53.249086Z", "startedAt": "2026-11-30T07:05:53.249086Z", "finishedAt": "2026-11-30T07:05:53.249086Z"}', '{"kind": "system", "source": "mission-runner"}', 'mana-runner', 1, '2026-11-30 07:05:53.249086+00', NULL, NULL, true, false);
INSERT INTO public.usage VALUES (1796022000000000, '01a22b46-2942-7321-be6f-b3b18c09cb26', 'm1', 'default', '', 'builtin/outline', 1, 0, 0, 0, 0, 0);
INSERT INTO public.usage VALUES (1796022000000000, '01a22b46-2a43-75c8-82fa-210bde15f908', 'm1', 'default', '', 'builtin/outline', 1, 0, 0, 0, 0, 0);
INSERT INTO public.usage VALUES (1796022000000000, '01a22b46-2942-7321-be6f-b3b18c09cb26', '', '', '', 'builtin/outline', 1, 0, 0, 0, 0, 0);
INSERT INTO public.users VALUES ('01a22b46-2942-7321-be6f-b3b18c09cb26', 'owner@example.org', 'owner', '$argon2id$v=19$m=19456,t=2,p=1$ysaEigQMNnNrVR7Wg9goBQ$TN4mzsbGXfH+jtwed/C8UIkZ5UTPy+vznifA19jU/88', 'Europe/Berlin', 'en', 'owner', 1796022348110786, NULL, NULL);
INSERT INTO public.users VALUES ('01a22b46-2a43-75c8-82fa-210bde15f908', 'friend@example.org', 'friend', '$argon2id$v=19$m=19456,t=2,p=1$Lfa34sI3Rikd4MD4Nk5g7g$pG5w5rShScMQdZ1UquNERYm2/b9M+z+5uqTRKhZykdA', 'Europe/Berlin', 'en', 'member', 1796022348361104, NULL, NULL);
INSERT INTO public.virtual_keys VALUES ('01a22b46-42db-7424-99d4-6e62d92c42a7', '\xcd3f9cbd244680094a802059d58ec285e5d0c9c89a3414040385f3b6415df97f', '01a22b46-2942-7321-be6f-b3b18c09cb26', '{"models":[],"name":"program","window":"day"}', 1796022354665850);
SELECT pg_catalog.setval('public.mission_claim_tokens', 2, true);
ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.client_pushes
    ADD CONSTRAINT client_pushes_pkey PRIMARY KEY (user_id, client_id);
ALTER TABLE ONLY public.deleted_accounts
    ADD CONSTRAINT deleted_accounts_pkey PRIMARY KEY (id_hash);
ALTER TABLE ONLY public.external_identities
    ADD CONSTRAINT external_identities_pkey PRIMARY KEY (issuer, subject);
ALTER TABLE ONLY public.kv
    ADD CONSTRAINT kv_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.ledger_accounts
    ADD CONSTRAINT ledger_accounts_pkey PRIMARY KEY (account, quarter);
ALTER TABLE ONLY public.ledger_reservations
    ADD CONSTRAINT ledger_reservations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.log_epochs
    ADD CONSTRAINT log_epochs_pkey PRIMARY KEY (user_id);
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
ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash);
ALTER TABLE ONLY public.run_debug
    ADD CONSTRAINT run_debug_pkey PRIMARY KEY (user_id, iteration_id);
ALTER TABLE ONLY public.run_inputs
    ADD CONSTRAINT run_inputs_pkey PRIMARY KEY (user_id, mission_id, slot);
ALTER TABLE ONLY public.run_requests
    ADD CONSTRAINT run_requests_pkey PRIMARY KEY (user_id, mission_id, slot);
ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_pkey PRIMARY KEY (user_id);
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
CREATE INDEX audit_log_class ON public.audit_log USING btree (class, id);
CREATE INDEX audit_log_subject ON public.audit_log USING btree (subject);
CREATE INDEX external_identities_user ON public.external_identities USING btree (user_id);
CREATE INDEX ledger_accounts_quarter ON public.ledger_accounts USING btree (quarter);
CREATE INDEX ledger_reservations_expiry ON public.ledger_reservations USING btree (expires_at);
CREATE INDEX mission_schedule_due ON public.mission_schedule USING btree (next_run_at);
CREATE INDEX records_by_change ON public.records USING btree (user_id, app_id, table_name, updated_at, record_id);
CREATE INDEX records_forgotten ON public.records USING btree (user_id, updated_at) WHERE (state = '{"data":{},"meta":{}}'::text);
CREATE INDEX records_of_runs ON public.records USING btree (user_id, ((((state)::jsonb -> 'data'::text) ->> 'missionId'::text)), COALESCE((((state)::jsonb -> 'data'::text) ->> 'startedAt'::text), ''::text), record_id) WHERE ((app_id = 'ai'::text) AND (table_name = 'aiRuns'::text));
CREATE INDEX run_debug_newest ON public.run_debug USING btree (user_id, at);
CREATE INDEX run_requests_due ON public.run_requests USING btree (not_before);
CREATE INDEX sessions_previous ON public.sessions USING btree (previous_hash);
CREATE INDEX sessions_user ON public.sessions USING btree (user_id);
CREATE INDEX sync_changes_newer ON public.sync_changes USING btree (user_id, schema_version) WHERE (schema_version > 1);
CREATE INDEX sync_changes_unfolded ON public.sync_changes USING btree (user_id, created_at) WHERE (NOT folded);
CREATE INDEX sync_refused_user ON public.sync_refused USING btree (user_id);
CREATE TRIGGER sync_changes_order BEFORE INSERT ON public.sync_changes FOR EACH ROW WHEN ((NOT new.folded)) EXECUTE FUNCTION public.mana_order_row();
ALTER TABLE ONLY public.external_identities
    ADD CONSTRAINT external_identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT second_factors_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
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
