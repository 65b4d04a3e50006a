//! Giving back to a log what it lost (R8).

use mana_core::{Micros, RecordKey, record::MAX_RECORD_BYTES};
use mana_store::{KnownLog, Log as _, Maintenance as _, Room};
use mana_sync::{AcceptPush, HistoryParams, JoinAnswer, JoinBody, Origin, SyncError};
use serde_json::{Value, json};

use crate::support::*;

fn known(epoch: &str, end: &str) -> Option<KnownLog> {
    Some(KnownLog {
        epoch: epoch.to_owned(),
        end: end.parse().expect("a cursor"),
    })
}

async fn epoch(rig: &Rig) -> String {
    rig.store.identity(&me()).await.unwrap().epoch
}

async fn join(rig: &Rig, records: Value) -> Result<JoinAnswer, SyncError> {
    let body = JoinBody {
        log_epoch: epoch(rig).await,
        records: records.as_array().expect("an array").clone(),
        ..JoinBody::default()
    };
    rig.sync
        .join(&me(), "phone".to_owned(), body, after(5))
        .await
}

fn state(id: &str, title: &str, actor: Value) -> Value {
    json!({"app": "todo", "table": "tasks", "id": id, "data": {"title": title},
        "meta": {"title": {"at": NOW, "actor": actor}}})
}

fn user() -> Value {
    json!({"kind": "user"})
}

fn refused(refused: &SyncError) -> (u16, &str, Value) {
    let details = refused.details().unwrap_or_default();
    (refused.status(), refused.code(), details)
}

#[tokio::test]
async fn sync_r8_a_log_takes_back_only_after_a_restore_and_in_its_epoch() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a")])).await.unwrap();
    let closed = join(&rig, json!([state("b", "B", user())]))
        .await
        .unwrap_err();
    assert_eq!(refused(&closed), (409, "give_back_closed", Value::Null));
    rig.store.begin_epoch(&me(), NOW, true).await.unwrap();
    let discarded = join(&rig, json!([state("b", "B", user())]))
        .await
        .unwrap_err();
    assert_eq!(refused(&discarded).1, "give_back_closed");
    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let stale = JoinBody {
        log_epoch: "another".to_owned(),
        ..JoinBody::default()
    };
    let stale = rig.sync.join(&me(), "phone".to_owned(), stale, NOW).await;
    let reason = json!({"reason": "epoch"});
    assert_eq!(
        refused(&stale.unwrap_err()),
        (410, "resync_required", reason)
    );
    let answer = join(&rig, json!([state("b", "B", user())])).await.unwrap();
    assert_eq!((answer.stored, answer.give_back), (1, true));
    let pushed = rig.push("phone", json!([task("c")])).await.unwrap();
    assert!(pushed.give_back && pushed.log_epoch == answer.log_epoch);
    let body = JoinBody {
        log_epoch: answer.log_epoch,
        ..JoinBody::default()
    };
    let late = rig
        .sync
        .join(&me(), "phone".to_owned(), body, after(31 * 24 * 60 * 60))
        .await;
    assert_eq!(refused(&late.unwrap_err()).0, 409);
}

#[tokio::test]
async fn sync_r8_the_same_state_of_many_devices_is_stored_once_and_says_who_gave_it() {
    let rig = Rig::new().await;
    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let ai = json!({"kind": "ai", "missionId": "m", "iterationId": "i", "rationale": "because"});
    let runner = json!({"kind": "system", "source": "mission-runner"});
    let run = json!({"app": "ai", "table": "aiRuns", "id": "i", "data": {"status": "ran"},
        "meta": {"status": {"at": NOW, "actor": runner}}});
    let records = json!([state("a", "A", user()), state("b", "B", ai), run]);
    assert_eq!(join(&rig, records.clone()).await.unwrap().stored, 3);
    assert_eq!(join(&rig, records).await.unwrap().stored, 0);
    let log = rig.log().await;
    assert_eq!(log.len(), 3);
    for row in &log {
        assert_eq!(row.change.extra["givenBackBy"], "phone");
        assert_eq!(row.client_id, "phone");
    }
    // An older state overwrites nothing.
    let newer = json!({"table": "tasks", "id": "a", "op": "update",
        "fields": {"title": {"value": "Newer", "updatedAt": after(1)}}});
    rig.push("laptop", json!([newer])).await.unwrap();
    assert_eq!(
        join(&rig, json!([state("a", "A", user())]))
            .await
            .unwrap()
            .stored,
        0
    );
}

#[tokio::test]
async fn sync_r8_a_bad_record_is_named_and_nothing_is_stored() {
    let rig = Rig::new().await;
    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let good = || state("a", "A", user());
    let mut nul = state("b", "B", user());
    nul["data"]["title"] = json!("a\u{0}b");
    let mut long = state("b", "B", user());
    long["app"] = json!("y".repeat(300));
    let mut list =
        json!({"app": "ai", "table": "aiMissions", "id": "m", "data": {"iterations": "none"}});
    list["meta"] = json!({"iterations": {"at": NOW, "actor": user()}});
    for bad in [nul, long, list, json!({"app": "todo"}), json!(5)] {
        let error = join(&rig, json!([good(), bad])).await.unwrap_err();
        assert_eq!(refused(&error).1, "invalid_record", "{bad}");
        assert_eq!(error.details().unwrap()["index"], 1, "{bad}");
    }
    assert!(rig.log().await.is_empty());
    let many = vec![good(); 1_001];
    assert_eq!(refused(&join(&rig, json!(many)).await.unwrap_err()).0, 413);
}

