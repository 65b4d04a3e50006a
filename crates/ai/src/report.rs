//! What a tick did.

use mana_core::Micros;
use serde::Serialize;

/// The answer of `POST /internal/tick`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TickReport {
    /// When the tick looked at the schedule.
    pub scanned_at: Micros,
    /// Runs that were claimed.
    pub due_mission_count: usize,
    /// Models that gave a plan.
    pub plans_produced: usize,
    /// Plans that are in the log.
    pub plans_written_back: usize,
    /// Answers that were no plan, repair round included.
    pub parse_failures: usize,
    /// Occurrences that were skipped, and runs with nothing left to do.
    pub skipped: usize,
    /// What went wrong, without content: codes and mission ids.
    pub errors: Vec<String>,
}

impl TickReport {
    /// The answer of a tick during another one.
    pub(crate) fn overlapping(now: Micros) -> Self {
        Self {
            scanned_at: now,
            errors: vec!["overlap-skipped".to_owned()],
            ..Self::default()
        }
    }

    /// Adds runs that ended, in a panic too.
    pub(crate) fn extend<E>(&mut self, ended: impl IntoIterator<Item = Result<Outcome, E>>) {
        for run in ended {
            match run {
                Ok(outcome) => self.add(outcome),
                Err(_) => {
                    let message = "panic: a run ended unexpectedly";
                    self.errors.push(message.to_owned());
                }
            }
        }
    }

    fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Planned => {
                self.plans_produced += 1;
                self.plans_written_back += 1;
            }
            Outcome::Failed {
                code,
                mission_id,
                answered,
            } => {
                self.parse_failures += usize::from(answered);
                self.errors.push(format!("{code}: mission {mission_id}"));
            }
            Outcome::Skipped | Outcome::Cancelled | Outcome::Nothing => self.skipped += 1,
            Outcome::Unwritten {
                code,
                mission_id,
                planned,
            } => {
                self.plans_produced += usize::from(planned);
                self.errors.push(format!("{code}: mission {mission_id}"));
            }
            Outcome::Released => {}
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A plan is in the log.
    Planned,
    /// A failed iteration is in the log.
    Failed {
        code: String,
        mission_id: String,
        /// The model answered, but not with a plan.
        answered: bool,
    },
    /// A record of why it did not run is in the log.
    Skipped,
    /// Its person cancelled it; a record says so.
    Cancelled,
    /// There was nothing to do: the mission is gone, or the slot is planned already.
    Nothing,
    /// Nothing is in the log; the slot is tried again when the lease ends, or by who took it over.
    Unwritten {
        code: String,
        mission_id: String,
        planned: bool,
    },
    /// The server stops; the slot was given back.
    Released,
}
