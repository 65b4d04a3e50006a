//! Commands that a person runs against a replica of their own, which works offline.

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

use crate::age::{Age, parse_age};
use crate::workspace::Workspace;
use crate::{add, backfill, conflicts, inbox, list, login, undo, watch};

/// A command of a person.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Sign in to a server
    Login {
        /// The server's address
        #[arg(value_name = "URL")]
        url: String,
        /// Bring along what this machine holds of the account that was signed in before, to a server that was set up
        /// anew; `--bring=false` leaves it
        #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        bring: Option<bool>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List records
    List {
        /// The module; all by default
        #[arg(value_name = "MODULE")]
        module: Option<String>,
        /// Include records that are done
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a record
    Add {
        /// The module
        #[arg(value_name = "MODULE")]
        module: String,
        /// Its title, and field=value
        #[arg(value_name = "VALUE")]
        values: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the AI's proposals
    Inbox {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show proposals whole, ask, and carry them out
    Approve {
        /// The proposals' numbers in the inbox, or their ids
        #[arg(value_name = "PROPOSAL", required = true)]
        which: Vec<String>,
        /// Don't ask: carry out what has the hash that the inbox printed, and nothing else; one for each proposal
        #[arg(
            long = "yes",
            visible_alias = "hash",
            value_name = "HASH",
            value_delimiter = ','
        )]
        hashes: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Reject a proposal
    Reject {
        /// The proposal's number in the inbox, or its id
        #[arg(value_name = "PROPOSAL")]
        which: String,
        /// The reason, which the next run reads
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Undo steps of a mission: list them, preview the result, or do it with --yes
    Undo {
        /// The step's number in the list, or its id; lists the steps by default
        #[arg(value_name = "STEP")]
        which: Option<String>,
        /// Undo the whole run that the step belongs to
        #[arg(long, conflicts_with = "mission")]
        run: bool,
        /// Undo everything that the step's mission did
        #[arg(long)]
        mission: bool,
        /// Undo, and not only show the preview
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a mission for past occurrences that did not run
    Backfill {
        /// The mission's id, or its title
        #[arg(value_name = "MISSION")]
        mission: String,
        /// How far back, such as 7d or 12h
        #[arg(long, value_name = "AGE", value_parser = parse_age)]
        since: Age,
        /// How far back the last occurrence may be
        #[arg(long, value_name = "AGE", default_value = "0d", value_parser = parse_age)]
        until: Age,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show values that lost to others whose authors had not seen them
    Conflicts {
        /// Don't tell of them again
        #[arg(long)]
        seen: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stay connected and print what arrives
    Watch {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(command: PersonCommand, data_dir: &Path) -> Result<()> {
    let open = || Workspace::open(data_dir);
    match command {
        PersonCommand::Login { url, bring, json } => {
            login::login(data_dir, &url, bring, json).await
        }
        PersonCommand::List { module, all, json } => {
            list::list(open().await?, module.as_deref(), all, json).await
        }
        PersonCommand::Add {
            module,
            values,
            json,
        } => add::add(open().await?, &module, &values, json).await,
        PersonCommand::Inbox { json } => inbox::show(open().await?, json).await,
        PersonCommand::Approve {
            which,
            hashes,
            json,
        } => inbox::approve(open().await?, &which, &hashes, json).await,
        PersonCommand::Reject {
            which,
            reason,
            json,
        } => inbox::reject(open().await?, &which, reason, json).await,
        PersonCommand::Undo {
            which: None, json, ..
        } => undo::list(open().await?, json).await,
        PersonCommand::Undo {
            which: Some(which),
            run,
            mission,
            yes,
            json,
        } => {
            let reach = match (run, mission) {
                (true, _) => undo::UndoReach::Run,
                (_, true) => undo::UndoReach::Mission,
                _ => undo::UndoReach::Step,
            };
            undo::undo(open().await?, &which, reach, yes, json).await
        }
        PersonCommand::Backfill {
            mission,
            since,
            until,
            json,
        } => backfill::backfill(open().await?, &mission, (since, until), json).await,
        PersonCommand::Conflicts { seen, json } => conflicts::show(open().await?, seen, json).await,
        PersonCommand::Watch { json } => watch::watch(open().await?, json).await,
    }
}
