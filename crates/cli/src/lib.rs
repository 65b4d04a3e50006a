//! The command line: its arguments, and the commands that a person runs against a replica of their own.

mod add;
mod age;
mod args;
mod backfill;
mod card_text;
mod commands;
mod conflicts;
mod inbox;
mod list;
mod login;
mod names;
mod resynced;
mod terminal;
mod undo;
mod watch;
mod workspace;

pub use age::Age;
pub use args::{Cli, Command, UserCommand};
pub use commands::{PersonCommand, run};
pub use terminal::error_text;
