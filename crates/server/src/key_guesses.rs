//! The bound of guesses at keys: an address that has shown many wrong ones waits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use mana_accounts::network;

/// Wrong keys of an address in [`WITHIN`].
const MOST: u32 = 20;

/// The time after which an address begins anew.
const WITHIN: Duration = Duration::from_secs(60);

/// Number of addresses at which the old ones are forgotten.
const SWEEP_ABOVE: usize = 10_000;

/// Wrong keys of each address.
#[derive(Debug, Default)]
pub struct KeyGuesses(Mutex<HashMap<IpAddr, (Instant, u32)>>);

impl KeyGuesses {
    /// Returns how long the address has to wait; none where it may try.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = guesses.get(&network(address))?;
        let left = WITHIN.checked_sub(now.duration_since(*since))?;
        (*count >= MOST).then_some(left)
    }

    /// Counts a wrong key.
    pub fn wrong(&self, address: IpAddr, now: Instant) {
        let mut guesses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if guesses.len() > SWEEP_ABOVE {
            guesses.retain(|_, (since, _)| now.duration_since(*since) < WITHIN);
        }
        let entry = guesses.entry(network(address)).or_insert((now, 0));
        if now.duration_since(entry.0) >= WITHIN {
            *entry = (now, 0);
        }
        entry.1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_waits_and_others_do_not() {
        let (guesses, now) = (KeyGuesses::default(), Instant::now());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..MOST {
            assert_eq!(guesses.wait(ip("2001:db8::1"), now), None);
            guesses.wrong(ip("2001:db8::1"), now);
        }
        assert!(
            guesses.wait(ip("2001:db8::2"), now).is_some(),
            "its network"
        );
        assert_eq!(guesses.wait(ip("192.0.2.1"), now), None);
        let later = now + WITHIN + Duration::from_secs(1);
        assert_eq!(guesses.wait(ip("2001:db8::1"), later), None);
        guesses.wrong(ip("2001:db8::1"), later);
        assert_eq!(guesses.wait(ip("2001:db8::1"), later), None);
    }
}
