//! The one way in and out of a log: accepts pushes, from devices and from the runner alike, serves pulls,
//! and tells whoever listens after the commit.

use std::sync::Arc;

use mana_core::{Micros, manifest::Registry};
use mana_store::{
    Cancelled, ChangesQuery, Claim, CursorCheck, KnownLog, Log, RunProgress, RunRequest, Scope,
    Store, UserId,
};
use tokio::sync::{Notify, broadcast};

mod accept;
mod attribution;
mod conflicts;
mod error;
mod first_client;
mod follow;
mod history;
mod hub;
mod join;
mod past;
mod push_body;
mod relay;
mod snapshot;
mod trash;
mod turns;
mod whole_lists;
mod wire;

use turns::Turns;

pub use accept::{AcceptPush, Origin, SCHEMA_VERSION};
pub use error::SyncError;
pub use follow::{Follow, Followed, Follower};
pub use history::{HistoryAnswer, HistoryEntry, HistoryParams};
pub use hub::{Hub, Notice, Subscription};
pub use join::{JoinAnswer, JoinBody};
pub use past::{ChangesSinceAnswer, ChangesSinceParams, PastChange, PastWrite};
pub use push_body::PushBody;
pub use trash::{ForgetAnswer, ForgetBody, REMOVED_KEPT};
pub use wire::{
    MAX_CHANGES, PullParams, PushAnswer, SnapshotAnswer, SnapshotParams, SnapshotRecord,
};

/// Rows scanned for one answer, and records in a page of a snapshot.
pub const PAGE: usize = 1000;

/// Pushes, pulls and notices over a store. Cheap to clone.
#[derive(Clone)]
pub struct Sync {
    /// Where changes are pushed to and read from.
    log: Arc<dyn Log>,
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    hub: Arc<Hub>,
    schedule: Arc<Notify>,
    cancelled: broadcast::Sender<(UserId, String)>,
    turns: Arc<Turns>,
}

/// Runs to be ended that wait for the runner. A runner that misses some hears of them when it prolongs its leases.
const CANCELLED_KEPT: usize = 256;

/// The part of a log that a pull asks for.
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
    /// The client that asks, to leave out what it pushed itself. None: everything.
    pub client_id: Option<String>,
    /// The client's knowledge of the log; none: its cursor is never refused.
    pub known: Option<KnownLog>,
}

/// The check of a cursor by a client that names the log, or doesn't.
pub(crate) fn check(known: Option<KnownLog>) -> CursorCheck {
    known.map_or(CursorCheck::Lenient, CursorCheck::Exact)
}

impl Sync {
    /// Syncs over this store, telling this hub.
    pub fn new(store: Arc<dyn Store>, registry: Arc<Registry>, hub: Arc<Hub>) -> Self {
        Self {
            log: store.clone(),
            store,
            registry,
            hub,
            schedule: Arc::new(Notify::new()),
            cancelled: broadcast::channel(CANCELLED_KEPT).0,
            turns: Arc::default(),
        }
    }

    /// Pushes to another log than the store's own, such as one that a test stops halfway.
    #[must_use]
    pub fn with_log(self, log: Arc<dyn Log>) -> Self {
        Self { log, ..self }
    }

    /// Where commits and runs are told.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Woken after a commit that set, moved or removed a due time, and after a request for a run. The
    /// runner is the only waiter.
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
            check: check(pull.known),
        };
        let page = self.read(scope, query, now).await?;
        Ok(PushAnswer::new(page, now))
    }

    /// Asks for a run and wakes the runner. Asking twice for a slot is asking once.
    pub async fn request_run(&self, scope: &Scope, request: RunRequest) -> Result<(), SyncError> {
        let iteration_id = request.iteration_id.clone();
        let queued = RunProgress::queued(&request.mission_id, &request.slot, iteration_id);
        self.store.enqueue_run(scope, request).await?;
        self.hub.publish(scope.owner(), Notice::Run(queued));
        self.schedule.notify_one();
        Ok(())
    }

    /// Takes back a run that waits, or has the one that is under way ended, wherever it is. False: there is none.
    pub async fn cancel_run(
        &self,
        scope: &Scope,
        mission_id: &str,
        slot: &str,
    ) -> Result<bool, SyncError> {
        let user = scope.owner();
        match self.store.cancel_run(scope, mission_id, slot).await? {
            Cancelled::Nothing => Ok(false),
            Cancelled::Waiting(progress) => {
                self.hub.publish(user, Notice::Run(progress));
                Ok(true)
            }
            Cancelled::Running => {
                // Nobody listens where no runner is.
                let _ = self.cancelled.send((user.clone(), mission_id.to_owned()));
                Ok(true)
            }
        }
    }

    /// Whose run of which mission is to end. For the runner.
    pub fn cancelled(&self) -> broadcast::Receiver<(UserId, String)> {
        self.cancelled.subscribe()
    }

    /// Tells everybody how far a run is.
    pub async fn run_progress(
        &self,
        claim: &Claim,
        progress: RunProgress,
    ) -> Result<(), SyncError> {
        let told = self.store.progress(claim, &progress).await;
        self.hub.publish(&claim.user, Notice::Run(progress));
        Ok(told?)
    }
}
