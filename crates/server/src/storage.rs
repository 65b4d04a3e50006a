//! The configured database, opened for the server or for upkeep.

use std::sync::Arc;

use anyhow::{Context, Result};
use mana_core::manifest::Registry;
use mana_store::{
    AccountStore, DatabaseContents, Ledger, Maintenance, PostgresStore, Scope, SqliteStore, Store,
};

use crate::backup::before_upgrade;
use crate::config::{Config, Database};
use crate::modules;
use crate::users::Users;

/// The one store, as each part of the server sees it.
#[derive(Clone)]
pub struct Storage {
    /// Logs, records and the schedule.
    pub store: Arc<dyn Store>,
    /// Accounts and settings.
    pub accounts: Arc<dyn AccountStore>,
    /// Budgets and usage of models.
    pub ledger: Arc<dyn Ledger>,
    /// Compaction, and removed records that have expired.
    pub maintenance: Arc<dyn Maintenance>,
}

/// Returns what the configured database holds. Nothing is made or changed.
pub async fn contents(config: &Config) -> Result<DatabaseContents> {
    let found = match &config.storage.database {
        Database::Sqlite(path) => SqliteStore::contents(path).await,
        Database::Postgres { url, .. } => PostgresStore::contents(url.expose()).await,
    };
    found.with_context(|| not_opened(config))
}

/// Whether the database is there and has this version's schema.
pub async fn is_current(config: &Config) -> mana_store::Result<bool> {
    match &config.storage.database {
        Database::Sqlite(path) => SqliteStore::is_current(path).await,
        Database::Postgres { url, .. } => PostgresStore::is_current(url.expose()).await,
    }
}

/// Opens the database for [`drop_forgotten`], as a command does. A database that is to be upgraded first is left as it
/// is.
pub async fn open_and_drop_forgotten(config: &Config) {
    if !is_current(config).await.unwrap_or(false) {
        return;
    }
    let (registry, _) = modules::load(&config.data_dir.join("modules"));
    match Upkeep::open(config, Arc::new(registry)).await {
        Ok(upkeep) => {
            drop_forgotten(&*upkeep.accounts, &*upkeep.maintenance).await;
            upkeep.store.close().await;
        }
        Err(error) => tell_kept(&error),
    }
}

/// Drops the rows of forgotten records from every log, so that no later backup holds them (SYNC F5). A failure is
/// logged.
pub async fn drop_forgotten(accounts: &dyn AccountStore, maintenance: &dyn Maintenance) {
    let dropped = async {
        let mut users = Users::default();
        while let Some(user) = users.next(accounts).await? {
            maintenance.drop_forgotten(&Scope::own(&user.id)).await?;
        }
        Ok(())
    };
    if let Err(error) = dropped.await {
        tell_kept(&error);
    }
}

fn tell_kept(error: &anyhow::Error) {
    tracing::warn!("Rows of forgotten records may still be there: {error:#}");
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

    fn of<S: Store + AccountStore + Ledger + Maintenance + 'static>(store: Arc<S>) -> Storage {
        Storage {
            store: store.clone(),
            accounts: store.clone(),
            ledger: store.clone(),
            maintenance: store,
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
