//! The rules of `spec/SYNC.md`, each test named after the rule that it holds.

mod changes;
mod clock;
mod generate;
mod laws;
mod records;
mod stamps;
mod sync_step;
mod vectors;
