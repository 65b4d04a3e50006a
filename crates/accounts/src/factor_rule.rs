//! The owners' rule that everyone needs a second factor from a time on, as this server knows it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mana_core::Micros;
use mana_store::UserId;

/// For how long an account that meets the rule is not looked at again, in microseconds.
const MET_FOR: i64 = 30 * 1_000_000;
/// Accounts that are remembered to meet the rule.
const REMEMBERED: usize = 10_000;
/// The time of no rule.
const NEVER: Micros = Micros(i64::MAX);

/// The rule, as this server last read it.
pub(crate) struct FactorRule {
    from: AtomicI64,
    /// Until when the look at an account counts.
    met: Mutex<HashMap<UserId, Micros>>,
}

impl Default for FactorRule {
    fn default() -> FactorRule {
        FactorRule {
            from: AtomicI64::new(NEVER.0),
            met: Mutex::default(),
        }
    }
}

impl FactorRule {
    /// From when on everyone needs a second factor; none where nobody does.
    pub fn from(&self) -> Option<Micros> {
        Some(Micros(self.from.load(Ordering::Relaxed))).filter(|from| *from != NEVER)
    }

    /// Takes over the rule, and looks at every account again.
    pub fn set(&self, from: Option<Micros>) {
        self.from.store(from.unwrap_or(NEVER).0, Ordering::Relaxed);
        self.met().clear();
    }

    /// Whether an account met the rule a moment ago.
    pub fn is_met_by(&self, user: &UserId, now: Micros) -> bool {
        self.met().get(user).is_some_and(|until| now < *until)
    }

    /// Remembers an account that meets the rule.
    pub fn remember(&self, user: &UserId, now: Micros) {
        let mut met = self.met();
        if met.len() >= REMEMBERED {
            met.clear();
        }
        met.insert(user.clone(), now.plus(MET_FOR));
    }

    /// Looks at the account again with its next request.
    pub fn forget(&self, user: &UserId) {
        self.met().remove(user);
    }

    fn met(&self) -> MutexGuard<'_, HashMap<UserId, Micros>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
