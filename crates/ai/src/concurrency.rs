//! How many of an agent's missions run at a time. Rule MISSIONS G8.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mana_core::mission::Agent;
use mana_store::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of the agents that limit themselves, in this process.
#[derive(Default)]
pub(crate) struct AgentPermits(Mutex<HashMap<Key, Weak<Semaphore>>>);

/// A person's agent with its limit, so that a changed limit counts at once.
type Key = (UserId, String, u32);

impl AgentPermits {
    /// Waits for a place with the agent, and keeps it until the answer is dropped. None where it has no limit.
    pub async fn place(&self, user: &UserId, agent: &Agent) -> Option<OwnedSemaphorePermit> {
        let limit = agent.concurrency?;
        let places = self.of((user.clone(), agent.id.clone(), limit));
        places.acquire_owned().await.ok()
    }

    fn of(&self, key: Key) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = all.get(&key).and_then(Weak::upgrade) {
            return places;
        }
        all.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(key.2 as usize));
        all.insert(key, Arc::downgrade(&places));
        places
    }
}
