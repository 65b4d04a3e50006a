//! The changes since a moment, and records that are taken away for good.

use mana_core::RecordKey;
use mana_store::{Log as _, Maintenance as _, Scope, SnapshotQuery, UserId};
use mana_sync::{ChangesSinceParams, HistoryParams, REMOVED_KEPT};
use serde_json::{Value, json};

use crate::support::{NOW, Rig, after, me, push, task};

fn title(event: &str, title: &str, at: i64) -> Value {
    json!({"eventId": event, "table": "tasks", "id": "t", "op": "update",
        "fields": {"title": {"value": title, "updatedAt": after(at)}}})
}

fn key(id: &str) -> RecordKey {
    RecordKey::new("todo", "tasks", id)
}

#[tokio::test]
async fn sync_s20_each_write_is_told_with_what_it_replaced() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("t")])).await.unwrap();
    rig.push("desk", json!([title("e1", "second", 10)]))
        .await
        .unwrap();
    // An older write that arrives late loses, and replaces nothing.
    rig.push("phone", json!([title("e2", "late", 5)]))
        .await
        .unwrap();
    rig.push("desk", json!([title("e3", "third", 20)]))
        .await
        .unwrap();
    let first = rig.log().await[0].cursor;
    let told = |since: String, before: String, limit| {
        let params = ChangesSinceParams {
            since,
            before,
            limit,
        };
        let sync = rig.sync.clone();
        async move { sync.changes_since(&me(), params, NOW).await.unwrap() }
    };
    let page = told(first.to_string(), String::new(), None).await;
    assert!(!page.has_more);
    let lines: Vec<_> = (page.changes.iter())
        .map(|change| {
            let write = &change.writes[0];
            let was = write.was.clone().unwrap();
            (
                &*change.client_id,
                was,
                write.value.clone(),
                write.stands,
                change.made,
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("desk", json!("second"), json!("third"), true, false),
            ("phone", json!("second"), json!("late"), false, false),
            ("desk", json!("t"), json!("second"), false, false),
        ]
    );
    let page = told(String::new(), String::new(), Some(2)).await;
    let rest = told(String::new(), page.before.unwrap().to_string(), Some(2)).await;
    assert_eq!(
        (page.has_more, rest.has_more, rest.changes.len()),
        (true, false, 2)
    );
    assert!(rest.changes[1].made);
    assert_eq!(rest.changes[1].writes[0].was, Some(Value::Null));
    let params = HistoryParams {
        table: "tasks".into(),
        id: "t".into(),
        ..HistoryParams::default()
    };
    let history = rig
        .sync
        .history(&me(), "todo".into(), params, NOW)
        .await
        .unwrap();
    assert_eq!(history.entries[0].was, Some(json!("second")));
    assert_eq!(history.entries[0].client_id, "desk");
}

#[tokio::test]
async fn sync_f5_only_removed_records_are_taken_away_and_their_past_with_them() {
    let rig = Rig::new().await;
    rig.push("c", json!([task("gone"), task("stands")]))
        .await
        .unwrap();
    let removal = json!({"table": "tasks", "id": "gone", "op": "delete", "deletedAt": after(1)});
    rig.push("c", json!([removal])).await.unwrap();
    let mission = RecordKey::new("ai", "aiMissions", "m");
    let keys = vec![key("gone"), key("stands"), mission.clone(), key("none")];
    let answer = rig.sync.forget(&me(), keys, after(2)).await.unwrap();
    assert_eq!(answer.forgotten, [key("gone")]);
    assert_eq!(answer.kept, [key("stands"), mission, key("none")]);
    let again = rig
        .sync
        .forget(&me(), vec![key("gone")], after(3))
        .await
        .unwrap();
    assert_eq!(again.forgotten, [key("gone")], "twice is once");
    let params = HistoryParams {
        table: "tasks".into(),
        id: "gone".into(),
        ..HistoryParams::default()
    };
    let history = rig.sync.history(&me(), "todo".into(), params, NOW).await;
    assert_eq!(history.unwrap_err().code(), "forgotten");
    let since = rig
        .sync
        .changes_since(&me(), ChangesSinceParams::default(), NOW)
        .await
        .unwrap();
    let ids: Vec<_> = since.changes.iter().map(|change| &*change.id).collect();
    assert_eq!(ids, ["stands"]);
    // A device that brings it back learns that it is too late.
    let back = json!([{"table": "tasks", "id": "gone", "op": "update",
        "fields": {"deletedAt": {"value": null, "updatedAt": after(4)}}}]);
    assert_eq!(
        rig.push("phone", back).await.unwrap_err().code(),
        "invalid_change"
    );
}

