//! How far runs are, in memory: there is no other process to tell, and a write for each phase would cost a sync of the
//! disk.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Claim, RunProgress, UserId};

/// The run of each mission that is under way, with its claim's token.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<(UserId, String), (i64, RunProgress)>>);

impl UnderWay {
    fn lock(&self) -> MutexGuard<'_, HashMap<(UserId, String), (i64, RunProgress)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run of a mission and its claim's token.
    pub fn of(&self, user: &UserId, mission_id: &str) -> Option<(i64, RunProgress)> {
        let key = (user.clone(), mission_id.to_owned());
        self.lock().get(&key).cloned()
    }

    /// Keeps how far a run is, and forgets a run that has ended.
    pub fn set(&self, claim: &Claim, progress: &RunProgress) {
        let key = (claim.user.clone(), claim.mission_id.clone());
        let mut under_way = self.lock();
        if progress.phase.is_end() {
            under_way.remove(&key);
        } else {
            under_way.insert(key, (claim.token, progress.clone()));
        }
    }
}
