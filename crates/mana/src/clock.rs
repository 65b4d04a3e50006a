//! The one place where the server reads the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use mana_core::Micros;

/// Now, in microseconds since the epoch.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
