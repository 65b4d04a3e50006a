//! The parts that a runner is made of.

use std::sync::Arc;

use mana_core::Micros;
use mana_core::manifest::Registry;
use mana_store::{Accounts, Ledger, Store};
use mana_sync::Sync;

use crate::concurrency::AgentPermits;
use crate::config::RunnerConfig;
use crate::llm::Llm;
use crate::model_tokens::ModelTokens;

/// The time, passed in.
pub type Clock = Arc<dyn Fn() -> Micros + Send + std::marker::Sync>;

/// Everything that a [`Runner`](crate::Runner) works with.
pub struct RunnerParts {
    /// Missions, their inputs, and the schedule.
    pub store: Arc<dyn Store>,
    /// Takes the runner's pushes and tells devices how far a run is.
    pub sync: Sync,
    /// The model.
    pub llm: Arc<dyn Llm>,
    /// The modules, whose tools a plan may use.
    pub registry: Arc<Registry>,
    /// People: time zone and language of a run.
    pub accounts: Arc<dyn Accounts>,
    /// Budgets of missions, agents and people.
    pub ledger: Arc<dyn Ledger>,
    /// Limits and intervals.
    pub config: RunnerConfig,
    /// The clock by which runs are due.
    pub clock: Clock,
}

impl RunnerParts {
    /// The time now.
    pub(crate) fn now(&self) -> Micros {
        (self.clock)()
    }
}

/// The part that all runs of this process share.
pub(crate) struct RunContext {
    pub parts: RunnerParts,
    pub agent_permits: AgentPermits,
    pub model_tokens: ModelTokens,
}
