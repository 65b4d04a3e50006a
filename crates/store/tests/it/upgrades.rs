//! Upgrades from every schema of the history, with rows in every table that the schema has.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_store::{
    Accounts as _, BackupEntry, BackupOrigin, Cell, ChangesQuery, DatabaseKind, Log as _,
    Maintenance as _, PostgresOptions, PostgresStore, Push, RestoreOptions, Scope,
    SharedDatabase as _, SqliteStore, StoreError, TableHead,
};
use mana_test_postgres::Cluster;
use serde_json::json;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::backup::{Kept, change, of_postgres, of_sqlite, registry};

/// The schema from which on there is a schedule beside the log.
const SCHEDULED: i64 = 3;

/// The steps of a database up to one of them.
async fn steps(folder: &str, last: i64) -> Migrator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(folder);
    let all = Migrator::new(path).await.expect("the steps are there");
    let steps = all.iter().filter(|step| step.version <= last).cloned();
    Migrator::with_migrations(steps.collect())
}

async fn latest(folder: &str) -> i64 {
    steps(folder, i64::MAX)
        .await
        .iter()
        .map(|step| step.version)
        .max()
        .expect("a step")
}

/// A backup with the columns alone that a schema has, as `columns` lists them by table.
fn narrowed(kept: &Kept, columns: &[(String, BTreeSet<String>)]) -> Vec<BackupEntry> {
    let mut entries = Vec::new();
    let mut places: Option<Vec<usize>> = None;
    for entry in &kept.entries {
        match entry {
            BackupEntry::Table(head) => {
                let known = columns.iter().find(|(table, _)| *table == head.name);
                places = known.map(|(_, known)| {
                    let all = head.columns.iter().enumerate();
                    all.filter(|(_, name)| known.contains(*name))
                        .map(|(at, _)| at)
                        .collect()
                });
                if let Some(places) = &places {
                    entries.push(BackupEntry::Table(TableHead {
                        name: head.name.clone(),
                        columns: places.iter().map(|at| head.columns[*at].clone()).collect(),
                    }));
                }
            }
            BackupEntry::Row(cells) => {
                if let Some(places) = &places {
                    let row = places.iter().map(|at| cells[*at].clone());
                    entries.push(BackupEntry::Row(row.collect()));
                }
            }
        }
    }
    entries
}

async fn sqlite_columns(connection: &mut SqliteConnection) -> Vec<(String, BTreeSet<String>)> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'",
    )
    .fetch_all(connection)
    .await
    .expect("a catalogue");
    by_table(rows)
}

async fn postgres_columns(connection: &mut PgConnection) -> Vec<(String, BTreeSet<String>)> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .fetch_all(connection)
    .await
    .expect("a catalogue");
    by_table(rows)
}

fn by_table(rows: Vec<(String, String)>) -> Vec<(String, BTreeSet<String>)> {
    let mut tables: Vec<(String, BTreeSet<String>)> = Vec::new();
    for (table, column) in rows {
        match tables.iter_mut().find(|(name, _)| *name == table) {
            Some((_, columns)) => {
                columns.insert(column);
            }
            None => tables.push((table, [column].into())),
        }
    }
    tables
}

