//! Reading without pushing.

use mana_store::{Scope, UserId};
use mana_sync::{Pull, SyncError};
use serde_json::json;

use crate::support::*;

fn tasks(since: &str, limit: Option<usize>) -> Pull {
    Pull {
        app: Some("todo".into()),
        tables: vec!["tasks".into()],
        since: since.into(),
        limit,
        client_id: None,
        known: None,
    }
}

#[tokio::test]
async fn sync_s2_a_table_is_read_to_its_end() {
    let rig = Rig::new().await;
    let list = json!({"table": "lists", "id": "l", "op": "insert", "data": {}});
    rig.push("phone", json!([task("a"), list, task("b"), task("c")]))
        .await
        .unwrap();
    let mut since = String::new();
    let mut seen = Vec::new();
    loop {
        let page = rig
            .sync
            .pull(&me(), tasks(&since, Some(2)), NOW)
            .await
            .unwrap();
        seen.extend(brought(&page).into_iter().map(str::to_owned));
        since = page.synced_until.to_string();
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "c"]);
}

#[tokio::test]
async fn who_asks_by_name_gets_what_others_did() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a")])).await.unwrap();
    rig.push("laptop", json!([task("b")])).await.unwrap();
    let by = |client: Option<&str>| Pull {
        client_id: client.map(str::to_owned),
        ..tasks("", None)
    };
    assert_eq!(
        brought(&rig.sync.pull(&me(), by(Some("phone")), NOW).await.unwrap()),
        ["b"]
    );
    assert_eq!(
        brought(&rig.sync.pull(&me(), by(None), NOW).await.unwrap()),
        ["a", "b"]
    );
}

#[tokio::test]
async fn any_limit_is_brought_into_bounds() {
    let rig = Rig::new().await;
    for some in [0..1000, 1000..1200] {
        let many = some.map(|n| task(&format!("t{n}"))).collect();
        rig.push("phone", many).await.unwrap();
    }
    for (limit, expected) in [
        (Some(0), 1),
        (Some(7), 7),
        (Some(usize::MAX), 1000),
        (None, 1000),
    ] {
        let page = rig.sync.pull(&me(), tasks("", limit), NOW).await.unwrap();
        assert_eq!((page.server_changes.len(), page.has_more), (expected, true));
    }
}

#[tokio::test]
async fn another_persons_log_is_another_log() {
    let rig = Rig::new().await;
    rig.push("phone", json!([task("a")])).await.unwrap();
    let you = Scope::own(&UserId("you".into()));
    assert_eq!(
        brought(&rig.sync.pull(&you, tasks("", None), NOW).await.unwrap()),
        [""; 0]
    );
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let rig = Rig::new().await;
    let refused = rig
        .sync
        .pull(&me(), tasks("1", None), NOW)
        .await
        .unwrap_err();
    assert!(matches!(refused, SyncError::InvalidCursor(_)));
    let empty = rig.sync.pull(&me(), tasks("", None), NOW).await.unwrap();
    let again = tasks(&empty.synced_until.to_string(), None);
    assert_eq!(
        rig.sync.pull(&me(), again, NOW).await.unwrap(),
        empty,
        "the first cursor is one, too"
    );
}
