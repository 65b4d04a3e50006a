//! Keys of the server: how they lie in the database, what they open, and how they are guarded.

use mana_test_postgres::Cluster;
use reqwest::{Method, StatusCode};

use crate::support::{Account, Home, Server, assert_error, send};

const METRICS_KEY: &str = "Zk3v9QmB1xT8wLr5-metrics";

fn kept(cluster: &Cluster, database: &str) -> String {
    let select = "SELECT convert_from(value, 'SQL_ASCII') FROM kv WHERE key = 'token.key'";
    cluster.sql(database, select)
}

#[tokio::test]
async fn the_signing_key_in_the_database_is_sealed_and_an_open_one_is_sealed_at_the_next_start() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    let url = cluster.url(&database);
    let home = Home::new(&[("DATABASE_URL", &url)]);
    let (server, owner) = Server::with_owner(&home).await;
    assert!(kept(cluster, &database).starts_with("sealed:"));
    server.stop().await;

    // As an earlier version kept it.
    let key = std::fs::read(home.data().join("token.key")).unwrap();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let open = format!("UPDATE kv SET value = decode('{hex}', 'hex') WHERE key = 'token.key'");
    cluster.sql(&database, &open);
    let server = home.start().await;
    assert!(kept(cluster, &database).starts_with("sealed:"));
    let owner = Account {
        base: server.base.clone(),
        ..owner
    };
    assert_eq!(owner.get("/auth/me").await.0, StatusCode::OK);

    // Another server with the same settings key takes over the signing key.
    let beside = Home::new(&[("DATABASE_URL", &url)]);
    let other = beside.start().await;
    let there = Account {
        base: other.base.clone(),
        ..owner
    };
    assert_eq!(there.get("/auth/me").await.0, StatusCode::OK);
    other.stop().await;
    server.stop().await;

    let stranger = Home::new(&[("DATABASE_URL", &url), ("MANA_SETTINGS_KEY", "")]);
    let output = stranger.command(&["serve"]).output().await.unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(
        why.contains("settings.key") && why.contains("MANA_SETTINGS_KEY"),
        "{why}"
    );
}

#[tokio::test]
async fn the_metrics_key_opens_the_metrics_alone() {
    let home = Home::new(&[("MANA_METRICS_KEY", METRICS_KEY)]);
    let server = home.start().await;
    let by = |key: String| server.request(Method::GET, "/metrics").bearer_auth(key);
    assert_eq!(send(by(METRICS_KEY.to_owned())).await.0, StatusCode::OK);
    assert_eq!(send(by(home.service_key())).await.0, StatusCode::OK);
    let wrong = send(by(format!("{METRICS_KEY}x"))).await;
    assert_error(&wrong, StatusCode::UNAUTHORIZED, "unauthorized");
    let tick = server.tick(METRICS_KEY).await;
    assert_error(&tick, StatusCode::UNAUTHORIZED, "unauthorized");
    let models = server
        .request(Method::GET, "/v1/models")
        .bearer_auth(METRICS_KEY);
    assert_eq!(send(models).await.0, StatusCode::UNAUTHORIZED);
    server.stop().await;
}

#[tokio::test]
async fn guesses_at_keys_are_bounded_for_each_address() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let from = |address: &'static str, path: &'static str, key: String| {
        let request = server.request(Method::GET, path).bearer_auth(key);
        // Loopback is a trusted proxy.
        request.header("x-forwarded-for", address)
    };
    for guess in 0..10 {
        for path in ["/metrics", "/v1/models"] {
            let answer = send(from("192.0.2.1", path, format!("guess {guess}"))).await;
            assert_eq!(answer.0, StatusCode::UNAUTHORIZED);
        }
    }
    let waits = send(from("192.0.2.1", "/metrics", home.service_key())).await;
    assert_error(&waits, StatusCode::TOO_MANY_REQUESTS, "rate_limited");
    let other = send(from("192.0.2.2", "/metrics", home.service_key())).await;
    assert_eq!(other.0, StatusCode::OK);
    // The page and the person's own requests go on.
    let page = server
        .request(Method::GET, "/health")
        .header("x-forwarded-for", "192.0.2.1");
    assert_eq!(send(page).await.0, StatusCode::OK);
    server.stop().await;
}
