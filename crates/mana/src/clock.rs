//! The one place where the server reads the wall clock.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use mana_core::Micros;

/// How far the clock is off, in microseconds.
static SKEW: OnceLock<i64> = OnceLock::new();

/// Sets the clock off, before anybody reads it: `cargo xtask bench night` plays servers whose clocks jump.
pub fn set_skew(micros: i64) {
    SKEW.get_or_init(|| micros);
}

/// Now, in microseconds since the epoch.
pub fn now() -> Micros {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX));
    now.plus(SKEW.get().copied().unwrap_or(0))
}
