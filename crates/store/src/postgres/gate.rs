//! Waiting for a log without taking up the pool.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as Turn, Semaphore};

use crate::UserId;

/// Keeps those who wait for a log from taking up the pool: of each log one waits in the database, and of all
/// together half as many as there are connections. The others wait here, and hold none.
pub(super) struct Gate {
    turns: Mutex<HashMap<UserId, Weak<Turn<()>>>>,
    pub waiting: Semaphore,
}

impl Gate {
    pub fn new(connections: usize) -> Self {
        Self {
            turns: Mutex::default(),
            waiting: Semaphore::new((connections / 2).max(1)),
        }
    }

    pub fn turn(&self, user: &UserId) -> Arc<Turn<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(user).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() >= 1024 {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::new(()));
        turns.insert(user.clone(), Arc::downgrade(&turn));
        turn
    }
}
