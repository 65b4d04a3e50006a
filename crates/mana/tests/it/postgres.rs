//! Servers on a Postgres database: several at once, and one whose database goes away.

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::missions::{mission, now_ms, push_due_mission};
use crate::support::{Account, Home, Server};
use crate::upstream::{Upstream, plans, step};
use crate::ws::Socket;

fn home(url: &str) -> Home {
    Home::new(&[("DATABASE_URL", url)])
}

fn task(id: &str) -> serde_json::Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

/// Returns the same person at another server.
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
async fn servers_go_by_the_databases_clock_however_wrong_their_own_is() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let upstream = Upstream::new().await;
    upstream
        .answers("", plans(json!([step("Buy milk", "Why not.")])))
        .await;
    let wrong = |millis| {
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("MANA_CLOCK_SKEW_MS", millis),
        ];
        upstream.home(&settings)
    };
    // A token lasts less than an hour: by the clock of the one, what the other gives has long ended.
    let (ahead, behind) = (wrong("3600000"), wrong("-3600000"));
    let (one, here) = Server::with_owner(&ahead).await;
    let two = behind.start().await;
    let there = at(&here, &two);
    assert!(off_by_ms(&here).await.abs() < 5_000);
    assert!(off_by_ms(&there).await.abs() < 5_000);

    let soon = mana_core::Micros::from_millis(now_ms() + 1_800_000);
    push_due_mission(&here, "due", "Milk").await;
    push_due_mission(&here, "not-yet", "Bread").await;
    let later = json!([{ "table": "aiMissions", "id": "not-yet", "op": "update",
        "fields": { "nextRunAt": { "value": soon, "updatedAt": mana_core::Micros::from_millis(now_ms()) } } }]);
    here.push("ai", "laptop", later).await;
    let (status, report) = two.tick(&behind.service_key()).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    let planned = mission(&there, "due").await.0.len();
    assert_eq!(planned, 1, "not due for an hour by its own clock: {report}");
    let (status, report) = one.tick(&ahead.service_key()).await;
    assert_eq!(status, StatusCode::OK, "{report}");
    let planned = mission(&there, "not-yet").await.0.len();
    assert_eq!(planned, 0, "due by its own clock: {report}");
    one.stop().await;
    two.stop().await;

    // One alone has nothing but its machine's.
    let alone = Home::new(&[("MANA_CLOCK_SKEW_MS", "3600000")]);
    let (server, me) = Server::with_owner(&alone).await;
    assert!(off_by_ms(&me).await > 3_500_000);
    server.stop().await;
}

/// Returns how far ahead a server's time is.
async fn off_by_ms(account: &Account) -> i64 {
    let (_, body) = account.get("/sync/todo/pull?collection=tasks").await;
    let time: mana_core::Micros = serde_json::from_value(body["serverTime"].clone()).unwrap();
    time.millis() - now_ms()
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

/// Waits until a push is answered so.
async fn until_pushes_are(account: &Account, expected: StatusCode) {
    let wait = async {
        for n in 0.. {
            let body = json!({"clientId": "c", "changes": task(&format!("{expected} {n}"))});
            if account.post("/sync/todo", body).await.0 == expected {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, wait)
        .await
        .unwrap_or_else(|_| panic!("no push is answered {expected}"));
}

#[tokio::test]
async fn changes_of_people_at_one_server_reach_the_others_in_seconds() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let settings = [("DATABASE_URL", url.as_str()), ("MANA_SIGNUP", "open")];
    let (first, second) = (Home::new(&settings), Home::new(&settings));
    let (one, owner) = Server::with_owner(&first).await;
    let friend = one.sign_up("friend@example.org", None).await;
    let two = second.start().await;
    let there = at(&friend, &two);
    // The other server knows by now that nothing limits the person.
    until_pushes_are(&there, StatusCode::OK).await;
    let person = format!("/auth/people/{}", friend.user_id);
    let change = |body: serde_json::Value| {
        crate::support::send(owner.request(Method::PATCH, &person).json(&body))
    };
    assert_eq!(
        change(json!({"limits": {"records": 1}})).await.0,
        StatusCode::NO_CONTENT
    );
    until_pushes_are(&there, StatusCode::INSUFFICIENT_STORAGE).await;
    assert_eq!(
        change(json!({"limits": null})).await.0,
        StatusCode::NO_CONTENT
    );
    until_pushes_are(&there, StatusCode::OK).await;
    let rule = owner.request(Method::PUT, "/auth/second-factor-rule");
    let off = crate::support::send(rule.json(&json!({"from": null}))).await;
    assert_eq!(off.0, StatusCode::NO_CONTENT);
    one.stop().await;
    two.stop().await;
}
