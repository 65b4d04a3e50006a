-- The log of changes, which is the truth, and the records merged from it.

-- The user whose rows this transaction may reach; null, and so nobody's, where it is not said or empty.
CREATE FUNCTION mana_user() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.current_user_id', true), '');

-- The advisory lock under which a log is written.
CREATE FUNCTION mana_log_key(owner text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN hashtextextended('mana log ' || owner, 0);

CREATE FUNCTION mana_at(micros bigint) RETURNS timestamptz LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN timestamptz 'epoch' + micros * interval '1 microsecond';

CREATE FUNCTION mana_micros(at timestamptz) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN (extract(epoch FROM at) * 1000000)::bigint;

-- `created_at` strictly increases for a user, so that `> cursor` is exact.
-- `data` holds the values by field, `field_timestamps` their times; a delete is a time of `deletedAt`.
-- Every column that a program which writes by SQL may leave out has a default.
CREATE TABLE sync_changes (
    user_id          text COLLATE "C" NOT NULL DEFAULT mana_user() CHECK (user_id <> ''),
    created_at       timestamptz NOT NULL,
    event_id         text COLLATE "C" NOT NULL DEFAULT gen_random_uuid()::text,
    app_id           text COLLATE "C" NOT NULL,
    table_name       text COLLATE "C" NOT NULL,
    record_id        text COLLATE "C" NOT NULL,
    op               text NOT NULL CHECK (op IN ('insert', 'update', 'delete')),
    data             jsonb,
    field_timestamps jsonb NOT NULL DEFAULT '{}',
    actor            jsonb NOT NULL DEFAULT '{"kind": "user"}',
    client_id        text COLLATE "C" NOT NULL DEFAULT 'sql',
    schema_version   bigint NOT NULL DEFAULT 1,
    -- The change's own time; those that count are in `field_timestamps`.
    at               timestamptz,
    -- Fields of the change that this version doesn't know, passed on as they came.
    extra            text,
    -- Stamps that were set back when it was stored, so that a replay is answered alike.
    adjusted         text,
    -- Whether the row is in the projections. Those that are not are the newest of their log, and not handed out.
    folded           boolean NOT NULL DEFAULT false,
    PRIMARY KEY (user_id, created_at),
    UNIQUE (user_id, event_id)
);

CREATE INDEX sync_changes_unfolded ON sync_changes (user_id, created_at) WHERE NOT folded;

CREATE TABLE records (
    user_id    text COLLATE "C" NOT NULL CHECK (user_id <> ''),
    app_id     text COLLATE "C" NOT NULL,
    table_name text COLLATE "C" NOT NULL,
    record_id  text COLLATE "C" NOT NULL,
    -- Text, because replicas agree on it byte for byte.
    state      text NOT NULL,
    -- `created_at` of the last change folded in, in microseconds.
    updated_at bigint NOT NULL,
    PRIMARY KEY (user_id, app_id, table_name, record_id)
);

-- Rows that came by SQL and that are no change, with what is wrong with them.
CREATE TABLE sync_refused (
    user_id    text COLLATE "C" NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now(),
    reason     text NOT NULL,
    change     jsonb NOT NULL
);

CREATE INDEX sync_refused_user ON sync_refused (user_id);

-- Whose log has rows that are not folded yet. No content.
CREATE TABLE pending_folds (
    user_id text COLLATE "C" PRIMARY KEY
);

-- A row that comes by SQL gets its place in the order under the log's lock, which is held to the commit, and is
-- announced to the servers, which fold it. Mana's own rows come folded, under the same lock, and pass by.
CREATE FUNCTION mana_order_row() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
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

CREATE TRIGGER sync_changes_order BEFORE INSERT ON sync_changes
    FOR EACH ROW WHEN (NOT NEW.folded) EXECUTE FUNCTION mana_order_row();

ALTER TABLE sync_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE sync_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON sync_changes USING (user_id = (SELECT mana_user()));

ALTER TABLE records ENABLE ROW LEVEL SECURITY;
ALTER TABLE records FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON records USING (user_id = (SELECT mana_user()));

ALTER TABLE sync_refused ENABLE ROW LEVEL SECURITY;
ALTER TABLE sync_refused FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON sync_refused USING (user_id = (SELECT mana_user()));
