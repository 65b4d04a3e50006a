//! Backups by the real binary: made, proven, lost, put back, on either database.

use std::path::{Path, PathBuf};

use mana_test_postgres::Cluster;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cli::Machine;
use crate::support::{Account, Home, PATIENCE, Server, mode, refused, run, sql};

async fn does(home: &Home, arguments: &[&str]) -> String {
    let output = run(home, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn task(id: &str) -> Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

const MODULE: &str = r#"{"id":"books","version":1,"label":{"en":"Books"},
    "tables":{"books":{"fields":{"title":{"type":"string"}}}},"tools":[]}"#;

/// Fills a server with what an export leaves behind: a provider's key, a virtual key, a module.
async fn fill(server: &Server, owner: &Account) -> String {
    owner.push("todo", "laptop", task("t1")).await;
    let provider = json!({ "baseUrl": "http://127.0.0.1:9/v1", "key": "sk-kept", "models": ["m"] });
    let put = owner.request(reqwest::Method::PUT, "/llm/providers/box");
    let answer = crate::support::send(put.json(&provider)).await;
    assert!(answer.0.is_success(), "{answer:?}");
    let (status, key) = owner.post("/llm/keys", json!({ "name": "program" })).await;
    assert!(status.is_success(), "{key}");
    assert_eq!(server.get("/health").await.0, StatusCode::OK);
    key["secret"].as_str().expect("a key").to_owned()
}

/// Asks the server for what [`fill`] has put there.
async fn is_whole(server: &Server, owner: &Account, key: &str) {
    // The session from before, and the token that its key has signed.
    let (status, me) = owner.get("/auth/me").await;
    assert_eq!(status, StatusCode::OK, "{me}");
    assert_eq!(owner.pull("todo", "tasks").await.len(), 1);
    let (_, settings) = owner.get("/llm/settings").await;
    assert!(
        settings["providers"].to_string().contains("box"),
        "{settings}"
    );
    let listed = server
        .request(reqwest::Method::GET, "/v1/models")
        .bearer_auth(key);
    assert_eq!(crate::support::send(listed).await.0, StatusCode::OK);
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

fn moved(owner: &Account, server: &Server) -> Account {
    Account {
        base: server.base.clone(),
        ..owner.clone()
    }
}

#[tokio::test]
async fn a_lost_server_comes_back_whole_from_its_backup() {
    let cluster = Cluster::shared();
    let postgres = || cluster.url(&cluster.create());
    let cases = [
        (None, None),
        (None, Some(postgres())),
        (Some(postgres()), None),
        (Some(postgres()), Some(postgres())),
    ];
    for (from, to) in cases {
        let home = |url: &Option<String>| match url {
            // Each has a settings key of its own, in its data directory.
            Some(url) => Home::new(&[("DATABASE_URL", url), ("MANA_SETTINGS_KEY", "")]),
            None => Home::new(&[]),
        };
        let lost = home(&from);
        lost.add_module("books.json", MODULE);
        let (server, owner) = Server::with_owner(&lost).await;
        let key = fill(&server, &owner).await;
        let file = lost.dir.path().join("all.manabackup");
        let said = does(&lost, &["backup", file.to_str().unwrap()]).await;
        assert!(
            said.contains("1 accounts") && said.contains("is proven"),
            "{said}"
        );
        assert_eq!(mode(&file), 0o600);
        let epoch = owner
            .post("/sync", json!({"clientId": "c", "changes": []}))
            .await
            .1["logEpoch"]
            .clone();
        server.stop().await;
        does(&lost, &["backup", "--check", file.to_str().unwrap()]).await;

        let found = home(&to);
        std::fs::remove_file(found.data().join("mana.toml")).unwrap();
        let said = does(&found, &["restore", file.to_str().unwrap()]).await;
        assert!(said.contains("Restored 1 accounts"), "{said}");
        for name in [
            "token.key",
            "settings.key",
            "service.key",
            "mana.toml",
            "modules/books.json",
        ] {
            assert_eq!(mode(&found.data().join(name)), 0o600, "{name}");
        }
        assert_eq!(mode(&found.data().join("modules")), 0o700);
        let server = found.start().await;
        let owner = moved(&owner, &server);
        is_whole(&server, &owner, &key).await;
        let (_, answer) = owner
            .post("/sync", json!({"clientId": "c", "changes": []}))
            .await;
        assert_ne!(answer["logEpoch"], epoch, "{answer}");
        let (_, modules) = owner.get("/modules").await;
        assert!(modules.to_string().contains("books"), "{modules}");
        let proven = does(&found, &["reproject", "--check"]).await;
        assert!(proven.contains("agree"), "{proven}");
        server.stop().await;
        let again = refused(&found, &["restore", file.to_str().unwrap()]).await;
        assert!(again.contains("has accounts already"), "{again}");
    }
}

#[tokio::test]
async fn devices_give_back_what_came_after_the_backup() {
    let home = crate::cli::home();
    let (server, _) = Server::with_owner(&home).await;
    let machine = Machine::signed_in(&server).await;
    machine.does(&["add", "todo", "title=BEFORE"]).await;
    let file = home.dir.path().join("b");
    does(&home, &["backup", file.to_str().unwrap()]).await;
    machine.does(&["add", "todo", "title=AFTER"]).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    server.stop().await;
    let found = Home::new(&[("MANA_LISTEN", &address)]);
    does(&found, &["restore", file.to_str().unwrap()]).await;
    let server = found.start().await;
    let (listed, _) = machine.does(&["list", "todo", "--json"]).await;
    assert!(listed.contains("BEFORE") && listed.contains("AFTER"));
    let other = Machine::signed_in(&server).await;
    let (listed, _) = other.does(&["list", "todo", "--json"]).await;
    let records: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(records.len(), 2, "nothing is doubled: {listed}");
    server.stop().await;
}

#[tokio::test]
async fn a_sealed_backup_opens_with_its_passphrase_alone() {
    let home = Home::new(&[("MANA_BACKUP_PASSPHRASE", "a long passphrase")]);
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("unmistakable")).await;
    server.stop().await;
    let file = home.dir.path().join("b");
    let name = file.to_str().unwrap();
    does(&home, &["backup", name]).await;
    let bytes = std::fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"mana-backup 1 argon2id "));

    let none = Home::new(&[]);
    let why = refused(&none, &["restore", name]).await;
    assert!(
        why.contains("sealed") && why.contains("MANA_BACKUP_PASSPHRASE"),
        "{why}"
    );
    let wrong = Home::new(&[("MANA_BACKUP_PASSPHRASE", "another passphrase")]);
    let why = refused(&wrong, &["restore", name]).await;
    assert!(why.contains("passphrase"), "{why}");
    assert!(!wrong.data().join("mana.db").exists() && !wrong.data().join("token.key").exists());
    let right = Home::new(&[("MANA_BACKUP_PASSPHRASE", "a long passphrase")]);
    does(&right, &["restore", name]).await;
    let weak = Home::new(&[("MANA_BACKUP_PASSPHRASE", "short")]);
    let why = refused(&weak, &["backup"]).await;
    assert!(why.contains("shorter than 12"), "{why}");
}

