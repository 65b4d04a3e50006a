//! `mana doctor` and `mana upgrade` by the real binary: each fault is named by its check, with what to do.

use std::os::unix::fs::PermissionsExt as _;

use mana_test_postgres::Cluster;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Home, PATIENCE, Server, sql};

/// Returns the findings, and whether all is well.
async fn examine(home: &Home, arguments: &[&str]) -> (Vec<Value>, bool) {
    let arguments = [&["doctor", "--json"], arguments].concat();
    let output = home.command(&arguments).output();
    let output = timeout(PATIENCE, output).await.expect("it ends").unwrap();
    let findings = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (findings, output.status.success())
}

/// Returns the findings of a check that are no praise.
fn of<'f>(findings: &'f [Value], check: &str) -> Vec<&'f Value> {
    let bad = |finding: &&Value| matches!(finding["outcome"].as_str(), Some("warning" | "problem"));
    let of_check = findings.iter().filter(|finding| finding["check"] == check);
    of_check.filter(bad).collect()
}

/// Asserts that the check names the words, with a remedy.
#[track_caller]
fn names(findings: &[Value], check: &str, outcome: &str, words: &str) {
    let found = of(findings, check);
    let named = found.iter().any(|finding| {
        finding["outcome"] == outcome
            && finding["found"].as_str().unwrap().contains(words)
            && finding["remedy"]
                .as_str()
                .is_some_and(|remedy| remedy.len() > 5)
    });
    assert!(named, "{check} names {words:?}: {findings:#?}");
}

fn task(id: &str) -> Value {
    json!([{ "table": "tasks", "id": id, "op": "insert", "data": {"title": id} }])
}

async fn grown(home: &Home) -> Server {
    let (server, owner) = Server::with_owner(home).await;
    owner.push("todo", "laptop", task("t1")).await;
    server
}

fn private(home: &Home) {
    let mode = |name: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(home.data().join(name), permissions).unwrap();
    };
    mode("", 0o700);
    mode("mana.toml", 0o600);
}

#[tokio::test]
async fn a_sound_server_has_no_problem_beside_it_and_without_it() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    for home in [Home::new(&[]), Home::new(&[("DATABASE_URL", &url)])] {
        private(&home);
        let server = grown(&home).await;
        for _ in 0..2 {
            let (findings, well) = examine(&home, &["--deep"]).await;
            assert!(well, "{findings:#?}");
            for check in [
                "configuration",
                "permissions",
                "database",
                "integrity",
                "clock",
                "missions",
            ] {
                assert_eq!(of(&findings, check), [] as [&Value; 0], "{check}");
            }
        }
        server.stop().await;
        assert!(examine(&home, &[]).await.1);
    }
}

