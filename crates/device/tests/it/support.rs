//! The server and the devices of the tests.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use mana_core::sync::{
    JoinRequest, PushAnswer, PushRequest, Refusal, SnapshotPage, SnapshotRequest, TransportError,
};
use mana_core::{Map, Micros, Op, RecordKey, manifest::Registry};
use mana_device::{Env, MemoryStorage, Replica, SqliteStorage, Storage, Transport, Write};
use mana_store::{
    Cursor, KnownLog, LogPage, Maintenance, PostgresOptions, PostgresStore, Role, Scope,
    SqliteStore, Store, User, UserId,
};
use mana_sync::{AcceptPush, Hub, JoinBody, Origin, Pull, SnapshotParams, Sync, SyncError};
use mana_test_postgres::Cluster;
use serde_json::{Value, json};
use tempfile::TempDir;

/// 2026-03-02, a Monday, 06:00 UTC.
pub const NOW: Micros = Micros(1_772_431_200_000_000);

/// A store that its operator looks after.
pub trait Kept: Store + Maintenance {}
impl<T: Store + Maintenance> Kept for T {}

/// The database of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// SQLite in memory.
    Sqlite,
    /// A new database of the tests' Postgres.
    Postgres,
}

impl Database {
    /// Both of them.
    pub const ALL: [Database; 2] = [Database::Sqlite, Database::Postgres];

    /// An empty store.
    pub async fn open(self) -> Arc<dyn Kept> {
        let registry = Arc::new(Registry::builtin());
        match self {
            Database::Sqlite => SqliteStore::memory(registry).await.unwrap(),
            Database::Postgres => {
                let url = Cluster::shared().url(&Cluster::shared().create());
                let options = PostgresOptions {
                    wait: Duration::from_secs(60),
                    ..PostgresOptions::default()
                };
                PostgresStore::open(&url, registry, options).await.unwrap()
            }
        }
    }
}

/// A server in this process.
pub struct Server {
    sync: Sync,
    pub database: Database,
    store: Arc<dyn Kept>,
    /// The person whose devices it serves.
    user: UserId,
    pub now: AtomicI64,
    pub online: Mutex<bool>,
    /// Requests that still arrive.
    pub requests_left: AtomicUsize,
    /// The answer to the next push is lost, after the push was stored.
    pub loses_answer: Mutex<bool>,
    /// Changes in a push at most; a larger push is answered with 413.
    pub most: AtomicUsize,
    pub pushes: Mutex<Vec<usize>>,
    pub snapshots: AtomicUsize,
    /// States in each request that gave some back.
    pub joins: Mutex<Vec<usize>>,
}

impl Server {
    /// On SQLite.
    pub async fn new() -> Server {
        Server::on(Database::Sqlite).await
    }

    pub async fn on(database: Database) -> Server {
        Server::over(database, database.open().await, "me")
    }

    /// Over a store that may hold other people's logs.
    pub fn over(database: Database, store: Arc<dyn Kept>, user: &str) -> Server {
        Server {
            sync: sync(store.clone()),
            database,
            store,
            user: UserId(user.into()),
            now: AtomicI64::new(NOW.0),
            online: Mutex::new(true),
            requests_left: AtomicUsize::new(usize::MAX),
            loses_answer: Mutex::default(),
            most: AtomicUsize::new(usize::MAX),
            pushes: Mutex::default(),
            snapshots: AtomicUsize::default(),
            joins: Mutex::default(),
        }
    }

    /// A copy of the log.
    pub async fn backup(&self) -> LogPage {
        let (scope, all) = (self.scope(), 10_000);
        let page = self.store.export(&scope, Cursor::BEGINNING, all).await;
        page.unwrap()
    }

    /// The database becomes the copy, as where a file is put back underneath.
    pub async fn put_back(&mut self, backup: &LogPage) {
        self.store = self.database.open().await;
        self.sync = sync(self.store.clone());
        let account = User {
            id: self.user.clone(),
            email: "me@example.org".into(),
            name: String::new(),
            password_hash: String::new(),
            timezone: "UTC".into(),
            locale: "en".into(),
            role: Role::Owner,
            created_at: NOW,
            locked_at: None,
            limits: None,
        };
        let rows = stream::iter(backup.rows.clone()).map(Ok).boxed();
        let epoch = Some(backup.epoch.clone());
        let imported = self.store.import(account, backup.floor, epoch, rows);
        imported.await.unwrap();
        // The server was away for a while.
        self.now.fetch_add(60_000_000, Ordering::SeqCst);
    }

    /// The operator says that the database was put back.
    pub async fn begin_epoch(&self, discard_newer: bool) {
        let (scope, now) = (self.scope(), self.now());
        let begun = self.store.begin_epoch(&scope, now, discard_newer).await;
        begun.unwrap();
    }

