//! Missions: what a person wants done again and again, when it is due, and what became of each time. Rules:
//! `spec/MISSIONS.md`.

pub mod agent;
pub mod budget;
pub mod cadence;
mod check;
mod fields;
pub mod followup;
mod iteration;
mod record;
#[cfg(feature = "openapi")]
pub mod schema;
pub mod slot;
mod status;
mod tables;

pub use crate::problem::Problem;
pub use agent::{Agent, EffectiveAgent, MissionSettings};
pub use budget::Budget;
pub use cadence::Cadence;
pub use check::check_mission;
pub(crate) use fields::objects;
pub use followup::{ScheduleRow, follow_up, jitter, passed, schedule_row};
pub use iteration::{AiRun, Intent, Iteration, RunError, RunStatus, Step, StepDecision};
pub use record::{Input, Mission, MissionState};
pub use status::StepStatus;
pub use tables::{AGENTS, APP, MISSIONS, RUNS, SETTINGS};

#[cfg(test)]
mod tests;
