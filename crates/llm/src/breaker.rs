//! When not to ask a provider: after failures in a row for a while, and for as
//! long as it asks to be left alone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open the first time; twice as long each time after.
const OPEN_FIRST: Duration = Duration::from_secs(10);
const OPEN_LONGEST: Duration = Duration::from_secs(300);
/// A probe that said nothing for so long was given up by its caller.
const PROBE_LASTS: Duration = Duration::from_secs(60);
/// A provider that asks for more is asked again all the same.
const PAUSE_LONGEST: Duration = Duration::from_secs(600);

/// What a call says of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered.
    Good,
    /// It failed for a reason of its own.
    Bad,
    /// It wants to be left alone for so long.
    Pause(Duration),
}

/// Closed: everybody may ask. Open: nobody. Half open, once that time is over:
/// one may, and what becomes of that call decides.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// How often in a row it was opened.
    opened: u32,
    open_until: Option<Instant>,
    probing_since: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Breaker {
    /// Whether the provider may be asked now; else how long not yet.
    pub fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        if let Some(until) = state.paused_until {
            if now < until {
                return Err(until - now);
            }
            state.paused_until = None;
        }
        let Some(until) = state.open_until else {
            return Ok(());
        };
        if now < until {
            return Err(until - now);
        }
        if let Some(since) = state.probing_since
            && now < since + PROBE_LASTS
        {
            return Err(since + PROBE_LASTS - now);
        }
        state.probing_since = Some(now);
        Ok(())
    }

    /// The same, without taking the one call that is let through half open.
    pub fn is_closed(&self, now: Instant) -> bool {
        let state = self.state();
        state.open_until.is_none() && state.paused_until.is_none_or(|until| now >= until)
    }

    /// Takes note of how a call went.
    pub fn note(&self, outcome: Outcome, now: Instant) {
        let mut state = self.state();
        match outcome {
            Outcome::Good => *state = State::default(),
            Outcome::Pause(wait) => {
                state.paused_until = Some(now + wait.min(PAUSE_LONGEST));
                state.probing_since = None;
            }
            Outcome::Bad => {
                state.failures += 1;
                let probed = state.probing_since.take().is_some();
                if probed || state.failures >= FAILURES && state.open_until.is_none() {
                    let wait = OPEN_FIRST * 2_u32.saturating_pow(state.opened.min(8));
                    state.opened += 1;
                    state.open_until = Some(now + wait.min(OPEN_LONGEST));
                }
            }
        }
    }

    /// The provider shows signs of life: the next call may try it.
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
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.note(Outcome::Bad, now);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_probe_closes_it() {
        let now = Instant::now();
        let breaker = opened(now);
        assert_eq!(breaker.admit(now + S), Err(9 * S));
        let later = now + OPEN_FIRST;
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Err(PROBE_LASTS), "one at a time");
        breaker.note(Outcome::Good, later);
        assert!(breaker.is_closed(later));
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Ok(()));
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer() {
        let now = Instant::now();
        let breaker = opened(now);
        let later = now + OPEN_FIRST;
        assert_eq!(breaker.admit(later), Ok(()));
        breaker.note(Outcome::Bad, later);
        assert_eq!(breaker.admit(later), Err(2 * OPEN_FIRST));
        breaker.half_open(later);
        assert_eq!(breaker.admit(later), Ok(()));
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..3 * FAILURES {
            breaker.note(Outcome::Bad, now);
            breaker.note(Outcome::Good, now);
        }
        assert!(breaker.is_closed(now));
    }

    #[test]
    fn who_asks_to_be_left_alone_is_and_a_probe_nobody_ended_is_forgotten() {
        let now = Instant::now();
        let breaker = Breaker::default();
        breaker.note(Outcome::Pause(7 * S), now);
        assert_eq!(breaker.admit(now), Err(7 * S));
        assert_eq!(breaker.admit(now + 7 * S), Ok(()));

        let breaker = opened(now);
        let later = now + OPEN_FIRST;
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later + PROBE_LASTS), Ok(()));
    }
}