#[tokio::test]
async fn a_damaged_backup_is_refused_before_anything_is_touched() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    server.stop().await;
    let file = home.dir.path().join("b");
    does(&home, &["backup", file.to_str().unwrap()]).await;
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let cut = whole[..whole.len() - 20].to_vec();
    let longer = [&whole[..], b"more"].concat();
    for damaged in [flipped, cut, longer, whole[..40].to_vec()] {
        let bad = home.dir.path().join("bad");
        std::fs::write(&bad, &damaged).unwrap();
        let empty = Home::new(&[]);
        for command in [&["restore"] as &[_], &["backup", "--check"]] {
            let arguments = [command, &[bad.to_str().unwrap()]].concat();
            let why = refused(&empty, &arguments).await;
            assert!(why.contains("another backup"), "{arguments:?}: {why}");
        }
        for name in ["mana.db", "token.key", "settings.key"] {
            assert!(!empty.data().join(name).exists(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_backup_that_fails_leaves_the_good_one_alone() {
    let home = Home::new(&[]);
    let file = home.dir.path().join("b");
    let name = file.to_str().unwrap();
    std::fs::write(&file, "the good one").unwrap();
    let why = refused(&home, &["backup", name]).await;
    assert!(why.contains("There is no database"), "{why}");
    home.start().await.stop().await;
    let why = refused(&home, &["backup", name]).await;
    assert!(why.contains("no account"), "{why}");

    std::fs::remove_dir_all(home.data()).unwrap();
    std::fs::create_dir(home.data()).unwrap();
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    server.stop().await;
    sql(
        &home,
        "UPDATE records SET state = '{\"data\":{},\"meta\":{\"x\":1}}'",
    )
    .await;
    let why = refused(&home, &["backup", name]).await;
    assert!(
        why.contains("reproject --check") && why.contains("b.unproven"),
        "{why}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the good one");
    assert!(home.dir.path().join("b.unproven").exists());
    let left = std::fs::read_dir(home.data()).unwrap();
    let left: Vec<_> = left
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !left.iter().any(|name| name.starts_with("proof-")),
        "{left:?}"
    );

    let why = refused(&home, &["backup", "/nowhere/at/all/b"]).await;
    assert!(why.contains("/nowhere/at/all/b"), "{why}");
}

/// Waits for a condition that a server brings about by itself.
async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it comes about");
}

const DUE: &str = "INSERT OR REPLACE INTO kv VALUES ('backup.status',
     CAST('{\"attemptedAt\":\"2020-01-01T00:00:00Z\",\"since\":\"2020-01-01T00:00:00Z\"}' AS BLOB))";

#[tokio::test]
async fn nightly_backups_are_made_proven_kept_and_told() {
    let home = Home::new(&[("MANA_BACKUP_KEEP", "2")]);
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    let folder = home.data().join("backups");
    until(async || {
        let ready = server.get("/ready").await.1;
        ready["status"] == "ready"
    })
    .await;
    server.stop().await;
    std::fs::create_dir(&folder).unwrap();
    for old in [
        "mana-20200101T000000Z.manabackup",
        "mana-20200102T000000Z.manabackup",
        "mine.manabackup",
    ] {
        std::fs::write(folder.join(old), "old").unwrap();
    }
    std::fs::write(folder.join("mana-20200103T000000Z.manabackup.part"), "part").unwrap();
    sql(&home, DUE).await;
    let server = home.start().await;
    let metrics = async || {
        let key = home.service_key();
        let request = server
            .request(reqwest::Method::GET, "/metrics")
            .bearer_auth(key);
        request.send().await.unwrap().text().await.unwrap()
    };
    until(async || metrics().await.contains("mana_backup_age_seconds")).await;
    let names: Vec<_> = backups(&folder)
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(names[0], "mana-20200102T000000Z.manabackup");
    assert_eq!(names[2], "mine.manabackup");
    let made = folder.join(&names[1]);
    assert_eq!(mode(&made), 0o600);
    does(&home, &["backup", "--check", made.to_str().unwrap()]).await;
    assert!(metrics().await.contains("mana_backup_failed 0"));
    let ready = server.get("/ready").await.1;
    assert_eq!(ready["status"], "ready");
    assert!(
        ready["backupAgeSeconds"]
            .as_u64()
            .is_some_and(|age| age < 60),
        "{ready}"
    );
    server.stop().await;
    assert!(home.log().contains("was made and proven"));
}

#[tokio::test]
async fn a_nightly_backup_that_fails_is_told_everywhere() {
    let home = Home::new(&[("MANA_BACKUP_DIR", "/proc/nowhere")]);
    let (server, _) = Server::with_owner(&home).await;
    until(async || home.data().join("mana.db").exists()).await;
    until(async || server.get("/ready").await.1["status"] == "ready").await;
    server.stop().await;
    sql(&home, DUE).await;
    let server = home.start().await;
    until(async || home.log().contains("The nightly backup failed")).await;
    let failed = |ready: &Value| {
        ready["reasons"]
            .to_string()
            .contains("The last backup failed")
    };
    until(async || failed(&server.get("/ready").await.1)).await;
    let (status, ready) = server.get("/ready").await;
    assert_eq!(
        (status, &ready["status"]),
        (StatusCode::OK, &json!("degraded"))
    );
    assert_eq!(ready["reasons"][0]["code"], "backup");
    server.stop().await;
}

#[tokio::test]
async fn an_export_says_what_it_leaves_out() {
    let home = Home::new(&[]);
    let (server, _) = Server::with_owner(&home).await;
    let output = run(&home, &["export", "-"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    for left in [
        "kv",
        "virtual_keys",
        "usage",
        "sessions",
        "modules",
        "mana backup",
    ] {
        assert!(said.contains(left), "{left}: {said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_restore_beside_another_servers_keys_is_refused() {
    let home = Home::new(&[]);
    let (server, _) = Server::with_owner(&home).await;
    let file = home.dir.path().join("b");
    does(&home, &["backup", file.to_str().unwrap()]).await;
    server.stop().await;
    let other = Home::new(&[]);
    std::fs::write(other.data().join("settings.key"), "another server's").unwrap();
    let why = refused(&other, &["restore", file.to_str().unwrap()]).await;
    assert!(why.contains("settings.key is another server's"), "{why}");
    assert!(!other.data().join("mana.db").exists() && !other.data().join("token.key").exists());
    // A server that was set up by mistake, and that nobody signed up at, is no obstacle.
    let fresh = Home::new(&[]);
    fresh.start().await.stop().await;
    for key in ["token.key", "settings.key", "service.key"] {
        std::fs::remove_file(fresh.data().join(key)).unwrap();
    }
    does(&fresh, &["restore", file.to_str().unwrap()]).await;
}

#[tokio::test]
async fn of_several_servers_on_a_database_one_makes_the_nights_backup() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    let url = cluster.url(&database);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let home = || Home::new(&[("DATABASE_URL", &url), ("MANA_BACKUP_DIR", place)]);
    let homes = [home(), home(), home()];
    let (server, owner) = Server::with_owner(&homes[0]).await;
    owner.push("todo", "laptop", task("t1")).await;
    server.stop().await;
    let due = "INSERT INTO kv VALUES ('backup.status',
         convert_to('{\"attemptedAt\":\"2020-01-01T00:00:00Z\",\"since\":\"2020-01-01T00:00:00Z\"}', 'UTF8'))
         ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    cluster.sql(&database, due);
    let mut servers = Vec::new();
    for home in &homes {
        servers.push(home.start().await);
    }
    for server in &servers {
        until(async || server.get("/ready").await.1["backupAgeSeconds"].is_u64()).await;
    }
    assert_eq!(
        backups(folder.path()).len(),
        1,
        "{:?}",
        backups(folder.path())
    );
    for server in servers {
        server.stop().await;
    }
}

#[tokio::test]
async fn a_backup_beside_a_server_that_is_written_to_is_of_one_moment() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    for home in [Home::new(&[]), Home::new(&[("DATABASE_URL", &url)])] {
        let (server, owner) = Server::with_owner(&home).await;
        let writing = tokio::spawn({
            let owner = owner.clone();
            async move {
                for n in 0.. {
                    // Both records of a push are in the backup, or neither.
                    let pair = json!([
                        { "table": "tasks", "id": format!("a{n}"), "op": "insert", "data": {"title": "a"} },
                        { "table": "tasks", "id": format!("b{n}"), "op": "insert", "data": {"title": "b"} },
                    ]);
                    owner.push("todo", "laptop", pair).await;
                }
            }
        });
        let file = home.dir.path().join("b");
        let said = does(&home, &["backup", "--json", file.to_str().unwrap()]).await;
        assert!(!writing.is_finished());
        writing.abort();
        let made: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(made["records"].as_u64().unwrap() % 2, 0, "{made}");
        server.stop().await;
    }
}