async fn insert(connection: &mut SqliteConnection, entries: &[BackupEntry]) {
    let mut head = None;
    for entry in entries {
        match entry {
            BackupEntry::Table(table) => head = Some(table),
            BackupEntry::Row(cells) => {
                let head = head.expect("a table comes first");
                let text = format!(
                    "INSERT INTO {} ({}) VALUES ({})",
                    head.name,
                    head.columns.join(", "),
                    vec!["?"; cells.len()].join(", ")
                );
                let mut query = sqlx::query(AssertSqlSafe(text));
                for cell in cells {
                    query = match cell {
                        Cell::Null => query.bind(None::<i64>),
                        Cell::Integer(number) => query.bind(*number),
                        Cell::Text(text) => query.bind(text.clone()),
                        Cell::Bytes(bytes) => query.bind(bytes.clone()),
                    };
                }
                query.execute(&mut *connection).await.expect("a row");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_is_upgraded_from_every_schema_and_goes_on() {
    let (kept, _folder) = of_sqlite().await;
    for schema in 1..=latest("sqlite").await {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mana.db");
        let url = format!("sqlite:{}?mode=rwc", path.display());
        let mut connection = SqliteConnection::connect(&url).await.expect("a file");
        steps("sqlite", schema)
            .await
            .run(&mut connection)
            .await
            .expect("the steps run");
        let columns = sqlite_columns(&mut connection).await;
        let fixture = narrowed(&kept, &columns);
        insert(&mut connection, &fixture).await;
        connection.close().await.expect("it closes");

        let mut before = Kept::default();
        SqliteStore::back_up(&path, &mut before)
            .await
            .expect("a backup before the upgrade");
        assert_eq!(before.origin.map(|origin| origin.schema), Some(schema));
        let store = SqliteStore::open(&path, registry())
            .await
            .expect("it is upgraded");
        let people = store.users(None, 10).await.expect("accounts");
        assert_eq!(people.len(), 2, "schema {schema}");
        for person in &people {
            let scope = Scope::own(&person.id);
            if schema >= 2 {
                if schema < SCHEDULED {
                    store.reproject(&scope).await.expect("a log");
                }
                let checked = store.check(&scope).await.expect("a log");
                assert_eq!(
                    (checked.differing, checked.records),
                    (0, 3),
                    "schema {schema}: {checked:?}"
                );
            }
            let task =
                json!({"table": "tasks", "id": "new", "op": "insert", "data": {"title": "new"}});
            let push = Push::new("c2", vec![change(900, task)], Micros(900));
            store.push(&scope, push).await.expect("it goes on");
        }
        let mut after = Kept::default();
        SqliteStore::back_up(&path, &mut after)
            .await
            .expect("a backup after it");
        for (table, rows) in before.tables() {
            let now = &after.tables()[&table];
            assert!(now.len() >= rows.len(), "schema {schema}: {table}");
        }
        store.close().await;

        // The same by a backup of that schema.
        let other = folder.path().join("restored.db");
        let options = RestoreOptions {
            origin: before.origin.expect("an origin"),
            epoch: None,
        };
        SqliteStore::restore(&other, &mut before.given(), options)
            .await
            .expect("it is restored");
        let store = SqliteStore::open(&other, registry())
            .await
            .expect("it opens");
        assert_eq!(store.users(None, 10).await.expect("accounts").len(), 2);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_upgraded_from_every_schema_by_several_servers_at_once() {
    let cluster = Cluster::shared();
    let kept = of_postgres(cluster).await;
    for schema in 1..=latest("postgres").await {
        let url = cluster.url(&cluster.create());
        let mut connection = PgConnection::connect(&url).await.expect("a database");
        steps("postgres", schema)
            .await
            .run(&mut connection)
            .await
            .expect("the steps run");
        let columns = postgres_columns(&mut connection).await;
        connection
            .execute(
                "INSERT INTO users VALUES ('u', 'a@example.org', '', '', 'UTC', 'en', 'owner', 1)",
            )
            .await
            .expect("a row");
        connection.close().await.expect("it closes");
        let open = || PostgresStore::open(&url, registry(), patient());
        let (one, two) = tokio::join!(open(), open());
        let (one, two) = (
            one.expect("it is upgraded"),
            two.expect("it waits and opens"),
        );
        let scope = Scope::own(&one.users(None, 1).await.expect("accounts")[0].id);
        let task = json!({"table": "tasks", "id": "new", "op": "insert", "data": {"title": "new"}});
        let push = Push::new("c", vec![change(900, task)], Micros(900));
        one.push(&scope, push).await.expect("it goes on");
        let query = ChangesQuery {
            limit: 10,
            ..ChangesQuery::default()
        };
        assert_eq!(
            two.changes(&scope, query)
                .await
                .expect("a page")
                .changes
                .len(),
            1
        );
        one.close().await;
        two.close().await;

        // With rows in every table, by a backup of that schema.
        let fixture = Kept {
            origin: Some(BackupOrigin {
                database: DatabaseKind::Postgres,
                schema,
            }),
            entries: narrowed(&kept, &columns),
        };
        let url = cluster.url(&cluster.create());
        let options = RestoreOptions {
            origin: fixture.origin.expect("an origin"),
            epoch: None,
        };
        PostgresStore::restore(&url, &mut fixture.given(), options)
            .await
            .expect("it is restored");
        let store = PostgresStore::open(&url, registry(), patient())
            .await
            .expect("it opens");
        let people = store.users(None, 10).await.expect("accounts");
        assert_eq!(people.len(), 2, "schema {schema}");
        for person in people.iter().filter(|_| schema >= 2) {
            let scope = Scope::own(&person.id);
            if schema < SCHEDULED {
                store.reproject(&scope).await.expect("a log");
            }
            let checked = store.check(&scope).await.expect("a log");
            assert_eq!(checked.differing, 0, "schema {schema}: {checked:?}");
        }
        store.close().await;
    }
}

fn patient() -> PostgresOptions {
    PostgresOptions {
        wait: std::time::Duration::from_secs(60),
        ..PostgresOptions::default()
    }
}

#[tokio::test]
async fn an_upgrade_that_fails_keeps_the_database_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mana.db");
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("a file");
    steps("sqlite", 11)
        .await
        .run(&mut connection)
        .await
        .expect("the steps run");
    // A table of the next step is there already, in another form.
    connection
        .execute("CREATE TABLE log_epochs (x)")
        .await
        .expect("a table");
    connection.close().await.expect("it closes");
    let opened = SqliteStore::open(&path, Arc::new(Registry::builtin())).await;
    let Err(StoreError::Migration { version: 12, cause }) = opened else {
        panic!("{:?}", opened.err());
    };
    assert!(cause.contains("log_epochs"), "{cause}");
    assert_eq!(SqliteStore::schema(&path).await.expect("a file"), Some(11));
}
