//! Backups of either database, restored into either: every row of every table comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mana_core::manifest::Registry;
use mana_core::{Actor, Change, Defaults, Micros};
use mana_store::{
    Accounts, BackupEntry, BackupOrigin, BackupSink, BackupSource, Cell, DatabaseKind, Maintenance,
    NewUser, PostgresOptions, PostgresStore, Push, RestoreOptions, RestoredEpoch, Result, Scope,
    SharedDatabase as _, SqliteStore, Store, StoreError, TableHead, UserId,
};
use mana_test_postgres::Cluster;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

/// A backup in memory.
#[derive(Default, Clone)]
pub struct Kept {
    pub origin: Option<BackupOrigin>,
    pub entries: Vec<BackupEntry>,
}

impl BackupSink for Kept {
    fn origin(&mut self, origin: BackupOrigin) -> Result<()> {
        self.origin = Some(origin);
        Ok(())
    }

    fn table(&mut self, head: TableHead) -> Result<()> {
        self.entries.push(BackupEntry::Table(head));
        Ok(())
    }

    fn row(&mut self, cells: Vec<Cell>) -> Result<()> {
        self.entries.push(BackupEntry::Row(cells));
        Ok(())
    }
}

/// Gives the entries of a backup.
pub struct Given(std::vec::IntoIter<BackupEntry>);

impl BackupSource for Given {
    fn next(&mut self) -> Result<Option<BackupEntry>> {
        Ok(self.0.next())
    }
}

/// The rows of each table, each as its values by column, in an order of their own.
pub type Tables = BTreeMap<String, BTreeSet<BTreeMap<String, String>>>;

impl Kept {
    pub fn given(&self) -> Given {
        Given(self.entries.clone().into_iter())
    }

    pub fn options(&self, epoch: Option<RestoredEpoch>) -> RestoreOptions {
        RestoreOptions {
            origin: self.origin.expect("the origin was given"),
            epoch,
        }
    }

    /// JSON is compared by its value: Postgres keeps it in an order of its own.
    pub fn tables(&self) -> Tables {
        let mut tables = Tables::new();
        let mut head = None;
        for entry in &self.entries {
            match entry {
                BackupEntry::Table(table) => {
                    tables.entry(table.name.clone()).or_default();
                    head = Some(table);
                }
                BackupEntry::Row(cells) => {
                    let head = head.expect("a table comes first");
                    let values = cells.iter().map(|cell| match cell {
                        Cell::Text(text) => match serde_json::from_str::<Value>(text) {
                            Ok(value) => value.to_string(),
                            Err(_) => text.clone(),
                        },
                        other => format!("{other:?}"),
                    });
                    let row = head.columns.iter().cloned().zip(values).collect();
                    tables.entry(head.name.clone()).or_default().insert(row);
                }
            }
        }
        tables
    }
}

/// Leaves out what only one database has.
fn shared(mut tables: Tables) -> Tables {
    let of_postgres = ["folded", "run_slot", "iteration_id", "phase", "started_at"];
    for table in ["sync_refused", "pending_folds"] {
        tables.remove(table);
    }
    for name in ["sync_changes", "mission_claims"] {
        let rows = tables.remove(name).unwrap_or_default();
        let rows = rows.into_iter().map(|mut row| {
            row.retain(|column, _| !of_postgres.contains(&column.as_str()));
            row
        });
        let rows = rows.collect();
        tables.insert(name.to_owned(), rows);
    }
    tables
}

pub fn change(n: i64, value: Value) -> Change {
    let defaults = Defaults {
        event_id: n.to_string(),
        at: Micros(n),
        actor: Actor::user(),
        app_id: "todo".to_owned(),
    };
    Change::parse(value).expect("a change").normalize(defaults)
}

