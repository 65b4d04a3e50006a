//! Tokens that were verified a moment ago.
//!
//! A push, the pull that it causes on another device and the next push come with the same few tokens, and verifying a
//! signature and a session costs more than all the rest of a small push.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mana_core::Micros;
use ring::digest::{SHA256, digest};

use crate::session_ended::SessionEnded;
use crate::tokens::Claims;

/// How long a token counts as verified without a look at its session. An ended session's tokens are forgotten at once,
/// here and by notice at the other servers; this bound is for a notice that doesn't arrive.
const VERIFIED_FOR: Duration = Duration::from_secs(5);

/// Number of tokens at which old ones are removed; if none is old, all are.
const SWEEP_ABOVE: usize = 10_000;

/// Verified tokens by their hash, so that the time of a lookup says nothing about another token.
#[derive(Default)]
pub struct VerifiedTokens(Mutex<Tokens>);

#[derive(Default)]
struct Tokens {
    verified: HashMap<[u8; 32], Verified>,
    /// Number of session ends so far.
    endings: u64,
}

struct Verified {
    claims: Claims,
    until: Instant,
}

/// A token that has yet to be verified.
pub struct Unverified {
    hash: [u8; 32],
    endings: u64,
}

impl VerifiedTokens {
    /// Returns the claims of a token that is still verified, else the argument of [`VerifiedTokens::keep`].
    pub fn get(&self, token: &str, now: Micros) -> Result<Claims, Unverified> {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let tokens = self.lock();
        match tokens.verified.get(&hash) {
            Some(token) if token.until > Instant::now() && token.claims.is_valid_at(now) => {
                Ok(token.claims.clone())
            }
            _ => Err(Unverified {
                hash,
                endings: tokens.endings,
            }),
        }
    }

    /// Keeps a verified token, unless a session has ended since [`VerifiedTokens::get`]: it may be this token's.
    pub fn keep(&self, token: Unverified, claims: &Claims) {
        let now = Instant::now();
        let mut tokens = self.lock();
        if tokens.endings != token.endings {
            return;
        }
        if tokens.verified.len() >= SWEEP_ABOVE {
            tokens.verified.retain(|_, token| token.until > now);
            if tokens.verified.len() >= SWEEP_ABOVE {
                tokens.verified.clear();
            }
        }
        let verified = Verified {
            claims: claims.clone(),
            until: now + VERIFIED_FOR,
        };
        tokens.verified.insert(token.hash, verified);
    }

    /// Forgets the tokens of ended sessions.
    pub fn forget(&self, ended: &SessionEnded) {
        let mut tokens = self.lock();
        tokens.endings += 1;
        match ended {
            SessionEnded::Id(id) => tokens.verified.retain(|_, token| token.claims.sid != *id),
            SessionEnded::Any => tokens.verified.clear(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        // Each change to the map is complete by itself, so a poisoned lock is usable.
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
    fn token_is_verified_until_it_or_its_session_ends() {
        let verified = VerifiedTokens::default();
        let now = Micros(1);
        for (token, session) in [("a", "one"), ("b", "one"), ("c", "two")] {
            let unverified = verified.get(token, now).unwrap_err();
            verified.keep(unverified, &claims(session));
        }
        assert_eq!(
            verified.get("a", now).unwrap_or_else(|_| panic!()),
            claims("one")
        );
        assert!(verified.get("a", Micros(100_000_000)).is_err(), "it ended");
        verified.forget(&SessionEnded::Id("one".to_owned()));
        assert!(verified.get("a", now).is_err() && verified.get("b", now).is_err());
        assert!(verified.get("c", now).is_ok());
        verified.forget(&SessionEnded::Any);
        assert!(verified.get("c", now).is_err());
    }

    #[test]
    fn token_verified_while_a_session_ended_is_not_kept() {
        let verified = VerifiedTokens::default();
        let unverified = verified.get("a", Micros(1)).unwrap_err();
        verified.forget(&SessionEnded::Id("one".to_owned()));
        verified.keep(unverified, &claims("one"));
        assert!(verified.get("a", Micros(1)).is_err());
    }
}
