//! Push and pull over HTTP. Their effect on a log is tested in `crates/sync` and `crates/store`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Home, Server, assert_error, send};

fn insert(id: &str, title: &str) -> Value {
    json!({ "eventId": format!("event-{id}"), "table": "tasks", "id": id, "op": "insert", "data": { "title": title } })
}

#[tokio::test]
async fn sync_pushed_by_one_device_is_pulled_by_the_other() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let first = owner
        .push("todo", "laptop", json!([insert("t1", "Milk")]))
        .await;
    assert_eq!(
        first["serverChanges"],
        json!([]),
        "one's own changes don't come back"
    );
    assert!(!first["syncedUntil"].as_str().unwrap().is_empty());

    let body = json!({ "clientId": "ignored", "changes": [], "since": "" });
    let request = owner
        .request(Method::POST, "/sync")
        .header("x-client-id", "phone")
        .json(&body);
    let (status, answer) = send(request).await;
    assert_eq!(status, StatusCode::OK);
    let change = &answer["serverChanges"][0];
    assert_eq!(change["appId"], "todo");
    assert_eq!(change["data"]["title"], "Milk");
    assert_eq!(change["actor"]["kind"], "user");
    assert_eq!(answer["hasMore"], false);

    assert_eq!(owner.pull("todo", "tasks").await.len(), 1);
    let again = owner
        .push("todo", "laptop", json!([insert("t1", "Milk")]))
        .await;
    assert_eq!(
        again["syncedUntil"], first["syncedUntil"],
        "a repeated push adds nothing"
    );
}

#[tokio::test]
async fn sync_bad_change_is_named_by_index_and_nothing_is_stored() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    for bad in [
        json!({ "table": "tasks", "op": "insert", "data": {} }),
        json!({ "table": "tasks", "id": "t2", "op": "explode" }),
        json!({ "table": "tasks", "id": "t2", "op": "insert", "data": {"title": "a\u{0}b"} }),
        json!("nonsense"),
    ] {
        let answer = owner
            .post(
                "/sync/todo",
                json!({ "clientId": "c", "changes": [insert("t1", "Milk"), bad] }),
            )
            .await;
        assert_error(&answer, StatusCode::BAD_REQUEST, "invalid_change");
        assert_eq!(answer.1["error"]["details"]["index"], 1);
        assert!(
            !answer.1["error"]["details"]["reason"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
    assert_eq!(owner.pull("todo", "tasks").await.len(), 0);
}

#[tokio::test]
async fn sync_other_peoples_rows_are_out_of_reach() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let other = server.sign_up("other@example.org", None).await;
    owner
        .push("todo", "laptop", json!([insert("t1", "Secret")]))
        .await;
    let mission =
        json!({ "table": "aiMissions", "id": "m1", "op": "insert", "data": {"title": "Secret"} });
    owner.push("ai", "laptop", json!([mission])).await;

    assert_eq!(other.pull("todo", "tasks").await, Vec::<Value>::new());
    let (_, all) = other
        .post("/sync", json!({ "clientId": "x", "changes": [] }))
        .await;
    assert_eq!(all["serverChanges"], json!([]));
    assert_error(
        &other.post("/ai/missions/m1/run", json!({})).await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    assert_error(
        &other.get("/ai/missions/m1/runs").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    // The same id is another record in another log.
    other.push("todo", "x", json!([insert("t1", "Mine")])).await;
    assert_eq!(
        owner.pull("todo", "tasks").await[0]["data"]["title"],
        "Secret"
    );
    assert_error(
        &server.get("/sync/todo/pull?collection=tasks").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
}

#[tokio::test]
async fn sync_errors_come_in_the_envelope() {
    let home = Home::new(&[]);
    let (_server, owner) = Server::with_owner(&home).await;
    let missing = owner.get("/sync/todo/pull").await;
    assert_error(&missing, StatusCode::BAD_REQUEST, "invalid_request");
    let cursor = owner
        .get("/sync/todo/pull?collection=tasks&since=yesterday")
        .await;
    assert_error(&cursor, StatusCode::BAD_REQUEST, "invalid_cursor");
    let newer = owner
        .post(
            "/sync/todo",
            json!({ "clientId": "c", "schemaVersion": 9, "changes": [] }),
        )
        .await;
    assert_error(&newer, StatusCode::BAD_REQUEST, "schema_version_too_new");
    let nobody = owner.post("/sync/todo", json!({ "changes": [] })).await;
    assert_error(&nobody, StatusCode::BAD_REQUEST, "invalid_client_id");
    let big = owner
        .post(
            "/sync/todo",
            json!({ "clientId": "c", "changes": [], "x": "x".repeat(10 * 1024 * 1024) }),
        )
        .await;
    assert_error(&big, StatusCode::PAYLOAD_TOO_LARGE, "too_large");
    assert_error(
        &owner.get("/sync/nothing/here").await,
        StatusCode::NOT_FOUND,
        "not_found",
    );
    assert_error(
        &owner.get("/sync").await,
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
    );
    let actor = json!({"kind": "system", "source": "mission-runner"});
    let forged = json!([{ "table": "tasks", "id": "t", "op": "delete", "actor": actor }]);
    let forged = owner
        .post("/sync/todo", json!({ "clientId": "c", "changes": forged }))
        .await;
    assert_error(&forged, StatusCode::BAD_REQUEST, "invalid_change");
}
