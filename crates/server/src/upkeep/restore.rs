//! `mana restore`: a database that was put back from a copy says so to every device.

use std::path::PathBuf;

use anyhow::{Result, bail};
use mana_store::Scope;

use super::import::{accounts, read_head, tell};
use super::{Users, open, open_or_make};
use crate::clock;
use crate::config::Config;
use crate::storage::Upkeep;

/// Begins another epoch of every log, after importing the file if one is given.
pub async fn restore(config: Config, file: Option<PathBuf>, discard_newer: bool) -> Result<()> {
    let lines = file.as_deref().map(read_head).transpose()?;
    let upkeep = match lines {
        Some(_) => open_or_make(&config).await?,
        None => open(&config).await?,
    };
    let done = begin_epochs(&upkeep, lines, discard_newer).await;
    upkeep.store.close().await;
    let logs = done?;
    let then = match discard_newer {
        true => "Devices drop what they have beyond it.",
        false => "For 30 days devices give back what they have beyond it.",
    };
    println!("{logs} logs have begun another epoch. {then}");
    Ok(())
}

async fn begin_epochs(
    upkeep: &Upkeep,
    lines: Option<super::import::Lines>,
    discard_newer: bool,
) -> Result<u64> {
    if let Some(mut lines) = lines {
        if !upkeep.accounts.users(None, 1).await?.is_empty() {
            bail!(
                "This database has accounts already; restore into an empty one, \
                 or add the file's accounts with `mana import`"
            );
        }
        tell(&accounts(upkeep, &mut lines).await?);
    }
    let (mut users, mut logs) = (Users::default(), 0);
    while let Some(user) = users.next(upkeep).await? {
        let scope = Scope::own(&user.id);
        let begun = upkeep
            .maintenance
            .begin_epoch(&scope, clock::now(), discard_newer);
        begun.await?;
        logs += 1;
    }
    if logs == 0 {
        bail!(
            "This database has no account; give the file of an export, or put the copy back first"
        );
    }
    Ok(logs)
}
