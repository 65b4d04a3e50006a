//! Who plans which slot of which mission: requests, claims and fences. Ids and times, no content.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mana_core::{Micros, RecordKey, RecordState, Stamp, mission};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::UserId;

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

/// Which runs a worker takes.
#[derive(Debug, Clone)]
pub struct Take {
    /// Who takes them.
    pub worker: String,
    /// The time.
    pub now: Micros,
    /// How long they are held without being renewed.
    pub lease_until: Micros,
    /// How many at most.
    pub limit: usize,
    /// How many of one person's may be under way, those included that are already. Several processes that take in
    /// the same instant may pass it by what each of them takes.
    pub per_user: usize,
    /// Only what somebody asked for.
    pub requested_only: bool,
}

/// The right to plan one slot, for as long as the lease lasts and nobody takes it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose mission.
    pub user: UserId,
    /// Which mission.
    pub mission_id: String,
    /// Which occurrence.
    pub slot: String,
    /// Greater than that of any earlier claim.
    pub token: i64,
    /// How often this slot has been claimed, this time included.
    pub attempts: u32,
    /// When it was due.
    pub due_at: Micros,
    /// Somebody asked for it, rather than the schedule alone.
    pub requested: bool,
    /// Its person cancelled it while somebody held it who is gone.
    pub cancelled: bool,
}

/// What became of a lease that was to be prolonged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It lasts on.
    Held,
    /// It lasts on, and its person doesn't want the run any more.
    Cancelled,
    /// It is gone, or another's.
    Lost,
}

impl Lease {
    /// Of a claim's row: whether it is cancelled, if it is held at all.
    pub(crate) fn of(cancelled: Option<bool>) -> Self {
        match cancelled {
            None => Self::Lost,
            Some(false) => Self::Held,
            Some(true) => Self::Cancelled,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunPhase {
    /// It waits for the runner.
    Queued,
    /// What the mission links is read.
    Reading,
    /// A model is asked.
    Thinking,
    /// Its plan is written.
    Writing,
    /// Its iteration, or the record of why there is none, is in the log.
    Finished,
    /// It failed; the reason is in the log.
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

/// What cancelling a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// Nothing runs or waits under that slot.
    Nothing,
    /// It waited, and is gone.
    Waiting(RunProgress),
    /// Whoever holds it is to end it.
    Running,
}

/// What went to a model and came back in one run, for its person to look into. Content.
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

impl Claim {
    /// What a push of this run's result must show.
    pub fn fence(&self) -> Fence {
        Fence {
            mission_id: self.mission_id.clone(),
            slot: self.slot.clone(),
            token: self.token,
            seen: None,
        }
    }
}

/// Guards a push: it is refused if the claim is not held, and ends the claim and its request if it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// Which mission.
    pub mission_id: String,
    /// Which occurrence.
    pub slot: String,
    /// The claim's token.
    pub token: i64,
    /// The stamps of the mission's record that the result was made from. If others are stored by now, the push is
    /// refused with [`Moved`](crate::StoreError::Moved), or it could win over what a person wrote meanwhile.
    pub seen: Option<BTreeMap<String, Stamp>>,
}

impl Fence {
    /// The same fence for a result that was made from this record of the mission.
    #[must_use]
    pub fn having_seen(mut self, state: &RecordState) -> Self {
        self.seen = Some(state.meta.clone());
        self
    }

    /// The records to compare before the push is taken.
    pub(crate) fn keys(&self) -> BTreeSet<RecordKey> {
        let mission = RecordKey::new(mission::APP, mission::MISSIONS, &self.mission_id);
        self.seen.iter().map(|_| mission.clone()).collect()
    }

    /// Whether the mission is still as it was.
    pub(crate) fn saw(&self, states: &HashMap<RecordKey, RecordState>) -> bool {
        let stored = states.values().next().map(|state| &state.meta);
        self.seen.is_none() || self.seen.as_ref() == stored
    }
}
