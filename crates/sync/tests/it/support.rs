//! Helpers of the tests.

use std::sync::Arc;

use mana_core::{Micros, manifest::Registry};
use mana_store::{ChangesQuery, Log as _, LoggedChange, Scope, SqliteStore, UserId};
use mana_sync::{AcceptPush, Hub, Origin, PushAnswer, Sync, SyncError};
use serde_json::{Value, json};

/// 2026-03-02, a Monday, 06:00 UTC.
pub const NOW: Micros = Micros(1_772_431_200_000_000);

pub fn after(seconds: i64) -> Micros {
    NOW.plus(seconds * 1_000_000)
}

pub fn me() -> Scope {
    Scope::own(&UserId("me".into()))
}

pub struct Rig {
    pub store: Arc<SqliteStore>,
    pub sync: Sync,
}

impl Rig {
    pub async fn new() -> Self {
        let registry = Arc::new(Registry::builtin());
        let store = SqliteStore::memory(registry.clone())
            .await
            .expect("a store in memory opens");
        Self {
            sync: Sync::new(store.clone(), registry, Hub::new()),
            store,
        }
    }

    /// Pushes what is given and nothing else from this client.
    pub async fn push(&self, client: &str, changes: Value) -> Result<PushAnswer, SyncError> {
        self.sync.accept(&me(), push(client, changes), NOW).await
    }

    pub async fn log(&self) -> Vec<LoggedChange> {
        let all = ChangesQuery {
            limit: 100_000,
            ..ChangesQuery::default()
        };
        self.store
            .changes(&me(), all)
            .await
            .expect("the log is readable")
            .changes
    }
}

/// A device's push to `/sync/todo` from the beginning.
pub fn push(client: &str, changes: Value) -> AcceptPush {
    let changes = changes.as_array().expect("changes are an array").clone();
    AcceptPush {
        app: Some("todo".into()),
        schema_version: Some(1),
        ..AcceptPush::new(Origin::Device, client, changes)
    }
}

pub fn task(id: &str) -> Value {
    json!({"eventId": format!("event of {id}"), "table": "tasks", "id": id, "op": "insert", "data": {"title": id},
        "at": NOW, "actor": {"kind": "user"}})
}

/// Ids of the records that an answer brings.
pub fn brought(answer: &PushAnswer) -> Vec<&str> {
    answer
        .server_changes
        .iter()
        .map(|change| change.id.as_str())
        .collect()
}
