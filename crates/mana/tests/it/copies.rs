//! Copied and restored devices (SYNC S16), on both databases.

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli::{Machine, home_on};
use crate::support::{Account, Home, Server, assert_error, send};
use crate::ws::Socket;

/// The settings of a server on each database.
fn homes() -> [Home; 2] {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    [Home::new(&[]), Home::new(&[("DATABASE_URL", &url)])]
}

async fn titles(machine: &Machine) -> Vec<String> {
    let (out, _) = machine.does(&["list", "todo", "--json"]).await;
    let records: Vec<Value> = serde_json::from_str(&out).unwrap();
    let titles = records.iter().map(|record| &record["data"]["title"]);
    let mut titles: Vec<String> = titles
        .map(|title| title.as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    titles
}

#[tokio::test]
async fn sync_s16_a_restored_device_gets_what_it_wrote_itself_since() {
    for home in homes() {
        let (server, _owner) = Server::with_owner(&home).await;
        let machine = Machine::signed_in(&server).await;
        machine.does(&["add", "todo", "title=before"]).await;
        let backup = machine.copied();
        machine.does(&["add", "todo", "title=after"]).await;
        drop(machine);
        assert_eq!(titles(&backup).await, ["after", "before"]);
        backup.does(&["add", "todo", "title=again"]).await;
        let another = Machine::signed_in(&server).await;
        assert_eq!(titles(&another).await, ["after", "again", "before"]);
        assert_eq!(titles(&backup).await, ["after", "again", "before"]);
    }
}

#[tokio::test]
async fn sync_s16_copies_hear_of_each_other() {
    for home in homes() {
        let (server, _owner) = Server::with_owner(&home).await;
        let first = Machine::signed_in(&server).await;
        first.does(&["add", "todo", "title=both"]).await;
        let second = first.copied();
        first.does(&["add", "todo", "title=first"]).await;
        second.does(&["add", "todo", "title=second"]).await;
        first.does(&["add", "todo", "title=first again"]).await;
        second.does(&["add", "todo", "title=second again"]).await;
        let all = ["both", "first", "first again", "second", "second again"];
        let third = Machine::signed_in(&server).await;
        for machine in [&first, &second, &third] {
            assert_eq!(titles(machine).await, all);
        }
    }
}

#[tokio::test]
async fn sync_s16_work_that_waits_when_a_device_is_copied_arrives_once_and_the_rest_of_both() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    for home in [home_on(None), home_on(Some(&url))] {
        let (server, owner) = Server::with_owner(&home).await;
        let first = Machine::signed_in(&server).await;
        first.does(&["add", "todo", "title=both"]).await;
        server.stop().await;
        first.does(&["add", "todo", "title=waiting"]).await;
        let second = first.copied();
        second.does(&["add", "todo", "title=second"]).await;
        first.does(&["add", "todo", "title=first"]).await;
        let server = home.start().await;
        let all = ["both", "first", "second", "waiting"];
        for machine in [&first, &second, &first] {
            titles(machine).await;
        }
        let third = Machine::signed_in(&server).await;
        for machine in [&first, &second, &third] {
            assert_eq!(titles(machine).await, all);
        }
        assert_eq!(owner.pull("todo", "tasks").await.len(), 4, "each once");
        server.stop().await;
    }
}

async fn push(account: &Account, connection: &str, body: Value) -> (StatusCode, Value) {
    let request = account
        .request(Method::POST, "/sync")
        .header("x-client-id", "twin")
        .header("x-connection-id", connection)
        .json(&body);
    send(request).await
}

fn task(id: &str) -> Value {
    json!({ "eventId": format!("event of {id}"), "appId": "todo", "table": "tasks", "id": id, "op": "insert",
        "data": {"title": id} })
}

fn ids(answer: &Value) -> Vec<&str> {
    let changes = answer["serverChanges"].as_array().unwrap().iter();
    changes
        .map(|change| change["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn sync_s16_two_callers_with_one_client_id_get_each_others_changes_and_notices() {
    for home in homes() {
        let (_server, owner) = Server::with_owner(&home).await;
        let mut sockets = Vec::new();
        for connection in ["c1", "c2"] {
            let mut socket = Socket::open(&owner.base, "/ws").await;
            let auth = json!({ "type": "auth", "token": owner.token, "clientId": "twin", "connectionId": connection });
            socket.say(auth).await;
            assert_eq!(socket.hear().await.unwrap()["type"], "auth-ok");
            sockets.push(socket);
        }
        let (_, start) = push(&owner, "c1", json!({ "changes": [] })).await;
        let since = &start["syncedUntil"];
        let (_, one) = push(
            &owner,
            "c1",
            json!({ "since": since, "changes": [task("a")] }),
        )
        .await;
        assert_eq!(ids(&one), [""; 0], "the very push is left out");
        let (_, two) = push(
            &owner,
            "c2",
            json!({ "since": since, "changes": [task("b")] }),
        )
        .await;
        assert_eq!(ids(&two), ["a"]);
        let since = &one["syncedUntil"];
        let (_, one) = push(&owner, "c1", json!({ "since": since, "changes": [] })).await;
        assert_eq!(ids(&one), ["b"]);
        let available = json!({ "type": "sync-available", "appId": "todo", "tables": ["tasks"] });
        for socket in &mut sockets {
            assert_eq!(
                socket.hear().await.unwrap(),
                available,
                "of the other's push"
            );
            socket.say(json!({ "type": "ping" })).await;
            assert_eq!(
                socket.hear().await.unwrap()["type"],
                "pong",
                "and not of its own"
            );
        }
    }
}

#[tokio::test]
async fn sync_s16_a_number_that_was_seen_with_other_changes_is_answered_copied() {
    for home in homes() {
        let (_server, owner) = Server::with_owner(&home).await;
        let numbered = |id: &str| json!({ "pushNumber": 1, "changes": [task(id)] });
        assert_eq!(push(&owner, "c1", numbered("a")).await.0, StatusCode::OK);
        assert_eq!(push(&owner, "c1", numbered("a")).await.0, StatusCode::OK);
        let copied = push(&owner, "c2", numbered("b")).await;
        assert_error(&copied, StatusCode::CONFLICT, "copied");
        assert_eq!(owner.pull("todo", "tasks").await.len(), 1);
    }
}
