//! The simulation: devices with several tabs, and several server instances over one database, in one thread and
//! with a clock of its own. Everything that may happen is an [`Action`] drawn from a seed: writes, decisions,
//! syncs, single steps of each of them, packets delivered, doubled, lost and overtaken, crashes, partitions, clocks
//! that jump, runs that hang. Then all is mended, and [`check`] says whether anything is lost, doubled, stuck or
//! different anywhere.
//!
//! The devices are `mana-device` as it is, polled by hand, so that dropping a future is a crash at that very point.
//! The servers are `mana-sync`, `mana-store` and `mana-ai` as they are, over SQLite in memory.

mod action;
mod check;
mod disk;
mod face;
mod failure;
mod figures;
mod net;
mod old_device;
mod person;
mod rng;
mod run;
mod server;
mod shrink;
mod texts;
mod world;

pub use action::{Action, Direction, Fate, generate};
pub use face::Face;
pub use failure::{Failure, Kind};
pub use figures::Figures;
pub use run::run;
pub use shrink::shrink;

/// Runs a seed.
pub fn seed(seed: u64, face: Face) -> Result<Figures, Failure> {
    run(&generate(seed), face).0
}
