//! Snapshots over HTTP.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Home, Server, assert_error};

#[tokio::test]
async fn sync_s7_a_new_device_reads_a_snapshot_and_goes_on_from_its_cursor() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let other = server.sign_up("other@example.org", None).await;
    let task =
        |id: &str| json!({ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} });
    let mission =
        json!({ "table": "aiMissions", "id": "m", "op": "insert", "data": {"title": "x"} });
    owner.push("ai", "laptop", json!([mission])).await;
    let gone = json!({ "table": "tasks", "id": "t1", "op": "delete" });
    owner
        .push(
            "todo",
            "laptop",
            json!([task("t1"), task("t2"), task("t3"), gone]),
        )
        .await;
    other.push("todo", "laptop", json!([task("theirs")])).await;

    let (mut pages, mut after): (Vec<Value>, String) = (Vec::new(), String::new());
    loop {
        let (status, page) = owner
            .get(&format!("/sync/snapshot?limit=2&after={after}"))
            .await;
        assert_eq!(status, StatusCode::OK, "{page}");
        if pages.is_empty() {
            owner.push("todo", "laptop", json!([task("t9")])).await;
        }
        let more = page["hasMore"].as_bool().unwrap();
        after = page["after"].as_str().unwrap_or_default().to_owned();
        pages.push(page);
        if !more {
            break;
        }
    }
    let records: Vec<&Value> = pages
        .iter()
        .flat_map(|page| page["records"].as_array().unwrap())
        .collect();
    let ids: Vec<_> = records
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["m", "t1", "t2", "t3", "t9"]);
    assert!(
        records[1]["data"]["deletedAt"].is_string(),
        "tombstones too"
    );
    assert_eq!(records[2]["meta"]["title"]["actor"]["kind"], "user");
    assert_eq!(pages[0]["syncedUntil"], pages[2]["syncedUntil"]);

    let since = pages[0]["syncedUntil"].as_str().unwrap();
    let body = json!({ "clientId": "new", "since": since, "changes": [] });
    let (_, answer) = owner.post("/sync", body).await;
    let rest: Vec<_> = answer["serverChanges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| &change["id"])
        .collect();
    assert_eq!(rest, ["t9"]);

    let (_, notes) = owner.get("/sync/notes/snapshot").await;
    assert_eq!(
        (&notes["records"], &notes["after"], &notes["hasMore"]),
        (&json!([]), &Value::Null, &json!(false))
    );
    let (_, todo) = owner.get("/sync/todo/snapshot?limit=100000").await;
    assert_eq!(todo["records"].as_array().unwrap().len(), 4);
    assert_error(
        &owner.get("/sync/snapshot?after=x").await,
        StatusCode::BAD_REQUEST,
        "invalid_after",
    );
    assert_error(
        &owner.get("/sync/snapshot?limit=x").await,
        StatusCode::BAD_REQUEST,
        "invalid_request",
    );
    assert_error(
        &server.get("/sync/snapshot").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
}
