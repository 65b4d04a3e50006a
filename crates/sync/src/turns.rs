//! Turns at the writer: of each log one push at a time.
//!
//! The store serves writers in the order of their coming. Where each owner has at most one push there, owners take
//! turns, and nobody waits for more than one push of each other owner, however many pushes these have ready.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use mana_store::UserId;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The owners whose pushes are at the writer or wait for their turn.
#[derive(Debug, Default)]
pub(crate) struct Turns(StdMutex<HashMap<UserId, Arc<Mutex<()>>>>);

/// A turn at the writer; dropping it lets the owner's next push go.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    owner: UserId,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the owner's turn, behind the owner's earlier pushes.
    pub async fn take(self: &Arc<Self>, owner: &UserId) -> Turn {
        let queue = self.open().entry(owner.clone()).or_default().clone();
        // Made before the wait, so that a caller that gives up is forgotten too.
        let mut turn = Turn {
            turns: self.clone(),
            owner: owner.clone(),
            held: None,
        };
        turn.held = Some(queue.lock_owned().await);
        turn
    }

    fn open(&self) -> MutexGuard<'_, HashMap<UserId, Arc<Mutex<()>>>> {
        // A panic elsewhere leaves the map whole, so a poisoned lock is usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.held = None;
        let mut queues = self.turns.open();
        // Nobody else has the queue: only the map's own reference is left.
        if queues
            .get(&self.owner)
            .is_some_and(|queue| Arc::strong_count(queue) == 1)
        {
            queues.remove(&self.owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn owner(id: &str) -> UserId {
        UserId(id.to_owned())
    }

    #[tokio::test]
    async fn turns_are_one_at_a_time_for_an_owner_and_owners_do_not_wait_for_each_other() {
        let turns = Arc::new(Turns::default());
        let ada = turns.take(&owner("ada")).await;
        let bob = turns.take(&owner("bob")).await;
        let again = timeout(Duration::from_millis(20), turns.take(&owner("ada"))).await;
        assert!(again.is_err());
        drop(ada);
        let ada = turns.take(&owner("ada")).await;
        drop((ada, bob));
        assert!(
            turns.open().is_empty(),
            "owners without pushes are forgotten"
        );
    }
}
