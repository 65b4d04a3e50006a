//! The envelopes of sync and of a tick, for OpenAPI (docs/decisions/wire-types.md). The types themselves belong to
//! crates that know no HTTP; the test below keeps both equal. The contents of the envelopes are described by the core.

use std::collections::BTreeMap;

use mana_core::{Actor, AdjustedStamp, Change, Micros, Op, RecordKey, conflict::Conflict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::snapshot::schema::SnapshotStamp;

/// A push of a device.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushBody {
    /// Id of the client.
    pub client_id: Option<String>,
    /// The cursor of the last answer; empty or missing: from the beginning.
    pub since: Option<String>,
    /// The version of the data's shape.
    pub schema_version: Option<u64>,
    /// The log's epoch, as Mana's devices name it; empty where the device has not heard of one. Without it no cursor is
    /// refused.
    pub log_epoch: Option<String>,
    /// The furthest `logEnd` that the device was told.
    pub log_end: Option<String>,
    /// The number of the push, counted by the client: one that was seen with other changes is answered `copied`.
    pub push_number: Option<u64>,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
}

/// Records that a device gives back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinBody {
    /// Id of the client.
    pub client_id: Option<String>,
    /// The log's epoch.
    pub log_epoch: String,
    /// The records as the device has them, merged.
    pub records: Vec<JoinRecord>,
}

/// A record that a device gives back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRecord {
    /// The module of the record.
    pub app: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The values by field; `deletedAt` is one.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub data: Map<String, Value>,
    /// The time and author of each field.
    pub meta: BTreeMap<String, SnapshotStamp>,
}

/// The answer to records that were given back.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinAnswer {
    /// How many changes were stored; none where the log had it all.
    pub stored: usize,
    /// The server's time.
    pub server_time: Micros,
    /// The log's epoch.
    pub log_epoch: String,
    /// The log's end: every state stands before it.
    pub log_end: String,
    /// Whether the log takes back more.
    pub give_back: bool,
}

/// The answer of a push and of a pull.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushAnswer {
    /// Changes of other clients, oldest first.
    pub server_changes: Vec<Change>,
    /// The conflicts of this push's texts. A replay of the push is answered alike.
    pub conflicts: Vec<Conflict>,
    /// The cursor to read on from.
    pub synced_until: String,
    /// Whether there is more after the cursor; ask again at once.
    pub has_more: bool,
    /// The server's time.
    pub server_time: Micros,
    /// Stamps that were set back, for the device to adopt.
    pub adjusted: Vec<AdjustedStamp>,
    /// The log's epoch.
    pub log_epoch: String,
    /// The end of the log, as far as this answer knows.
    pub log_end: String,
    /// Whether the log takes back what devices hold: `POST /sync/join`.
    pub give_back: bool,
    /// The changes of this push, by event id, that left everything as it was. A replay is answered alike.
    pub unchanged: Vec<String>,
}

/// A page of a record's past.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryAnswer {
    /// The writes, newest first by the log's order.
    pub entries: Vec<HistoryEntry>,
    /// Where to go on; null after the last page.
    pub before: Option<String>,
    /// Whether there are older entries; ask again with `before`.
    pub has_more: bool,
    /// The server's time.
    pub server_time: Micros,
}

/// A value that was written to a field.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryEntry {
    /// The field.
    pub field: String,
    /// The value, also where it lost.
    pub value: Value,
    /// The kind of its change.
    pub op: Op,
    /// Its stamp, by which it merged.
    pub updated_at: Micros,
    /// When it was written: the time of the decision where the stamp follows what the write saw.
    pub made_at: Micros,
    /// When the server got it.
    pub received_at: Micros,
    /// The client that pushed it.
    pub client_id: String,
    /// The value that stood before, null where there was none. Missing where the rows that tell lie too far back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// Its author.
    pub actor: Actor,
    /// Its change.
    pub event_id: String,
    /// Whether it is the value that stands.
    pub stands: bool,
}

/// A page of what changed since a moment.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangesSinceAnswer {
    /// The changes, newest first by the log's order.
    pub changes: Vec<PastChange>,
    /// Where to go on; null after the last page.
    pub before: Option<String>,
    /// Whether there are older changes; ask again with `before`.
    pub has_more: bool,
    /// The server's time.
    pub server_time: Micros,
}

/// A change of the log with what it replaced.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PastChange {
    /// The record's module.
    pub app: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The kind of the change.
    pub op: Op,
    /// The change's id.
    pub event_id: String,
    /// The client that pushed it.
    pub client_id: String,
    /// When the server got it.
    pub received_at: Micros,
    /// When it was made.
    pub made_at: Micros,
    /// Its author.
    pub actor: Actor,
    /// Whether it made the record, as far as the log is kept.
    pub made: bool,
    /// Its values.
    pub writes: Vec<PastWrite>,
}

/// A value of a change.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PastWrite {
    /// The field.
    pub field: String,
    /// The value, also where it lost.
    pub value: Value,
    /// The value that stood before, null where there was none. Missing where the rows that tell lie too far back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// Its stamp, by which it merged.
    pub updated_at: Micros,
    /// Whether it is the value that stands.
    pub stands: bool,
}

/// Removed records to be taken away for good.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct ForgetBody {
    /// The records, 1,000 at most.
    pub records: Vec<RecordKey>,
}

/// The answer to a request to forget.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForgetAnswer {
    /// The records that are gone for good.
    pub forgotten: Vec<RecordKey>,
    /// The records that stay: they are not removed, or belong to the missions.
    pub kept: Vec<RecordKey>,
    /// The server's time.
    pub server_time: Micros,
}

