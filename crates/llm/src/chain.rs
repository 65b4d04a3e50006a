//! Asks a chain of models until one answers: the next entry at once, the whole chain again after a pause.

use std::future::Future;
use std::time::Duration;

use futures_util::future::select_all;
use tokio::time::Instant;

use crate::closing::Closing;
use crate::error::{Attempt, ErrorKind, GatewayError, Result};
use crate::provider_state::CallPermit;
use crate::providers::known;
use crate::route::{Routes, Target};

/// The pause before the chain is asked a second time; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(250);
/// A `Retry-After` above this is not waited for.
const PAUSE_LONGEST: Duration = Duration::from_secs(10);
/// The longest wait for a place at one entry of a chain, as long as there are others: to be busy is to be slow.
const BUSY_LONGEST: Duration = Duration::from_secs(5);

/// The first answer of a chain.
pub(crate) struct Answered<T> {
    pub answer: T,
    /// The entry that answered.
    pub target: Target,
    /// The answered call, whose end is still to be recorded.
    pub permit: CallPermit,
    /// The entries that failed before.
    pub failed: Vec<Attempt>,
}

/// The caller of a chain, and the time that the call has.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// A name that no other caller has.
    pub caller: &'a str,
    /// The latest beginning of a retry.
    pub deadline: Instant,
    /// How often the chain is asked again.
    pub retries: u32,
}

/// Asks the entries of a chain in their order, as long as they fail for reasons of their own; then, up to
/// `retries` times, those whose failures may pass. An entry without a free place is passed over for the others
/// and waited for at the end.
pub(crate) async fn first_answer<T, F>(
    closing: &Closing,
    routes: &Routes,
    chain: Vec<Target>,
    asking: Asking<'_>,
    ask: impl Fn(Target) -> F,
) -> Result<Answered<T>>
where
    F: Future<Output = Result<T>>,
{
    let Asking {
        caller,
        deadline,
        retries,
    } = asking;
    let mut failures: Vec<(Attempt, GatewayError)> = Vec::new();
    let mut chain = chain;
    let mut was_asked_again = false;
    for round in 0..=retries {
        let mut again = Vec::new();
        let mut asks_to_wait: Option<Duration> = None;
        let mut candidates = Candidates::of(chain, caller);
        while let Some((target, permit)) = candidates.next(closing).await? {
            let begun = Instant::now();
            let (asked, error) = match permit {
                Err(refused) => (false, refused),
                Ok(permit) => match closing.unless_closing(ask(target.clone())).await {
                    Ok(answer) => {
                        let failed = failures.into_iter().map(|(attempt, _)| attempt).collect();
                        return Ok(Answered {
                            answer,
                            target,
                            permit,
                            failed,
                        });
                    }
                    Err(error) => {
                        permit.end(Some(&error));
                        (true, error)
                    }
                },
            };
            let error = error.scrubbed(&routes.scrub);
            let model = target.name();
            let label = known::label(target.state.name());
            // A provider's words may quote the prompt or the answer; the caller gets them, the log does not.
            let reason = error.without_content(label);
            tracing::warn!(code = error.code(), %model, "call to {model} failed: {reason}");
            let attempt = Attempt {
                code: error.code(),
                message: error.message.clone(),
                duration_ms: begun.elapsed().as_millis() as u64,
                model,
                prompt_read: asked && error.reads_prompt(),
            };
            if !error.falls_back(&routes.fallback) {
                return Err(with_attempts(failures, attempt, error, was_asked_again));
            }
            if error.may_pass() {
                let waits = [asks_to_wait, error.retry_after()];
                asks_to_wait = waits.into_iter().flatten().min();
                again.push(target);
            }
            failures.push((attempt, error));
        }
        let wait = jittered(PAUSE * 2_u32.pow(round.min(8))).max(asks_to_wait.unwrap_or_default());
        let too_long = wait > PAUSE_LONGEST || Instant::now() + wait >= deadline;
        if again.is_empty() || round == retries || too_long {
            break;
        }
        let slept = async {
            tokio::time::sleep(wait).await;
            Ok(())
        };
        closing.unless_closing(slept).await?;
        chain = again;
        was_asked_again = true;
    }
    // A provider's own words say more than that it is paused.
    let said =
        |(_, error): &(Attempt, GatewayError)| !matches!(error.kind, ErrorKind::Paused { .. });
    let last = failures.iter().rposition(said);
    let Some(last) = last.or_else(|| failures.len().checked_sub(1)) else {
        return Err(GatewayError::new(
            ErrorKind::UnknownModel,
            "There is no model that could be asked",
        ));
    };
    let (attempt, error) = failures.remove(last);
    Err(with_attempts(failures, attempt, error, was_asked_again))
}

/// The entries of a chain that are still to be asked.
struct Candidates<'a> {
    caller: &'a str,
    chain: std::vec::IntoIter<Target>,
    /// Entries without a free place.
    busy: Vec<Target>,
    /// The end of the wait for those.
    busy_until: Option<Instant>,
}

impl<'a> Candidates<'a> {
    fn of(chain: Vec<Target>, caller: &'a str) -> Self {
        Self {
            caller,
            chain: chain.into_iter(),
            busy: Vec::new(),
            busy_until: None,
        }
    }

    /// The next entry to ask, with its permit or the reason why it can't be asked. An entry without a free place is
    /// put off; once only such entries are left, the first one that has a place again is next.
    async fn next(&mut self, closing: &Closing) -> Result<Option<(Target, Result<CallPermit>)>> {
        while let Some(target) = self.chain.next() {
            if let Some(permit) = target.state.try_permit(&target.model, self.caller) {
                return Ok(Some((target, permit)));
            }
            if self.chain.len() > 0 {
                let until = Instant::now() + BUSY_LONGEST.min(target.state.queue());
                let permit = target.state.permit(&target.model, self.caller, until);
                let waited = async { Ok(permit.await) };
                match closing.unless_closing(waited).await? {
                    Err(error) if error.kind == ErrorKind::Timeout => {}
                    permit => return Ok(Some((target, permit))),
                }
            }
            self.busy.push(target);
        }
        let queues = self.busy.iter().map(|target| target.state.queue());
        let Some(queue) = queues.max() else {
            return Ok(None);
        };
        let until = *self.busy_until.get_or_insert(Instant::now() + queue);
        let waiting = self.busy.iter();
        let caller = self.caller;
        let waiting =
            waiting.map(|target| Box::pin(target.state.permit(&target.model, caller, until)));
        let first_free = async { Ok(select_all(waiting).await) };
        let (permit, at, _) = closing.unless_closing(first_free).await?;
        Ok(Some((self.busy.remove(at), permit)))
    }
}

/// The failure that is reported, with every attempt.
fn with_attempts(
    failures: Vec<(Attempt, GatewayError)>,
    attempt: Attempt,
    mut error: GatewayError,
    was_asked_again: bool,
) -> GatewayError {
    let is_paused = matches!(error.kind, ErrorKind::Paused { .. });
    let helps_no_more = was_asked_again || !error.may_pass();
    // A pause says by itself when to come back, and costs nobody a call.
    error.is_final = error.kind != ErrorKind::Cancelled && !is_paused && helps_no_more;
    error.attempts = failures.into_iter().map(|(attempt, _)| attempt).collect();
    error.attempts.push(attempt);
    error
}

/// A wait between its half and its whole, so that callers who failed together don't come back together.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}