    /// The number of rows of the log.
    pub async fn rows(&self) -> usize {
        self.backup().await.rows.len()
    }

    /// The titles of the server's tasks that are not deleted.
    pub async fn titles(&self) -> Vec<Value> {
        let tasks = self.store.records(&self.scope(), "todo", "tasks").await;
        let tasks = tasks.unwrap().into_iter();
        let there = tasks.filter(|(_, state)| !state.is_deleted());
        there
            .map(|(_, state)| state.data["title"].clone())
            .collect()
    }

    pub fn scope(&self) -> Scope {
        Scope::own(&self.user)
    }

    /// The runner writes a mission that has a plan.
    pub async fn plans(&self, mission: &str, data: Value) {
        let change = json!({ "table": "aiMissions", "id": mission, "op": "insert", "data": data });
        let accept = AcceptPush {
            app: Some("ai".into()),
            ..AcceptPush::new(Origin::Runner, "runner", vec![change])
        };
        let accepted = self.sync.accept(&self.scope(), accept, self.now()).await;
        accepted.unwrap();
    }

    /// Does as `POST /sync/{app}`.
    pub async fn first_client_push(&self, app: &str, client: &str, body: &Value) -> Value {
        let accept = AcceptPush {
            app: Some(app.into()),
            since: body["since"].as_str().unwrap().into(),
            ..AcceptPush::new(
                Origin::Device,
                client,
                body["changes"].as_array().unwrap().clone(),
            )
        };
        let answer = self.sync.accept(&self.scope(), accept, self.now()).await;
        let answer = answer.unwrap();
        let served = self.sync.for_first_client(&self.scope(), answer).await;
        json!(served.unwrap())
    }

    /// Does as `GET /sync/{app}/pull`.
    pub async fn first_client_pull(
        &self,
        app: &str,
        client: &str,
        table: &str,
        since: &str,
    ) -> Value {
        let pull = Pull {
            app: Some(app.into()),
            tables: vec![table.into()],
            since: since.into(),
            limit: Some(7),
            client_id: Some(client.into()),
            known: None,
        };
        let answer = self.sync.pull(&self.scope(), pull, self.now()).await;
        let answer = answer.unwrap();
        let served = self.sync.for_first_client(&self.scope(), answer).await;
        json!(served.unwrap())
    }

    /// Another client pushes a change of the tasks.
    pub async fn pushed(&self, change: Value) {
        let accept = AcceptPush {
            app: Some("todo".into()),
            ..AcceptPush::new(Origin::Device, "another", vec![change])
        };
        let accepted = self.sync.accept(&self.scope(), accept, self.now()).await;
        accepted.unwrap();
    }

    /// The runner adds an iteration to a mission.
    pub async fn runs(&self, mission: &str, iteration: Value) {
        let fields = json!({ "iterations": { "value": [iteration] } });
        let actor = json!({ "kind": "system", "source": "mission-runner" });
        let change = json!({ "table": "aiMissions", "id": mission, "op": "update", "fields": fields, "actor": actor });
        let accept = AcceptPush {
            app: Some("ai".into()),
            ..AcceptPush::new(Origin::Runner, "mana-runner", vec![change])
        };
        let accepted = self.sync.accept(&self.scope(), accept, self.now()).await;
        accepted.unwrap();
    }

    /// Takes a removed task away for good; with `rows`, what the log said of it too.
    pub async fn forgets(&self, id: &str, rows: bool) {
        let key = RecordKey::new("todo", "tasks", id);
        let answer = self.sync.forget(&self.scope(), vec![key], self.now()).await;
        assert_eq!(answer.unwrap().forgotten.len(), 1);
        if rows {
            self.store.drop_forgotten(&self.scope()).await.unwrap();
        }
    }

    pub async fn compact(&self) {
        let all = Micros(self.now.load(Ordering::SeqCst) + 1);
        self.store.compact(&self.scope(), all).await.unwrap();
    }

    pub fn now(&self) -> Micros {
        Micros(self.now.fetch_add(1_000, Ordering::SeqCst))
    }

    fn reach(&self) -> Result<(), TransportError> {
        let one_less = |left: usize| left.checked_sub(1);
        let left = (self.requests_left).fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        match *self.online.lock().unwrap() && left.is_ok() {
            true => Ok(()),
            false => Err(TransportError::Offline("there is no network".into())),
        }
    }
}

