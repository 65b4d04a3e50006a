//! `mana backup`: everything in one file, proven.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::there;
use crate::backup::status::BackupStatus;
use crate::backup::{self, Made, Place, Proof};
use crate::config::Config;
use crate::modules;
use crate::remedies::with_remedy;
use crate::storage::{Upkeep, is_current, open_and_drop_forgotten};

/// Makes a backup in the file, or in the folder of backups.
pub async fn make_backup(config: Config, file: Option<PathBuf>, as_json: bool) -> Result<()> {
    there(&config).await?;
    open_and_drop_forgotten(&config).await;
    let made = backup::make(&config, file.map_or(Place::Folder, Place::File)).await;
    remember(&config, made.as_ref()).await;
    let Made {
        path,
        bytes,
        proof,
        seconds,
        ..
    } = made?;
    if as_json {
        let line = json!({ "file": path, "bytes": bytes, "accounts": proof.users, "rows": proof.rows,
            "records": proof.records, "seconds": seconds });
        println!("{line}");
    } else {
        println!(
            "{} holds {} accounts with {} rows ({}), and is proven: {} records agree with their logs.",
            path.display(),
            proof.users,
            proof.rows,
            super::kilobytes(bytes),
            proof.records
        );
        if config.backup.passphrase.is_none() {
            println!(
                "It is not sealed: whoever has it has everything. Set MANA_BACKUP_PASSPHRASE to seal it."
            );
        }
    }
    Ok(())
}

/// Proves a file that is there.
pub async fn check_backup(config: Config, file: &Path) -> Result<()> {
    let Proof {
        made_at,
        users,
        rows,
        records,
        differing,
        ..
    } = backup::prove(&config, file).await?;
    anyhow::ensure!(
        differing == 0,
        "{differing} places of the backup differ from their logs; restore it, then run `mana reproject`"
    );
    println!(
        "{} is whole: made at {made_at}, {users} accounts, {rows} rows, {records} records that agree with their logs.",
        file.display()
    );
    Ok(())
}

/// Lets the server know. A database that is to be upgraded first is left as it is.
async fn remember(config: &Config, made: Result<&Made, &anyhow::Error>) {
    if !is_current(config).await.unwrap_or(false) {
        return;
    }
    let (registry, _) = modules::load(&config.data_dir.join("modules"));
    let Ok(upkeep) = Upkeep::open(config, std::sync::Arc::new(registry)).await else {
        return;
    };
    let outcome = made.map_err(with_remedy);
    if let Err(error) = BackupStatus::remember(upkeep.accounts.clone(), outcome).await {
        tracing::warn!("The outcome of the backup can't be stored: {error:#}");
    }
    upkeep.store.close().await;
}
