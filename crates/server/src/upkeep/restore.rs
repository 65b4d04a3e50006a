//! `mana restore`: a database that was put back from a copy says so to every device.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use mana_store::{PostgresStore, RestoreOptions, Restored, RestoredEpoch, Scope, SqliteStore};

use super::import::{accounts, read_head, tell};
use super::{open, open_or_make};
use crate::backup::{BackupReader, PutBack, is_backup};
use crate::clock;
use crate::config::{Config, Database};
use crate::data_dir::DataDir;
use crate::storage::Upkeep;
use crate::users::Users;

/// Begins another epoch of every log, after importing the file if one is given.
pub async fn restore(config: Config, file: Option<PathBuf>, discard_newer: bool) -> Result<()> {
    if let Some(file) = file.as_deref().filter(|file| is_backup(file)) {
        return restore_backup(config, file, discard_newer).await;
    }
    let lines = file.as_deref().map(read_head).transpose()?;
    let upkeep = match lines {
        Some(_) => open_or_make(&config).await?,
        None => open(&config).await?,
    };
    let done = begin_epochs(&upkeep, lines, discard_newer).await;
    upkeep.store.close().await;
    let logs = done?;
    tell_epochs(logs, discard_newer);
    Ok(())
}

fn tell_epochs(logs: u64, discard_newer: bool) {
    let then = match discard_newer {
        true => "Devices drop what they have beyond it.",
        false => {
            "Devices notice by it that the server was restored, and for 30 days give back what they have beyond it; \
             nobody has to do anything on them."
        }
    };
    println!("{logs} logs have begun another epoch. {then}");
}

/// Puts a whole server back from a file of `mana backup`: keys, settings and modules first, so that a database without
/// its keys never stands alone.
async fn restore_backup(config: Config, file: &Path, discard_newer: bool) -> Result<()> {
    let passphrase = config.backup.passphrase.as_ref();
    // Nothing is touched before the file is known to be whole.
    BackupReader::verify(file, passphrase)?;
    let mut reader = BackupReader::open(file, passphrase)?;
    let _dir = DataDir::open(&config.data_dir)?;
    let configured = config.server.settings_key.as_ref();
    let mut files = PutBack::plan(&config.data_dir, &reader.files, configured)?;
    let options = RestoreOptions {
        origin: reader.origin,
        epoch: Some(RestoredEpoch {
            now: clock::now(),
            discard_newer,
        }),
    };
    let done = match files.write() {
        Ok(()) => into_database(&config, &mut reader, options).await,
        Err(error) => Err(error),
    };
    let restored = match done {
        Ok(restored) => restored,
        Err(error) => {
            files.undo();
            return Err(error);
        }
    };
    if !restored.unprojected.is_empty() {
        let upkeep = open(&config).await?;
        for user in &restored.unprojected {
            upkeep.maintenance.reproject(&Scope::own(user)).await?;
        }
        upkeep.store.close().await;
    }
    for sentence in &files.told {
        println!("{sentence}");
    }
    println!(
        "Restored {} accounts with {} rows, as of {}.",
        restored.users, restored.rows, reader.head.made_at
    );
    tell_epochs(restored.users, discard_newer);
    Ok(())
}

async fn into_database(
    config: &Config,
    reader: &mut BackupReader,
    options: RestoreOptions,
) -> Result<Restored> {
    let restored = match &config.storage.database {
        Database::Sqlite(path) => SqliteStore::restore(path, reader, options).await,
        Database::Postgres { url, .. } => {
            PostgresStore::restore(url.expose(), reader, options).await
        }
    };
    let name = config.storage.database.name();
    restored.with_context(|| format!("The database {name} was not restored"))
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
    while let Some(user) = users.next(&*upkeep.accounts).await? {
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
