//! Databases that are missing, empty, damaged or written by another version: nothing begins anew in silence, and
//! nothing that was not done is told as done.

use std::time::Duration;

use mana_test_postgres::Cluster;
use reqwest::StatusCode;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tokio::time::timeout;

use crate::missions::push_due_mission;
use crate::support::{Home, PATIENCE, Server, mode, refused, run, sql};

fn task(id: &str) -> serde_json::Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

/// A stopped server with an owner and a task.
async fn stopped() -> Home {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    owner.push("todo", "laptop", task("t1")).await;
    server.stop().await;
    home
}

#[tokio::test]
async fn commands_that_look_at_a_database_make_none() {
    let home = Home::new(&[]);
    let file = home.dir.path().join("keep.jsonl");
    std::fs::write(&file, "the good one").unwrap();
    let name = file.to_str().unwrap();
    for arguments in [
        &["export", name] as &[_],
        &["compact"],
        &["reproject"],
        &["reproject", "--check"],
        &["restore"],
    ] {
        let why = refused(&home, arguments).await;
        assert!(why.contains("There is no database"), "{why}");
        assert!(why.contains("MANA_DATA_DIR"), "{why}");
    }
    let files = std::fs::read_dir(home.data()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["mana.toml"], "nothing was made");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the good one");
}

#[tokio::test]
async fn a_database_without_accounts_is_no_success() {
    let home = Home::new(&[]);
    home.start().await.stop().await;
    let file = home.dir.path().join("keep.jsonl");
    std::fs::write(&file, "the good one").unwrap();
    for arguments in [
        &["export", file.to_str().unwrap()] as &[_],
        &["export", "-"],
        &["compact"],
        &["reproject", "--check"],
    ] {
        let why = refused(&home, arguments).await;
        assert!(why.contains("has no account"), "{arguments:?}: {why}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the good one");
}

#[tokio::test]
async fn a_server_does_not_begin_anew_beside_the_keys_of_an_earlier_one() {
    let home = stopped().await;
    let path = home.data().join("mana.db");
    let whole = std::fs::read(&path).unwrap();
    let lose_log = || {
        for name in ["mana.db-wal", "mana.db-shm"] {
            let _ = std::fs::remove_file(home.data().join(name));
        }
    };
    lose_log();
    let missing = || std::fs::remove_file(&path).unwrap();
    let empty = || std::fs::write(&path, "").unwrap();
    for lost in [&missing as &dyn Fn(), &empty] {
        lost();
        for command in ["serve", "migrate"] {
            let why = refused(&home, &[command]).await;
            assert!(why.contains("keys of an earlier server"), "{why}");
            assert!(why.contains("mana.db-wal"), "{why}");
        }
        assert!(path.metadata().is_ok_and(|file| file.len() == 0) || !path.exists());
    }
    std::fs::write(&path, whole).unwrap();
    home.start().await.stop().await;

    // A copy of the file alone, taken while all of it was in the write-ahead log still.
    std::fs::remove_file(&path).unwrap();
    sql_at(&home, "CREATE TABLE a (b)").await;
    let why = refused(&home, &["serve"]).await;
    assert!(why.contains("keys of an earlier server"), "{why}");
    for key in ["token.key", "settings.key"] {
        std::fs::remove_file(home.data().join(key)).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    home.start().await.stop().await;
}

async fn sql_at(home: &Home, statement: &'static str) {
    let path = home.data().join("mana.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}?mode=rwc", path.display()))
        .await
        .unwrap();
    connection.execute(statement).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_empty_mount_is_refused_where_its_operator_says_that_there_is_data() {
    let home = Home::new(&[("MANA_FIRST_START", "refuse")]);
    let why = refused(&home, &["serve"]).await;
    assert!(why.contains("MANA_FIRST_START=refuse"), "{why}");
    assert!(why.contains("mount the volume"), "{why}");
    assert!(!home.data().join("mana.db").exists());
}

#[tokio::test]
async fn the_database_is_private_and_wider_files_are_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new(&[]);
    let wide = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    wide(&home.data(), 0o755);
    let server = home.start().await;
    for name in ["mana.db", "mana.db-wal", "mana.db-shm"] {
        assert_eq!(mode(&home.data().join(name)), 0o600, "{name}");
    }
    server.stop().await;
    let database = home.data().join("mana.db");
    wide(&database, 0o644);
    home.start().await.stop().await;
    let log = home.log();
    for named in [
        format!("chmod 700 {}", home.data().display()),
        format!("chmod 600 {}", database.display()),
    ] {
        assert!(log.contains(&named), "{named}: {log}");
    }
}

#[tokio::test]
async fn a_damaged_account_does_not_keep_the_others_from_being_saved() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, owner) = Server::with_owner(&home).await;
    let friend = server.sign_up("friend@example.org", None).await;
    owner.push("todo", "laptop", task("mine")).await;
    friend.push("todo", "phone", task("theirs")).await;
    server.stop().await;
    let file = home.dir.path().join("keep.jsonl");
    sql(
        &home,
        "UPDATE sync_changes SET data = 'no JSON' WHERE user_id IN
             (SELECT id FROM users WHERE email = 'friend@example.org')",
    )
    .await;
    let why = refused(&home, &["export", file.to_str().unwrap()]).await;
    assert!(why.contains("friend@example.org"), "{why}");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("mine") && !kept.contains("friend@example.org"));
    let elsewhere = Home::new(&[]);
    let imported = run(&elsewhere, &["import", file.to_str().unwrap()]).await;
    assert!(imported.status.success(), "{imported:?}");

    // Where nobody can be read, the good file stays.
    sql(&home, "UPDATE sync_changes SET data = 'no JSON'").await;
    refused(&home, &["export", file.to_str().unwrap()]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), kept);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_in_plain_words() {
    let home = stopped().await;
    sql(
        &home,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99990101000000, 'later', true, x'00', 0)",
    )
    .await;
    let why = refused(&home, &["serve"]).await;
    assert!(why.contains("a newer version of Mana"), "{why}");
    assert!(why.contains("backup from before the upgrade"), "{why}");
}

