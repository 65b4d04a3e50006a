//! The clock that the server passes in.

use std::sync::Arc;

use mana_core::Micros;

/// Returns the current time. The server passes the clock that all its instances share.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;
