//! The check before a server begins anew: a missing or an empty database may be an earlier one's that was not mounted,
//! not put back, or copied without its write-ahead log.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mana_store::{DatabaseContents, StoreError};
use tokio::time::sleep;

use crate::config::{Config, Database};
use crate::data_dir::{self, DataDir};
use crate::storage::contents;
use crate::vault;

/// Time between two tries to reach a database that starts later than this process.
const RETRY: Duration = Duration::from_secs(1);

/// Waits for the database, and refuses to begin anew beside the keys of an earlier server, or where
/// `MANA_FIRST_START=refuse` says that there is one.
pub async fn check(config: &Config, dir: &DataDir) -> Result<()> {
    if when_reached(config).await? == DatabaseContents::Tables {
        name_missing_keys(config, dir);
        return Ok(());
    }
    let name = config.storage.database.name();
    let there = config.data_dir.display();
    let (put_back, anew) = match config.storage.database {
        Database::Sqlite(_) => (
            "Put the database back (mana.db together with mana.db-wal), mount the volume that holds it, \
             or give the file of an export to `mana restore`",
            "",
        ),
        Database::Postgres { .. } => (
            "Put the database back, or correct DATABASE_URL",
            ", or run `mana migrate` if this database is to begin empty",
        ),
    };
    let keys = dir.keys();
    if !keys.is_empty() {
        bail!(
            "There are keys of an earlier server in {there} ({}), but the database {name} holds nothing. {put_back}; \
             to begin anew, move the keys away{anew}",
            keys.join(", ")
        );
    }
    if !config.storage.first_start {
        bail!(
            "The database {name} holds nothing, and MANA_FIRST_START=refuse says that there is one. {put_back}; \
             to begin anew, set MANA_FIRST_START=allow for one start"
        );
    }
    Ok(())
}

/// Logs which keys of the database's server are missing: the start makes others, which open nothing that the missing
/// ones sealed. A further server on a shared database begins without them.
fn name_missing_keys(config: &Config, dir: &DataDir) {
    if !matches!(config.storage.database, Database::Sqlite(_)) {
        return;
    }
    let there = dir.keys();
    for name in data_dir::KEYS {
        let is_configured = name == vault::FILE && config.server.settings_key.is_some();
        if !there.contains(&name) && !is_configured {
            tracing::warn!(
                "{} is missing beside the database, and this start makes another one. Stop the server and put it back \
                 from a backup; without it {}",
                dir.join(name).display(),
                data_dir::consequence(name)
            );
        }
    }
}

/// Returns what the database holds, as soon as it takes connections.
async fn when_reached(config: &Config) -> Result<DatabaseContents> {
    let began = Instant::now();
    loop {
        let error = match contents(config).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let later = matches!(
            error.downcast_ref(),
            Some(StoreError::CannotConnect {
                may_start_later: true,
                ..
            })
        );
        if !later || began.elapsed() >= config.storage.wait {
            return Err(error);
        }
        tracing::warn!("{error:#}; trying again");
        sleep(RETRY).await;
    }
}
