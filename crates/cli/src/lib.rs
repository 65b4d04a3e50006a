//! The command line: its arguments, and the commands that a person runs against a replica of their own.

mod add;
mod args;
mod backfill;
mod commands;
mod inbox;
mod list;
mod login;
mod undo;
mod watch;
mod workspace;

pub use args::{Age, Cli, Command};
pub use commands::{PersonCommand, run};
