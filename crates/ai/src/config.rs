//! Settings of the runner.

use std::time::Duration;

use mana_store::Limits;

/// Settings of a [`Runner`](crate::Runner).
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// Whether due missions run by themselves. If not, they run only by tick and by request.
    pub enabled: bool,
    /// The longest sleep between two readings of the schedule.
    pub tick_interval: Duration,
    /// Runs under way at once.
    pub parallel: usize,
    /// Runs of one person under way at once.
    pub per_user: usize,
    /// How long a claim lasts without renewal. The run of a crashed process is tried again after it.
    pub lease: Duration,
    /// The most that each member's calls to models may take in a day, by any way. The owner's have no limit here.
    pub members: Limits,
    /// The model for missions that name none.
    pub model: String,
    /// How long a whole call to a model may take.
    pub llm_timeout: Duration,
    /// The largest answer that is read.
    pub max_answer_bytes: usize,
    /// Tokens of concept, context, inputs and the agent’s instructions in a prompt, by estimate.
    pub prompt_tokens: usize,
    /// Run records that a mission keeps (MISSIONS T15).
    pub runs_kept: u32,
    /// How long runs under way may go on after the server is told to stop.
    pub stop_grace: Duration,
    /// The name of this process in claims.
    pub worker: String,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            tick_interval: Duration::from_secs(60),
            parallel: 64,
            per_user: 4,
            lease: Duration::from_secs(60),
            members: Limits::default(),
            model: "mana/reasoning".to_owned(),
            llm_timeout: Duration::from_secs(300),
            max_answer_bytes: 1 << 20,
            prompt_tokens: 8_000,
            runs_kept: 500,
            stop_grace: Duration::from_secs(8),
            worker: "mana".to_owned(),
        }
    }
}
