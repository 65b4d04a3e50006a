//! Bounds of the gateway's bench.

use std::time::Duration;

/// The gateways take turns of this, so that what disturbs this machine disturbs each of them.
pub const TURN: Duration = Duration::from_secs(5);

/// Added time to the first token, in milliseconds.
pub const MOST_ADDED_FIRST: f64 = 0.3;

/// Resident memory, in MiB.
pub const MOST_MEMORY: f64 = 32.0;
