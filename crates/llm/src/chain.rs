//! Asks a chain of models until one answers: the next entry at once, the whole
//! chain again after a while.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Attempt, ErrorKind, GatewayError, Result};
use crate::gateway::{Gateway, closed};
use crate::route::{Routes, Target};

/// Before the chain is asked a second time; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(250);
/// Who asks to wait longer than this is not waited for.
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

impl Gateway {
    /// Asks one entry of the chain after the other, as long as they fail for
    /// reasons of their own; then, where that may pass by itself, all of them
    /// so many times again. `deadline` is for the last of these beginnings.
    pub(crate) async fn first_answer<T, F>(
        &self,
        routes: &Routes,
        mut chain: Vec<Target>,
        deadline: Instant,
        retries: u32,
        ask: impl Fn(Target) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failures: Vec<(Attempt, GatewayError)> = Vec::new();
        for round in 0..=retries {
            let mut again = Vec::new();
            let mut asks_to_wait: Option<Duration> = None;
            for target in std::mem::take(&mut chain) {
                let begun = Instant::now();
                let answer = match target.slot.admit() {
                    Err(refused) => Err(refused),
                    Ok(()) => {
                        let answer = self.unless_closing(ask(target.clone())).await;
                        target.slot.note_call(answer.as_ref().err());
                        answer
                    }
                };
                let error = match answer {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error.scrubbed(&routes.scrub),
                };
                let model = target.name();
                tracing::warn!(code = error.code(), %model, "call to {model} failed: {error}");
                let attempt = Attempt {
                    code: error.code(),
                    message: error.message.clone(),
                    duration_ms: begun.elapsed().as_millis() as u64,
                    model,
                };
                if !error.falls_back() {
                    return Err(told(failures, attempt, error));
                }
                if error.may_pass() {
                    let waits = [asks_to_wait, error.retry_after()];
                    asks_to_wait = waits.into_iter().flatten().min();
                    again.push(target);
                }
                failures.push((attempt, error));
            }
            let wait =
                jittered(PAUSE * 2_u32.pow(round.min(8))).max(asks_to_wait.unwrap_or_default());
            let too_long = wait > PAUSE_LONGEST || Instant::now() + wait >= deadline;
            if again.is_empty() || round == retries || too_long {
                break;
            }
            let slept = async {
                tokio::time::sleep(wait).await;
                Ok(())
            };
            self.unless_closing(slept).await?;
            chain = again;
        }
        // A provider's own words say more than that it is left alone.
        let said =
            |(_, error): &(Attempt, GatewayError)| !matches!(error.kind, ErrorKind::Paused { .. });
        let last = failures
            .iter()
            .rposition(said)
            .unwrap_or(failures.len() - 1);
        let (attempt, error) = failures.remove(last);
        Err(told(failures, attempt, error))
    }

    pub(crate) async fn unless_closing<T>(
        &self,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(closed()),
            done = work => done,
        }
    }
}

/// The failure that is told, with all that was tried.
fn told(
    failures: Vec<(Attempt, GatewayError)>,
    attempt: Attempt,
    mut error: GatewayError,
) -> GatewayError {
    error.attempts = failures.into_iter().map(|(attempt, _)| attempt).collect();
    error.attempts.push(attempt);
    error
}

/// Between half of it and all of it, so that callers who failed together don't come back together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}
