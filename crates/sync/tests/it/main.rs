//! Pushes, pulls and notices over the store in memory.

mod accept;
mod attribution;
mod conflicts;
mod follow;
mod hub;
mod join;
mod past;
mod pull;
mod snapshot;
mod support;
