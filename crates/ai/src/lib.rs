//! The mission runner, in five stages, a file each:
//!
//! 1. `claim`: take due runs from the schedule, and renew their leases.
//! 2. `load`: the person, the mission and its occurrence; `inputs` reads what the mission's prompt tells of.
//! 3. `planning`: ask the model for a plan and check it; `tool_loop` is the format in which the model calls tools.
//! 4. `stage`: the changes that the plan, or the failure, comes to.
//! 5. `commit`: one push, fenced by the claim, through the same way in as a phone's.
//!
//! `runner` decides when runs begin and end, and `run` takes a claim through the stages.
//!
//! Invariants: a slot is never planned twice; an occurrence never stays without a record; the runner never writes but
//! through [`mana_sync::Sync::accept`]; a mission's failure never touches another mission. The crate knows neither HTTP
//! nor providers nor keys (a model is whatever implements [`Llm`]), and the clock is passed in.
//!
//! A run lives in its claim: nothing in the log says that it is under way, so a crash leaves nothing to clean up. When
//! the claim's lease ends, another worker claims the same slot, and makes the same ids, because ids derive from mission
//! and slot. Rules: `spec/MISSIONS.md`, parts T, W and E.

mod batch;
mod budget;
mod claim;
mod commit;
mod concurrency;
mod config;
mod debug_record;
mod error;
mod failure;
mod inputs;
mod llm;
mod load;
mod messages;
mod metrics;
mod model_tokens;
mod occurrence;
mod parts;
mod planning;
mod progress;
mod report;
mod retry;
mod run;
mod run_rows;
mod runner;
mod schedule_check;
mod session;
mod stage;
mod tool_loop;
mod unseen_edits;

pub use config::RunnerConfig;
pub use error::RunError;
pub use llm::{ChatAnswer, ChatRequest, Llm, LlmError, ModelFacts};
pub use parts::{Clock, RunnerParts};
pub use report::TickReport;
pub use runner::Runner;
