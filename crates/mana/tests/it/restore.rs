//! A server that is put back to a copy, with the real command line as the device (R7, R8).

use std::path::Path;

use mana_test_postgres::Cluster;
use serde_json::{Value, json};

use crate::cli::{Machine, home, home_on};
use crate::support::{Home, SETTINGS_KEY, Server};

const FILES: [&str; 3] = ["mana.db", "mana.db-wal", "mana.db-shm"];

/// Copies the database's files, as the documentation says: while the server is stopped.
fn copy(from: &Path, to: &Path) {
    for name in FILES {
        let (source, target) = (from.join(name), to.join(name));
        let _ = std::fs::remove_file(&target);
        if source.exists() {
            std::fs::copy(source, target).expect("the file is copied");
        }
    }
}

async fn titles(machine: &Machine) -> Vec<String> {
    let (titles, said) = listed(machine).await;
    assert_eq!(said, "");
    titles
}

/// The titles as a machine lists them that meets a server for the first time since it was put back, and says so (R11).
async fn titles_anew(machine: &Machine) -> Vec<String> {
    let (titles, said) = listed(machine).await;
    assert!(said.contains("put back to an older state"), "{said}");
    assert!(said.contains("went back to the server: 1."), "{said}");
    titles
}

async fn listed(machine: &Machine) -> (Vec<String>, String) {
    let (out, err) = machine.does(&["list", "todo", "--json"]).await;
    let records: Vec<Value> = serde_json::from_str(&out).expect("records");
    let title = |record: &Value| {
        record["data"]["title"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let mut titles: Vec<String> = records.iter().map(title).collect();
    titles.sort();
    (titles, err)
}

async fn runs(home: &Home, arguments: &[&str]) -> String {
    let output = home.command(arguments).output().await.expect("it runs");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// A machine that knows BEFORE and AFTER, and a stopped server whose files hold BEFORE alone.
async fn put_back() -> (Home, Machine) {
    let home = home();
    let (server, _) = Server::with_owner(&home).await;
    let machine = Machine::signed_in(&server).await;
    machine.does(&["add", "todo", "title=BEFORE"]).await;
    server.stop().await;
    let kept = tempfile::TempDir::new().expect("a folder");
    copy(&home.data(), kept.path());
    let server = home.start().await;
    machine.does(&["add", "todo", "title=AFTER"]).await;
    assert_eq!(titles(&machine).await, ["AFTER", "BEFORE"]);
    server.stop().await;
    copy(kept.path(), &home.data());
    (home, machine)
}

#[tokio::test]
async fn restore_of_an_older_copy_gets_back_what_devices_hold() {
    let (home, machine) = put_back().await;
    let said = runs(&home, &["restore"]).await;
    assert!(said.contains("1 logs have begun another epoch"), "{said}");
    let server = home.start().await;
    assert_eq!(titles_anew(&machine).await, ["AFTER", "BEFORE"]);
    let other = Machine::signed_in(&server).await;
    assert_eq!(titles(&other).await, ["AFTER", "BEFORE"]);
    server.stop().await;
}

#[tokio::test]
async fn restore_by_a_file_copied_underneath_is_noticed_too() {
    let (home, machine) = put_back().await;
    let server = home.start().await;
    assert_eq!(titles_anew(&machine).await, ["AFTER", "BEFORE"]);
    let other = Machine::signed_in(&server).await;
    assert_eq!(titles(&other).await, ["AFTER", "BEFORE"]);
    server.stop().await;
}

#[tokio::test]
async fn restore_that_discards_what_is_newer_takes_it_from_devices() {
    let (home, machine) = put_back().await;
    let said = runs(&home, &["restore", "--discard-newer"]).await;
    assert!(said.contains("drop"), "{said}");
    let server = home.start().await;
    machine.does(&["add", "todo", "title=SINCE"]).await;
    assert_eq!(titles(&machine).await, ["BEFORE", "SINCE"]);
    let other = Machine::signed_in(&server).await;
    assert_eq!(titles(&other).await, ["BEFORE", "SINCE"]);
    server.stop().await;
}

#[tokio::test]
async fn restore_of_an_export_into_an_empty_postgres_gets_back_what_devices_hold() {
    let home = home();
    let (server, _) = Server::with_owner(&home).await;
    let machine = Machine::signed_in(&server).await;
    machine.does(&["add", "todo", "title=BEFORE"]).await;
    let file = home.dir.path().join("all.jsonl");
    let file = file.to_str().expect("a path");
    runs(&home, &["export", file]).await;
    machine.does(&["add", "todo", "title=AFTER"]).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    server.stop().await;

    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let there = Home::new(&[("DATABASE_URL", &url), ("MANA_LISTEN", &address)]);
    runs(&there, &["restore", file]).await;
    let again = there
        .command(&["restore", file])
        .output()
        .await
        .expect("it runs");
    assert!(
        !again.status.success(),
        "the database has accounts: {again:?}"
    );
    let server = there.start().await;
    // Sessions are not restored, so the person signs in again.
    machine.does(&["login", &server.base]).await;
    assert_eq!(titles(&machine).await, ["AFTER", "BEFORE"]);
    let other = Machine::signed_in(&server).await;
    assert_eq!(titles(&other).await, ["AFTER", "BEFORE"]);
    let owner = server
        .sign_in("owner@example.org", crate::support::PASSWORD)
        .await
        .unwrap();
    let (_, answer) = owner
        .post("/sync", json!({"clientId": "c", "changes": []}))
        .await;
    assert_eq!(answer["giveBack"], true);
    assert!(
        answer["logEpoch"]
            .as_str()
            .is_some_and(|epoch| !epoch.is_empty())
    );
    server.stop().await;
}

#[tokio::test]
async fn restore_of_nothing_is_made_good_by_what_two_machines_bring_to_an_empty_server() {
    let cluster = Cluster::shared();
    let [one, other] = [(); 2].map(|()| cluster.url(&cluster.create()));
    for urls in [[None, None], [Some(one.as_str()), Some(other.as_str())]] {
        let first = home_on(urls[0]);
        let (server, _) = Server::with_owner(&first).await;
        let (machine, second) = (
            Machine::signed_in(&server).await,
            Machine::signed_in(&server).await,
        );
        machine.does(&["add", "todo", "title=PRECIOUS"]).await;
        second.does(&["add", "todo", "title=SECOND"]).await;
        assert_eq!(titles(&machine).await, ["PRECIOUS", "SECOND"]);
        let address = server.base.trim_start_matches("http://").to_owned();
        server.stop().await;
        second.does(&["add", "todo", "title=WAITING"]).await;

        let mut empty = Home::new(&[("MANA_LISTEN", &address)]);
        if let Some(url) = urls[1] {
            empty.set("DATABASE_URL", url);
            empty.set("MANA_SETTINGS_KEY", SETTINGS_KEY);
        }
        let (server, _) = Server::with_owner(&empty).await;
        for machine in [&machine, &second] {
            let told = machine.refuses(&["login", &server.base]).await;
            assert!(
                told.contains("--bring") && told.contains("owner@example.org"),
                "{told}"
            );
            machine.does(&["login", &server.base, "--bring"]).await;
        }
        let other = Machine::signed_in(&server).await;
        for machine in [&machine, &second, &other] {
            assert_eq!(titles(machine).await, ["PRECIOUS", "SECOND", "WAITING"]);
        }
        server.stop().await;
    }
}
