//! The report of a tick, and the outcome of a run.

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
    /// Runs whose model gave a plan.
    pub plans_produced: usize,
    /// Plans that are in the log.
    pub plans_written_back: usize,
    /// Answers that were no plan, repair round included.
    pub parse_failures: usize,
    /// Occurrences that were skipped, and runs with nothing left to do.
    pub skipped: usize,
    /// Errors without content: codes and mission ids.
    pub errors: Vec<String>,
}

impl TickReport {
    /// The report of a tick during another tick.
    pub(crate) fn overlapping(now: Micros) -> Self {
        Self {
            scanned_at: now,
            errors: vec!["overlap-skipped".to_owned()],
            ..Self::default()
        }
    }

    /// Adds ended runs. An error is a run that ended in a panic.
    pub(crate) fn extend<E>(&mut self, ended: impl IntoIterator<Item = Result<RunOutcome, E>>) {
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

    fn add(&mut self, outcome: RunOutcome) {
        match outcome {
            RunOutcome::Planned => {
                self.plans_produced += 1;
                self.plans_written_back += 1;
            }
            RunOutcome::Failed {
                code,
                mission_id,
                answered,
            } => {
                self.parse_failures += usize::from(answered);
                self.errors.push(format!("{code}: mission {mission_id}"));
            }
            RunOutcome::Postponed { code, mission_id } => {
                self.errors.push(format!("{code}: mission {mission_id}"));
            }
            RunOutcome::Skipped | RunOutcome::Cancelled | RunOutcome::Nothing => self.skipped += 1,
            RunOutcome::Unwritten {
                code,
                mission_id,
                planned,
            } => {
                self.plans_produced += usize::from(planned);
                self.errors.push(format!("{code}: mission {mission_id}"));
            }
            RunOutcome::Released => {}
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunOutcome {
    /// A plan is in the log.
    Planned,
    /// A failed iteration is in the log.
    Failed {
        code: String,
        mission_id: String,
        /// The model answered, but not with a plan.
        answered: bool,
    },
    /// The model could not be asked, once more. The log tells of the first time, and the run is tried again.
    Postponed { code: String, mission_id: String },
    /// A record that says why the occurrence did not run is in the log.
    Skipped,
    /// The run's person cancelled it, and a record says so.
    Cancelled,
    /// Nothing to do: the mission is gone, or the slot is planned already.
    Nothing,
    /// Nothing is in the log. The slot is tried again when the lease ends, or by the worker that took it over.
    Unwritten {
        code: String,
        mission_id: String,
        planned: bool,
    },
    /// The server stops, and the slot was given back.
    Released,
}
