//! The backup before an upgrade: whatever opens a database of an earlier schema changes it, so the state before is kept
//! first, in the folder of backups. A backup of that state is the one way back to the version before.

use anyhow::{Context as _, Result};
use mana_store::{DatabaseContents, MissingSteps, PostgresStore, SqliteStore, UpgradeTurn};

use super::write::{NothingToSave, Place, make};
use crate::config::{Config, Database};

/// Keeps the state of a database that has to be upgraded. Of several servers on it one does, and the others wait until
/// the turn that this returns has ended: it is held until the database is open.
///
/// # Errors
///
/// No backup could be made, and the configuration doesn't say to go on without one.
pub async fn keep(config: &Config) -> Result<Option<UpgradeTurn>> {
    let Some(mut steps) = missing_steps(config).await? else {
        return Ok(None);
    };
    let mut turn = None;
    if let Database::Postgres { url, .. } = &config.storage.database {
        tracing::info!(
            "The schema of the database is an earlier version's; waiting for the turn to upgrade it"
        );
        turn = Some(PostgresStore::upgrade_turn(url.expose()).await?);
        match missing_steps(config).await? {
            Some(found) => steps = found,
            None => return Ok(turn),
        }
    }
    let MissingSteps { from, to } = steps;
    if config.backup.folder.is_none() || !config.backup.before_upgrade {
        tracing::warn!(
            "The schema goes from step {from} to {to} without a backup, because {}",
            match config.backup.folder {
                None => "MANA_BACKUP_DIR names no folder",
                Some(_) => "MANA_BACKUP_BEFORE_UPGRADE is off",
            }
        );
        return Ok(turn);
    }
    tracing::info!("The schema goes from step {from} to {to}; the state before is saved first");
    match make(config, Place::BeforeUpgrade(from)).await {
        Ok(made) => tracing::info!(
            bytes = made.bytes,
            elapsed_s = made.seconds,
            "The state before the upgrade is kept in {}; `mana restore` by the version before brings it back",
            made.path.display()
        ),
        Err(error) if error.is::<NothingToSave>() => {
            tracing::info!("No account is there yet, so nothing was to save");
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!(
                    "The schema stays at step {from} and was not brought to {to}, because the state before could not \
                     be saved. Put right what is named here (or let MANA_BACKUP_DIR name a folder with room for a \
                     copy of the data) and start again; MANA_BACKUP_BEFORE_UPGRADE=off upgrades without a backup"
                )
            });
        }
    }
    Ok(turn)
}

/// The steps that opening the database runs; none where there is no database yet.
pub async fn missing_steps(config: &Config) -> Result<Option<MissingSteps>> {
    let found = match &config.storage.database {
        Database::Sqlite(path) => match SqliteStore::contents(path).await? {
            DatabaseContents::Tables => SqliteStore::missing_steps(path).await?,
            _ => None,
        },
        Database::Postgres { url, .. } => match PostgresStore::contents(url.expose()).await? {
            DatabaseContents::Tables => PostgresStore::missing_steps(url.expose()).await?,
            _ => None,
        },
    };
    Ok(found)
}
