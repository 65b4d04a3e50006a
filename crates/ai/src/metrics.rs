//! What the runner counts and measures, for whoever scrapes it. Names and numbers, no content.

use std::time::Duration;

use mana_core::Micros;
use mana_store::Claim;
use metrics::{counter, gauge, histogram};

use crate::llm::{ChatAnswer, LlmError};
use crate::report::Outcome;

/// One look at the schedule that found so many runs to begin; how long the database took.
pub(crate) fn passed(found: usize, took: Duration) {
    counter!("mana_runner_passes_total").increment(1);
    histogram!("mana_runner_pass_seconds").record(took.as_secs_f64());
    counter!("mana_runner_claims_total").increment(found as u64);
}

/// A look at when there is something to do next; how long the database took.
pub(crate) fn looked_ahead(took: Duration) {
    histogram!("mana_runner_wake_seconds").record(took.as_secs_f64());
}

/// Somebody asked for a tick.
pub(crate) fn ticked() {
    counter!("mana_runner_ticks_total").increment(1);
}

/// A run begins.
pub(crate) fn begun(claim: &Claim, now: Micros) {
    if claim.attempts > 1 {
        counter!("mana_runner_takeovers_total").increment(1);
    }
    let late = now.0.saturating_sub(claim.due_at.0).max(0).unsigned_abs();
    histogram!("mana_run_delay_seconds").record(Duration::from_micros(late).as_secs_f64());
}

/// So many runs are under way.
pub(crate) fn under_way(runs: usize) {
    gauge!("mana_runs_under_way").set(runs as f64);
}

/// A run ended.
pub(crate) fn ended(outcome: &Outcome, took: Duration) {
    histogram!("mana_run_seconds").record(took.as_secs_f64());
    let name = match outcome {
        Outcome::Planned => "planned",
        Outcome::Failed { code, .. } => {
            counter!("mana_run_failures_total", "code" => code.clone()).increment(1);
            "failed"
        }
        Outcome::Skipped => "skipped",
        Outcome::Cancelled => "cancelled",
        Outcome::Nothing => "nothing",
        Outcome::Unwritten { code, .. } => {
            counter!("mana_run_failures_total", "code" => code.clone()).increment(1);
            "unwritten"
        }
        Outcome::Released => "released",
    };
    counter!("mana_runs_total", "outcome" => name).increment(1);
}

/// A model was asked.
pub(crate) fn called(took: Duration, answer: &Result<ChatAnswer, LlmError>) {
    histogram!("mana_planner_call_seconds").record(took.as_secs_f64());
    match answer {
        Ok(answer) => {
            counter!("mana_planner_tokens_total").increment(answer.tokens.unwrap_or(0));
        }
        Err(error) => {
            counter!("mana_planner_errors_total", "code" => error.code.clone()).increment(1);
        }
    }
}
