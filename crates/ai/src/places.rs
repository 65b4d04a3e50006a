//! How many missions of one agent run at a time in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mana_store::UserId;
use tokio::sync::Notify;

/// Whose agent.
type Key = (UserId, String);

/// The runs of agents that may have so many only.
#[derive(Default)]
pub(crate) struct AgentPlaces {
    taken: Mutex<HashMap<Key, usize>>,
    freed: Notify,
}

/// One of an agent's places, free again when it is dropped.
pub(crate) struct AgentPlace {
    places: Arc<AgentPlaces>,
    key: Key,
}

impl AgentPlaces {
    /// Waits until fewer than `most` missions of the agent run here.
    pub async fn take(self: &Arc<Self>, user: &UserId, agent: String, most: usize) -> AgentPlace {
        let key = (user.clone(), agent);
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Heard from here on, so that no place falls between the look and the wait.
            freed.as_mut().enable();
            if self.try_take(&key, most) {
                let places = self.clone();
                return AgentPlace { places, key };
            }
            freed.await;
        }
    }

    fn try_take(&self, key: &Key, most: usize) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = taken.entry(key.clone()).or_default();
        let free = *runs < most.max(1);
        *runs += usize::from(free);
        free
    }
}

impl Drop for AgentPlace {
    fn drop(&mut self) {
        let mut taken = (self.places.taken.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(runs) = taken.get_mut(&self.key) {
            *runs -= 1;
            if *runs == 0 {
                taken.remove(&self.key);
            }
        }
        drop(taken);
        self.places.freed.notify_waiters();
    }
}
