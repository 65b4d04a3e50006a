//! The breakers of a provider: of its address, of each model, and of each caller of a model.
//!
//! A failure counts where it may lie. A connection that can't be made keeps everybody from the address. A model that is
//! overloaded, or asks for a pause, is left alone by everybody. Any other failed answer may be of the caller's own
//! making and keeps nobody else from the model: servers answer 500 to what they can't read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::breaker::{Breaker, Outcome};
use crate::error::{ErrorKind, GatewayError};

/// The most models and callers in trouble that are remembered.
const MOST: usize = 1_000;

/// The part of a provider that a failure may lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Address,
    Model,
    /// A model, as one caller asks for it.
    Caller,
}

/// A model, and the caller that alone it failed for; `None` for everybody.
type Key = (String, Option<String>);

/// All breakers of a provider. A breaker of a model or a caller exists only while it has something to say.
#[derive(Default)]
pub(crate) struct Breakers {
    address: Arc<Breaker>,
    troubled: Mutex<HashMap<Key, Arc<Breaker>>>,
}

/// A call that all its breakers admitted.
pub(crate) struct Admitted {
    model: String,
    caller: String,
    is_probe_of_address: bool,
    /// The breakers of the model that were there, and whether the call is their probe.
    others: Vec<(Arc<Breaker>, bool)>,
}

impl Breakers {
    /// Admits a caller to a model. Refuses with the time until it may be asked.
    pub fn admit(&self, model: &str, caller: &str, now: Instant) -> Result<Admitted, Duration> {
        let others = self.of(model, caller);
        if let Some(wait) = refusal(&others, now) {
            return Err(wait);
        }
        let mut admitted = Admitted {
            model: model.to_owned(),
            caller: caller.to_owned(),
            is_probe_of_address: self.address.admit(now)?,
            others: Vec::new(),
        };
        for breaker in others {
            match breaker.admit(now) {
                Ok(is_probe) => admitted.others.push((breaker, is_probe)),
                // Another call has become the probe since.
                Err(wait) => {
                    self.release(&admitted);
                    return Err(wait);
                }
            }
        }
        Ok(admitted)
    }

    /// The time until a caller may ask for a model, without admitting a call.
    pub fn refusal(&self, model: &str, caller: &str, now: Instant) -> Option<Duration> {
        let others = refusal(&self.of(model, caller), now);
        others.max(self.address.refusal(now))
    }

    /// Whether every call is admitted.
    pub fn are_closed(&self, now: Instant) -> bool {
        let all_closed = || {
            self.troubled()
                .values()
                .all(|breaker| breaker.is_closed(now))
        };
        self.address.is_closed(now) && all_closed()
    }

    /// Lets the next probes go: this call has been answered, or its caller gave it up.
    pub fn release(&self, admitted: &Admitted) {
        if admitted.is_probe_of_address {
            self.address.release();
        }
        let probes = admitted.others.iter().filter(|(_, is_probe)| *is_probe);
        probes.for_each(|(breaker, _)| breaker.release());
    }

    /// Records how an admitted call ended.
    pub fn note(&self, admitted: &Admitted, failure: Option<&GatewayError>, now: Instant) {
        self.release(admitted);
        let (outcome, scope) = failure.map_or((Outcome::Good, Scope::Model), blame);
        // Whatever the answer is, somebody is there who gives one.
        let of_address = match failure.map(|error| &error.kind) {
            Some(ErrorKind::Connect) => outcome,
            Some(ErrorKind::Timeout | ErrorKind::CutOff) => Outcome::Neutral,
            Some(_) if failure.is_some_and(|error| error.provider.is_none()) => Outcome::Neutral,
            _ => Outcome::Good,
        };
        self.address
            .note(of_address, admitted.is_probe_of_address, now);
        let caller = (scope == Scope::Caller).then(|| admitted.caller.clone());
        let key = (admitted.model.clone(), caller);
        match outcome {
            Outcome::Good => {
                let own = [None, Some(admitted.caller.clone())];
                let mut troubled = self.troubled();
                if !troubled.is_empty() {
                    for caller in own {
                        troubled.remove(&(admitted.model.clone(), caller));
                    }
                }
            }
            Outcome::Neutral => {}
            Outcome::Bad if scope == Scope::Address => {}
            outcome => {
                let breaker = self.troubled_one(key, now);
                let mut others = admitted.others.iter();
                let is_probe =
                    others.any(|(other, is_probe)| *is_probe && Arc::ptr_eq(other, &breaker));
                breaker.note(outcome, is_probe, now);
            }
        }
    }

    /// Ends all open times early: the provider answered a listing of its models, so the next calls may try it.
    pub fn half_open(&self, now: Instant) {
        self.address.half_open(now);
        self.troubled()
            .values()
            .for_each(|breaker| breaker.half_open(now));
    }

    /// The breakers of a model that are there.
    fn of(&self, model: &str, caller: &str) -> Vec<Arc<Breaker>> {
        let troubled = self.troubled();
        if troubled.is_empty() {
            return Vec::new();
        }
        let keys = [None, Some(caller.to_owned())].map(|caller| (model.to_owned(), caller));
        keys.iter()
            .filter_map(|key| troubled.get(key).cloned())
            .collect()
    }