#[tokio::test]
async fn sync_r8_what_comes_back_under_the_servers_name_is_marked() {
    let rig = Rig::new().await;
    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let iteration = |id: &str, source: &str| {
        json!({"id": id, "startedAt": NOW, "updatedAt": NOW, "source": source,
        "plan": [{"id": "s", "status": "approved", "updatedAt": NOW}]})
    };
    let iterations = json!([iteration("i1", "server"), iteration("i2", "browser")]);
    let mission = json!({"app": "ai", "table": "aiMissions", "id": "m", "data": {"iterations": iterations},
        "meta": {"iterations": {"at": NOW, "actor": {"kind": "system", "source": "mission-runner"}}}});
    join(&rig, json!([mission])).await.unwrap();
    let mark = |id: &str| RecordKey::new("ai", "aiGivenBack", id);
    let marked = rig.store.record(&me(), &mark("i1")).await.unwrap().unwrap();
    assert_eq!(
        (&marked.data["missionId"], &marked.data["givenBackBy"]),
        (&json!("m"), &json!("phone"))
    );
    assert!(
        rig.store
            .record(&me(), &mark("i2"))
            .await
            .unwrap()
            .is_none()
    );
    let seen = rig.push("phone", json!([task("t")])).await.unwrap();
    let tables: Vec<_> = seen
        .server_changes
        .iter()
        .map(|change| &*change.table)
        .collect();
    assert!(tables.is_empty(), "the push was to todo alone");
}

#[tokio::test]
async fn sync_r7_a_device_that_knows_more_than_the_log_opens_it() {
    let rig = Rig::new().await;
    let first = rig.push("phone", json!([task("a")])).await.unwrap();
    let beyond = Micros(first.log_end.0.0 + 5).to_string();
    let ask = |since: String, known| AcceptPush {
        since,
        known,
        ..push("phone", json!([]))
    };
    // A client that names no epoch is answered, whatever its cursor.
    let nameless = rig
        .sync
        .accept(&me(), ask(beyond.clone(), None), NOW)
        .await
        .unwrap();
    assert!(!nameless.give_back && nameless.synced_until == first.synced_until);
    let mine = first.log_epoch.clone();
    let since = first.synced_until.to_string();
    let exact = ask(since.clone(), known(&mine, &since));
    assert!(!rig.sync.accept(&me(), exact, NOW).await.unwrap().give_back);
    let told = rig
        .sync
        .accept(&me(), ask(since.clone(), known(&mine, &beyond)), NOW)
        .await;
    let unknown = json!({"reason": "unknown"});
    assert_eq!(
        refused(&told.unwrap_err()),
        (410, "resync_required", unknown)
    );
    let open = rig
        .sync
        .accept(&me(), ask(since, known(&mine, "")), NOW)
        .await
        .unwrap();
    assert!(open.give_back);
}

#[tokio::test]
async fn sync_f1_a_forgotten_record_is_no_more_pushed_joined_or_told_of() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a"), task("b")]))
        .await
        .unwrap();
    let forget =
        json!([{"appId": "todo", "table": "tasks", "op": "forget", "ids": ["a"], "eventId": "f"}]);
    let by_device = rig.push("phone", forget.clone()).await.unwrap_err();
    let (status, code, details) = refused(&by_device);
    assert_eq!(
        (status, code, &details["index"]),
        (400, "invalid_change", &json!(0))
    );
    let reason = details["reason"].as_str().unwrap();
    assert!(reason.contains("the server alone"), "{reason}");
    let removal = json!([{"table": "tasks", "id": "a", "op": "delete", "deletedAt": NOW}]);
    rig.push("phone", removal).await.unwrap();
    let changes = forget.as_array().unwrap().clone();
    let own = AcceptPush::new(Origin::Runner, "mana-runner", changes);
    rig.sync.accept(&me(), own, NOW).await.unwrap();

    let update = |id: &str| {
        json!({"table": "tasks", "id": id, "op": "update", "eventId": format!("late {id}"), "at": after(1),
            "fields": {"title": {"value": "x"}}})
    };
    let late = rig
        .push("phone", json!([update("b"), update("a")]))
        .await
        .unwrap_err();
    let (status, code, details) = refused(&late);
    assert_eq!(
        (status, code, &details["index"]),
        (400, "invalid_change", &json!(1))
    );
    assert!(details["reason"].as_str().unwrap().contains("forgotten"));

    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let states = json!([state("b", "B", user()), state("a", "A", user())]);
    let joined = join(&rig, states).await.unwrap_err();
    let (status, code, details) = refused(&joined);
    assert_eq!(
        (status, code, &details["index"]),
        (400, "invalid_record", &json!(1))
    );

    let history = |id: &str| {
        let params = HistoryParams {
            table: "tasks".to_owned(),
            id: id.to_owned(),
            ..HistoryParams::default()
        };
        let sync = rig.sync.clone();
        async move { sync.history(&me(), "todo".to_owned(), params, NOW).await }
    };
    let forgotten = history("a").await.unwrap_err();
    assert_eq!((forgotten.status(), forgotten.code()), (404, "forgotten"));
    assert!(!history("b").await.unwrap().entries.is_empty());
    // The first client is told nothing that it can't read.
    let pull = AcceptPush {
        app: Some("todo".into()),
        ..AcceptPush::new(Origin::Device, "first", Vec::new())
    };
    let answer = rig.sync.accept(&me(), pull, NOW).await.unwrap();
    assert!(brought(&answer).contains(&""));
    let served = rig.sync.for_first_client(&me(), answer).await.unwrap();
    assert!(
        served
            .server_changes
            .iter()
            .all(|change| change["op"] != "forget")
    );
    // A device of Mana's that can't read it is told to update, and loses nothing.
    let old = AcceptPush {
        schema_version: Some(2),
        ..AcceptPush::new(Origin::Device, "old", Vec::new())
    };
    let old = rig.sync.accept(&me(), old, NOW).await.unwrap_err();
    assert_eq!(old.code(), "update_required");
}