#[tokio::test]
async fn sync_f5_nobody_takes_another_persons_records_away() {
    let rig = Rig::new().await;
    rig.push("c", json!([task("gone")])).await.unwrap();
    let removal = json!({"table": "tasks", "id": "gone", "op": "delete", "deletedAt": after(1)});
    rig.push("c", json!([removal])).await.unwrap();
    let before = rig.log().await;
    let another = Scope::own(&UserId("another".into()));
    let keys = vec![key("gone")];
    let answer = rig.sync.forget(&another, keys, after(2)).await.unwrap();
    assert_eq!((answer.forgotten, answer.kept), (vec![], vec![key("gone")]));
    let long_after = NOW.plus(2 * REMOVED_KEPT);
    let gone = rig
        .sync
        .empty_trash(&*rig.store, &another, long_after)
        .await;
    assert_eq!(gone.unwrap(), 0);
    assert_eq!(rig.log().await, before);
    let all = ChangesSinceParams::default;
    let told = rig.sync.changes_since(&another, all(), NOW).await.unwrap();
    assert_eq!(told.changes, []);
}

#[tokio::test]
async fn sync_s20_an_update_of_a_removed_record_stays_told() {
    let rig = Rig::new().await;
    rig.push("c", json!([task("t")])).await.unwrap();
    let removal = json!({"table": "tasks", "id": "t", "op": "delete", "deletedAt": after(5)});
    rig.push("c", json!([removal])).await.unwrap();
    let mut update = title("e1", "by the AI", 10);
    update["actor"] =
        json!({"kind": "ai", "missionId": "m", "iterationId": "i", "rationale": "why"});
    rig.push("phone", json!([update])).await.unwrap();
    let params = ChangesSinceParams::default();
    let told = rig.sync.changes_since(&me(), params, NOW).await.unwrap();
    let actors: Vec<_> = told
        .changes
        .iter()
        .map(|change| json!(change.actor)["kind"].clone())
        .collect();
    assert_eq!(actors, ["ai", "user", "user"]);
    assert_eq!(told.changes[0].writes[0].value, "by the AI");
    let stored = rig.store.records_by_key(&me(), &[key("t")]).await.unwrap();
    assert!(stored[0].1.is_deleted(), "and brings nothing back");
}

#[tokio::test]
async fn sync_f5_the_trash_is_kept_for_ninety_days() {
    let rig = Rig::new().await;
    rig.push("c", json!([task("gone"), task("stands")]))
        .await
        .unwrap();
    let removal = json!({"table": "tasks", "id": "gone", "op": "delete", "deletedAt": NOW});
    rig.push("c", json!([removal])).await.unwrap();
    let scope = me();
    assert_eq!(
        rig.sync
            .empty_trash(&*rig.store, &scope, NOW.plus(REMOVED_KEPT))
            .await
            .unwrap(),
        0
    );
    let later = NOW.plus(REMOVED_KEPT + 1_000_000);
    let emptied = rig.sync.empty_trash(&*rig.store, &scope, later).await;
    assert_eq!(emptied.unwrap(), 0, "a clock that is ahead takes nothing");
    let written = json!([{"table": "tasks", "id": "stands", "op": "update",
        "fields": {"title": {"value": "Written on", "updatedAt": later}}}]);
    let written = rig.sync.accept(&scope, push("c", written), later).await;
    written.unwrap();
    let emptied = rig.sync.empty_trash(&*rig.store, &scope, later).await;
    assert_eq!(emptied.unwrap(), 1);
    let ids: Vec<_> = rig
        .log()
        .await
        .into_iter()
        .map(|row| row.change.id)
        .collect();
    assert_eq!(
        ids,
        ["stands", "stands", ""],
        "nothing of it is left in the log"
    );
    assert_eq!(rig.store.check(&scope).await.unwrap().differing, 0);
    let page = SnapshotQuery {
        limit: 10,
        ..SnapshotQuery::default()
    };
    let page = rig.store.snapshot(&scope, page).await.unwrap();
    let states = page
        .records
        .into_iter()
        .map(|(key, state)| (key.id, state.read().unwrap().is_forgotten()));
    assert_eq!(
        states.collect::<Vec<_>>(),
        [("gone".to_owned(), true), ("stands".to_owned(), false)]
    );
}
