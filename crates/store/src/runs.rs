//! Runs of missions: requests, progress, cancellation, what a run said to the model, and the runs that ended.

use async_trait::async_trait;
use mana_core::{Micros, RecordState};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Claim, Result, Scope};

/// A run that somebody asked for.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The mission to plan.
    pub mission_id: String,
    /// The occurrence: `run:<uuid>`, or a due slot that a tab wants run with its own inputs.
    pub slot: String,
    /// The id that the iteration will have.
    pub iteration_id: String,
    /// Not to be claimed before.
    pub not_before: Micros,
    /// Inputs that the asking device has resolved itself.
    pub inputs: Option<Value>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunPhase {
    /// The run waits for the runner.
    Queued,
    /// The mission's inputs are read.
    Reading,
    /// A model is asked.
    Thinking,
    /// Its plan is written.
    Writing,
    /// Its iteration, or the record of why there is none, is in the log.
    Finished,
    /// The run failed; the reason is in the log.
    Failed,
    /// Its person cancelled it.
    Cancelled,
}

impl RunPhase {
    /// The phase as it is sent and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Reading => "reading",
            Self::Thinking => "thinking",
            Self::Writing => "writing",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Nothing comes after it.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Cancelled)
    }
}

/// A run that waits, is under way or has just ended. Ids and times, no content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunProgress {
    /// Which mission.
    pub mission_id: String,
    /// The iteration that it will be.
    pub iteration_id: String,
    /// Which occurrence.
    pub slot: String,
    /// How far it is.
    pub phase: RunPhase,
    /// Since when somebody is at it; none while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Micros>,
}

impl RunProgress {
    /// A run that waits.
    pub fn queued(mission_id: &str, slot: impl Into<String>, iteration_id: String) -> Self {
        Self {
            mission_id: mission_id.to_owned(),
            iteration_id,
            slot: slot.into(),
            phase: RunPhase::Queued,
            started_at: None,
        }
    }
}

/// The outcome of cancelling a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// Nothing runs or waits under that slot.
    Nothing,
    /// The run waited, and is gone.
    Waiting(RunProgress),
    /// The worker that holds the run is to end it.
    Running,
}

/// The calls to a model in one run, for its person to look into. Content.
#[derive(Debug, Clone, PartialEq)]
pub struct DebugRecord {
    /// The run's iteration.
    pub iteration_id: String,
    /// When the run ended.
    pub at: Micros,
    /// The calls.
    pub body: Value,
}

/// How many debug records a person keeps, and how many bytes of them: the newest that fit in both.
pub const DEBUG_KEPT: (usize, usize) = (50, 4 << 20);

/// How many runs of one person may wait.
pub const MOST_WAITING: usize = 200;

/// The verbs of runs, each one transaction.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Requests a run. A slot that is requested twice is requested once; inputs given first stay.
    /// [`TooManyRuns`](crate::StoreError::TooManyRuns) past [`MOST_WAITING`] that wait.
    async fn enqueue_run(&self, scope: &Scope, request: RunRequest) -> Result<()>;

    /// Returns the inputs that came with the request.
    async fn run_inputs(
        &self,
        scope: &Scope,
        mission_id: &str,
        slot: &str,
    ) -> Result<Option<Value>>;

    /// Tells the devices and the other processes how far a claimed run is. Lost in a crash.
    async fn progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()>;

    /// Returns the runs of a mission that wait or are under way, in any process.
    async fn running(&self, scope: &Scope, mission_id: &str) -> Result<Vec<RunProgress>>;

    /// Takes back a run that waits, or marks a run that is under way, for its worker to end it.
    async fn cancel_run(&self, scope: &Scope, mission_id: &str, slot: &str) -> Result<Cancelled>;

    /// Keeps a debug record, and the newest of its person up to [`DEBUG_KEPT`].
    async fn keep_debug(&self, scope: &Scope, record: DebugRecord) -> Result<()>;

    /// Returns the debug record of an iteration.
    async fn debug(&self, scope: &Scope, iteration_id: &str) -> Result<Option<DebugRecord>>;

    /// Returns the records of a mission's runs that are not deleted, newest first: by the text of `startedAt`, a run
    /// without it last, and by id.
    ///
    /// `before` is `(startedAt, id)` of the last run of the page before; `limit` is the most that a page holds.
    async fn runs_of_mission(
        &self,
        scope: &Scope,
        mission_id: &str,
        before: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<(String, RecordState)>>;

    /// Returns the records of a table that are not deleted, those that changed last first, `limit` at most.
    async fn newest_records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
        limit: u32,
    ) -> Result<Vec<(String, RecordState)>>;

    /// Returns the ids of a mission's run records beyond the newest `keep`, `limit` at most, in the order of
    /// [`Runs::runs_of_mission`].
    async fn surplus_runs(
        &self,
        scope: &Scope,
        mission_id: &str,
        keep: u32,
        limit: u32,
    ) -> Result<Vec<String>>;

    /// Returns the missions that are not deleted and have a step that nobody has decided yet, by id, `limit` at most.
    /// Missions whose steps are all decided are neither sent nor parsed.
    async fn missions_with_open_steps(
        &self,
        scope: &Scope,
        limit: u32,
    ) -> Result<Vec<(String, RecordState)>>;
}
