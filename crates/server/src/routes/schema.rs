//! The envelopes of sync and of a tick, for OpenAPI (docs/decisions/wire-types.md). The types themselves belong to
//! crates that know no HTTP; the test below keeps both equal. The contents of the envelopes are described by the core.

use mana_core::{Actor, AdjustedStamp, Change, Micros, Op, conflict::Conflict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

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
    /// The changes, oldest first.
    pub changes: Vec<Change>,
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
    /// Its author.
    pub actor: Actor,
    /// Its change.
    pub event_id: String,
    /// Whether it is the value that stands.
    pub stands: bool,
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
    fn schema_of_a_history_is_that_of_the_wire() {
        let answer = mana_sync::HistoryAnswer {
            entries: vec![mana_sync::HistoryEntry {
                field: "title".to_owned(),
                value: Value::Null,
                op: Op::Update,
                updated_at: Micros(1),
                made_at: Micros(2),
                received_at: Cursor(Micros(3)),
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
    fn schema_of_a_tick_is_that_of_the_runner() {
        let wire = serde_json::to_value(mana_ai::TickReport::default()).unwrap();
        let read: TickReport =
            serde_json::from_value(wire.clone()).expect("no field is unknown, none is missing");
        assert_eq!(serde_json::to_value(&read).unwrap(), wire);
    }
}
