-- The columns of Postgres's step 18. No other program writes into a file, so they stay empty here; with them the tables
-- of both databases are alike, and a backup of either can be restored into the other.
ALTER TABLE sync_changes ADD COLUMN field_meta TEXT;
ALTER TABLE sync_changes ADD COLUMN origin TEXT;
ALTER TABLE sync_changes ADD COLUMN space_id TEXT;
