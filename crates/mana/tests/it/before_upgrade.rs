//! A schema of an earlier version: the state before is saved, or nothing is upgraded.

use std::path::{Path, PathBuf};

use mana_test_postgres::Cluster;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::support::{Home, Server, mode, refused, run};

const FILE: &str = "before-upgrade-from-step-0016.manabackup";

/// Takes back every step after the sixteenth, on both databases. A new migration takes itself back here: the server
/// runs it again, and would find its table or column there.
const TO_STEP_16: &str = "ALTER TABLE sync_changes DROP COLUMN field_meta;
    ALTER TABLE sync_changes DROP COLUMN origin;
    ALTER TABLE sync_changes DROP COLUMN space_id;
    ALTER TABLE users DROP COLUMN asked_for_factor_at;
    DELETE FROM _sqlx_migrations WHERE version > 16";

/// A home whose database is at step 16, with an owner and a task, and its folder of backups.
struct Earlier {
    home: Home,
    url: Option<String>,
    backups: TempDir,
}

impl Earlier {
    async fn on(url: Option<String>) -> Earlier {
        let backups = TempDir::new().unwrap();
        let folder = backups.path().to_str().unwrap().to_owned();
        let mut settings = vec![("MANA_BACKUP_DIR", folder.as_str())];
        settings.extend(url.as_deref().map(|url| ("DATABASE_URL", url)));
        let home = Home::new(&settings);
        let (server, owner) = Server::with_owner(&home).await;
        let task =
            json!([{ "table": "tasks", "id": "t1", "op": "insert", "data": {"title": "kept"} }]);
        owner.push("todo", "laptop", task).await;
        server.stop().await;
        let earlier = Earlier { home, url, backups };
        earlier.sql(TO_STEP_16).await;
        earlier
    }

    async fn on_each_database() -> [Earlier; 2] {
        let cluster = Cluster::shared();
        [
            Earlier::on(None).await,
            Earlier::on(Some(cluster.url(&cluster.create()))).await,
        ]
    }

