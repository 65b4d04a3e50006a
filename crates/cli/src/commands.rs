//! What a person does from the command line, with a replica of their own that works offline.

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

use crate::args::{Age, age};
use crate::workspace::Workspace;
use crate::{add, backfill, inbox, list, login, undo, watch};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Sign in to a server
    Login {
        /// The server's address
        #[arg(value_name = "URL")]
        url: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List records
    List {
        /// A module; all when left out
        #[arg(value_name = "MODULE")]
        module: Option<String>,
        /// Those that are done, too
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
    /// Show what the AI proposes
    Inbox {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Approve a proposal
    Approve {
        /// Its number in the inbox, or its id
        #[arg(value_name = "PROPOSAL")]
        which: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Reject a proposal
    Reject {
        /// Its number in the inbox, or its id
        #[arg(value_name = "PROPOSAL")]
        which: String,
        /// Why
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Undo what a mission did: list it, show what would happen, do it
    Undo {
        /// Its number in the list, or the step's id; the list when left out
        #[arg(value_name = "STEP")]
        which: Option<String>,
        /// The whole run that the step belongs to
        #[arg(long, conflicts_with = "mission")]
        run: bool,
        /// Everything that its mission did
        #[arg(long)]
        mission: bool,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a mission for occurrences of the past that did not run
    Backfill {
        /// The mission's id, or its title
        #[arg(value_name = "MISSION")]
        mission: String,
        /// How far back, such as 7d or 12h
        #[arg(long, value_name = "AGE", value_parser = age)]
        since: Age,
        /// Up to when
        #[arg(long, value_name = "AGE", default_value = "0d", value_parser = age)]
        until: Age,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Stay connected and say what comes
    Watch {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does it.
pub async fn run(command: PersonCommand, data_dir: &Path) -> Result<()> {
    let open = || Workspace::open(data_dir);
    match command {
        PersonCommand::Login { url, json } => login::login(data_dir, &url, json).await,
        PersonCommand::List { module, all, json } => {
            list::list(open().await?, module.as_deref(), all, json).await
        }
        PersonCommand::Add {
            module,
            values,
            json,
        } => add::add(open().await?, &module, &values, json).await,
        PersonCommand::Inbox { json } => inbox::show(open().await?, json).await,
        PersonCommand::Approve { which, json } => inbox::approve(open().await?, &which, json).await,
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
                (true, _) => undo::Reach::Run,
                (_, true) => undo::Reach::Mission,
                _ => undo::Reach::Step,
            };
            undo::undo(open().await?, &which, reach, yes, json).await
        }
        PersonCommand::Backfill {
            mission,
            since,
            until,
            json,
        } => backfill::backfill(open().await?, &mission, (since, until), json).await,
        PersonCommand::Watch { json } => watch::watch(open().await?, json).await,
    }
}
