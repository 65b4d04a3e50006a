//! Databases as earlier versions wrote them (`schemas/DATABASE/STEP.sql`, with the checksums of their steps), upgraded:
//! nothing that was there is lost or changed, and two writers for each person go on at once. The rows of steps 9 and 16
//! are a server's of that version; older steps, which no built server of their time was at hand for, have the rows of
//! step 9 in the columns that they knew.

use std::path::Path;

use mana_core::Micros;
use mana_store::{
    Accounts as _, Maintenance as _, PostgresOptions, PostgresStore, Push, Scope,
    SharedDatabase as _, SqliteStore, Store, User,
};
use mana_test_postgres::Cluster;
use serde_json::json;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

use crate::backup::{Kept, Tables, change, registry};

/// Pushes of each of two devices of a person, and changes of each.
const PUSHES: usize = 20;
const CHANGES: usize = 5;

/// The databases of a kind with the steps of their schemas, the oldest first.
fn databases(kind: &str) -> Vec<(i64, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/schemas")
        .join(kind);
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|file| file.expect("a file").path())
        .map(|path| {
            let step = path.file_stem().and_then(|stem| stem.to_str());
            let step = step.and_then(|stem| stem.parse().ok()).expect("a step");
            (step, std::fs::read_to_string(path).expect("a text"))
        })
        .collect();
    found.sort();
    assert!(found.len() >= 5, "{found:?}");
    found
}

/// Every row from before is there, with each of its values.
fn kept(before: &Tables, after: &Tables, step: i64) {
    assert!(before["users"].len() == 2 && !before["sync_changes"].is_empty());
    for (table, rows) in before {
        for row in rows {
            let found = after[table].iter().any(|now| {
                row.iter()
                    .all(|(column, value)| now.get(column) == Some(value))
            });
            assert!(found, "step {step}, {table}: {row:?}");
        }
    }
}

/// Two devices of each person write at once, through these two servers.
async fn go_on(people: &[User], servers: [&(impl Store + ?Sized); 2]) {
    let now = Micros(1_900_000_000_000_000);
    let devices = people.iter().flat_map(|person| {
        servers.into_iter().enumerate().map(move |(device, server)| async move {
            let scope = Scope::own(&person.id);
            for push in 0..PUSHES {
                let changes = (0..CHANGES).map(|n| {
                    let id = format!("new-{device}-{push}-{n}");
                    let at = now.plus(((device * PUSHES + push) * CHANGES + n) as i64);
                    change(at.0, json!({"table": "tasks", "id": id, "op": "insert", "data": {"title": id}}))
                });
                let push = Push::new(format!("device-{device}"), changes.collect(), now);
                server.push(&scope, push).await.expect("it goes on");
            }
        })
    });
    futures_util::future::join_all(devices).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_databases_of_earlier_versions_keep_everything_and_go_on_under_load() {
    for (step, text) in databases("sqlite") {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mana.db");
        // Its tables stand in the order of their names, whatever refers to them.
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .expect("a file");
        connection
            .execute(AssertSqlSafe(text))
            .await
            .expect("its rows");
        connection.close().await.expect("it closes");
        let missing = SqliteStore::missing_steps(&path).await.expect("a file");
        assert_eq!(missing.map(|steps| steps.from), Some(step));
        let mut before = Kept::default();
        SqliteStore::back_up(&path, &mut before)
            .await
            .expect("a backup");

        let store = SqliteStore::open(&path, registry())
            .await
            .expect("it is upgraded");
        assert_eq!(
            SqliteStore::missing_steps(&path).await.expect("a file"),
            None
        );
        let mut after = Kept::default();
        SqliteStore::back_up(&path, &mut after)
            .await
            .expect("a backup");
        kept(&before.tables(), &after.tables(), step);
        let people = store.users(None, 10).await.expect("accounts");
        let mut records = Vec::new();
        for person in &people {
            let checked = store.check(&Scope::own(&person.id)).await.expect("a log");
            assert_eq!(checked.differing, 0, "step {step}: {checked:?}");
            records.push(checked.records);
        }
        go_on(&people, [&*store, &*store]).await;
        for (person, before) in people.iter().zip(records) {
            let checked = store.check(&Scope::own(&person.id)).await.expect("a log");
            let expected = before + (2 * PUSHES * CHANGES) as u64;
            assert_eq!(
                (checked.differing, checked.records),
                (0, expected),
                "step {step}"
            );
        }
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_databases_of_earlier_versions_keep_everything_and_go_on_under_load() {
    let cluster = Cluster::shared();
    for (step, text) in databases("postgres") {
        let url = cluster.url(&cluster.create());
        let mut connection = PgConnection::connect(&url).await.expect("a database");
        connection
            .execute(AssertSqlSafe(text))
            .await
            .expect("its rows");
        connection.close().await.expect("it closes");
        let missing = PostgresStore::missing_steps(&url)
            .await
            .expect("a database");
        assert_eq!(missing.map(|steps| steps.from), Some(step));
        let mut before = Kept::default();
        PostgresStore::back_up(&url, &mut before)
            .await
            .expect("a backup");

        // Two servers start at once.
        let options = || PostgresOptions {
            wait: std::time::Duration::from_secs(60),
            ..PostgresOptions::default()
        };
        let open = || PostgresStore::open(&url, registry(), options());
        let (one, two) = tokio::join!(open(), open());
        let (one, two) = (one.expect("it is upgraded"), two.expect("it waits"));
        let mut after = Kept::default();
        PostgresStore::back_up(&url, &mut after)
            .await
            .expect("a backup");
        kept(&before.tables(), &after.tables(), step);
        let people = one.users(None, 10).await.expect("accounts");
        let mut records = Vec::new();
        for person in &people {
            let checked = one.check(&Scope::own(&person.id)).await.expect("a log");
            assert_eq!(checked.differing, 0, "step {step}: {checked:?}");
            records.push(checked.records);
        }
        go_on(&people, [&*one, &*two]).await;
        for (person, before) in people.iter().zip(records) {
            let checked = one.check(&Scope::own(&person.id)).await.expect("a log");
            let expected = before + (2 * PUSHES * CHANGES) as u64;
            assert_eq!(
                (checked.differing, checked.records),
                (0, expected),
                "step {step}"
            );
        }
        one.close().await;
        two.close().await;
    }
}
