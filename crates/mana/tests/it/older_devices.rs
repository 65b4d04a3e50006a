//! Devices of Mana's version 0.1, of which one was recorded: `mana login`, `add todo`, `list todo`, `add notes`.

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Account, Home, Server, assert_error, send};

/// The requests of the command line of version 0.1 to a server of its version.
const REQUESTS: &str = include_str!("cli_0_1_requests.json");

async fn answer(account: &Account, request: &Value) -> Value {
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let sent = account.request(method, request["path"].as_str().unwrap());
    let sent = match request.get("body") {
        Some(body) => sent.json(body),
        None => sent,
    };
    let (status, body) = send(sent).await;
    assert_eq!(status, StatusCode::OK, "{request}: {body}");
    body
}

#[tokio::test]
async fn sync_s17_the_recorded_command_line_of_version_0_1_keeps_working_until_the_data_need_more()
{
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let requests: Vec<Value> = serde_json::from_str(REQUESTS).unwrap();
    for home in [Home::new(&[]), Home::new(&[("DATABASE_URL", &url)])] {
        let (_server, owner) = Server::with_owner(&home).await;
        for request in &requests {
            let body = answer(&owner, request).await;
            match request["path"].as_str().unwrap() {
                "/sync" => {
                    for name in ["serverChanges", "conflicts", "adjusted"] {
                        assert!(body[name].is_array(), "{name}: {body}");
                    }
                    assert!(body["syncedUntil"].is_string() && body["serverTime"].is_string());
                }
                // Its reader of manifests takes no key that it does not know.
                "/modules" => assert!(!body.to_string().contains("\"aliases\""), "{body}"),
                _ => assert_eq!(body["after"], Value::Null),
            }
        }
        assert_eq!(owner.pull("todo", "tasks").await.len(), 1);
        assert_eq!(owner.pull("notes", "notes").await.len(), 1);
        let newer = owner.request(Method::GET, "/modules");
        let (_, aliases) = send(newer.header("x-schema-version", 2)).await;
        assert!(aliases.to_string().contains("\"aliases\""));

        // The old device reads a newer one's writes.
        let new = json!({ "clientId": "new", "schemaVersion": 2, "pushNumber": 1, "changes": [
            { "eventId": "e1", "appId": "todo", "table": "tasks", "id": "t", "op": "insert",
                "data": {"title": "x"} }] });
        assert_eq!(owner.post("/sync", new).await.0, StatusCode::OK);
        let last = requests
            .iter()
            .rfind(|request| request["path"] == "/sync")
            .unwrap();
        let read = answer(&owner, last).await;
        let written = read["serverChanges"].as_array().unwrap();
        let written = written
            .iter()
            .find(|change| change["eventId"] == "e1")
            .unwrap();
        assert_eq!(written["schemaVersion"], 1);

        // An author of another program's is more than it reads.
        let other = json!([{ "table": "tasks", "id": "o", "op": "insert", "data": {}, "actor": {"kind": "bot"} }]);
        owner.push("todo", "first-client", other).await;
        let refused = owner.post("/sync", last["body"].clone()).await;
        assert_error(&refused, StatusCode::BAD_REQUEST, "update_required");
        assert_eq!(
            refused.1["error"]["details"],
            json!({ "sent": 1, "needed": 2 })
        );
    }
}
