//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::age::{Age, parse_age};
use crate::commands::PersonCommand;

/// A self-hosted, local-first workspace whose AI asks before it changes anything.
#[derive(Debug, Parser)]
#[command(
    name = "mana",
    version,
    after_help = "Settings come from the environment and from mana.toml in the data directory; \
                  `mana config` shows them."
)]
pub struct Cli {
    /// The command; `serve` by default.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the server
    Serve,
    /// Print the effective settings, secrets hidden
    Config,
    /// Bring the database up to date and stop
    Migrate,
    /// Make a backup, then bring the database up to date and stop
    Upgrade {
        /// Upgrade a copy instead, compare every record with its log, and say how long it took
        #[arg(long)]
        rehearse: bool,
        /// An empty Postgres database for the copy of one on Postgres
        #[arg(long, value_name = "URL", requires = "rehearse")]
        on: Option<String>,
    },
    /// Print the HTTP interface as OpenAPI
    Openapi,
    /// Drop overwritten rows from the logs; the server may go on meanwhile
    Compact {
        /// Drop only rows older than this, such as 90d or 12h; a device that was away for longer takes a snapshot
        #[arg(long, value_name = "AGE", default_value = "90d", value_parser = parse_age)]
        before: Age,
    },
    /// Check configuration, disk, permissions, clock, database, providers, backups and missions; exit code 1 where
    /// something has to be done
    Doctor {
        /// Compare every record with its log too, which reads all of them
        #[arg(long)]
        deep: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Project the logs into records and schedule again
    Reproject {
        /// Only compare, and name the differences; exit code 1 if there are any
        #[arg(long)]
        check: bool,
    },
    /// Save the whole server in one file: database, keys, settings, modules. The file is opened and proven
    Backup {
        /// Only prove the file, which is there already
        #[arg(long, requires = "file")]
        check: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "check")]
        json: bool,
        /// The file to make; by default one in the folder of backups (MANA_BACKUP_DIR), where the oldest then go
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Write accounts with their logs to a file, as JSON Lines: for `mana import` on another server
    Export {
        /// Only the account with this e-mail address
        #[arg(long, value_name = "EMAIL")]
        user: Option<String>,
        /// The file to make, or - for standard output; the file holds everything people wrote, and password hashes
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Add accounts with their logs from a file of `mana export`; existing rows stay
    Import {
        /// The file, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a backup back, or say that a copy was put back: devices then give back what they have beyond it
    Restore {
        /// Devices are to drop what they have beyond the copy
        #[arg(long)]
        discard_newer: bool,
        /// A file of `mana backup`, or of `mana export`, to restore into an empty database; without it, the copy is in
        /// place already
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// People of this server; the server may go on meanwhile
    #[command(subcommand)]
    User(UserCommand),
    /// Commands that a person runs against a replica of their own.
    #[command(flatten)]
    Person(PersonCommand),
}

/// A command about people.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// List the accounts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make an account, and print the link with which its person sets the password; good once, for a day
    Add {
        /// The account's e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// The person's name
        #[arg(long, default_value = "")]
        name: String,
        /// Make the account an owner
        #[arg(long)]
        owner: bool,
    },
    /// Print a link with which a person sets another password; good once, for a day
    Reset {
        /// The account's e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Take the second factor away instead, for a person who lost phone and recovery codes
        #[arg(long)]
        second_factor: bool,
    },
    /// Lock an account: its sessions, tokens and keys end, its missions wait
    Lock {
        /// The account's e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
    },
    /// Open a locked account
    Unlock {
        /// The account's e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
    },
    /// Make an account an owner, or a member again
    Promote {
        /// The account's e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Make the owner a member
        #[arg(long)]
        member: bool,
    },
    /// Delete an account with everything that is kept of it: content, missions, keys, usage
    Delete {
        /// The account's e-mail address
        #[arg(value_name = "EMAIL")]
        email: String,
        /// Don't ask: the account with this e-mail address goes
        #[arg(long)]
        yes: bool,
    },
}
