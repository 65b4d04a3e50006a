//! Rate limits of signing in: buckets for each address, for each account at an address, for each account from anywhere,
//! and for each device that has signed in before.
//!
//! Guessing at one account must not lock its person out. A known device therefore passes by the buckets that strangers
//! fill, and has one of its own.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{AccountError, Result};

/// Attempts of an account at an address: the burst, and the refill a minute.
const PER_ACCOUNT_AND_ADDRESS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Attempts of an account from all addresses together: the burst, and the refill a minute.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// Attempts of an address: the burst, and the refill a minute. A household shares one address.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Attempts of a known device: the burst, and the refill a minute.
const PER_DEVICE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Mails to an address about a forgotten password: the burst, and the refill an hour.
const MAILS: NonZeroU32 = NonZeroU32::new(3).unwrap();
/// Number of buckets at which the full ones are removed.
const SWEEP_ABOVE: usize = 10_000;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// The buckets of all accounts, addresses and devices.
#[derive(Debug)]
pub struct SignInLimits {
    accounts: Keyed<String>,
    accounts_at: Keyed<(String, IpAddr)>,
    addresses: Keyed<IpAddr>,
    devices: Keyed<String>,
    mails: Keyed<String>,
    clock: DefaultClock,
}

impl Default for SignInLimits {
    fn default() -> Self {
        SignInLimits {
            accounts: RateLimiter::hashmap(Quota::per_minute(PER_ACCOUNT)),
            accounts_at: RateLimiter::hashmap(Quota::per_minute(PER_ACCOUNT_AND_ADDRESS)),
            addresses: RateLimiter::hashmap(Quota::per_minute(PER_ADDRESS)),
            devices: RateLimiter::hashmap(Quota::per_minute(PER_DEVICE)),
            mails: RateLimiter::hashmap(Quota::per_hour(MAILS)),
            clock: DefaultClock::default(),
        }
    }
}

impl SignInLimits {
    /// Takes one attempt of the address.
    pub fn take_address(&self, address: IpAddr) -> Result<()> {
        self.take(&self.addresses, network(address))
    }

    /// Takes one attempt of the account by a stranger at an address, whether or not the account exists.
    pub fn take_account(&self, email: &str, address: IpAddr) -> Result<()> {
        self.take(&self.accounts_at, (email.to_owned(), network(address)))?;
        self.take(&self.accounts, email.to_owned())
    }

    /// Takes one attempt of a known device.
    pub fn take_device(&self, id: &str) -> Result<()> {
        self.take(&self.devices, id.to_owned())
    }

    /// Takes one mail to an address, whether or not there is an account.
    pub fn take_mail(&self, email: &str) -> Result<()> {
        self.take(&self.mails, email.to_owned())
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

/// Returns the network that counts as one address: an IPv6 customer has a whole /64.
pub fn network(address: IpAddr) -> IpAddr {
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
    fn limits_are_by_account_at_an_address_and_by_address() {
        let limits = SignInLimits::default();
        let (near, far) = (ip("192.0.2.1"), ip("198.51.100.1"));
        for _ in 0..PER_ACCOUNT_AND_ADDRESS.get() {
            limits.take_account("ada@example.org", near).unwrap();
        }
        limits.take_account("ada@example.org", near).unwrap_err();
        limits.take_account("bob@example.org", near).unwrap();
        limits.take_account("ada@example.org", far).unwrap();

        let near = ip("2001:db8::1");
        for _ in 0..PER_ADDRESS.get() {
            limits.take_address(near).unwrap();
        }
        limits.take_address(ip("2001:db8::2")).unwrap_err();
        limits.take_address(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn limits_hold_against_many_addresses_and_let_a_known_device_in() {
        let limits = SignInLimits::default();
        let mut taken = 0;
        for host in 1..=200 {
            let address = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, host));
            let took = |_: &i32| limits.take_account("ada@example.org", address).is_ok();
            taken += (0..2).filter(took).count();
        }
        assert_eq!(taken, PER_ACCOUNT.get() as usize);
        for _ in 0..PER_DEVICE.get() {
            limits.take_device("phone").unwrap();
        }
        limits.take_device("phone").unwrap_err();
        limits.take_device("laptop").unwrap();
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }
}
