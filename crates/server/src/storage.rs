//! Which database the server keeps its data in.

use std::sync::Arc;

use anyhow::{Context, Result};
use mana_core::manifest::Registry;
use mana_store::{Accounts, Ledger, Maintenance, PostgresStore, SqliteStore, Store};

use crate::config::{Config, Database};

/// The one store, as each part sees it.
#[derive(Clone)]
pub struct Storage {
    /// Logs, records and the schedule.
    pub store: Arc<dyn Store>,
    /// Accounts and settings.
    pub accounts: Arc<dyn Accounts>,
    /// What models cost.
    pub ledger: Arc<dyn Ledger>,
}

impl Storage {
    /// Opens the database that is configured, and brings its schema up to date.
    pub async fn open(config: &Config, registry: Arc<Registry>) -> Result<Storage> {
        let opened = match &config.storage.database {
            Database::Sqlite(path) => SqliteStore::open(path, registry).await.map(Storage::of),
            Database::Postgres { url, options } => {
                PostgresStore::open(url.expose(), registry, options.clone())
                    .await
                    .map(Storage::of)
            }
        };
        opened.with_context(|| {
            format!(
                "The database {} can't be opened",
                config.storage.database.name()
            )
        })
    }

    fn of<S: Store + Accounts + Ledger + 'static>(store: Arc<S>) -> Storage {
        Storage {
            store: store.clone(),
            accounts: store.clone(),
            ledger: store,
        }
    }
}

/// The same store for whoever runs the server; a server on it may go on.
pub struct Upkeep {
    /// Compaction, proof, export and import.
    pub maintenance: Arc<dyn Maintenance>,
    /// Accounts.
    pub accounts: Arc<dyn Accounts>,
    /// To be closed at the end.
    pub store: Arc<dyn Store>,
}

impl Upkeep {
    /// Opens the database that is configured; makes it if it is missing.
    pub async fn open(config: &Config, registry: Arc<Registry>) -> Result<Upkeep> {
        let opened = match &config.storage.database {
            Database::Sqlite(path) => SqliteStore::open_beside(path, registry)
                .await
                .map(Upkeep::of),
            Database::Postgres { url, options } => {
                PostgresStore::open(url.expose(), registry, options.clone())
                    .await
                    .map(Upkeep::of)
            }
        };
        opened.with_context(|| {
            format!(
                "The database {} can't be opened",
                config.storage.database.name()
            )
        })
    }

    fn of<S: Maintenance + Store + Accounts + 'static>(store: Arc<S>) -> Upkeep {
        Upkeep {
            maintenance: store.clone(),
            accounts: store.clone(),
            store,
        }
    }
}
