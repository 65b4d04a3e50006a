//! The one way in and out of a log: accepts pushes, from devices and from the runner alike, serves pulls,
//! and tells whoever listens after the commit.

use std::sync::Arc;

use mana_core::{Micros, manifest::Registry};
use mana_store::{ChangesQuery, RunRequest, Scope, Store};
use tokio::sync::Notify;

mod accept;
mod error;
mod follow;
mod hub;
mod relay;
mod snapshot;
mod wire;

pub use accept::{AcceptPush, Origin, SCHEMA_VERSION};
pub use error::SyncError;
pub use follow::{Follow, Followed, Follower};
pub use hub::{Hub, Notice, RunPhase, Subscription};
pub use wire::{PullParams, PushAnswer, PushBody, SnapshotAnswer, SnapshotParams, SnapshotRecord};

/// Rows scanned for one answer, and records in a page of a snapshot.
pub const PAGE: usize = 1000;

/// Pushes, pulls and notices over a store. Cheap to clone.
#[derive(Clone)]
pub struct Sync {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    hub: Arc<Hub>,
    schedule: Arc<Notify>,
}

/// What a pull asks for.
#[derive(Debug, Clone, Default)]
pub struct Pull {
    /// The app; none for all.
    pub app: Option<String>,
    /// The tables; empty for all.
    pub tables: Vec<String>,
    /// The cursor; empty for the beginning.
    pub since: String,
    /// How many rows to scan, [`PAGE`] at most and by default.
    pub limit: Option<usize>,
    /// Who asks, to leave out what it pushed itself. None: everything.
    pub client_id: Option<String>,
}

impl Sync {
    /// Syncs over this store, telling this hub.
    pub fn new(store: Arc<dyn Store>, registry: Arc<Registry>, hub: Arc<Hub>) -> Self {
        Self {
            store,
            registry,
            hub,
            schedule: Arc::new(Notify::new()),
        }
    }

    /// Where commits and runs are told.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Woken after a commit that set, moved or removed a due time, and after a request for a run. One waiter:
    /// the runner.
    pub fn schedule_changed(&self) -> &Arc<Notify> {
        &self.schedule
    }

    /// Reads a log on from a cursor.
    pub async fn pull(
        &self,
        scope: &Scope,
        pull: Pull,
        now: Micros,
    ) -> Result<PushAnswer, SyncError> {
        let since = pull.since.parse().map_err(SyncError::InvalidCursor)?;
        let query = ChangesQuery {
            app: pull.app,
            tables: pull.tables,
            since,
            limit: pull.limit.unwrap_or(PAGE).clamp(1, PAGE),
            not_from: pull.client_id,
        };
        let page = self.store.changes(scope, query).await?;
        Ok(PushAnswer::new(page, now))
    }

    /// Asks for a run and wakes the runner. Asking twice for a slot is asking once.
    pub async fn request_run(&self, scope: &Scope, request: RunRequest) -> Result<(), SyncError> {
        self.store.enqueue_run(scope, request).await?;
        self.schedule.notify_one();
        Ok(())
    }
}
