//! Load on the real binary: what it carries, what it survives, what it shows to nobody else.
//!
//! Everything runs on this machine alone, over loopback, for a bounded time, and leaves nothing behind.

pub mod ceiling;
pub mod client;
pub mod crash;
pub mod leaks;
pub mod order;
mod reader;
pub mod report;
pub mod server;
pub mod sync;

pub use server::On;
