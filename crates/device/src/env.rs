//! The clock, the zone and the ids that a replica uses.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::tz::TimeZone;
use mana_core::{Micros, zone::Zone};

/// The wall clock, its zone and new ids, passed in so that a simulation can decide them.
#[derive(Clone)]
pub struct Env {
    /// The local wall time.
    pub now: Arc<dyn Fn() -> Micros + Send + Sync>,
    /// An id that nobody has.
    pub new_id: Arc<dyn Fn() -> String + Send + Sync>,
    /// The person's zone, which says which day it is.
    pub zone: Arc<dyn Zone + Send + Sync>,
}

impl Env {
    /// This machine's clock and zone, and UUIDs of version 7.
    pub fn system() -> Env {
        Env {
            now: Arc::new(|| {
                let since_epoch = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
            }),
            new_id: Arc::new(|| uuid::Uuid::now_v7().to_string()),
            zone: Arc::new(TimeZone::system()),
        }
    }
}
