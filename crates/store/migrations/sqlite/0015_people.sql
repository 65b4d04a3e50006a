-- People: several owners, locks, limits of one person, invitations that say for whom, sessions that say where and whose
-- secret rotates, the audit log, and deleted accounts. Times are microseconds since the epoch.

DROP INDEX users_one_owner;

-- Since when nobody signs in to the account; null where somebody may.
ALTER TABLE users ADD COLUMN locked_at INTEGER;
-- The owner's limits of this person, as JSON; null where the server's hold.
ALTER TABLE users ADD COLUMN limits TEXT;

-- The name by which the invitation is listed, the role that it gives, and when it was made.
ALTER TABLE secrets ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE secrets ADD COLUMN role TEXT NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'member'));
ALTER TABLE secrets ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;

-- The secret before the present one, which is good until the present one was used, and when they changed places.
ALTER TABLE sessions ADD COLUMN previous_hash BLOB;
ALTER TABLE sessions ADD COLUMN rotated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
-- The device and the address of the last use, and how the person proved who they are.
ALTER TABLE sessions ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN proof TEXT NOT NULL DEFAULT 'password';

CREATE INDEX sessions_previous ON sessions (previous_hash);

-- Sign-ins, failures and owners' acts. No content, no secret. The newest of each class are kept.
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

CREATE INDEX audit_log_class ON audit_log (class, id);
CREATE INDEX audit_log_subject ON audit_log (subject);

-- SHA-256 of the ids of deleted accounts: a late write of a deleted person is refused.
CREATE TABLE deleted_accounts (
    id_hash    BLOB PRIMARY KEY,
    deleted_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
