//! Limits of one person: pushes a minute, and open sockets and streams.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use mana_store::UserId;

use crate::config::LimitsConfig;
use crate::error::{ApiError, ApiResult};

/// Number of buckets at which the full ones are removed.
const SWEEP_ABOVE: usize = 10_000;

/// The counts of all people.
pub struct Limits {
    pushes: RateLimiter<UserId, HashMapStateStore<UserId>, DefaultClock>,
    clock: DefaultClock,
    max_connections: NonZeroU32,
    open: Mutex<HashMap<UserId, u32>>,
}

impl Limits {
    /// Makes the limits, with nothing used.
    pub fn new(config: &LimitsConfig) -> Limits {
        Limits {
            pushes: RateLimiter::hashmap(Quota::per_minute(config.pushes_per_minute)),
            clock: DefaultClock::default(),
            max_connections: config.connections,
            open: Mutex::default(),
        }
    }

    /// Takes one push.
    ///
    /// # Errors
    ///
    /// 429 where the person has used up this minute's pushes.
    pub fn push(&self, user: &UserId) -> ApiResult<()> {
        if self.pushes.len() > SWEEP_ABOVE {
            self.pushes.retain_recent();
        }
        self.pushes.check_key(user).map_err(|refused| {
            let wait_s = refused.wait_time_from(self.clock.now()).as_secs() + 1;
            ApiError::slow_down(
                format!("There were too many pushes; try again in {wait_s} s. The changes stay on the device."),
                wait_s,
            )
        })
    }

    /// Takes a permit for a socket or a stream, until it is dropped. Returns none if the person has no more.
    pub fn connect(self: &Arc<Self>, user: &UserId) -> Option<ConnectionPermit> {
        let mut open = self.open();
        let count = open.entry(user.clone()).or_default();
        if *count >= self.max_connections.get() {
            return None;
        }
        *count += 1;
        Some(ConnectionPermit {
            limits: self.clone(),
            user: user.clone(),
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<UserId, u32>> {
        // A panic elsewhere leaves the counts whole, so a poisoned lock is usable.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A person's permit for one open connection; dropping it gives it back.
pub struct ConnectionPermit {
    limits: Arc<Limits>,
    user: UserId,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut open = self.limits.open();
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_connections_are_by_person_and_a_permit_comes_free() {
        let limits = Arc::new(Limits::new(&LimitsConfig {
            pushes_per_minute: NonZeroU32::MIN,
            connections: NonZeroU32::new(2).unwrap(),
        }));
        let (ada, bob) = (UserId("ada".to_owned()), UserId("bob".to_owned()));
        let first = limits.connect(&ada);
        let second = limits.connect(&ada);
        assert!(first.is_some() && second.is_some() && limits.connect(&ada).is_none());
        assert!(limits.connect(&bob).is_some());
        drop(first);
        let third = limits.connect(&ada);
        assert!(third.is_some() && limits.connect(&ada).is_none());
        drop((second, third));
        assert!(
            limits.open().is_empty(),
            "people without connections are forgotten"
        );
    }
}
