//! The runner: it learns who is due from the schedule, claims the run, reads what the mission reads, asks
//! a model for a plan, checks it, and hands it in through the same push as a phone.
//!
//! What it must never do: plan a slot twice, leave an occurrence without a record, write anything but
//! through [`mana_sync::Sync::accept`], or let one mission's failure touch another. What it does not know:
//! HTTP, providers and keys (a model is whatever implements [`Llm`]), and the clock, which is passed in.
//!
//! A run lives in its claim: nothing in the log says that it is under way, so a crash at any point leaves
//! nothing to clean up. The claim's lease ends, somebody claims the same slot again, and the ids are the
//! same because they derive from mission and slot. Rules: `spec/MISSIONS.md`, parts T, W and E.

mod budget;
mod commit;
mod concurrency;
mod config;
mod llm;
mod load;
mod messages;
mod metrics;
mod occurrence;
mod planning;
mod progress;
mod report;
mod run;
mod runner;
mod tool_loop;

pub use config::RunnerConfig;
pub use llm::{ChatAnswer, ChatRequest, Llm, LlmError, ModelFacts};
pub use report::TickReport;
pub use runner::{Clock, Runner};
