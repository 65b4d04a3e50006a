//! Records that the server forgets (part F), as a replica sees them.

use std::collections::BTreeMap;

use mana_core::{
    Actor, Map, RecordKey, RecordState, Stamp,
    sync::{PushAnswer, SnapshotPage, SnapshotRecord},
};
use serde_json::{Value, json};

use crate::sync_step::{NOW, Replica, Reply, Request};

/// A record that the log has, as a change of the runner's.
fn made_run(id: &str) -> Value {
    json!({"eventId": format!("event of {id}"), "appId": "ai", "table": "aiRuns", "id": id, "op": "insert", "at": NOW,
        "data": {"slot": id}, "actor": {"kind": "system", "source": "mission-runner"}})
}

fn forget_runs(ids: &[&str]) -> Value {
    json!({"eventId": "forget", "appId": "ai", "table": "aiRuns", "op": "forget", "ids": ids, "at": NOW,
        "actor": {"kind": "system", "source": "mission-runner"}, "schemaVersion": 3})
}

#[test]
fn sync_f2_a_replica_drops_what_is_forgotten() {
    let mut replica = Replica::at("2026-03-02T06:00:00.000001Z");
    let mut pages = vec![
        // One comes with the change that forgets it, another one stands here already.
        vec![made_run("r2"), forget_runs(&["r1", "r2", "unknown"])],
        vec![made_run("r1"), made_run("r3")],
    ];
    let synced = replica.sync(
        |request| match request {
            Request::Push(push) => {
                assert_eq!(push.schema_version, 3);
                let server_changes = pages.pop().unwrap_or_default();
                Reply::Answer(PushAnswer {
                    has_more: !pages.is_empty(),
                    server_changes,
                    synced_until: format!("2026-03-02T06:00:00.00000{}Z", 5 - pages.len()),
                    ..PushAnswer::default()
                })
            }
            Request::Page(_) => panic!("no snapshot is needed"),
        },
        |_| {},
    );
    synced.expect("a sync");
    let ids: Vec<&str> = replica.records.keys().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["r3"]);
    assert_eq!(replica.left_out, Vec::<String>::new());
}

#[test]
fn sync_f3_a_record_without_fields_in_a_snapshot_is_forgotten() {
    let mut replica = Replica::default();
    for id in ["r1", "r2"] {
        let mut state = RecordState::default();
        state.data.insert("slot".to_owned(), json!(id));
        let actor = Actor::user();
        state
            .meta
            .insert("slot".to_owned(), Stamp { at: NOW, actor });
        replica
            .records
            .insert(RecordKey::new("ai", "aiRuns", id), state);
    }
    let synced = replica.sync(
        |request| match request {
            Request::Push(_) => Reply::Answer(PushAnswer {
                synced_until: "2026-03-02T06:00:00.000005Z".to_owned(),
                ..PushAnswer::default()
            }),
            Request::Page(_) => Reply::Page(SnapshotPage {
                records: vec![SnapshotRecord {
                    app_id: "ai".to_owned(),
                    table: "aiRuns".to_owned(),
                    id: "r1".to_owned(),
                    data: Map::new(),
                    meta: BTreeMap::new(),
                }],
                synced_until: "2026-03-02T06:00:00.000005Z".to_owned(),
                ..SnapshotPage::default()
            }),
        },
        |_| {},
    );
    synced.expect("a sync");
    let ids: Vec<&str> = replica.records.keys().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["r2"]);
}
