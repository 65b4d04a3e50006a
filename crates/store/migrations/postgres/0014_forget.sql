-- Records that are forgotten: a change of the server's takes them away, and of each the id alone stays, as a record
-- without fields, so that nothing brings it back.

ALTER TABLE sync_changes DROP CONSTRAINT sync_changes_op_check;
ALTER TABLE sync_changes ADD CONSTRAINT sync_changes_op_check
    CHECK (op IN ('insert', 'update', 'delete', 'forget'));

-- The oldest of them go.
CREATE INDEX records_forgotten ON records (user_id, updated_at) WHERE state = '{"data":{},"meta":{}}';

-- A run reads of a table the records that changed last, and no others.
CREATE INDEX records_by_change ON records (user_id, app_id, table_name, updated_at, record_id);
