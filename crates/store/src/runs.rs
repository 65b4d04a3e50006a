//! Who plans which slot of which mission: requests, claims and fences. Ids and times, no content.

use mana_core::Micros;
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
}

impl Claim {
    /// What a push of this run's result must show.
    pub fn fence(&self) -> Fence {
        Fence {
            mission_id: self.mission_id.clone(),
            slot: self.slot.clone(),
            token: self.token,
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
}
