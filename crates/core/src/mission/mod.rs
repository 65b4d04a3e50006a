//! Missions: what a person wants done again and again, when it is due, and what became of each time. Rules:
//! `spec/MISSIONS.md`.

pub mod agent;
pub mod budget;
pub mod cadence;
mod check;
mod fields;
pub mod followup;
mod iteration;
pub mod lessons;
mod record;
#[cfg(feature = "openapi")]
pub mod schema;
mod shrink;
pub mod slot;
mod status;
mod tables;

pub use crate::problem::Problem;
pub use agent::{Agent, EffectiveAgent, MissionSettings};
pub use budget::Budget;
pub use cadence::Cadence;
pub use check::check_mission;
pub(crate) use fields::objects;
pub use followup::{ScheduleRow, beyond_next, follow_up, jitter, passed, schedule_row};
pub use iteration::{AiRun, Intent, Iteration, RunError, RunStatus, Step, StepDecision};
pub use lessons::{Lesson, LessonKind};
pub use record::{Input, Mission, MissionState, Overlap};
pub use shrink::{DroppedBodies, drop_bodies};
pub use status::StepStatus;
pub use tables::{AGENTS, APP, CONTEXT, MISSIONS, RUNS, SETTINGS};

#[cfg(test)]
mod tests;
