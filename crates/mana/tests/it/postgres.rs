//! Servers on a Postgres database: several at once, and one whose database goes away.

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Account, Home, Server};
use crate::ws::Socket;

fn home(url: &str) -> Home {
    Home::new(&[("DATABASE_URL", url)])
}

fn task(id: &str) -> serde_json::Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

/// The same person at another server.
fn at(account: &Account, server: &Server) -> Account {
    Account {
        base: server.base.clone(),
        ..account.clone()
    }
}

#[tokio::test]
async fn any_server_serves_any_device_and_tells_it_at_once() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let (first, second) = (home(&url), home(&url));
    let (one, here) = Server::with_owner(&first).await;
    let two = second.start().await;
    let there = at(&here, &two);

    let mut socket = Socket::signed_in(&there, "/ws", "laptop").await;
    here.push("todo", "phone", task("a")).await;
    let told = json!({ "type": "sync-available", "appId": "todo", "tables": ["tasks"] });
    assert_eq!(socket.hear().await.unwrap(), told);
    assert_eq!(there.pull("todo", "tasks").await.len(), 1);

    let (status, _) = here.by_cookie(Method::POST, "/auth/logout").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(
        socket.hear().await.is_err(),
        "a sign-out ends sockets everywhere"
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn losing_the_database_is_a_pause() {
    let cluster = tokio::task::spawn_blocking(Cluster::durable).await.unwrap();
    let home = home(&cluster.url(&cluster.create()));
    let (server, me) = Server::with_owner(&home).await;
    let mut socket = Socket::signed_in(&me, "/ws", "laptop").await;
    me.push("todo", "phone", task("before")).await;
    assert_eq!(socket.hear().await.unwrap()["tables"], json!(["tasks"]));

    cluster.kill();
    let body = json!({ "clientId": "phone", "changes": task("during") });
    let refused = me
        .request(Method::POST, "/sync/todo")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    cluster.restart();

    // The socket stayed, and is told that it may have missed something.
    assert_eq!(socket.hear().await.unwrap()["type"], "sync-available");
    me.push("todo", "phone", task("during")).await;
    assert_eq!(me.pull("todo", "tasks").await.len(), 2);
    server.stop().await;
}

#[tokio::test]
async fn migrate_says_what_it_did_or_what_to_do() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    cluster.sql("postgres", "CREATE ROLE visitor LOGIN");
    let stranger = home(&cluster.url_as("visitor", &database));
    let refused = stranger.command(&["migrate"]).output().await.unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("visitor") && said.contains("mana migrate"),
        "{said}"
    );

    let keeper = home(&cluster.url(&database));
    let done = keeper.command(&["migrate"]).output().await.unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    cluster.sql("postgres", "GRANT mana_app TO visitor");
    let done = stranger.command(&["migrate"]).output().await.unwrap();
    assert!(done.status.success(), "there is nothing left to do");
}
