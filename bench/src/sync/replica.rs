//! A new device.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use mana_core::manifest::Registry;
use mana_device::{Env, MemoryStorage, Replica, SqliteStorage, Storage};

use crate::client::Person;
use crate::server::Server;

/// Fails unless a device has all records.
pub struct Ready {
    pub records: f64,
    pub seconds: f64,
}

/// Joins into memory.
pub async fn in_memory(server: &Server, person: &Person) -> Result<Ready> {
    sync(server, person, Arc::new(MemoryStorage::default())).await
}

/// Joins into a file.
pub async fn in_a_file(server: &Server, person: &Person) -> Result<Ready> {
    let folder = tempfile::tempdir()?;
    let storage = SqliteStorage::open(&folder.path().join("replica.db")).await?;
    let ready = sync(server, person, Arc::new(storage.clone())).await;
    storage.close().await;
    ready
}

async fn sync(server: &Server, person: &Person, storage: Arc<dyn Storage>) -> Result<Ready> {
    let transport = person.transport(server)?;
    let registry = Arc::new(Registry::builtin());
    let began = Instant::now();
    let replica = Replica::open(storage, registry, &person.user_id, Env::system()).await?;
    replica.sync(&transport).await?;
    let seconds = began.elapsed().as_secs_f64();
    let records = replica.records("todo", "tasks").await?.len();
    Ok(Ready {
        records: f64::from(u32::try_from(records)?),
        seconds,
    })
}
