-- When an owner last asked the person to add a second factor, in microseconds since the epoch.
ALTER TABLE users ADD COLUMN asked_for_factor_at bigint;
