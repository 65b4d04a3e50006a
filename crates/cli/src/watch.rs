//! `mana watch`: staying connected and printing what arrives.

use std::collections::BTreeSet;

use anyhow::Result;
use mana_device::{Seen, follow};
use serde_json::json;

use crate::card_text::heading;
use crate::inbox::card;
use crate::terminal::visible;
use crate::workspace::Workspace;

pub(crate) async fn watch(workspace: Workspace, as_json: bool) -> Result<()> {
    let Workspace { replica, http, .. } = &workspace;
    let mut known: Option<BTreeSet<String>> = None;
    let tell = async |seen: Seen| match seen {
        Seen::Synced(status) => {
            let Ok(inbox) = replica.inbox().await else {
                return;
            };
            let ids: BTreeSet<String> = inbox.iter().map(|proposal| proposal.id.clone()).collect();
            let first = known.is_none();
            let before = known.replace(ids).unwrap_or_default();
            let new: Vec<_> = inbox
                .iter()
                .filter(|proposal| !before.contains(&proposal.id))
                .collect();
            if as_json {
                let new: Vec<_> = if first { Vec::new() } else { new };
                let at = status.last_synced_at;
                let event =
                    json!({ "event": "synced", "at": at, "inbox": inbox.len(), "new": new });
                println!("{event}");
                return;
            }
            let at = status.last_synced_at.map(|at| at.to_string());
            let at = at.as_deref().unwrap_or_default();
            match inbox.len() {
                0 => println!("{at}  Synced; nothing waits for you."),
                1 => println!("{at}  Synced; 1 proposal waits for you."),
                n => println!("{at}  Synced; {n} proposals wait for you."),
            }
            if !first {
                for proposal in new {
                    if let Ok(card) = card(replica, proposal).await {
                        println!("  new: {}", heading(&card));
                    }
                }
            }
        }
        Seen::Run { mission_id, phase } => match as_json {
            true => println!(
                "{}",
                json!({ "event": "run", "missionId": mission_id, "phase": phase })
            ),
            false => println!("A mission's run: {}.", visible(&phase)),
        },
        Seen::Waiting(error) => match as_json {
            true => println!(
                "{}",
                json!({ "event": "waiting", "message": error.to_string() })
            ),
            false => println!("Waiting: {}", visible(&error.to_string())),
        },
    };
    let followed = tokio::select! {
        followed = follow(replica, http, tell) => followed,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    workspace.close().await;
    match followed {
        Err(error) if error.is_signed_out() => {
            anyhow::bail!(
                "The sign-in has ended; run `mana login URL` again. Nothing here is lost."
            )
        }
        followed => Ok(followed?),
    }
}
