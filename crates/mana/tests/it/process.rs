//! The process: its start, its files, its end.

use std::process::Stdio;
use std::time::Duration;

use reqwest::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Home, PATIENCE, Server, assert_error, send};

#[tokio::test]
async fn serve_says_it_is_well() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let (status, health) = server.get("/health").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(health["status"], "ok");
    assert_eq!(health["ok"], true);
    assert_eq!(health["service"], "mana");
    assert_eq!(health["tick"]["enabled"], false);
    assert!(health["tick"]["running"].is_boolean());
    server.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn serve_keeps_its_secrets_to_itself() {
    use crate::support::mode;
    let home = Home::new(&[]);
    std::fs::remove_dir_all(home.data()).unwrap();
    let server = home.start().await;
    assert_eq!(mode(&home.data()), 0o700);
    for file in ["service.key", "token.key", "mana.lock"] {
        assert_eq!(mode(&home.data().join(file)), 0o600, "{file}");
    }
    server.stop().await;
    assert!(!home.log().contains(&home.service_key()));
}

#[tokio::test]
async fn serve_is_one_to_a_data_directory() {
    let home = Home::new(&[]);
    let _server = home.start().await;
    let second = home
        .command(&["serve"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(
        message.contains("Another Mana server uses the data directory"),
        "{message}"
    );
}

#[tokio::test]
async fn serve_names_a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = Home::new(&[("MANA_LISTEN", &address)]);
    let output = home
        .command(&[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains(&address) && message.contains("MANA_LISTEN"),
        "{message}"
    );
}

#[tokio::test]
async fn config_prints_what_counts_and_no_secret() {
    let home = Home::new(&[("MANA_SIGNUP", "open"), ("OPENAI_API_KEY", "sk-hunter2")]);
    let output = home.command(&["config"]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("MANA_SIGNUP = open   # environment"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");

    let home = Home::new(&[("MANA_SIGNUP", "maybe")]);
    let output = home.command(&["serve"]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        message.trim(),
        "mana: MANA_SIGNUP: 'maybe' is unknown; use open, invite or closed"
    );
}

#[tokio::test]
async fn migrate_brings_a_database_up_to_date_and_stops() {
    let home = Home::new(&[]);
    for _ in 0..2 {
        let output = home.command(&["migrate"]).output().await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    home.start().await.stop().await;
}

#[tokio::test]
async fn modules_broken_one_is_left_out_and_the_owner_is_told() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    home.add_module("broken.json", "{\n  \"id\": \"books\",\n  nonsense\n}");
    let (server, owner) = Server::with_owner(&home).await;
    let (_, info) = owner.get("/app/info").await;
    assert_eq!(info["rejectedModules"][0]["file"], "broken.json");
    assert!(
        info["rejectedModules"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("line 3"),
        "{info}"
    );
    assert!(
        home.log().contains("broken.json") && home.log().contains("line 3"),
        "{}",
        home.log()
    );
    let member = server.sign_up("m@example.org", None).await;
    for info in [
        member.get("/app/info").await.1,
        server.get("/app/info").await.1,
    ] {
        assert_eq!(info.get("rejectedModules"), None, "{info}");
    }
    assert_error(
        &server.get("/modules").await,
        StatusCode::UNAUTHORIZED,
        "unauthorized",
    );
    let (_, modules) = owner.get("/modules").await;
    assert!(
        modules
            .as_array()
            .unwrap()
            .iter()
            .any(|module| module["id"] == "todo")
    );
}

#[tokio::test]
async fn modules_dropped_in_one_is_there_after_a_restart() {
    let home = Home::new(&[]);
    let (server, mut owner) = Server::with_owner(&home).await;
    let has_books = |modules: &serde_json::Value| {
        modules
            .as_array()
            .unwrap()
            .iter()
            .any(|module| module["id"] == "books")
    };
    assert!(!has_books(&owner.get("/modules").await.1));
    home.add_module("books.json", BOOKS);
    server.stop().await;
    let server = home.start().await;
    owner.base.clone_from(&server.base);
    let (_, modules) = owner.get("/modules").await;
    assert!(has_books(&modules), "{} {modules}", home.log());
}

/// A module of a person's own.
pub const BOOKS: &str = r#"{
  "id": "books", "version": 1, "icon": "notes", "order": 70,
  "name": {"en": "Books", "de": "Bücher"}, "description": {"en": "What to read.", "de": "Was zu lesen ist."},
  "tables": { "books": {
    "name": {"en": "Book", "de": "Buch"}, "plural": {"en": "Books", "de": "Bücher"},
    "fields": { "title": {"type": "text", "label": {"en": "Title", "de": "Titel"}, "required": true, "max": 200} },
    "list": {"title": "title"} } },
  "tools": [ { "name": "add_book", "label": {"en": "Add a book", "de": "Buch hinzufügen"},
    "description": "Adds a book to the reading list.", "policy": "propose",
    "params": {"title": {"type": "text", "required": true, "description": "The book's title"}},
    "effect": {"op": "insert", "table": "books", "set": {"title": "$title"}} } ]
}"#;

#[tokio::test]
async fn a_server_that_stops_says_that_it_is_not_ready() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let address = server.base.trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.unwrap();
    let begun = b"GET /ready HTTP/1.1\r\nHost: mana\r\n";
    connection.write_all(begun).await.unwrap();
    // A request that began before the signal is answered after it.
    assert_eq!(server.get("/health").await.0, StatusCode::OK);
    server.signal("-TERM");
    let stopping = async {
        while !home.log().contains("Mana is stopping") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, stopping).await.expect("it stops");
    connection.write_all(b"\r\n").await.unwrap();
    let mut said = String::new();
    connection.read_to_string(&mut said).await.unwrap();
    assert!(
        said.starts_with("HTTP/1.1 503") && said.contains("\"stopping\""),
        "{said}"
    );
    assert_eq!(server.ended().await.code(), Some(0));
}

/// Reads `GET /app/info` of a server that was asked for under this name.
async fn info_of(address: &str, host: &str) -> serde_json::Value {
    let request = reqwest::Client::new()
        .get(format!("http://{address}/app/info"))
        .header("host", host);
    send(request).await.1
}

#[tokio::test]
async fn the_address_for_other_devices_is_the_one_that_they_reach() {
    let port_of = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let home = Home::new(&[]);
    let server = home.start().await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let own = info_of(&address, &address).await;
    assert_eq!(
        own.get("deviceUrl"),
        None,
        "it listens on this machine alone"
    );
    let by_proxy = info_of(&address, "mana.lan").await;
    assert_eq!(by_proxy["deviceUrl"], "http://mana.lan");
    assert_eq!(by_proxy.get("secureUrl"), None);
    server.stop().await;

    let home = Home::new(&[("MANA_LISTEN", "0.0.0.0:0")]);
    let server = home.start().await;
    let address = server.base.trim_start_matches("http://").to_owned();
    for host in [address.clone(), format!("localhost:{}", port_of(&address))] {
        let url = info_of(&address, &host).await["deviceUrl"].clone();
        let url = url.as_str().expect("an address in the network").to_owned();
        assert!(
            !url.contains("127.0.0.1") && !url.contains("localhost"),
            "{url}"
        );
        assert_eq!(port_of(&url), port_of(&address));
        let health = server.http.get(format!("{url}/health"));
        let reached = health.send().await.unwrap();
        assert_eq!(reached.status(), StatusCode::OK);
    }
    server.stop().await;

    let home = Home::new(&[("MANA_PUBLIC_URL", "https://mana.example.org")]);
    let server = home.start().await;
    let log = home.log();
    let address = log.split("Mana listens on ").nth(1).unwrap();
    let address = address.lines().next().unwrap().trim();
    let public = info_of(address, address).await;
    for name in ["deviceUrl", "secureUrl"] {
        assert_eq!(public[name], "https://mana.example.org", "{name}");
    }
    server.stop().await;
}
