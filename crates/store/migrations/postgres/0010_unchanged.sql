-- Whether a change left everything as it was, so that a replay is answered alike.

ALTER TABLE sync_changes ADD COLUMN unchanged boolean NOT NULL DEFAULT false;