#[tokio::test]
async fn a_damaged_file_is_named_once_with_what_to_do() {
    let home = stopped().await;
    std::fs::write(home.data().join("mana.db"), "x".repeat(8192)).unwrap();
    let why = refused(&home, &["serve"]).await;
    assert!(why.contains("mana.db can't be opened"), "{why}");
    assert!(why.contains("damaged") && why.contains("backup"), "{why}");
    assert_eq!(why.matches("not a database").count(), 1, "{why}");
}

#[tokio::test]
async fn compact_gives_room_back_to_the_disk() {
    let home = Home::new(&[]);
    let (server, owner) = Server::with_owner(&home).await;
    for n in 0..10 {
        let updates = (0..500).map(|m| {
            json!({ "table": "tasks", "id": "t1", "op": "update",
                "fields": {"title": {"value": format!("{n} {m}")}} })
        });
        owner
            .push("todo", "laptop", updates.collect::<Vec<_>>().into())
            .await;
    }
    let output = run(&home, &["compact", "--before", "0d"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("The file is 1 MB smaller."), "{said}");
    server.stop().await;
    let size = home.data().join("mana.db").metadata().unwrap().len();
    assert!(size < 1_000_000, "{size}");
}

#[tokio::test]
async fn readiness_is_told_apart_from_being_alive() {
    let home = Home::new(&[]);
    let server = home.start().await;
    let (status, ready) = server.get("/ready").await;
    assert_eq!(
        (status, &ready["status"]),
        (StatusCode::OK, &json!("ready"))
    );
    server.stop().await;

    let cluster = Cluster::start(&[]);
    let url = cluster.url(&cluster.create());
    let home = Home::new(&[("DATABASE_URL", &url)]);
    let server = home.start().await;
    cluster.stop();
    let (status, ready) = server.get("/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{ready}");
    assert_eq!(ready["reasons"][0]["code"], "database", "{ready}");
    assert_eq!(server.get("/health").await.0, StatusCode::OK);
    server.kill().await;
}

#[tokio::test]
async fn causes_of_a_refused_connection_arrive() {
    let cluster = Cluster::shared();
    let database = cluster.create();
    let none = cluster
        .url(&database)
        .replace(&database, "no_such_database");
    let cases = [
        (
            "postgres://mana@127.0.0.1:1/mana".to_owned(),
            "127.0.0.1:1",
            "start Postgres",
        ),
        (
            "postgres://mana@nowhere.invalid/mana".to_owned(),
            "nowhere.invalid:5432",
            "host name",
        ),
        (none, "3D000", "createdb"),
        (
            "postgres://mana@localhost/mana?host=/nowhere".to_owned(),
            "/nowhere",
            "directory of its socket",
        ),
    ];
    for (url, cause, remedy) in cases {
        let home = Home::new(&[("DATABASE_URL", &url), ("MANA_DB_WAIT_S", "0")]);
        let why = refused(&home, &["serve"]).await;
        assert!(why.contains(cause) && why.contains(remedy), "{url}: {why}");
        assert!(!why.contains("at line"), "{why}");
    }
}

#[tokio::test]
async fn a_server_waits_for_a_database_that_starts_later() {
    let cluster = Cluster::start(&[]);
    let url = cluster.url(&cluster.create());
    cluster.stop();
    let home = Home::new(&[("DATABASE_URL", &url)]);
    let later = async {
        while !home.log().contains("trying again") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        cluster.restart();
    };
    let (server, ()) = tokio::join!(home.start(), later);
    server.stop().await;
}

#[tokio::test]
async fn a_person_deleted_by_sql_leaves_no_run_that_is_claimed_again_and_again() {
    let home = Home::new(&[("MANA_SIGNUP", "open")]);
    let (server, _owner) = Server::with_owner(&home).await;
    let friend = server.sign_up("friend@example.org", None).await;
    push_due_mission(&friend, "m", "Milk").await;
    server.stop().await;
    sql(
        &home,
        "PRAGMA foreign_keys = OFF; DELETE FROM users WHERE email = 'friend@example.org'",
    )
    .await;
    let server = home.start().await;
    let key = home.service_key();
    let tick = timeout(PATIENCE, server.tick(&key)).await;
    let (status, report) = tick.expect("the tick ends");
    assert_eq!(
        (status, &report["errors"]),
        (StatusCode::OK, &json!([])),
        "{report}"
    );
    let (_, again) = server.tick(&key).await;
    assert_eq!(again["dueMissionCount"], 0, "{again}");
    server.stop().await;
    let log = home.log();
    assert_eq!(
        log.matches("the schedule was put right").count(),
        1,
        "{log}"
    );
}
