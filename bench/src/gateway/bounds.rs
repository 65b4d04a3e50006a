//! Bounds of the gateway's bench.

use std::time::Duration;

/// The gateways take turns of this length, so that a disturbance of the machine affects all of them alike.
pub const TURN: Duration = Duration::from_secs(5);

/// The longest time that the gateway may add to the first token, in milliseconds.
pub const MOST_ADDED_FIRST: f64 = 0.3;

/// The largest resident memory, in MiB.
pub const MOST_MEMORY: f64 = 32.0;
