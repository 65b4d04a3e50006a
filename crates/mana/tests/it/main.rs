//! The real binary over real HTTP, on a port of its own, with a data directory of its own.

mod accounts;
mod failures;
mod missions;
mod process;
mod snapshot;
mod stream;
mod support;
mod sync;
mod upkeep;
mod upstream;
mod web;
mod ws;
