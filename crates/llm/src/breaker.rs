//! The circuit breaker of a provider: calls stop for a while after failures in a row, and for as long as the
//! provider asks for a pause.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long the breaker stays open the first time; twice as long each time after.
const OPEN_FIRST: Duration = Duration::from_secs(10);
const OPEN_LONGEST: Duration = Duration::from_secs(300);
/// A probe that has not ended after this time is taken for given up.
const PROBE_LASTS: Duration = Duration::from_secs(60);
/// The longest pause that a provider may ask for.
const PAUSE_LONGEST: Duration = Duration::from_secs(600);

/// How a call ended, as far as the breaker is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The provider answered.
    Good,
    /// The provider failed for a reason of its own.
    Bad,
    /// The provider asks for a pause of this length.
    Pause(Duration),
    /// The provider answered, and the answer says nothing about its health: a refusal of the request or of the key.
    Neutral,
}

/// Closed: every call is admitted. Open: none is. Half open, once the open time is over: one probe is admitted at a
/// time, and its outcome decides.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// How often in a row the breaker was opened.
    opened: u32,
    open_until: Option<Instant>,
    probing_since: Option<Instant>,
    paused_until: Option<Instant>,
}

impl State {
    /// How long the provider must not be asked yet.
    fn refusal(&self, now: Instant) -> Option<Duration> {
        if let Some(until) = self.paused_until.filter(|until| now < *until) {
            return Some(until - now);
        }
        let until = self.open_until?;
        if now < until {
            return Some(until - now);
        }
        let probe_ends = self.probing_since? + PROBE_LASTS;
        (now < probe_ends).then(|| probe_ends - now)
    }
}

impl Breaker {
    /// Admits a call: `true` where it is the probe of a half-open breaker, which must end in [`note`](Self::note) or
    /// [`release`](Self::release). Refuses with the time until the provider may be asked.
    pub fn admit(&self, now: Instant) -> Result<bool, Duration> {
        let mut state = self.state();
        if let Some(wait) = state.refusal(now) {
            return Err(wait);
        }
        state.paused_until = None;
        let is_probe = state.open_until.is_some();
        if is_probe {
            state.probing_since = Some(now);
        }
        Ok(is_probe)
    }

    /// The time until the provider may be asked, without admitting a call.
    pub fn refusal(&self, now: Instant) -> Option<Duration> {
        self.state().refusal(now)
    }

    /// Whether every call is admitted.
    pub fn is_closed(&self, now: Instant) -> bool {
        let state = self.state();
        state.open_until.is_none() && state.paused_until.is_none_or(|until| now >= until)
    }

    /// Lets the next probe go: this one has been answered, or its caller gave it up.
    pub fn release(&self) {
        self.state().probing_since = None;
    }

    /// Records how an admitted call ended.
    pub fn note(&self, outcome: Outcome, is_probe: bool, now: Instant) {
        let mut state = self.state();
        // An answer of any kind ends the probe: a probe without an end would keep a healthy provider out.
        if is_probe {
            state.probing_since = None;
        }
        match outcome {
            Outcome::Good => *state = State::default(),
            Outcome::Neutral => {}
            Outcome::Pause(wait) => state.paused_until = Some(now + wait.min(PAUSE_LONGEST)),
            Outcome::Bad => {
                state.failures += 1;
                if is_probe || state.failures >= FAILURES && state.open_until.is_none() {
                    let wait = OPEN_FIRST * 2_u32.saturating_pow(state.opened.min(8));
                    state.opened += 1;
                    state.open_until = Some(now + wait.min(OPEN_LONGEST));
                }
            }
        }
    }

    /// Ends the open time early: the provider answered a listing of its models, so the next call may try it.
    pub fn half_open(&self, now: Instant) {
        let mut state = self.state();
        if let Some(until) = &mut state.open_until {
            *until = now.min(*until);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(now), Ok(false));
            breaker.note(Outcome::Bad, false, now);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let now = Instant::now();
        let breaker = opened(now);
        assert_eq!(breaker.admit(now + S), Err(9 * S));
        let later = now + OPEN_FIRST;
        assert_eq!(breaker.admit(later), Ok(true));
        assert_eq!(breaker.admit(later), Err(PROBE_LASTS), "one at a time");
        breaker.note(Outcome::Good, true, later);
        assert!(breaker.is_closed(later));
        assert_eq!(breaker.admit(later), Ok(false));
        assert_eq!(breaker.admit(later), Ok(false));
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + OPEN_FIRST;
        assert_eq!(breaker.admit(later), Ok(true));
        breaker.note(Outcome::Bad, true, later);
        assert_eq!(breaker.admit(later), Err(2 * OPEN_FIRST));
        breaker.half_open(later);
        assert_eq!(breaker.admit(later), Ok(true));
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..3 * FAILURES {
            breaker.note(Outcome::Bad, false, now);
            breaker.note(Outcome::Good, false, now);
        }
        assert!(breaker.is_closed(now));
    }

    #[test]
    fn a_requested_pause_holds_and_a_forgotten_probe_expires() {
        let now = Instant::now();
        let breaker = Breaker::default();
        breaker.note(Outcome::Pause(7 * S), false, now);
        assert_eq!(breaker.admit(now), Err(7 * S));
        assert_eq!(breaker.admit(now + 7 * S), Ok(false));

        let breaker = opened(now);
        let later = now + OPEN_FIRST;
        assert_eq!(breaker.admit(later), Ok(true));
        assert_eq!(breaker.admit(later + PROBE_LASTS), Ok(true));
    }

    #[test]
    fn whatever_ends_a_probe_lets_the_next_one_go() {
        let now = Instant::now();
        let later = now + OPEN_FIRST;
        let ends: [fn(&Breaker, Instant); 3] = [
            |breaker, later| breaker.note(Outcome::Neutral, true, later),
            |breaker, later| breaker.note(Outcome::Pause(Duration::ZERO), true, later),
            |breaker, _| breaker.release(),
        ];
        for end in ends {
            let breaker = opened(now);
            assert_eq!(breaker.admit(later), Ok(true));
            end(&breaker, later);
            assert_eq!(
                breaker.refusal(later),
                None,
                "nobody is kept waiting for a probe that has ended"
            );
            assert_eq!(
                breaker.admit(later),
                Ok(true),
                "the provider still has to prove itself"
            );
            breaker.note(Outcome::Good, true, later);
            assert!(breaker.is_closed(later));
        }
    }
}