    async fn sql(&self, statements: &'static str) {
        match &self.url {
            None => {
                let mut connection = self.sqlite().await;
                connection.execute(statements).await.unwrap();
                connection.close().await.unwrap();
            }
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute(statements).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    async fn sqlite(&self) -> SqliteConnection {
        let path = self.home.data().join("mana.db");
        SqliteConnection::connect(&format!("sqlite:{}", path.display()))
            .await
            .unwrap()
    }

    async fn step(&self) -> i64 {
        let select = "SELECT max(version) FROM _sqlx_migrations";
        match &self.url {
            None => {
                sqlx::query_scalar(select)
                    .fetch_one(&mut self.sqlite().await)
                    .await
            }
            Some(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                sqlx::query_scalar(select).fetch_one(&mut connection).await
            }
        }
        .unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.backups.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn file(&self) -> PathBuf {
        self.backups.path().join(FILE)
    }
}

/// The titles of the owner's tasks at a running server.
async fn titles(server: &Server) -> Vec<String> {
    let owner = server.sign_in("owner@example.org", crate::support::PASSWORD);
    let rows = owner.await.unwrap().pull("todo", "tasks").await;
    let title = |row: &serde_json::Value| row["data"]["title"].as_str().unwrap().to_owned();
    rows.iter().map(title).collect()
}

/// Restores a file on an empty machine. Returns the titles of its tasks.
async fn restored(file: &Path) -> Vec<String> {
    let elsewhere = Home::new(&[]);
    let output = run(&elsewhere, &["restore", file.to_str().unwrap()]).await;
    assert!(output.status.success(), "{output:?}");
    let server = elsewhere.start().await;
    let titles = titles(&server).await;
    server.stop().await;
    titles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_saves_the_state_before_it_upgrades_the_schema() {
    for earlier in Earlier::on_each_database().await {
        let server = earlier.home.start().await;
        assert_eq!(titles(&server).await, ["kept"]);
        server.stop().await;
        assert_eq!(earlier.files(), [FILE]);
        assert_eq!(mode(&earlier.file()), 0o600);
        let log = earlier.home.log();
        let told = format!("is kept in {}", earlier.file().display());
        assert!(log.contains(&told), "{told}: {log}");
        assert!(log.contains("from step 16 to"), "{log}");
        assert_eq!(restored(&earlier.file()).await, ["kept"]);

        // Neither a further start nor the backups of days touch it.
        let made = std::fs::read(earlier.file()).unwrap();
        earlier.home.start().await.stop().await;
        assert_eq!(earlier.home.log().matches("is kept in").count(), 1);
        let mut home = earlier.home;
        home.set("MANA_BACKUP_KEEP", "1");
        for _ in 0..2 {
            let output = run(&home, &["backup"]).await;
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(
            std::fs::read(earlier.backups.path().join(FILE)).unwrap(),
            made
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_whose_backup_fails_is_refused_and_can_be_had_without_one() {
    for mut earlier in Earlier::on_each_database().await {
        earlier.home.set("MANA_BACKUP_DIR", "/proc/nowhere");
        // Every way in that would change the schema.
        for arguments in [
            &["serve"] as &[_],
            &["migrate"],
            &["user", "list"],
            &["compact"],
        ] {
            let why = refused(&earlier.home, arguments).await;
            for named in ["step 16", "/proc/nowhere", "MANA_BACKUP_BEFORE_UPGRADE=off"] {
                assert!(why.contains(named), "{arguments:?}: {named}: {why}");
            }
            assert_eq!(earlier.step().await, 16, "{arguments:?}");
        }
        earlier.home.set("MANA_BACKUP_BEFORE_UPGRADE", "off");
        let server = earlier.home.start().await;
        assert_eq!(titles(&server).await, ["kept"]);
        server.stop().await;
        let log = earlier.home.log();
        assert!(log.contains("without a backup, because MANA_BACKUP_BEFORE_UPGRADE is off"));
        assert!(earlier.step().await > 16);
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_proven_is_not_upgraded() {
    let earlier = Earlier::on(None).await;
    earlier
        .sql("UPDATE records SET state = '{\"data\":{},\"meta\":{\"x\":1}}'")
        .await;
    let why = refused(&earlier.home, &["serve"]).await;
    assert!(
        why.contains("reproject --check") && why.contains("step 16"),
        "{why}"
    );
    assert_eq!(earlier.step().await, 16);
    assert_eq!(earlier.files(), ["before-upgrade-from-step-0016.unproven"]);
}

#[tokio::test]
async fn commands_beside_a_server_of_the_version_before_save_nothing_and_change_nothing() {
    let earlier = Earlier::on(None).await;
    // The lock of the server that runs.
    let lock = std::fs::File::options()
        .write(true)
        .open(earlier.home.data().join("mana.db.lock"))
        .unwrap();
    lock.try_lock().unwrap();
    let why = refused(&earlier.home, &["user", "list"]).await;
    assert!(why.contains("mana.db"), "{why}");
    assert_eq!(earlier.step().await, 16);
    assert_eq!(earlier.files(), [""; 0]);
}

#[tokio::test]
async fn a_database_without_accounts_is_upgraded_at_once() {
    let home = Home::new(&[]);
    home.start().await.stop().await;
    let earlier = Earlier {
        home,
        url: None,
        backups: TempDir::new().unwrap(),
    };
    earlier.sql(TO_STEP_16).await;
    earlier.home.start().await.stop().await;
    assert!(earlier.step().await > 16);
    assert!(earlier.home.log().contains("nothing was to save"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_servers_that_start_at_once_one_saves_the_state() {
    let cluster = Cluster::shared();
    let url = cluster.url(&cluster.create());
    let earlier = Earlier::on(Some(url.clone())).await;
    let folder = earlier.backups.path().to_str().unwrap();
    let others = [0; 2].map(|_| Home::new(&[("DATABASE_URL", &url), ("MANA_BACKUP_DIR", folder)]));
    let (one, two, three) =
        tokio::join!(earlier.home.start(), others[0].start(), others[1].start());
    for server in [one, two, three] {
        assert_eq!(titles(&server).await, ["kept"]);
        server.stop().await;
    }
    let logs = [&earlier.home, &others[0], &others[1]].map(Home::log);
    let kept: usize = logs
        .iter()
        .map(|log| log.matches("is kept in").count())
        .sum();
    assert_eq!(kept, 1, "{logs:?}");
    assert_eq!(earlier.files(), [FILE]);
}
