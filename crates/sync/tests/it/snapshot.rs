//! Snapshots, a page at a time, and what happens to who is behind the kept log.

use mana_core::Micros;
use mana_store::{KnownLog, Maintenance, ResyncReason, StoreError};
use mana_sync::{Pull, SnapshotAnswer, SnapshotParams, SyncError};
use serde_json::json;

use crate::support::*;

async fn page(rig: &Rig, app: Option<&str>, after: &str, limit: usize) -> SnapshotAnswer {
    let params = SnapshotParams {
        after: after.into(),
        limit: Some(limit),
        ..SnapshotParams::default()
    };
    let app = app.map(str::to_owned);
    rig.sync.snapshot(&me(), app, params, NOW).await.unwrap()
}

#[tokio::test]
async fn sync_s7_every_page_carries_the_first_pages_cursor() {
    let rig = Rig::new().await;
    let first = rig
        .push("phone", json!([task("a"), task("b"), task("c")]))
        .await
        .unwrap();
    let mut pages = vec![page(&rig, Some("todo"), "", 1).await];
    rig.push("phone", json!([task("d")])).await.unwrap();
    while let Some(after) = &pages.last().unwrap().after {
        pages.push(page(&rig, Some("todo"), after, 2).await);
    }
    let ids: Vec<_> = pages
        .iter()
        .flat_map(|page| &page.records)
        .map(|record| &*record.id)
        .collect();
    assert_eq!(ids, ["a", "b", "c", "d"]);
    assert!(
        pages
            .iter()
            .all(|page| page.synced_until == first.synced_until)
    );
    assert!(pages.iter().rev().skip(1).all(|page| page.has_more));
    let last = pages.last().unwrap();
    assert!(!last.has_more && last.after.is_none());
}

#[tokio::test]
async fn sync_s7_a_record_comes_with_values_times_and_actors_tombstones_too() {
    let rig = Rig::new().await;
    let delete = json!({"table": "tasks", "id": "a", "op": "delete", "deletedAt": after(1)});
    rig.push("phone", json!([task("a"), delete])).await.unwrap();
    let page = serde_json::to_value(page(&rig, None, "", 9).await).unwrap();
    let record = json!({
        "appId": "todo", "table": "tasks", "id": "a",
        "data": {"title": "a", "deletedAt": after(1)},
        "meta": {
            "title": {"at": NOW, "actor": {"kind": "user"}},
            "deletedAt": {"at": after(1), "actor": {"kind": "user"}},
        },
    });
    assert_eq!(page["records"], json!([record]));
}

#[tokio::test]
async fn an_after_that_is_none_is_refused() {
    let rig = Rig::new().await;
    for after in ["1", "????", "WzFd", "bnVsbA"] {
        let params = SnapshotParams {
            after: after.into(),
            ..SnapshotParams::default()
        };
        let refused = rig
            .sync
            .snapshot(&me(), None, params, NOW)
            .await
            .unwrap_err();
        assert_eq!((refused.status(), refused.code()), (400, "invalid_after"));
    }
}

#[tokio::test]
async fn sync_r3_who_is_behind_the_kept_log_is_told_and_its_push_is_kept() {
    let rig = Rig::new().await;
    let first = rig.push("phone", json!([task("a")])).await.unwrap();
    let title = |n: i64| {
        let fields = json!({"title": {"value": n, "updatedAt": after(n)}});
        json!({"table": "tasks", "id": "a", "op": "update", "fields": fields})
    };
    for n in 1..4 {
        rig.push("phone", json!([title(n)])).await.unwrap();
    }
    rig.store.compact(&me(), Micros(i64::MAX)).await.unwrap();
    let pull = Pull {
        app: Some("todo".into()),
        since: first.synced_until.to_string(),
        known: Some(KnownLog::default()),
        ..Pull::default()
    };
    let nameless = Pull {
        known: None,
        ..pull.clone()
    };
    let all = rig.sync.pull(&me(), nameless, NOW).await.unwrap();
    assert_eq!(all.server_changes.len(), 1, "the start of the kept log");
    let told = rig.sync.pull(&me(), pull, NOW).await.unwrap_err();
    assert_eq!((told.status(), told.code()), (410, "resync_required"));

    let mut late = push("laptop", json!([task("mine")]));
    late.since = first.synced_until.to_string();
    late.known = Some(KnownLog::default());
    let told = rig.sync.accept(&me(), late.clone(), NOW).await.unwrap_err();
    assert!(matches!(
        told,
        SyncError::Store(StoreError::ResyncRequired(ResyncReason::Compacted))
    ));
    let snapshot = page(&rig, None, "", 9).await;
    let ids: Vec<_> = snapshot.records.iter().map(|record| &*record.id).collect();
    assert_eq!(ids, ["a", "mine"]);
    late.since = snapshot.synced_until.to_string();
    let rows = rig.log().await.len();
    let again = rig.sync.accept(&me(), late, NOW).await.unwrap();
    assert_eq!(
        (again.server_changes.len(), rig.log().await.len()),
        (0, rows)
    );
}