/// Two people with logs, missions and a compacted record.
async fn grow<S: Store + Accounts + Maintenance>(store: &S) -> Vec<UserId> {
    let mut people = Vec::new();
    for name in ["ada", "bob"] {
        let user = NewUser {
            email: format!("{name}@example.org"),
            name: "Name \"with\" 🦆".to_owned(),
            password_hash: "x".to_owned(),
            timezone: "UTC".to_owned(),
            locale: "en".to_owned(),
        };
        let user = store.create_user(user, Micros(1)).await.expect("a new one");
        let mission = json!({"appId": "ai", "table": "aiMissions", "id": "m", "op": "insert", "data":
            {"state": "active", "cadence": {"kind": "interval", "everyMinutes": 60}}});
        let task = |title: i64| {
            json!({"table": "tasks", "id": "t", "op": "update",
                "fields": {"title": {"value": format!("{title}\n\u{1}"), "updatedAt": Micros(title)}}})
        };
        let gone = json!({"table": "tasks", "id": "u", "op": "delete"});
        for (n, value) in (10..).zip([mission, task(1), task(2), task(3), gone]) {
            let push = Push::new("c", vec![change(n, value)], Micros(n));
            store.push(&Scope::own(&user.id), push).await.expect("room");
        }
        let compacted = store.compact(&Scope::own(&user.id), Micros(1_000)).await;
        assert!(compacted.expect("it compacts").dropped > 0);
        people.push(user.id);
    }
    people
}

/// Rows with what no other row has: no value, and a claim without a worker.
const BESIDE: [&str; 3] = [
    "INSERT INTO secrets (secret_hash, purpose, expires_at) VALUES ({x01}, 'invite', NULL)",
    "INSERT INTO mission_claims (user_id, mission_id, token, slot, lease_until, attempts)
     VALUES ('{user}', 'm', 7, 's', 1, 1)",
    "INSERT INTO audit_log (id, at, class, event, subject, actor, address, detail)
     VALUES (1, 1, 'act', 'x', NULL, NULL, NULL, 'x')",
];

/// Statements that give a row to each of the tables that have none yet, as the catalogue lists them: table, column and
/// type. A table whose columns take only certain values needs a line in [`BESIDE`].
fn fillers(columns: &[(String, String, String)], user: &UserId) -> Vec<String> {
    let mut tables: Vec<&String> = columns.iter().map(|(table, _, _)| table).collect();
    tables.dedup();
    let insert = |table: &String| {
        let of_table: Vec<_> = columns
            .iter()
            .filter(|(name, _, _)| name == table)
            .collect();
        let names: Vec<_> = of_table.iter().map(|(_, name, _)| name.as_str()).collect();
        let value = |(_, name, kind): &&(String, String, String)| match kind.as_str() {
            _ if name == "user_id" => format!("'{}'", user.0),
            "TEXT" | "text" => "'x'".to_owned(),
            "BLOB" => "x'01'".to_owned(),
            "bytea" => "'\\x01'::bytea".to_owned(),
            "boolean" => "true".to_owned(),
            "jsonb" => "'{}'".to_owned(),
            "timestamp with time zone" => "now()".to_owned(),
            _ => "1".to_owned(),
        };
        let values: Vec<_> = of_table.iter().map(value).collect();
        format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        )
    };
    tables.into_iter().map(insert).collect()
}

fn beside(user: &UserId, bytes: &str) -> impl Iterator<Item = String> {
    let user = user.0.clone();
    let bytes = bytes.to_owned();
    BESIDE
        .into_iter()
        .map(move |text| text.replace("{user}", &user).replace("{x01}", &bytes))
}

pub fn registry() -> Arc<Registry> {
    Arc::new(Registry::builtin())
}