    fn troubled_one(&self, key: Key, now: Instant) -> Arc<Breaker> {
        let mut troubled = self.troubled();
        if troubled.len() >= MOST && !troubled.contains_key(&key) {
            troubled.retain(|_, breaker| !breaker.is_closed(now));
            if troubled.len() >= MOST {
                troubled.clear();
            }
        }
        troubled.entry(key).or_default().clone()
    }

    fn troubled(&self) -> MutexGuard<'_, HashMap<Key, Arc<Breaker>>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(breakers: &[Arc<Breaker>], now: Instant) -> Option<Duration> {
    let waits = breakers.iter().filter_map(|breaker| breaker.refusal(now));
    waits.max()
}

/// The part of the provider that a failure is about, and what it says of that part.
fn blame(error: &GatewayError) -> (Outcome, Scope) {
    let asks_to_wait = match error.kind {
        ErrorKind::RateLimited { .. } | ErrorKind::Http(_) => error.retry_after(),
        _ => None,
    };
    if let Some(wait) = asks_to_wait {
        return (Outcome::Pause(wait), Scope::Model);
    }
    if error.provider.is_none() || error.is_about_form || error.context_limit().is_some() {
        return (Outcome::Neutral, Scope::Model);
    }
    match error.kind {
        ErrorKind::Connect => (Outcome::Bad, Scope::Address),
        ErrorKind::Http(503 | 529) => (Outcome::Bad, Scope::Model),
        ErrorKind::Http(408 | 500..)
        | ErrorKind::BadJson
        | ErrorKind::CutOff
        | ErrorKind::Timeout => (Outcome::Bad, Scope::Caller),
        _ => (Outcome::Neutral, Scope::Model),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: ErrorKind) -> GatewayError {
        GatewayError::new(kind, "no").from_provider("up")
    }

    /// Which of three calls are admitted after so many failures of `ada` at model `m`: hers, another's, and hers at
    /// another model.
    fn admitted_after(times: usize, error: &GatewayError) -> [bool; 3] {
        let now = Instant::now();
        let breakers = Breakers::default();
        for _ in 0..times {
            let call = breakers.admit("m", "ada", now).ok().unwrap();
            breakers.note(&call, Some(error), now);
        }
        [("m", "ada"), ("m", "eve"), ("other", "ada")]
            .map(|(model, caller)| breakers.refusal(model, caller, now).is_none())
    }

    #[test]
    fn a_failure_keeps_away_those_whom_it_concerns() {
        let mut paused = failure(ErrorKind::Http(503));
        paused.wait_millis = Some(500);
        let slow_down = ErrorKind::RateLimited {
            retry_after: Some(Duration::from_secs(1)),
        };
        for (error, times, expected) in [
            (failure(ErrorKind::Connect), 5, [false, false, false]),
            (failure(slow_down), 1, [false, false, true]),
            (paused, 1, [false, false, true]),
            (failure(ErrorKind::Http(503)), 5, [false, false, true]),
            (failure(ErrorKind::Http(529)), 5, [false, false, true]),
            (failure(ErrorKind::Http(500)), 5, [false, true, true]),
            (failure(ErrorKind::Http(502)), 5, [false, true, true]),
            (failure(ErrorKind::BadJson), 5, [false, true, true]),
            (failure(ErrorKind::CutOff), 5, [false, true, true]),
            (failure(ErrorKind::Timeout), 5, [false, true, true]),
            (failure(ErrorKind::Connect), 4, [true, true, true]),
        ] {
            assert_eq!(admitted_after(times, &error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_refused_request_says_nothing_about_the_provider() {
        let too_long = GatewayError::new(
            ErrorKind::Http(500),
            "the input length exceeds the context length",
        );
        let of_form = failure(ErrorKind::Http(500)).of_formed_request();
        let of_caller = GatewayError::invalid(None, "no");
        let refused =
            [400, 401, 402, 403, 404, 413, 415, 422].map(|status| failure(ErrorKind::Http(status)));
        let others = [
            too_long.from_provider("up"),
            of_form,
            of_caller,
            failure(ErrorKind::TooLarge),
        ];
        for error in refused.into_iter().chain(others) {
            assert_eq!(admitted_after(50, &error), [true; 3], "{error:?}");
        }
    }

    #[test]
    fn an_answer_ends_what_was_open_and_any_end_lets_the_next_probe_go() {
        let now = Instant::now();
        let breakers = Breakers::default();
        let call = || breakers.admit("m", "ada", now).ok();
        for kind in [
            ErrorKind::Http(503),
            ErrorKind::Http(500),
            ErrorKind::Connect,
        ] {
            for _ in 0..5 {
                breakers.note(&call().unwrap(), Some(&failure(kind.clone())), now);
            }
            assert!(call().is_none());
            breakers.half_open(now);
            let probe = call().unwrap();
            assert!(call().is_none(), "one probe at a time");
            breakers.note(&probe, Some(&failure(ErrorKind::Http(400))), now);
            let probe = call().unwrap();
            breakers.release(&probe);
            breakers.note(&call().unwrap(), None, now);
            assert!(breakers.are_closed(now) && call().is_some() && call().is_some());
        }
        assert!(breakers.troubled().is_empty());
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let now = Instant::now();
        let breakers = Breakers::default();
        for number in 0..3 * MOST {
            let call = breakers
                .admit(&format!("m{number}"), "ada", now)
                .ok()
                .unwrap();
            breakers.note(&call, Some(&failure(ErrorKind::Http(500))), now);
        }
        assert!(breakers.troubled().len() <= MOST);
    }
}
