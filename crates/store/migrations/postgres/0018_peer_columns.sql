-- The columns that later programs of this protocol name in what they write and read by SQL. `field_meta` is their word
-- for `field_timestamps`; `origin` and `space_id` are fields of the change (`origin`, `spaceId`), as over HTTP. Mana
-- reads none of them; its own rows of the app `ai`, which those programs merge by themselves, carry `field_meta`.
ALTER TABLE sync_changes ADD COLUMN IF NOT EXISTS field_meta jsonb;
ALTER TABLE sync_changes ADD COLUMN IF NOT EXISTS origin text;
ALTER TABLE sync_changes ADD COLUMN IF NOT EXISTS space_id text;

CREATE OR REPLACE FUNCTION mana_order_row() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    newest timestamptz;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'sync_changes takes rows in READ COMMITTED only: another level can''t see the end of the log'
            USING ERRCODE = 'invalid_transaction_state', HINT = 'BEGIN ISOLATION LEVEL READ COMMITTED';
    END IF;
    IF NEW.field_meta IS NOT NULL THEN
        NEW.field_timestamps := NEW.field_meta || NEW.field_timestamps;
    END IF;
    IF NEW.origin IS NOT NULL OR NEW.space_id IS NOT NULL THEN
        NEW.extra := jsonb_strip_nulls(jsonb_build_object('origin', NEW.origin, 'spaceId', NEW.space_id))
            || coalesce(NEW.extra::jsonb, '{}');
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