#[async_trait]
impl Transport for Server {
    async fn push(&self, push: &PushRequest) -> Result<PushAnswer, TransportError> {
        self.reach()?;
        self.pushes.lock().unwrap().push(push.changes.len());
        if push.changes.len() > self.most.load(Ordering::SeqCst) {
            return Err(TransportError::Refused(Refusal::new(
                413,
                "too_large",
                "Too large.",
            )));
        }
        let accept = AcceptPush {
            since: push.since.clone(),
            schema_version: Some(push.schema_version),
            known: Some(KnownLog {
                epoch: push.log_epoch.clone(),
                end: push.log_end.parse().unwrap(),
            }),
            ..AcceptPush::new(
                Origin::Device,
                push.client_id.clone(),
                push.changes.iter().map(|change| json!(change)).collect(),
            )
        };
        let answer = self.sync.accept(&self.scope(), accept, self.now()).await;
        let answer = answer.map_err(|error| refused(&error))?;
        if std::mem::take(&mut *self.loses_answer.lock().unwrap()) {
            return Err(TransportError::Offline("the connection broke".into()));
        }
        Ok(serde_json::from_value(json!(answer)).unwrap())
    }

    async fn join(&self, request: &JoinRequest) -> Result<String, TransportError> {
        self.reach()?;
        let body = JoinBody {
            client_id: None,
            log_epoch: request.log_epoch.clone(),
            records: request.records.iter().map(|record| json!(record)).collect(),
            ..JoinBody::default()
        };
        self.joins.lock().unwrap().push(body.records.len());
        let client = request.client_id.clone();
        let joined = self
            .sync
            .join(&self.scope(), client, body, self.now())
            .await;
        let joined = joined.map_err(|error| refused(&error))?;
        Ok(joined.log_end.to_string())
    }

    async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError> {
        self.reach()?;
        self.snapshots.fetch_add(1, Ordering::SeqCst);
        let params = SnapshotParams {
            after: request.after.clone(),
            limit: Some(2),
            log_epoch: Some(request.log_epoch.clone()),
            log_end: request.log_end.clone(),
            lost_end: request.lost_end.clone(),
        };
        let page = self
            .sync
            .snapshot(&self.scope(), None, params, self.now())
            .await;
        let page = page.map_err(|error| refused(&error))?;
        Ok(serde_json::from_value(json!(page)).unwrap())
    }
}

fn sync(store: Arc<dyn Kept>) -> Sync {
    Sync::new(store, Arc::new(Registry::builtin()), Hub::new())
}

fn refused(error: &SyncError) -> TransportError {
    let mut refusal = Refusal::new(error.status(), error.code(), error.to_string());
    refusal.details = error.details().unwrap_or_default();
    TransportError::Refused(refusal)
}

/// A device with a clock of its own.
pub struct Device {
    pub replica: Replica,
    pub storage: Arc<dyn Storage>,
    _dir: Option<TempDir>,
}

impl Device {
    /// In memory, its clock so many seconds ahead.
    pub async fn memory(ahead_s: i64) -> Device {
        Device::over(Arc::new(MemoryStorage::default()), ahead_s, None).await
    }

    /// In a file.
    pub async fn sqlite() -> Device {
        let dir = TempDir::new().unwrap();
        let storage = SqliteStorage::open(&dir.path().join("replica.db"))
            .await
            .unwrap();
        Device::over(Arc::new(storage), 0, Some(dir)).await
    }

    async fn over(storage: Arc<dyn Storage>, ahead_s: i64, dir: Option<TempDir>) -> Device {
        let clock = AtomicI64::new(NOW.0 + ahead_s * 1_000_000);
        let env = Env {
            now: Arc::new(move || Micros(clock.fetch_add(1_000, Ordering::SeqCst))),
            ..Env::system()
        };
        let registry = Arc::new(Registry::builtin());
        let replica = Replica::open(storage.clone(), registry, "me", env)
            .await
            .unwrap();
        Device {
            replica,
            storage,
            _dir: dir,
        }
    }

    pub async fn add(&self, id: &str, title: &str) -> String {
        self.write(task(Op::Insert, id, json!({ "title": title })))
            .await
    }

    pub async fn set(&self, id: &str, title: &str) -> String {
        self.write(task(Op::Update, id, json!({ "title": title })))
            .await
    }

    /// Answers the change's event id.
    pub async fn write(&self, write: Write) -> String {
        let changes = self.replica.write(vec![write]).await.unwrap();
        changes[0].event_id.clone().unwrap()
    }

    pub async fn title(&self, id: &str) -> Value {
        let key = RecordKey::new("todo", "tasks", id);
        let record = self.replica.record(&key).await.unwrap();
        record
            .map(|state| state.data["title"].clone())
            .unwrap_or_default()
    }

    /// Everything that it holds of the tasks, as text.
    pub async fn tasks(&self) -> String {
        json!(self.replica.records("todo", "tasks").await.unwrap()).to_string()
    }

    pub async fn waiting(&self) -> usize {
        self.replica.status().await.unwrap().waiting
    }
}

pub fn task(op: Op, id: &str, set: Value) -> Write {
    let set: Map = serde_json::from_value(set).unwrap();
    Write {
        key: RecordKey::new("todo", "tasks", id),
        op,
        set,
    }
}
