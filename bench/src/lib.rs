//! Benches of the real binary: its speed and size, its safety under crashes, and its isolation of people.
//!
//! Everything runs on this machine alone, over loopback, for a bounded time, and leaves nothing behind.

pub mod ceiling;
pub mod client;
pub mod crash;
pub mod gateway;
pub mod leaks;
pub mod missions;
pub mod models;
pub mod night;
pub mod order;
pub mod plot;
mod reader;
pub mod report;
pub mod runner;
pub mod server;
pub mod strangers;
pub mod sync;
pub mod upstream;

pub use server::On;
