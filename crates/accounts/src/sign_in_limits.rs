//! Rate limits of signing in: a bucket for each account, and a bucket for each address.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{AccountError, Result};

/// Attempts of an account: the burst, and the refill a minute.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Attempts of an address: the burst, and the refill a minute. A household shares one address.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Number of buckets at which the full ones are removed.
const SWEEP_ABOVE: usize = 10_000;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// The buckets of all accounts and addresses.
#[derive(Debug)]
pub struct SignInLimits {
    accounts: Keyed<String>,
    addresses: Keyed<IpAddr>,
    clock: DefaultClock,
}

impl Default for SignInLimits {
    fn default() -> Self {
        SignInLimits {
            accounts: RateLimiter::hashmap(Quota::per_minute(PER_ACCOUNT)),
            addresses: RateLimiter::hashmap(Quota::per_minute(PER_ADDRESS)),
            clock: DefaultClock::default(),
        }
    }
}

impl SignInLimits {
    /// Takes one attempt of the address.
    pub fn take_address(&self, address: IpAddr) -> Result<()> {
        self.take(&self.addresses, network(address))
    }

    /// Takes one attempt of the account, whether or not it exists.
    pub fn take_account(&self, email: &str) -> Result<()> {
        self.take(&self.accounts, email.to_owned())
    }

    fn take<K: Clone + Eq + std::hash::Hash>(&self, limiter: &Keyed<K>, key: K) -> Result<()> {
        if limiter.len() > SWEEP_ABOVE {
            limiter.retain_recent();
        }
        limiter.check_key(&key).map_err(|refused| {
            let retry_after_s = refused.wait_time_from(self.clock.now()).as_secs() + 1;
            AccountError::TooManyAttempts { retry_after_s }
        })
    }
}

/// Returns the network that shares a bucket: an IPv6 customer has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_by_account_and_by_address() {
        let limits = SignInLimits::default();
        for _ in 0..PER_ACCOUNT.get() {
            limits.take_account("ada@example.org").unwrap();
        }
        limits.take_account("ada@example.org").unwrap_err();
        limits.take_account("bob@example.org").unwrap();

        let near: IpAddr = "2001:db8::1".parse().unwrap();
        let same_network: IpAddr = "2001:db8::2".parse().unwrap();
        for _ in 0..PER_ADDRESS.get() {
            limits.take_address(near).unwrap();
        }
        limits.take_address(same_network).unwrap_err();
        limits.take_address("192.0.2.1".parse().unwrap()).unwrap();
    }
}