/// A grown SQLite file, its backup, and the folder that it lies in.
pub async fn of_sqlite() -> (Kept, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mana.db");
    let store = SqliteStore::open(&path, registry())
        .await
        .expect("it opens");
    let people = grow(&*store).await;
    for user in &people {
        let epoch = store.begin_epoch(&Scope::own(user), Micros(5), false).await;
        epoch.expect("an epoch");
    }
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", path.display()))
        .await
        .expect("it connects");
    for text in beside(&people[0], "x'01'") {
        connection
            .execute(AssertSqlSafe(text))
            .await
            .expect("a row");
    }
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("a catalogue");
    for name in names {
        let count = format!("SELECT count(*) FROM {name}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut connection)
            .await
            .expect("a table");
        if rows == 0 {
            let columns: Vec<(String, String, String)> =
                sqlx::query_as("SELECT ?1, name, type FROM pragma_table_info(?1)")
                    .bind(&name)
                    .fetch_all(&mut connection)
                    .await
                    .expect("a catalogue");
            for text in fillers(&columns, &people[0]) {
                connection
                    .execute(AssertSqlSafe(text))
                    .await
                    .expect("a row");
            }
        }
    }
    let mut kept = Kept::default();
    // While the server has the file open.
    SqliteStore::back_up(&path, &mut kept)
        .await
        .expect("a backup");
    store.close().await;
    (kept, folder)
}

pub async fn of_postgres(cluster: &Cluster) -> Kept {
    let url = cluster.url(&cluster.create());
    let store = PostgresStore::open(&url, registry(), PostgresOptions::default())
        .await
        .expect("it opens");
    let people = grow(&*store).await;
    for user in &people {
        let epoch = store.begin_epoch(&Scope::own(user), Micros(5), false).await;
        epoch.expect("an epoch");
    }
    store.close().await;
    let mut connection = PgConnection::connect(&url).await.expect("it connects");
    for text in beside(&people[0], "'\\x01'::bytea") {
        connection
            .execute(AssertSqlSafe(text))
            .await
            .expect("a row");
    }
    let names: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut connection)
            .await
            .expect("a catalogue");
    for name in names {
        let count = format!("SELECT count(*) FROM {name}");
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut connection)
            .await
            .expect("a table");
        // A row by SQL, which comes next, fills this one.
        if rows == 0 && name != "pending_folds" {
            let columns: Vec<(String, String, String)> = sqlx::query_as(
                "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = $1",
            )
            .bind(&name)
            .fetch_all(&mut connection)
            .await
            .expect("a catalogue");
            for text in fillers(&columns, &people[0]) {
                connection
                    .execute(AssertSqlSafe(text))
                    .await
                    .expect("a row");
            }
        }
    }
    // A row that came by SQL and that no server has folded.
    let by_sql = format!(
        "SET app.current_user_id = '{}';
         INSERT INTO sync_changes (app_id, table_name, record_id, op, data)
         VALUES ('todo', 'tasks', 's', 'insert', '{{\"title\": \"by SQL\"}}')",
        people[1].0
    );
    connection
        .execute(AssertSqlSafe(by_sql))
        .await
        .expect("a row");
    connection.close().await.expect("it closes");
    let mut kept = Kept::default();
    PostgresStore::back_up(&url, &mut kept)
        .await
        .expect("a backup");
    kept
}

