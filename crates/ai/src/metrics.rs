//! The runner's metrics: names and numbers, no content.

use std::time::Duration;

use mana_core::Micros;
use mana_store::Claim;
use metrics::{counter, gauge, histogram};

use crate::llm::{ChatAnswer, LlmError};
use crate::report::RunOutcome;

/// Counts a reading of the schedule that claimed so many runs, with the time that the database took.
pub(crate) fn schedule_read(found: usize, took: Duration) {
    counter!("mana_runner_passes_total").increment(1);
    histogram!("mana_runner_pass_seconds").record(took.as_secs_f64());
    counter!("mana_runner_claims_total").increment(found as u64);
}

/// Measures the look-up of the next due time.
pub(crate) fn next_wake_read(took: Duration) {
    histogram!("mana_runner_wake_seconds").record(took.as_secs_f64());
}

/// Counts a tick.
pub(crate) fn ticked() {
    counter!("mana_runner_ticks_total").increment(1);
}

/// Counts a run that begins, and how late it does.
pub(crate) fn run_began(claim: &Claim, now: Micros) {
    if claim.attempts > 1 {
        counter!("mana_runner_takeovers_total").increment(1);
    }
    let late = now.0.saturating_sub(claim.due_at.0).max(0).unsigned_abs();
    histogram!("mana_run_delay_seconds").record(Duration::from_micros(late).as_secs_f64());
}

/// Sets the number of runs under way.
pub(crate) fn runs_under_way(runs: usize) {
    gauge!("mana_runs_under_way").set(runs as f64);
}

/// Counts a run that ended, by its outcome.
pub(crate) fn run_ended(outcome: &RunOutcome, took: Duration) {
    histogram!("mana_run_seconds").record(took.as_secs_f64());
    let name = match outcome {
        RunOutcome::Planned => "planned",
        RunOutcome::Failed { code, .. } => {
            counter!("mana_run_failures_total", "code" => code.clone()).increment(1);
            "failed"
        }
        RunOutcome::Postponed { code, .. } => {
            counter!("mana_run_failures_total", "code" => code.clone()).increment(1);
            "postponed"
        }
        RunOutcome::Skipped => "skipped",
        RunOutcome::Cancelled => "cancelled",
        RunOutcome::Nothing => "nothing",
        RunOutcome::Unwritten { code, .. } => {
            counter!("mana_run_failures_total", "code" => code.clone()).increment(1);
            "unwritten"
        }
        RunOutcome::Released => "released",
    };
    counter!("mana_runs_total", "outcome" => name).increment(1);
}

/// Measures a call to a model.
pub(crate) fn model_called(took: Duration, answer: &Result<ChatAnswer, LlmError>) {
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
