//! Limits of one person: pushes a minute and at a time, and open sockets and streams.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use mana_store::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::config::LimitsConfig;
use crate::error::{ApiError, ApiResult};

/// Pushes of a person under way, each with its body in memory: the one that is written, and the one that arrives
/// meanwhile.
const PUSHES_AT_A_TIME: usize = 2;
/// Pushes of a person that wait for one under way, with their bodies still unread.
const PUSHES_WAITING: usize = 32;
/// How long a push waits.
const PUSH_WAIT: Duration = Duration::from_secs(20);
/// Number of buckets at which the full ones are removed.
const SWEEP_ABOVE: usize = 10_000;

/// The counts of all people.
pub struct Limits {
    pushes: RateLimiter<UserId, HashMapStateStore<UserId>, DefaultClock>,
    clock: DefaultClock,
    max_connections: NonZeroU32,
    open: Mutex<HashMap<UserId, u32>>,
    under_way: Mutex<HashMap<UserId, Arc<Semaphore>>>,
}

impl Limits {
    /// Makes the limits, with nothing used.
    pub fn new(config: &LimitsConfig) -> Limits {
        Limits {
            pushes: RateLimiter::hashmap(Quota::per_minute(config.pushes_per_minute)),
            clock: DefaultClock::default(),
            max_connections: config.connections,
            open: Mutex::default(),
            under_way: Mutex::default(),
        }
    }

    /// Takes one push, and waits until the person's earlier ones leave room for it.
    ///
    /// # Errors
    ///
    /// 429 where the person has used up this minute's pushes, 503 where too many of the person's wait already.
    pub async fn push(self: &Arc<Self>, user: &UserId) -> ApiResult<PushPermit> {
        self.count_push(user)?;
        let places = {
            let mut under_way = self.under_way();
            let places = under_way
                .entry(user.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(PUSHES_AT_A_TIME)));
            places.clone()
        };
        // Made before the wait, so that a caller that gives up is forgotten too.
        let mut permit = PushPermit {
            limits: self.clone(),
            user: user.clone(),
            place: None,
        };
        // The map's reference, and one for each push that waits or is under way.
        let pushes = Arc::strong_count(&places) - 1;
        if pushes > PUSHES_AT_A_TIME + PUSHES_WAITING {
            drop(places);
            return Err(ApiError::busy());
        }
        match timeout(PUSH_WAIT, places.acquire_owned()).await {
            Ok(Ok(place)) => permit.place = Some(place),
            _ => return Err(ApiError::busy()),
        }
        Ok(permit)
    }

    fn count_push(&self, user: &UserId) -> ApiResult<()> {
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

    fn under_way(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Semaphore>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<UserId, u32>> {
        // A panic elsewhere leaves the counts whole, so a poisoned lock is usable.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A person's permit for one push under way; dropping it lets the next one go.
pub struct PushPermit {
    limits: Arc<Limits>,
    user: UserId,
    place: Option<OwnedSemaphorePermit>,
}

impl Drop for PushPermit {
    fn drop(&mut self) {
        self.place = None;
        let mut under_way = self.limits.under_way();
        // Nobody else has the places: only the map's own reference is left.
        if (under_way.get(&self.user)).is_some_and(|places| Arc::strong_count(places) == 1) {
            under_way.remove(&self.user);
        }
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
    use crate::config::MemberLimitsConfig;

    #[test]
    fn limits_of_connections_are_by_person_and_a_permit_comes_free() {
        let limits = Arc::new(Limits::new(&LimitsConfig {
            pushes_per_minute: NonZeroU32::MIN,
            connections: NonZeroU32::new(2).unwrap(),
            connections_per_address: NonZeroU32::MIN,
            members: MemberLimitsConfig::default(),
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

    #[tokio::test(start_paused = true)]
    async fn limits_of_pushes_under_way_refuse_the_person_who_overloads_and_nobody_else() {
        let limits = Arc::new(Limits::new(&LimitsConfig {
            pushes_per_minute: NonZeroU32::new(6000).unwrap(),
            connections: NonZeroU32::MIN,
            connections_per_address: NonZeroU32::MIN,
            members: MemberLimitsConfig::default(),
        }));
        let (ada, bob) = (UserId("ada".to_owned()), UserId("bob".to_owned()));
        let first = limits.push(&ada).await.unwrap();
        let second = limits.push(&ada).await.unwrap();
        let waiting: Vec<_> = (0..PUSHES_WAITING)
            .map(|_| {
                let (limits, ada) = (limits.clone(), ada.clone());
                tokio::spawn(async move { limits.push(&ada).await.map(drop) })
            })
            .collect();
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        assert!(limits.push(&ada).await.is_err());
        drop(limits.push(&bob).await.unwrap());
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop((first, second));
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        assert!(
            limits.under_way().is_empty(),
            "people without pushes are forgotten"
        );

        let _held = (
            limits.push(&ada).await.unwrap(),
            limits.push(&ada).await.unwrap(),
        );
        assert!(limits.push(&ada).await.is_err());
        assert_eq!(began.elapsed(), PUSH_WAIT);
    }
}