#[tokio::test]
async fn sync_s19_a_change_that_makes_a_record_too_large_is_refused_by_index() {
    let rig = Rig::new().await;
    let half = "x".repeat(MAX_RECORD_BYTES / 2 - 100_000);
    let write = |field: &str, n: u32| {
        json!({"table": "tasks", "id": "a", "op": "update", "eventId": format!("{field} {n}"), "at": after(1),
            "fields": {field: {"value": half}}})
    };
    rig.push("phone", json!([write("one", 1)])).await.unwrap();
    rig.push("phone", json!([write("two", 1)])).await.unwrap();
    let more = rig
        .push("phone", json!([task("b"), write("three", 1)]))
        .await
        .unwrap_err();
    let (status, code, details) = refused(&more);
    assert_eq!(
        (status, code, &details["index"]),
        (400, "invalid_change", &json!(1))
    );
    let reason = details["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("this record would be larger than 8388608 bytes"),
        "{reason}"
    );
    // What a device holds and the log lacks joins, whatever its size.
    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let mut whole = state("a", "A", user());
    whole["data"]["three"] = json!("y".repeat(MAX_RECORD_BYTES / 4));
    whole["meta"]["three"] = json!({"at": NOW, "actor": user()});
    join(&rig, json!([whole])).await.unwrap();
    let record = rig
        .store
        .record(&me(), &RecordKey::new("todo", "tasks", "a"))
        .await
        .unwrap();
    assert_eq!(record.unwrap().data.len(), 4);
}

#[tokio::test]
async fn sync_s12_what_is_given_back_has_no_more_room_than_a_push() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a")])).await.unwrap();
    rig.store.begin_epoch(&me(), NOW, false).await.unwrap();
    let epoch = epoch(&rig).await;
    let give = async |records: Value, bytes: Option<u64>, count: Option<u64>| {
        let body = JoinBody {
            log_epoch: epoch.clone(),
            records: records.as_array().expect("an array").clone(),
            room: Room {
                bytes,
                records: count,
            },
            ..JoinBody::default()
        };
        rig.sync
            .join(&me(), "phone".to_owned(), body, after(5))
            .await
    };
    let two = json!([state("b", "B", user()), state("c", "C", user())]);
    let before = rig.store.size(&me()).await.unwrap();
    let over = give(two.clone(), None, Some(1)).await.unwrap_err();
    assert_eq!(
        refused(&over),
        (507, "member_limit", json!({"measure": "records"}))
    );
    let over = give(two.clone(), Some(10), None).await.unwrap_err();
    assert_eq!(refused(&over).2, json!({"measure": "bytes"}));
    assert_eq!(rig.store.size(&me()).await.unwrap(), before);
    let joined = give(two.clone(), None, Some(2)).await.unwrap();
    assert_eq!((joined.stored, joined.grown.records), (2, 2));
    // States that the log has need no room.
    let again = give(two, Some(0), Some(0)).await.unwrap();
    assert_eq!((again.stored, again.grown.records), (0, 0));

    // An iteration of the server's takes a record more: its mark.
    let stamp = json!({"at": NOW, "actor": {"kind": "system", "source": "mission-runner"}});
    let iteration = json!({"id": "i", "source": "server", "startedAt": NOW, "updatedAt": NOW});
    let mission = json!([{"app": "ai", "table": "aiMissions", "id": "m",
        "data": {"iterations": [iteration]}, "meta": {"iterations": stamp}}]);
    let over = give(mission.clone(), None, Some(1)).await.unwrap_err();
    assert_eq!(refused(&over).2, json!({"measure": "records"}));
    give(mission, None, Some(2)).await.unwrap();
}
