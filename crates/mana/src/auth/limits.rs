//! How often one may try to sign in: a bucket an account, and a bucket an address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;

use axum::http::HeaderMap;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::error::{ApiError, ApiResult};

/// Tries an account has at once, and a minute after that.
const PER_ACCOUNT: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Tries an address has at once, and a minute after that. A household shares one.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// Buckets that are full again are forgotten once there are this many.
const SWEEP_ABOVE: usize = 10_000;

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// The buckets.
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
    /// Takes one try of the address.
    pub fn address(&self, address: IpAddr) -> ApiResult<()> {
        self.take(&self.addresses, network(address))
    }

    /// Takes one try of the account, known or not.
    pub fn account(&self, email: &str) -> ApiResult<()> {
        self.take(&self.accounts, email.to_owned())
    }

    fn take<K: Clone + Eq + std::hash::Hash>(&self, limiter: &Keyed<K>, key: K) -> ApiResult<()> {
        if limiter.len() > SWEEP_ABOVE {
            limiter.retain_recent();
        }
        limiter.check_key(&key).map_err(|refused| {
            let wait_s = refused.wait_time_from(self.clock.now()).as_secs() + 1;
            ApiError::slow_down(
                format!("That was too often; try again in {wait_s} s."),
                wait_s,
            )
        })
    }
}

/// The caller's address. A reverse proxy on the same machine says whom it speaks for.
pub fn caller_address(peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    if !peer.ip().is_loopback() {
        return peer.ip();
    }
    headers
        .get_all("x-forwarded-for")
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        // The last entry is the proxy's own; earlier ones anybody can write.
        .and_then(|value| value.rsplit(',').next())
        .and_then(|address| address.trim().parse().ok())
        .unwrap_or(peer.ip())
}

/// An IPv6 customer has a whole /64.
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
            limits.account("ada@example.org").unwrap();
        }
        limits.account("ada@example.org").unwrap_err();
        limits.account("bob@example.org").unwrap();

        let near: IpAddr = "2001:db8::1".parse().unwrap();
        let same_network: IpAddr = "2001:db8::2".parse().unwrap();
        for _ in 0..PER_ADDRESS.get() {
            limits.address(near).unwrap();
        }
        limits.address(same_network).unwrap_err();
        limits.address("192.0.2.1".parse().unwrap()).unwrap();
    }

    #[test]
    fn limits_believe_a_proxy_on_this_machine_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "10.9.9.9, 192.0.2.7".parse().unwrap());
        let address = |peer: &str| caller_address(peer.parse().unwrap(), &headers).to_string();
        assert_eq!(address("127.0.0.1:9"), "192.0.2.7");
        assert_eq!(address("198.51.100.4:9"), "198.51.100.4");
    }
}
