//! The operator's commands: backup, compact, doctor, reproject, export, import, restore, upgrade, user.

mod backup;
mod doctor;
mod export;
mod import;
mod lines;
mod people;
mod restore;
mod upgrade;

use std::sync::Arc;

use anyhow::{Result, bail};
use jiff::SignedDuration;
use mana_core::Micros;
use mana_store::{DatabaseContents, Scope};

pub use backup::{check_backup, make_backup};
pub use doctor::doctor;
pub use export::export;
pub use import::import;
pub use people::{AccountChange, add_person, change_account, list_people, reset_password};
pub use restore::restore;
pub use upgrade::{rehearse_upgrade, upgrade};

use crate::config::{Config, Database};
use crate::data_dir::DataDir;
use crate::storage::{Upkeep, contents};
use crate::users::Users;
use crate::{clock, modules};

/// Drops overwritten rows that are older than `age` from every log.
pub async fn compact(config: Config, age: SignedDuration) -> Result<()> {
    let upkeep = open(&config).await?;
    let micros = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let before = Micros(clock::now().0.saturating_sub(micros));
    let (mut dropped, mut logs, mut left) = (0, 0, 0);
    let mut users = Users::default();
    while let Some(user) = users.next(&*upkeep.accounts).await? {
        let done = upkeep
            .maintenance
            .compact(&Scope::own(&user.id), before)
            .await?;
        dropped += done.dropped;
        logs += u64::from(done.dropped > 0);
        for key in &done.left {
            eprintln!(
                "left alone: {} {}/{}/{}",
                user.id, key.app, key.table, key.id
            );
        }
        left += done.left.len();
    }
    let freed = upkeep.maintenance.free_space().await;
    upkeep.store.close().await;
    users.some(&config)?;
    println!("Dropped {dropped} overwritten rows from {logs} logs.");
    let freed = freed?;
    if freed.given_back > 0 {
        println!("The file is {} smaller.", kilobytes(freed.given_back));
    }
    if freed.kept > 0 {
        println!(
            "{} inside the file are free for later rows.",
            kilobytes(freed.kept)
        );
    }
    if left > 0 {
        bail!(
            "{left} records differ from their log, so no row of them was dropped; run mana reproject"
        );
    }
    Ok(())
}

/// Projects every log into records and schedule again, or only compares them.
pub async fn reproject(config: Config, check: bool) -> Result<()> {
    let upkeep = open(&config).await?;
    let (mut records, mut logs, mut differing) = (0, 0, 0);
    let mut users = Users::default();
    while let Some(user) = users.next(&*upkeep.accounts).await? {
        let scope = Scope::own(&user.id);
        let done = match check {
            true => upkeep.maintenance.check(&scope).await?,
            false => upkeep.maintenance.reproject(&scope).await?,
        };
        for difference in &done.differences {
            println!("{} {difference}", user.id);
        }
        let unnamed = done.differing - done.differences.len() as u64;
        if unnamed > 0 {
            println!("{} and {unnamed} more", user.id);
        }
        records += done.records;
        differing += done.differing;
        logs += 1;
    }
    upkeep.store.close().await;
    users.some(&config)?;
    match (check, differing) {
        (_, 0) => println!("{records} records of {logs} logs agree with their logs."),
        (true, _) => {
            bail!("{differing} places differ from the logs; run mana reproject to correct them")
        }
        (false, _) => println!("{differing} places of {logs} logs were corrected."),
    }
    Ok(())
}

/// Opens the database of a server. What a command only looks at has to be there: a command that made it would prove,
/// or save, nothing and call that done.
async fn open(config: &Config) -> Result<Upkeep> {
    there(config).await?;
    open_or_make(config).await
}

/// Fails where the database of a server is not there.
async fn there(config: &Config) -> Result<()> {
    let name = config.storage.database.name();
    match (contents(config).await?, &config.storage.database) {
        (DatabaseContents::Tables, _) => Ok(()),
        (DatabaseContents::Missing, _) => bail!(
            "There is no database {name}; set MANA_DATA_DIR to the directory that `mana serve` uses \
             (another user, such as root in a cron job, has another one)"
        ),
        (DatabaseContents::Empty, Database::Sqlite(_)) => bail!(
            "The database {name} holds nothing of Mana; if it was copied, copy {name}-wal with it, or put a backup back"
        ),
        (DatabaseContents::Empty, Database::Postgres { .. }) => bail!(
            "The database {name} holds nothing of Mana; check DATABASE_URL, or put a backup back"
        ),
    }
}

/// Opens the database, and makes it if it is missing: for what adds to it.
async fn open_or_make(config: &Config) -> Result<Upkeep> {
    if !config.data_dir.exists() {
        drop(DataDir::open(&config.data_dir)?);
    }
    let (registry, _) = modules::load(&config.data_dir.join("modules"));
    Upkeep::open(config, Arc::new(registry)).await
}

fn kilobytes(bytes: u64) -> String {
    match bytes / 1_000_000 {
        0 => format!("{} kB", bytes.div_ceil(1_000)),
        megabytes => format!("{megabytes} MB"),
    }
}
