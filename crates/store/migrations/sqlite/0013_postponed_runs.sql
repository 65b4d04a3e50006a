-- A run whose model could not be asked is tried again at a time of its own. The log is not told of each try.

ALTER TABLE mission_claims ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE mission_claims ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