/// Result of a tick.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TickReport {
    /// Time of the scan.
    pub scanned_at: Micros,
    /// Number of due missions.
    pub due_mission_count: u64,
    /// Number of plans that a model made.
    pub plans_produced: u64,
    /// Number of iterations that were written.
    pub plans_written_back: u64,
    /// Number of answers that were no plan.
    pub parse_failures: u64,
    /// Number of skipped occurrences; the record of each says why.
    pub skipped: u64,
    /// Errors; `overlap-skipped` where another tick was under way.
    pub errors: Vec<String>,
}

#[cfg(test)]
mod tests {
    use mana_core::{Actor, Defaults};
    use mana_store::Cursor;
    use serde_json::json;

    use super::*;

    #[test]
    fn schema_of_sync_is_that_of_the_wire() {
        let changes = json!([
            { "eventId": "e1", "table": "tasks", "id": "t1", "op": "insert", "data": {"title": "Milk"} },
            { "eventId": "e2", "table": "tasks", "id": "t1", "op": "update",
              "fields": {"title": {"value": null, "updatedAt": "2026-01-01T00:00:00Z"}} },
            { "eventId": "e3", "table": "tasks", "id": "t1", "op": "delete", "deletedAt": "2026-01-01T00:00:00Z" },
        ]);
        let changes: Vec<Change> = changes
            .as_array()
            .unwrap()
            .iter()
            .map(|change| {
                Change::parse(change.clone()).unwrap().normalize(Defaults {
                    event_id: "e".to_owned(),
                    at: Micros(1),
                    actor: Actor::user(),
                    app_id: "todo".to_owned(),
                })
            })
            .collect();
        let answer = mana_sync::PushAnswer {
            server_changes: changes,
            conflicts: Vec::new(),
            synced_until: Cursor(Micros(1)),
            has_more: false,
            server_time: Micros(1),
            adjusted: vec![AdjustedStamp {
                event_id: "e1".to_owned(),
                field: "/at".to_owned(),
                at: Micros(1),
            }],
            unchanged: vec!["e2".to_owned()],
            own_lists: Vec::new(),
            grown: mana_store::LogSize::default(),
            log_epoch: "e".to_owned(),
            log_end: Cursor(Micros(1)),
            give_back: true,
        };
        let wire = serde_json::to_value(&answer).unwrap();
        let read: PushAnswer =
            serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);

        let body = json!({ "clientId": "c", "since": "", "schemaVersion": 1, "pushNumber": 1, "changes": [],
            "logEpoch": "e", "logEnd": "" });
        serde_json::from_value::<PushBody>(body.clone()).unwrap();
        mana_sync::PushBody::parse(body.to_string().as_bytes()).unwrap();
    }

    #[test]
    fn schema_of_giving_back_is_that_of_the_wire() {
        let answer = mana_sync::JoinAnswer {
            stored: 1,
            server_time: Micros(1),
            log_epoch: "e".to_owned(),
            log_end: Cursor(Micros(1)),
            give_back: true,
            grown: mana_store::LogSize::default(),
        };
        let wire = serde_json::to_value(&answer).unwrap();
        let read: JoinAnswer = serde_json::from_value(wire.clone()).expect("the same fields");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
        let body = json!({ "clientId": "c", "logEpoch": "e", "records": [
            { "app": "todo", "table": "tasks", "id": "t", "data": {}, "meta": {} }] });
        serde_json::from_value::<JoinBody>(body.clone()).unwrap();
        serde_json::from_value::<mana_sync::JoinBody>(body).unwrap();
    }

    #[test]
    fn schema_of_a_history_is_that_of_the_wire() {
        let answer = mana_sync::HistoryAnswer {
            entries: vec![mana_sync::HistoryEntry {
                field: "title".to_owned(),
                value: Value::Null,
                op: Op::Update,
                updated_at: Micros(1),
                made_at: Micros(2),
                received_at: Cursor(Micros(3)),
                client_id: "c1".to_owned(),
                was: Some("before".into()),
                actor: Actor::user(),
                event_id: "e1".to_owned(),
                stands: true,
            }],
            before: Some(Cursor(Micros(3))),
            has_more: true,
            server_time: Micros(4),
        };
        let wire = serde_json::to_value(&answer).unwrap();
        let read: HistoryAnswer = serde_json::from_value(wire.clone()).expect("the same fields");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    }

    #[test]
    fn schema_of_what_changed_since_is_that_of_the_wire() {
        let answer = mana_sync::ChangesSinceAnswer {
            changes: vec![mana_sync::PastChange {
                app: "todo".to_owned(),
                table: "tasks".to_owned(),
                id: "t".to_owned(),
                op: Op::Update,
                event_id: "e1".to_owned(),
                client_id: "c1".to_owned(),
                received_at: Cursor(Micros(3)),
                made_at: Micros(2),
                actor: Actor::user(),
                made: false,
                writes: vec![mana_sync::PastWrite {
                    field: "title".to_owned(),
                    value: Value::Null,
                    was: Some("before".into()),
                    updated_at: Micros(2),
                    stands: true,
                }],
            }],
            before: None,
            has_more: false,
            server_time: Micros(4),
        };
        let wire = serde_json::to_value(&answer).unwrap();
        let read: ChangesSinceAnswer =
            serde_json::from_value(wire.clone()).expect("the same fields");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    }

    #[test]
    fn schema_of_a_tick_is_that_of_the_runner() {
        let wire = serde_json::to_value(mana_ai::TickReport::default()).unwrap();
        let read: TickReport =
            serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    }
}
