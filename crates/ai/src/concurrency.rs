//! How many of an agent's missions run at a time. Rule MISSIONS G8.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use mana_core::mission::Agent;
use mana_store::UserId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits of agents with a limit, in this process.
#[derive(Default)]
pub(crate) struct AgentPermits(Mutex<HashMap<Key, Weak<Semaphore>>>);

/// A person's agent with its limit, so that a changed limit counts at once.
type Key = (UserId, String, u32);

/// The right to run a mission of an agent, until it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

impl AgentPermits {
    /// Waits for a permit of the agent. None where the agent has no limit.
    pub async fn acquire(&self, user: &UserId, agent: &Agent) -> Option<Permit> {
        let limit = agent.concurrency?;
        let permits = self.permits((user.clone(), agent.id.clone(), limit));
        permits.acquire_owned().await.ok()
    }

    fn permits(&self, key: Key) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permits) = all.get(&key).and_then(Weak::upgrade) {
            return permits;
        }
        all.retain(|_, permits| permits.strong_count() > 0);
        let permits = Arc::new(Semaphore::new(key.2 as usize));
        all.insert(key, Arc::downgrade(&permits));
        permits
    }
}
