//! Bounds of the gateway's bench.

use std::time::Duration;

/// The gateways take turns of this length, so that a disturbance of the machine affects all of them alike.
pub const TURN: Duration = Duration::from_secs(5);

/// The largest resident memory, in MiB.
pub const MOST_MEMORY: f64 = 32.0;
