//! The contract suite on Postgres, and what only Postgres can show. A cluster of its own is started for it.

use std::{sync::Arc, time::Duration};

use mana_core::manifest::Registry;
use mana_store::{PostgresOptions, PostgresStore};
use mana_test_postgres::Cluster;

mod order;
mod roles;
mod sql;

async fn open() -> (Arc<PostgresStore>, ()) {
    let database = Cluster::shared().create();
    (store(&Cluster::shared().url(&database)).await, ())
}

contract!(open);

/// A store on a database, patient enough for a slow machine.
async fn store(url: &str) -> Arc<PostgresStore> {
    let options = PostgresOptions {
        wait: Duration::from_secs(60),
        ..PostgresOptions::default()
    };
    store_with(url, options).await
}

async fn store_with(url: &str, options: PostgresOptions) -> Arc<PostgresStore> {
    let store = PostgresStore::open(url, Arc::new(Registry::builtin()), options).await;
    store.expect("the store opens")
}
