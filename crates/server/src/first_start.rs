//! The check before a server begins anew: a missing or an empty database may be an earlier one's that was not mounted,
//! not put back, or copied without its write-ahead log.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mana_store::{DatabaseContents, StoreError};
use tokio::time::sleep;

use crate::config::{Config, Database};
use crate::data_dir::DataDir;
use crate::storage::contents;

/// Time between two tries to reach a database that starts later than this process.
const RETRY: Duration = Duration::from_secs(1);

/// Waits for the database, and refuses to begin anew beside the keys of an earlier server, or where
/// `MANA_FIRST_START=refuse` says that there is one.
pub async fn check(config: &Config, dir: &DataDir) -> Result<()> {
    if when_reached(config).await? == DatabaseContents::Tables {
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
