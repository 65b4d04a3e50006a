//! The configured database, opened for the server or for upkeep.

use std::sync::Arc;

use anyhow::{Context, Result};
use mana_core::manifest::Registry;
use mana_store::{
    AccountStore, DatabaseContents, Ledger, Maintenance, PostgresStore, SqliteStore, Store,
};

use crate::backup::before_upgrade;
use crate::config::{Config, Database};

/// The one store, as each part of the server sees it.
#[derive(Clone)]
pub struct Storage {
    /// Logs, records and the schedule.
    pub store: Arc<dyn Store>,
    /// Accounts and settings.
    pub accounts: Arc<dyn AccountStore>,
    /// Budgets and usage of models.
    pub ledger: Arc<dyn Ledger>,
}

/// Returns what the configured database holds. Nothing is made or changed.
pub async fn contents(config: &Config) -> Result<DatabaseContents> {
    let found = match &config.storage.database {
        Database::Sqlite(path) => SqliteStore::contents(path).await,
        Database::Postgres { url, .. } => PostgresStore::contents(url.expose()).await,
    };
    found.with_context(|| not_opened(config))
}

fn not_opened(config: &Config) -> String {
    let name = config.storage.database.name();
    format!("The database {name} can't be opened")
}

impl Storage {
    /// Opens the configured database, and brings its schema up to date, once the state before is saved.
    pub async fn open(config: &Config, registry: Arc<Registry>) -> Result<Storage> {
        let _turn = before_upgrade::keep(config).await?;
        let opened = match &config.storage.database {
            Database::Sqlite(path) => SqliteStore::open(path, registry).await.map(Storage::of),
            Database::Postgres { url, options } => {
                PostgresStore::open(url.expose(), registry, options.clone())
                    .await
                    .map(Storage::of)
            }
        };
        opened.with_context(|| not_opened(config))
    }

    fn of<S: Store + AccountStore + Ledger + 'static>(store: Arc<S>) -> Storage {
        Storage {
            store: store.clone(),
            accounts: store.clone(),
            ledger: store,
        }
    }
}

/// The same store for the operator's commands, beside a server that may be running.
pub struct Upkeep {
    /// Compaction, proof, export and import.
    pub maintenance: Arc<dyn Maintenance>,
    /// Accounts.
    pub accounts: Arc<dyn AccountStore>,
    /// The store, which must be closed at the end.
    pub store: Arc<dyn Store>,
}

impl Upkeep {
    /// Opens the configured database, and makes it if it is missing. An earlier version's is brought up to date where
    /// no server runs on it, once the state before is saved.
    pub async fn open(config: &Config, registry: Arc<Registry>) -> Result<Upkeep> {
        let _turn = before_upgrade::keep(config).await?;
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
        opened.with_context(|| not_opened(config))
    }

    fn of<S: Maintenance + Store + AccountStore + 'static>(store: Arc<S>) -> Upkeep {
        Upkeep {
            maintenance: store.clone(),
            accounts: store.clone(),
            store,
        }
    }
}
