//! The envelopes of sync and of a tick, for OpenAPI. The types themselves belong to crates that know no HTTP; the test
//! below holds these to them. What is in the envelopes is the core's, and described there.

use mana_core::{AdjustedStamp, Change, Micros};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    pub server_time: Micros,
    /// Stamps that were set back, to be taken over by the device.
    pub adjusted: Vec<AdjustedStamp>,
}

/// What a tick did.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TickReport {
    /// When it looked.
    pub scanned_at: Micros,
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
        };
        let wire = serde_json::to_value(&answer).unwrap();
        let read: PushAnswer =
            serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);

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
