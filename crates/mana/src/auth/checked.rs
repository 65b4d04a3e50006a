//! Tokens that were found good a moment ago. A push, the pull that it sets off on another device, and the next push
//! come with the same few, and a signature and a session cost more than all the rest of a small one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mana_core::Micros;
use ring::digest::{SHA256, digest};

use super::{Claims, Ended};

/// How long a token is taken for good without a look at its session. One that ends is forgotten at once, here and by
/// notice at the other servers; this is for a notice that doesn't arrive.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// Old ones are swept out once there are this many; should that not help, all.
const SWEEP_ABOVE: usize = 10_000;

/// The tokens, by their hash: how long a look for one takes says nothing about another.
#[derive(Default)]
pub struct Checked(Mutex<Tokens>);

#[derive(Default)]
struct Tokens {
    good: HashMap<[u8; 32], Good>,
    /// How often sessions have ended.
    endings: u64,
}

struct Good {
    claims: Claims,
    until: Instant,
}

/// A token that is about to be checked.
pub struct Unchecked {
    hash: [u8; 32],
    endings: u64,
}

impl Checked {
    /// The claims of a token that is good still, or what [`Checked::keep`] wants of one that has to be checked.
    pub fn get(&self, token: &str, now: Micros) -> Result<Claims, Unchecked> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let tokens = self.lock();
        match tokens.good.get(&hash) {
            Some(good) if good.until > Instant::now() && good.claims.last_beyond(now) => {
                Ok(good.claims.clone())
            }
            _ => Err(Unchecked {
                hash,
                endings: tokens.endings,
            }),
        }
    }

    /// Takes a token for good from now on, unless a session has ended since: it may be this one's.
    pub fn keep(&self, token: Unchecked, claims: &Claims) {
        let now = Instant::now();
        let mut tokens = self.lock();
        if tokens.endings != token.endings {
            return;
        }
        if tokens.good.len() >= SWEEP_ABOVE {
            tokens.good.retain(|_, good| good.until > now);
            if tokens.good.len() >= SWEEP_ABOVE {
                tokens.good.clear();
            }
        }
        let good = Good {
            claims: claims.clone(),
            until: now + GOOD_FOR,
        };
        tokens.good.insert(token.hash, good);
    }

    /// Forgets the tokens of what has ended.
    pub fn forget(&self, ended: &Ended) {
        let mut tokens = self.lock();
        tokens.endings += 1;
        match ended {
            Ended::Session(id) => tokens.good.retain(|_, good| good.claims.sid != *id),
            Ended::Any => tokens.good.clear(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        // Each change is whole by itself, so poison says nothing here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(session: &str) -> Claims {
        Claims {
            sub: "ada".to_owned(),
            sid: session.to_owned(),
            iat: 0,
            exp: 100,
        }
    }

    #[test]
    fn a_token_is_good_until_it_or_its_session_ends() {
        let checked = Checked::default();
        let now = Micros(1);
        for (token, session) in [("a", "one"), ("b", "one"), ("c", "two")] {
            let unchecked = checked.get(token, now).unwrap_err();
            checked.keep(unchecked, &claims(session));
        }
        assert_eq!(
            checked.get("a", now).unwrap_or_else(|_| panic!()),
            claims("one")
        );
        assert!(checked.get("a", Micros(100_000_000)).is_err(), "it ended");
        checked.forget(&Ended::Session("one".to_owned()));
        assert!(checked.get("a", now).is_err() && checked.get("b", now).is_err());
        assert!(checked.get("c", now).is_ok());
        checked.forget(&Ended::Any);
        assert!(checked.get("c", now).is_err());
    }

    /// Whoever signs out in between has the last word.
    #[test]
    fn a_check_that_a_sign_out_overtakes_is_not_kept() {
        let checked = Checked::default();
        let unchecked = checked.get("a", Micros(1)).unwrap_err();
        checked.forget(&Ended::Session("one".to_owned()));
        checked.keep(unchecked, &claims("one"));
        assert!(checked.get("a", Micros(1)).is_err());
    }
}
