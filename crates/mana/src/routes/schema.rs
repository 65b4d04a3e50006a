//! The shapes of sync on the wire, for OpenAPI. The types themselves belong to crates that know no HTTP; the test
//! below holds these to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a device pushes.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushBody {
    /// Who pushes.
    pub client_id: Option<String>,
    /// The cursor of the last answer; empty or missing: from the beginning.
    pub since: Option<String>,
    /// The version of the data's shape.
    pub schema_version: Option<u64>,
    /// The changes, oldest first.
    pub changes: Vec<Change>,
}

/// What a push and a pull answer.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PushAnswer {
    /// What other clients did, oldest first.
    pub server_changes: Vec<Change>,
    /// Always empty: the merge decides, the same way everywhere.
    pub conflicts: Vec<Value>,
    /// The cursor to read on from.
    pub synced_until: String,
    /// There is more after the cursor; ask again at once.
    pub has_more: bool,
    /// The server's clock.
    #[schema(format = DateTime)]
    pub server_time: String,
    /// Stamps that were set back, to be taken over by the device.
    pub adjusted: Vec<Adjusted>,
}

/// One change of one record. Fields that are not listed here are kept and passed on.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Unique per user; a replay of it is a no-op.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The module's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The version of the data's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<u64>,
    /// The table.
    pub table: String,
    /// The record.
    pub id: String,
    /// What is done to it.
    pub op: Op,
    /// Of an insert: the values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// Of an update: values with their stamps. Of an insert: the stamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<BTreeMap<String, FieldWrite>>,
    /// Of a delete: when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub deleted_at: Option<String>,
    /// The stamp of every field that has none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Who did it: `{kind: user | ai | system, …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Map<String, Value>>,
}

/// What a change does.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// A record with its values.
    Insert,
    /// Some fields.
    Update,
    /// The record is no more.
    Delete,
}

/// A write of one field.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldWrite {
    /// The value, of an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub updated_at: Option<String>,
}

/// A stamp that lay too far in the server's future.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Adjusted {
    /// The change.
    pub event_id: String,
    /// JSON pointer of the stamp in it.
    pub field: String,
    /// What it was set back to.
    #[schema(format = DateTime)]
    pub at: String,
}

/// What a tick did.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TickReport {
    /// When it looked.
    #[schema(format = DateTime)]
    pub scanned_at: String,
    /// Missions that were due.
    pub due_mission_count: u64,
    /// Plans that a model made.
    pub plans_produced: u64,
    /// Iterations that were written.
    pub plans_written_back: u64,
    /// Answers that were no plan.
    pub parse_failures: u64,
    /// Occurrences that were left out, with a record that says why.
    pub skipped: u64,
    /// What went wrong; `overlap-skipped` where another tick was at work.
    pub errors: Vec<String>,
}

#[cfg(test)]
mod tests {
    use mana_core::{Actor, Defaults, Micros};
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
        let changes: Vec<mana_core::Change> = changes
            .as_array()
            .unwrap()
            .iter()
            .map(|change| {
                mana_core::Change::parse(change.clone())
                    .unwrap()
                    .normalise(Defaults {
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
            adjusted: vec![mana_core::Adjusted {
                event_id: "e1".to_owned(),
                field: "/at".to_owned(),
                at: Micros(1),
            }],
        };
        let wire = serde_json::to_value(&answer).unwrap();
        let read: PushAnswer =
            serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
        // A null is a value; serde reads it as none, so it alone may be lost here.
        let mut again = serde_json::to_value(&read).unwrap();
        again["serverChanges"][1]["fields"]["title"]["value"] = Value::Null;
        assert_eq!(again, wire);

        let body = json!({ "clientId": "c", "since": "", "schemaVersion": 1, "changes": [] });
        serde_json::from_value::<PushBody>(body.clone()).unwrap();
        serde_json::from_value::<mana_sync::PushBody>(body).unwrap();
    }

    #[test]
    fn schema_of_a_tick_is_that_of_the_runner() {
        let wire = serde_json::to_value(mana_ai::TickReport::default()).unwrap();
        let read: TickReport =
            serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    }
}
