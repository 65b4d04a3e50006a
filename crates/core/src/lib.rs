//! Mana's pure core: what decides anything, written once for the server, the CLI and the browser.
//!
//! Nothing here reads a clock, a file, the network or a random source: times and ids are passed in.
//! `spec/SYNC.md` numbers the rules of [`change`], [`merge`] and [`clock`].

pub mod actor;
pub mod calendar;
pub mod change;
pub mod clock;
pub mod conflict;
mod gather;
pub mod ids;
pub mod json;
pub mod language;
pub mod manifest;
pub mod merge;
pub mod mission;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod paths;
pub mod planner;
pub mod policy;
mod prepare;
mod problem;
pub mod record;
pub mod recurrence;
pub mod replaced;
pub mod staging;
pub mod succession;
pub mod sync;
pub mod text;
pub mod time;
pub mod time_words;
pub mod undo;
pub mod zone;

pub use actor::{Actor, OtherActor, SystemSource};
pub use change::{AdjustedStamp, Change, ChangeError, Defaults, FieldWrite, Op};
pub use clock::Clock;
pub use gather::Gather;
pub use merge::{ListSpec, TableSchema, apply, canonical};
pub use prepare::{Prepare, Prepared, just_after, prepare};
pub use problem::Problem;
pub use record::{RecordKey, RecordState, Stamp};
pub use time::Micros;

/// A JSON object, the form in which record data travels.
pub type Map = serde_json::Map<String, serde_json::Value>;

/// A JSON object with a single field.
pub(crate) fn map_of(field: &str, value: serde_json::Value) -> Map {
    let mut map = Map::new();
    map.insert(field.to_owned(), value);
    map
}
