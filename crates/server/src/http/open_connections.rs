//! Which connections are open, by the address of their client, and which of them is closed for a newcomer.
//!
//! A connection without a request under way costs its client nothing, and the server a file descriptor and a buffer.
//! An address may therefore have only so many of them, and all addresses together no more than the process has
//! descriptors for. A newcomer is let in by closing the oldest idle connection: a browser or a pool that lost one
//! opens another. A connection with a request under way is never closed for a newcomer.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mana_accounts::network;
use tokio::sync::Notify;

/// Bounds of open connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionBounds {
    /// Connections of one address, sockets and streams included.
    pub per_address: usize,
    /// Of these, connections without a request under way. A browser keeps up to six, so this is a household's worth.
    pub idle_per_address: usize,
    /// Connections of all addresses.
    pub total: usize,
}

/// All open connections.
#[derive(Debug)]
pub struct OpenConnections {
    bounds: ConnectionBounds,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    /// The number of the next connection: a smaller one is older.
    next: u64,
    count: usize,
    addresses: HashMap<IpAddr, BTreeMap<u64, Arc<OpenConnection>>>,
}

/// A connection that is open.
#[derive(Debug, Default)]
pub struct OpenConnection {
    requests: AtomicU32,
    has_had_request: AtomicBool,
    is_closing: AtomicBool,
    close: Notify,
}

/// The place of a connection among the open ones; dropping it gives the place back.
#[derive(Debug)]
pub struct ConnectionPlace {
    all: Arc<OpenConnections>,
    address: IpAddr,
    number: u64,
    connection: Arc<OpenConnection>,
}

/// A request under way; dropping it ends the request.
#[derive(Debug)]
pub struct RequestUnderWay(Arc<OpenConnection>);

impl OpenConnections {
    /// No connections, within these bounds.
    pub fn new(bounds: ConnectionBounds) -> Arc<OpenConnections> {
        Arc::new(OpenConnections {
            bounds,
            open: Mutex::default(),
        })
    }

    /// Adds a connection. The bounds of an address don't hold for a trusted proxy, which brings everybody's requests.
    /// Returns none where a bound is reached and no idle connection can make room.
    pub fn admit(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Option<ConnectionPlace> {
        let address = network(address);
        let mut open = self.open();
        let bounds = self.bounds;
        if !is_proxy && let Some(theirs) = open.addresses.get(&address) {
            let idle = theirs.values().filter(|one| one.is_idle()).count();
            let full = theirs.len() >= bounds.per_address;
            if full || idle >= bounds.idle_per_address {
                let made_room = close_oldest_idle(theirs);
                if full && !made_room {
                    return None;
                }
            }
        }
        if open.count >= bounds.total {
            let every = open.addresses.values().flatten();
            let oldest = every
                .filter(|(_, one)| one.is_idle())
                .min_by_key(|(number, _)| **number);
            oldest?.1.close();
        }
        let number = open.next;
        let connection = Arc::<OpenConnection>::default();
        open.next += 1;
        open.count += 1;
        let theirs = open.addresses.entry(address).or_default();
        theirs.insert(number, connection.clone());
        Some(ConnectionPlace {
            all: self.clone(),
            address,
            number,
            connection,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A panic elsewhere leaves the counts whole, so a poisoned lock is usable.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn close_oldest_idle(connections: &BTreeMap<u64, Arc<OpenConnection>>) -> bool {
    let oldest = connections.values().find(|one| one.is_idle());
    oldest.is_some_and(|one| {
        one.close();
        true
    })
}

impl OpenConnection {
    /// Begins a request.
    pub fn begin(self: &Arc<Self>) -> RequestUnderWay {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.has_had_request.store(true, Ordering::Relaxed);
        RequestUnderWay(self.clone())
    }

    /// Whether a whole head of a request has ever come.
    pub fn has_had_request(&self) -> bool {
        self.has_had_request.load(Ordering::Relaxed)
    }

    /// Waits until the connection is to make room.
    pub async fn closed(&self) {
        self.close.notified().await;
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.is_closing.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
        self.close.notify_one();
    }
}

impl ConnectionPlace {
    /// The connection that has the place.
    pub fn connection(&self) -> &Arc<OpenConnection> {
        &self.connection
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut open = self.all.open();
        open.count -= 1;
        if let Some(theirs) = open.addresses.get_mut(&self.address) {
            theirs.remove(&self.number);
            if theirs.is_empty() {
                open.addresses.remove(&self.address);
            }
        }
    }
}

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(
        per_address: usize,
        idle_per_address: usize,
        total: usize,
    ) -> Arc<OpenConnections> {
        OpenConnections::new(ConnectionBounds {
            per_address,
            idle_per_address,
            total,
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_told_to_close(place: &ConnectionPlace) -> bool {
        !place.connection.is_idle() && place.connection.requests.load(Ordering::Relaxed) == 0
    }

    #[test]
    fn connections_that_are_idle_make_room_for_a_newcomer_of_their_address_the_oldest_first() {
        let all = connections(4, 2, 100);
        let ada = address("192.0.2.1");
        let first = all.admit(ada, false).unwrap();
        let second = all.admit(ada, false).unwrap();
        let other = all.admit(address("192.0.2.2"), false).unwrap();
        let third = all.admit(ada, false).unwrap();
        assert!(is_told_to_close(&first));
        let fourth = all.admit(ada, false).unwrap();
        assert!(is_told_to_close(&second));
        assert!(
            !is_told_to_close(&third) && !is_told_to_close(&fourth) && !is_told_to_close(&other)
        );
    }

    #[test]
    fn connections_with_a_request_stay_and_a_full_address_takes_no_more() {
        let all = connections(3, 2, 100);
        let ada = address("2001:db8::1");
        let same_network = address("2001:db8::9");
        let places: Vec<_> = (0..3).map(|_| all.admit(ada, false).unwrap()).collect();
        let requests: Vec<_> = places
            .iter()
            .map(|place| place.connection().begin())
            .collect();
        assert!(all.admit(same_network, false).is_none());
        assert!(all.admit(address("192.0.2.1"), false).is_some());
        assert!(all.admit(ada, true).is_some(), "a proxy brings everybody's");
        drop(requests);
        drop(places);
        assert!(all.admit(same_network, false).is_some());
    }

    #[test]
    fn connections_of_all_addresses_are_bounded_and_forgotten() {
        let all = connections(10, 10, 2);
        let first = all.admit(address("192.0.2.1"), true).unwrap();
        let second = all.admit(address("192.0.2.2"), false).unwrap();
        let _request = second.connection().begin();
        let third = all.admit(address("192.0.2.3"), false).unwrap();
        assert!(is_told_to_close(&first));
        let _another = third.connection().begin();
        assert!(all.admit(address("192.0.2.4"), false).is_none());
        drop((first, second, third));
        assert!(all.open().addresses.is_empty() && all.open().count == 0);
    }
}
