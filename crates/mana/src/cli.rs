//! The command line.

use clap::{Parser, Subcommand};

/// A self-hosted, local-first workspace whose AI asks before it changes anything.
#[derive(Debug, Parser)]
#[command(
    name = "mana",
    version,
    after_help = "Settings come from the environment and from mana.toml in the data directory; `mana config` shows them."
)]
pub struct Cli {
    /// What to do; `serve` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server
    Serve,
    /// Print the effective settings, secrets hidden
    Config,
    /// Bring the database up to date and stop
    Migrate,
    /// Print the HTTP interface as OpenAPI
    Openapi,
}
