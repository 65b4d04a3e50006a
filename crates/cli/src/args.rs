//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};

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
    /// Drop what has been overwritten from the logs; the server may go on meanwhile
    Compact {
        /// Drop only what is older than this, such as 90d or 12h; a device that was away for longer takes a snapshot
        #[arg(long, value_name = "AGE", default_value = "90d", value_parser = age)]
        before: Age,
    },
    /// Make the records and the schedule from the logs again
    Reproject {
        /// Only compare, and name what differs; exit code 1 if anything does
        #[arg(long)]
        check: bool,
    },
    /// Write accounts with their logs to a file, as JSON Lines: to keep, or for `mana import` on another database
    Export {
        /// Only the account with this e-mail address
        #[arg(long, value_name = "EMAIL")]
        user: Option<String>,
        /// The file to make, or - for standard output. It holds everything people wrote, and password hashes
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Take in accounts with their logs from a file of `mana export`; what is there already stays
    Import {
        /// The file, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Commands that a person runs against a replica of their own.
    #[command(flatten)]
    Person(crate::commands::PersonCommand),
}

/// How long ago.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age(pub SignedDuration);

/// Reads an age, such as `90d` or `12h`.
pub fn age(text: &str) -> Result<Age, String> {
    let span: Option<Span> = text.parse().ok();
    span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok())
        .filter(|age| !age.is_negative())
        .map(Age)
        .ok_or_else(|| "use a number of days or hours, such as 90d or 12h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli_ages_are_days_and_hours() {
        for (text, hours) in [("90d", 90 * 24), ("12h", 12), ("2w", 14 * 24), ("0d", 0)] {
            assert_eq!(
                age(text),
                Ok(Age(SignedDuration::from_hours(hours))),
                "{text}"
            );
        }
        for text in ["", "90", "-1d", "3months", "soon"] {
            age(text).unwrap_err();
        }
    }
}