#[tokio::test]
async fn faults_of_settings_and_files_are_named() {
    let home = Home::new(&[("MANA_RUNS", "many")]);
    let (findings, well) = examine(&home, &[]).await;
    assert!(!well);
    names(&findings, "configuration", "problem", "MANA_RUNS");

    let home = Home::new(&[("MANA_SINGUP", "open"), ("MANA_LISTEN", "0.0.0.0:0")]);
    let (findings, well) = examine(&home, &[]).await;
    assert!(!well, "there is no database");
    names(&findings, "configuration", "warning", "MANA_SINGUP");
    names(&findings, "configuration", "warning", "HTTPS");
    names(&findings, "database", "problem", "holds nothing");
    let names_of: Vec<_> = std::fs::read_dir(home.data()).unwrap().collect();
    assert_eq!(names_of.len(), 1, "nothing was made: {names_of:?}");

    let home = Home::new(&[]);
    private(&home);
    grown(&home).await.stop().await;
    home.add_module("broken.json", "{");
    std::fs::remove_file(home.data().join("settings.key")).unwrap();
    let database = home.data().join("mana.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (findings, well) = examine(&home, &[]).await;
    assert!(!well);
    names(&findings, "modules", "warning", "broken.json");
    names(&findings, "keys", "problem", "settings.key is missing");
    names(&findings, "permissions", "warning", "mana.db");
}

#[tokio::test]
async fn faults_of_the_data_are_named() {
    let home = Home::new(&[("TICK_ENABLED", "true")]);
    grown(&home).await.stop().await;
    sql(
        &home,
        "UPDATE records SET state = '{\"data\":{},\"meta\":{\"x\":1}}'",
    )
    .await;
    sql(
        &home,
        "INSERT INTO mission_schedule SELECT id, 'm', 1000000, 's' FROM users",
    )
    .await;
    sql(
        &home,
        "INSERT OR REPLACE INTO kv VALUES ('backup.status', CAST('{\"attemptedAt\":\"2020-01-01T00:00:00Z\",
             \"since\":\"2020-01-01T00:00:00Z\",\"failure\":\"no room\"}' AS BLOB))",
    )
    .await;
    std::fs::create_dir(home.data().join("backups")).unwrap();
    // A row that was written by a clock 400 days ahead.
    sql(
        &home,
        "UPDATE sync_changes SET created_at = created_at + 34560000000000",
    )
    .await;
    let (findings, well) = examine(&home, &["--deep"]).await;
    assert!(!well);
    names(&findings, "integrity", "problem", "differ from their logs");
    names(&findings, "missions", "warning", "has been due for");
    names(&findings, "backups", "problem", "no room");
    sql(&home, "DELETE FROM kv WHERE key = 'backup.status'").await;
    let (beside, _) = examine(&home, &[]).await;
    names(
        &beside,
        "backups",
        "warning",
        "is on the disk of the database",
    );
    names(
        &findings,
        "clock",
        "problem",
        "the newest row was written at",
    );

    let server = home.start().await;
    server.stop().await;
    assert!(
        home.log().contains("This start may have a wrong clock"),
        "{}",
        home.log()
    );

    // Pages in the middle of the file.
    let path = home.data().join("mana.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let (findings, well) = examine(&home, &[]).await;
    assert!(!well);
    let damaged = of(&findings, "integrity").len() + of(&findings, "database").len();
    assert!(damaged > 0, "{findings:#?}");
}

#[tokio::test]
async fn faults_of_postgres_are_named() {
    let cluster = Cluster::start(&[]);
    let database = cluster.create();
    let url = cluster.url(&database);
    let home = Home::new(&[("DATABASE_URL", &url), ("MANA_DB_WAIT_S", "0")]);
    grown(&home).await.stop().await;
    cluster.sql(&database, "DROP OWNED BY mana_app; DROP ROLE mana_app");
    let (findings, well) = examine(&home, &[]).await;
    assert!(!well);
    names(&findings, "database", "problem", "mana_app");
    cluster.stop();
    let (findings, well) = examine(&home, &[]).await;
    assert!(!well);
    names(&findings, "database", "problem", "no connection");
}

#[tokio::test]
async fn an_upgrade_is_rehearsed_on_a_copy_and_backed_up() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let spare = cluster.url(&cluster.create());
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().to_str().unwrap();
    for (home, on) in [
        (Home::new(&[("MANA_BACKUP_DIR", backups)]), None),
        (
            Home::new(&[("DATABASE_URL", &url), ("MANA_BACKUP_DIR", backups)]),
            Some(&spare),
        ),
    ] {
        grown(&home).await.stop().await;
        let mut arguments = vec!["upgrade", "--rehearse"];
        if let Some(on) = on {
            arguments.extend(["--on", on]);
        }
        let output = home.command(&arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("1 records agree"), "{said}");
        let before = std::fs::read_dir(folder.path()).unwrap().count();
        let output = home.command(&["upgrade"]).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains("is kept in") && said.contains("is up to date"),
            "{said}"
        );
        assert!(std::fs::read_dir(folder.path()).unwrap().count() >= before.max(1));
    }
}
