//! The server and the devices of the tests.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use mana_core::sync::{PushAnswer, PushRequest, Refusal, SnapshotPage, TransportError};
use mana_core::{Map, Micros, Op, RecordKey, manifest::Registry};
use mana_device::{Env, MemoryStorage, Replica, SqliteStorage, Storage, Transport, Write};
use mana_store::{Maintenance as _, Scope, SqliteStore, UserId};
use mana_sync::{AcceptPush, Hub, Origin, SnapshotParams, Sync};
use serde_json::{Value, json};
use tempfile::TempDir;

/// 2026-03-02, a Monday, 06:00 UTC.
pub const NOW: Micros = Micros(1_772_431_200_000_000);

/// A server in this process.
pub struct Server {
    sync: Sync,
    store: Arc<SqliteStore>,
    pub now: AtomicI64,
    pub online: Mutex<bool>,
    /// The answer to the next push is lost, after the push was stored.
    pub loses_answer: Mutex<bool>,
    /// Changes in a push at most; a larger push is answered with 413.
    pub most: AtomicUsize,
    pub pushes: Mutex<Vec<usize>>,
    pub snapshots: AtomicUsize,
}

impl Server {
    pub async fn new() -> Server {
        let registry = Arc::new(Registry::builtin());
        let store = SqliteStore::memory(registry.clone()).await.unwrap();
        Server {
            sync: Sync::new(store.clone(), registry, Hub::new()),
            store,
            now: AtomicI64::new(NOW.0),
            online: Mutex::new(true),
            loses_answer: Mutex::default(),
            most: AtomicUsize::new(usize::MAX),
            pushes: Mutex::default(),
            snapshots: AtomicUsize::default(),
        }
    }

    pub fn scope(&self) -> Scope {
        Scope::own(&UserId("me".into()))
    }

    /// The runner writes a mission that has a plan.
    pub async fn plans(&self, mission: &str, data: Value) {
        let change = json!({ "table": "aiMissions", "id": mission, "op": "insert", "data": data });
        let accept = AcceptPush {
            client_id: "runner".into(),
            app: Some("ai".into()),
            changes: vec![change],
            since: String::new(),
            schema_version: None,
            fence: None,
            origin: Origin::Runner,
        };
        let accepted = self.sync.accept(&self.scope(), accept, self.now()).await;
        accepted.unwrap();
    }

    pub async fn compact(&self) {
        let all = Micros(self.now.load(Ordering::SeqCst) + 1);
        self.store.compact(&self.scope(), all).await.unwrap();
    }

    fn now(&self) -> Micros {
        Micros(self.now.fetch_add(1_000, Ordering::SeqCst))
    }

    fn reach(&self) -> Result<(), TransportError> {
        match *self.online.lock().unwrap() {
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
            client_id: push.client_id.clone(),
            app: None,
            changes: push.changes.iter().map(|change| json!(change)).collect(),
            since: push.since.clone(),
            schema_version: Some(push.schema_version),
            fence: None,
            origin: Origin::Device,
        };
        let answer = self.sync.accept(&self.scope(), accept, self.now()).await;
        let answer = answer.map_err(|error| {
            let mut refusal = Refusal::new(error.status(), error.code(), error.to_string());
            refusal.details = error.details().unwrap_or_default();
            TransportError::Refused(refusal)
        })?;
        if std::mem::take(&mut *self.loses_answer.lock().unwrap()) {
            return Err(TransportError::Offline("the connection broke".into()));
        }
        Ok(serde_json::from_value(json!(answer)).unwrap())
    }

    async fn snapshot(&self, after: &str) -> Result<SnapshotPage, TransportError> {
        self.reach()?;
        self.snapshots.fetch_add(1, Ordering::SeqCst);
        let params = SnapshotParams {
            after: after.to_owned(),
            limit: Some(2),
        };
        let page = self
            .sync
            .snapshot(&self.scope(), None, params, self.now())
            .await;
        Ok(serde_json::from_value(json!(page.unwrap())).unwrap())
    }
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