async fn to_sqlite(kept: &Kept, epoch: Option<RestoredEpoch>) -> (Kept, Vec<UserId>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mana.db");
    let restored = SqliteStore::restore(&path, &mut kept.given(), kept.options(epoch))
        .await
        .expect("it is restored");
    let mut back = Kept::default();
    SqliteStore::back_up(&path, &mut back)
        .await
        .expect("a backup");
    let store = SqliteStore::open(&path, registry())
        .await
        .expect("it opens");
    for user in &restored.unprojected {
        store.reproject(&Scope::own(user)).await.expect("a log");
    }
    for user in store.users(None, 10).await.expect("accounts") {
        let checked = store.check(&Scope::own(&user.id)).await.expect("a log");
        assert_eq!(checked.differing, 0, "{checked:?}");
    }
    // A file with accounts is never replaced.
    store.close().await;
    drop(store);
    // The lock is held a moment longer where another test starts a process meanwhile.
    let again = loop {
        match SqliteStore::restore(&path, &mut kept.given(), kept.options(epoch)).await {
            Err(StoreError::InUse(_)) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert!(matches!(again, Err(StoreError::HasAccounts)), "{again:?}");
    (back, restored.unprojected)
}

async fn to_postgres(cluster: &Cluster, kept: &Kept, epoch: Option<RestoredEpoch>) -> Kept {
    let url = cluster.url(&cluster.create());
    PostgresStore::restore(&url, &mut kept.given(), kept.options(epoch))
        .await
        .expect("it is restored");
    let mut back = Kept::default();
    PostgresStore::back_up(&url, &mut back)
        .await
        .expect("a backup");
    let store = PostgresStore::open(&url, registry(), PostgresOptions::default())
        .await
        .expect("it opens");
    for user in store.users(None, 10).await.expect("accounts") {
        let checked = store.check(&Scope::own(&user.id)).await.expect("a log");
        assert_eq!(checked.differing, 0, "{checked:?}");
    }
    store.close().await;
    let again = PostgresStore::restore(&url, &mut kept.given(), kept.options(epoch)).await;
    assert!(matches!(again, Err(StoreError::HasAccounts)), "{again:?}");
    back
}

fn no_table_is_empty(kept: &Kept) {
    for (name, rows) in kept.tables() {
        assert!(!rows.is_empty(), "{name} has no row in the backup");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_comes_back_whole_on_either_database() {
    let (kept, _folder) = of_sqlite().await;
    no_table_is_empty(&kept);
    assert_eq!(
        kept.origin.map(|origin| origin.database),
        Some(DatabaseKind::Sqlite)
    );
    let (back, unprojected) = to_sqlite(&kept, None).await;
    assert_eq!(back.entries, kept.entries);
    assert!(unprojected.is_empty());
    let back = to_postgres(Cluster::shared(), &kept, None).await;
    assert_eq!(shared(back.tables()), shared(kept.tables()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_postgres_comes_back_whole_on_either_database() {
    let cluster = Cluster::shared();
    let kept = of_postgres(cluster).await;
    no_table_is_empty(&kept);
    let (back, unprojected) = to_sqlite(&kept, None).await;
    assert_eq!(shared(back.tables()), shared(kept.tables()));
    assert_eq!(unprojected.len(), 1, "the log with a row that came by SQL");
    let back = to_postgres(cluster, &kept, None).await;
    // A row that was not folded takes another place at the end of its log.
    let places = |tables: Tables| {
        let mut tables = tables;
        let rows = tables.remove("sync_changes").unwrap_or_default();
        let rows = rows.into_iter().map(|mut row| {
            if row.get("folded").is_some_and(|folded| folded.contains('0')) {
                row.remove("created_at");
            }
            row
        });
        let rows = rows.collect();
        tables.insert("sync_changes".to_owned(), rows);
        tables
    };
    assert_eq!(places(back.tables()), places(kept.tables()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_begins_another_epoch_of_every_log() {
    let (kept, _folder) = of_sqlite().await;
    let epoch = RestoredEpoch {
        now: Micros(99),
        discard_newer: false,
    };
    let (sqlite, _) = to_sqlite(&kept, Some(epoch)).await;
    let postgres = to_postgres(Cluster::shared(), &kept, Some(epoch)).await;
    for back in [sqlite, postgres] {
        let (mut back, mut before) = (shared(back.tables()), shared(kept.tables()));
        let epochs = |tables: &mut Tables| {
            let rows = tables.remove("log_epochs").unwrap_or_default();
            let ids = rows.iter().map(|row| row["epoch"].clone());
            (ids.collect::<BTreeSet<_>>(), rows.len())
        };
        let (new, old) = (epochs(&mut back), epochs(&mut before));
        assert_eq!((new.1, old.1), (2, 2));
        assert!(new.0.is_disjoint(&old.0));
        assert_eq!(back, before);
    }
}

#[tokio::test]
async fn a_backup_of_a_newer_version_is_refused_and_nothing_is_made() {
    let (mut kept, _folder) = of_sqlite().await;
    if let Some(origin) = &mut kept.origin {
        origin.schema += 1000;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mana.db");
    let refused = SqliteStore::restore(&path, &mut kept.given(), kept.options(None)).await;
    assert!(
        matches!(refused, Err(StoreError::NewerBackup { .. })),
        "{refused:?}"
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn a_restore_that_fails_leaves_nothing() {
    let (mut kept, _folder) = of_sqlite().await;
    kept.entries.push(BackupEntry::Row(vec![Cell::Null]));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mana.db");
    let failed = SqliteStore::restore(&path, &mut kept.given(), kept.options(None)).await;
    assert!(matches!(failed, Err(StoreError::Invalid(_))), "{failed:?}");
    let names = std::fs::read_dir(folder.path()).expect("a folder");
    let names: Vec<_> = names
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(names, ["mana.db.lock"]);
    let cluster = Cluster::shared();
    let name = cluster.create();
    let url = cluster.url(&name);
    let failed = PostgresStore::restore(&url, &mut kept.given(), kept.options(None)).await;
    assert!(matches!(failed, Err(StoreError::Invalid(_))), "{failed:?}");
    assert_eq!(
        cluster.sql(
            &name,
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ),
        "0"
    );
}
