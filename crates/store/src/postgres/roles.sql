-- The role that Mana works as, and what it may do. Runs after the migrations, and may run again.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mana_app') THEN
        BEGIN
            CREATE ROLE mana_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
        EXCEPTION
            -- Made at the same moment by another server, or not allowed: then Mana works as the role of the URL.
            WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
        END;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mana_app') THEN
        RETURN;
    END IF;
    IF NOT pg_has_role(current_user, 'mana_app', {may_take}) THEN
        BEGIN
            EXECUTE format('GRANT mana_app TO %I', current_user);
        EXCEPTION
            -- Granted at the same moment by a server of another database, or not allowed.
            WHEN unique_violation OR insufficient_privilege THEN NULL;
        END;
    END IF;
    GRANT USAGE ON SCHEMA public TO mana_app;
    GRANT SELECT ON _sqlx_migrations TO mana_app;
    -- The list of tables (src/tables.rs) stands here.
    GRANT SELECT, INSERT, UPDATE, DELETE ON {tables}
        TO mana_app;
    GRANT USAGE ON SEQUENCE mission_claim_tokens TO mana_app;
END
$$;
