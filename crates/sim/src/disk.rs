//! A device's disk: memory that outlives its tabs, with a moment before and after each commit to crash in.

use std::{
    collections::BTreeSet,
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use mana_core::{
    RecordKey, RecordState,
    conflict::{KeptConflict, TextLineage},
    staging::{Proposal, Records},
    sync::{OutboxRow, RecordRange, ReplicaMeta, SetAside},
};
use mana_device::{MemoryStorage, Storage, StorageError, Transaction, Writes};

/// The storage that the tabs of a device share.
#[derive(Clone, Default)]
pub struct Disk(pub MemoryStorage);

impl Disk {
    /// Another disk with the same data; none while a transaction is open.
    pub fn copied(&self) -> Option<Disk> {
        self.0.copied().map(Disk)
    }
}

struct Slow(Box<dyn Transaction>);

/// Yields to every other task once.
async fn moment() {
    let mut first = true;
    std::future::poll_fn(|_| match std::mem::take(&mut first) {
        true => Poll::Pending,
        false => Poll::Ready(()),
    })
    .await;
}

#[async_trait]
impl Storage for Disk {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StorageError> {
        Ok(Box::new(Slow(self.0.begin().await?)))
    }
}

#[async_trait]
impl Transaction for Slow {
    async fn meta(&mut self) -> Result<Option<ReplicaMeta>, StorageError> {
        self.0.meta().await
    }
    async fn manifests(&mut self) -> Result<Option<String>, StorageError> {
        self.0.manifests().await
    }
    async fn states(&mut self, keys: &BTreeSet<RecordKey>) -> Result<Records, StorageError> {
        self.0.states(keys).await
    }
    async fn range(&mut self, range: &RecordRange) -> Result<Records, StorageError> {
        self.0.range(range).await
    }
    async fn table(
        &mut self,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>, StorageError> {
        self.0.table(app, table).await
    }
    async fn outbox(&mut self, limit: usize) -> Result<Vec<OutboxRow>, StorageError> {
        self.0.outbox(limit).await
    }
    async fn waiting(&mut self) -> Result<usize, StorageError> {
        self.0.waiting().await
    }
    async fn set_aside(&mut self) -> Result<Vec<SetAside>, StorageError> {
        self.0.set_aside().await
    }
    async fn texts(
        &mut self,
        keys: &BTreeSet<RecordKey>,
    ) -> Result<Vec<TextLineage>, StorageError> {
        self.0.texts(keys).await
    }
    async fn conflicts(
        &mut self,
        keys: Option<&BTreeSet<RecordKey>>,
    ) -> Result<Vec<KeptConflict>, StorageError> {
        self.0.conflicts(keys).await
    }
    async fn proposals(&mut self, mission: Option<&str>) -> Result<Vec<Proposal>, StorageError> {
        self.0.proposals(mission).await
    }
    async fn commit(self: Box<Self>, writes: Writes) -> Result<(), StorageError> {
        moment().await;
        self.0.commit(writes).await?;
        moment().await;
        Ok(())
    }
}

/// The result of a future that is ready at once, because nothing is under way any more.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
