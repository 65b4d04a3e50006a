//! Which mission is due when, and who is planning it: claims with a lease, and the fence of a result. No content.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use mana_core::{Micros, RecordKey, RecordState, Stamp, mission, mission::ScheduleRow};

use crate::{Result, UserId};

/// Which runs a worker takes.
#[derive(Debug, Clone)]
pub struct Take {
    /// The worker that takes them.
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
    /// How often this slot was tried before and postponed.
    pub tries: u32,
    /// When it was due.
    pub due_at: Micros,
    /// Somebody asked for it, rather than the schedule alone.
    pub requested: bool,
    /// Its person cancelled it while somebody held it who is gone.
    pub cancelled: bool,
}

/// The state of a lease that was to be prolonged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// The lease lasts on.
    Held,
    /// The lease lasts on, and its person doesn't want the run any more.
    Cancelled,
    /// The lease is gone, or another worker's.
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

impl Claim {
    /// The fence that a push of this run's result must show.
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

/// The verbs of the schedule, each one transaction.
#[async_trait]
pub trait Schedule: Send + Sync {
    /// Returns when the next run can be claimed: a due time, a request, or the end of a lease.
    async fn next_wake(&self) -> Result<Option<Micros>>;

    /// Returns when the next request can be claimed: its time, or the end of the lease that keeps it waiting.
    async fn next_requested_wake(&self) -> Result<Option<Micros>>;

    /// Claims what is due and not held by a live lease, one slot a mission: requested runs before due ones. People
    /// take turns: everybody's first run comes before anybody's second, those under way counted; within a turn the
    /// run that has been due longest comes first.
    async fn claim_due(&self, take: &Take) -> Result<Vec<Claim>>;

    /// Returns the missions that are scheduled later than `at`, by person and id, after the given one; `limit` at most.
    async fn scheduled_beyond(
        &self,
        at: Micros,
        after: Option<(UserId, String)>,
        limit: u32,
    ) -> Result<Vec<(UserId, String)>>;

    /// Prolongs the lease.
    async fn renew(&self, claim: &Claim, lease_until: Micros) -> Result<Lease>;

    /// Gives the slot back untried, for any worker to claim at once. Nothing happens if the claim is lost.
    async fn release(&self, claim: &Claim) -> Result<()>;

    /// Gives the slot back after a try, with its request, for any worker to claim at `until`; before that only a new
    /// request does. Nothing happens if the claim is lost.
    async fn postpone(&self, claim: &Claim, until: Micros) -> Result<()>;

    /// Frees every claim, the attempt counted: at the start of the only process there is.
    async fn release_all(&self) -> Result<u64>;

    /// Ends a claim and its request with nothing written, because nothing is to be done.
    async fn drop_run(&self, claim: &Claim) -> Result<()>;

    /// The same for a claim that the schedule made and the mission's record does not call for: the schedule's row
    /// becomes `due`, or ends. A row that has changed since the claim stays.
    async fn correct_schedule(&self, claim: &Claim, due: Option<&ScheduleRow>) -> Result<()>;
}
