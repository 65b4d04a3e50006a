//! The days on which virtual keys were last used: the audit log tells the first use of a day, not every call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mana_core::Micros;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// Keys at which those of earlier days are forgotten.
const SWEEP_ABOVE: usize = 10_000;

/// By key, the day in UTC of its last use.
#[derive(Default)]
pub struct KeyUses(Mutex<HashMap<String, i64>>);

impl KeyUses {
    /// Counts a use. Returns whether it is the key's first of the day, in this process.
    pub fn is_first_of_day(&self, key: &str, now: Micros) -> bool {
        let day = now.0.div_euclid(DAY);
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.get(key) == Some(&day) {
            return false;
        }
        if uses.len() >= SWEEP_ABOVE {
            uses.retain(|_, last| *last == day);
        }
        uses.insert(key.to_owned(), day);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_of_a_key_is_told_once_a_day() {
        let uses = KeyUses::default();
        let at = |day: i64| Micros(day * DAY + 5);
        assert!(uses.is_first_of_day("a", at(1)) && !uses.is_first_of_day("a", at(1)));
        assert!(uses.is_first_of_day("b", at(1)) && uses.is_first_of_day("a", at(2)));
    }
}
