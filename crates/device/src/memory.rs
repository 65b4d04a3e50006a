//! A storage that is gone with the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use async_trait::async_trait;
use mana_core::{
    RecordKey, RecordState,
    conflict::{CONFLICTS_KEPT, KeptConflict, TextLineage},
    staging::{Proposal, Records},
    sync::{OutboxRow, QueuedChange, RecordRange, ReplicaMeta, SetAside},
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::storage::{Storage, StorageError, Transaction, Writes};

/// Everything in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    data: Arc<Mutex<Data>>,
}

#[derive(Clone, Default)]
struct Data {
    meta: Option<ReplicaMeta>,
    manifests: Option<String>,
    records: Records,
    outbox: BTreeMap<u64, (QueuedChange, String)>,
    last_seq: u64,
    set_aside: BTreeMap<String, SetAside>,
    proposals: BTreeMap<String, Proposal>,
    texts: BTreeMap<(RecordKey, String), TextLineage>,
    conflicts: BTreeMap<String, KeptConflict>,
}

impl MemoryStorage {
    /// Another storage with the same data; none while a transaction is open.
    pub fn copied(&self) -> Option<MemoryStorage> {
        let data = self.data.try_lock().ok()?.clone();
        Some(MemoryStorage {
            data: Arc::new(Mutex::new(data)),
        })
    }
}

struct Held(OwnedMutexGuard<Data>);

#[async_trait]
impl Storage for MemoryStorage {
    async fn begin(&self) -> Result<Box<dyn Transaction>, StorageError> {
        Ok(Box::new(Held(self.data.clone().lock_owned().await)))
    }
}

#[async_trait]
impl Transaction for Held {
    async fn meta(&mut self) -> Result<Option<ReplicaMeta>, StorageError> {
        Ok(self.0.meta.clone())
    }

    async fn manifests(&mut self) -> Result<Option<String>, StorageError> {
        Ok(self.0.manifests.clone())
    }

    async fn states(&mut self, keys: &BTreeSet<RecordKey>) -> Result<Records, StorageError> {
        let found = keys
            .iter()
            .filter_map(|key| Some((key.clone(), self.0.records.get(key)?.clone())));
        Ok(found.collect())
    }

    async fn range(&mut self, range: &RecordRange) -> Result<Records, StorageError> {
        let first = range.after.as_ref().map_or(Unbounded, Excluded);
        let rows = self.0.records.range::<RecordKey, _>((first, Unbounded));
        let rows = rows.take_while(|(key, _)| range.until.as_ref().is_none_or(|last| *key <= last));
        let rows = rows.take(range.limit);
        Ok(rows
            .map(|(key, state)| (key.clone(), state.clone()))
            .collect())
    }

    async fn table(
        &mut self,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>, StorageError> {
        let first = RecordKey::new(app, table, "");
        let rows = self
            .0
            .records
            .range(first..)
            .take_while(|(key, _)| key.app == app && key.table == table);
        Ok(rows
            .map(|(key, state)| (key.id.clone(), state.clone()))
            .collect())
    }

    async fn outbox(&mut self, limit: usize) -> Result<Vec<OutboxRow>, StorageError> {
        let rows = self
            .0
            .outbox
            .iter()
            .take(limit)
            .map(|(seq, (change, since))| OutboxRow {
                seq: *seq,
                change: change.clone(),
                since: since.clone(),
            });
        Ok(rows.collect())
    }

    async fn waiting(&mut self) -> Result<usize, StorageError> {
        Ok(self.0.outbox.len())
    }

    async fn set_aside(&mut self) -> Result<Vec<SetAside>, StorageError> {
        Ok(self.0.set_aside.values().cloned().collect())
    }

    async fn texts(
        &mut self,
        keys: &BTreeSet<RecordKey>,
    ) -> Result<Vec<TextLineage>, StorageError> {
        let rows = self.0.texts.values();
        Ok(rows
            .filter(|row| keys.contains(&row.key))
            .cloned()
            .collect())
    }

    async fn conflicts(
        &mut self,
        keys: Option<&BTreeSet<RecordKey>>,
    ) -> Result<Vec<KeptConflict>, StorageError> {
        let wanted = |one: &&KeptConflict| keys.is_none_or(|keys| keys.contains(&one.key));
        let mut found: Vec<_> = self.0.conflicts.values().filter(wanted).cloned().collect();
        found.sort_by(|a, b| {
            b.noticed_at
                .cmp(&a.noticed_at)
                .then(b.conflict_id.cmp(&a.conflict_id))
        });
        Ok(found)
    }

    async fn proposals(&mut self, mission: Option<&str>) -> Result<Vec<Proposal>, StorageError> {
        let wanted = |proposal: &&Proposal| mission.is_none_or(|id| proposal.mission_id == id);
        Ok(self.0.proposals.values().filter(wanted).cloned().collect())
    }

    async fn commit(mut self: Box<Self>, writes: Writes) -> Result<(), StorageError> {
        let data = &mut *self.0;
        if writes.meta.is_some() {
            data.meta = writes.meta;
        }
        if writes.manifests.is_some() {
            data.manifests = writes.manifests;
        }
        data.records.extend(writes.records);
        for key in writes.dropped {
            data.records.remove(&key);
            data.texts.retain(|(of, _), _| *of != key);
            data.conflicts.retain(|_, conflict| conflict.key != key);
        }
        for seq in writes.dequeue {
            data.outbox.remove(&seq);
        }
        for queued in writes.queue {
            data.last_seq += 1;
            data.outbox.insert(data.last_seq, queued);
        }
        for event_id in writes.unset_aside {
            data.set_aside.remove(&event_id);
        }
        for one in writes.set_aside {
            data.set_aside.insert(one.event_id().to_owned(), one);
        }
        for proposal in writes.proposals {
            data.proposals.insert(proposal.id.clone(), proposal);
        }
        for text in writes.texts {
            data.texts
                .insert((text.key.clone(), text.field.clone()), text);
        }
        for conflict in writes.conflicts {
            let id = conflict.conflict_id.clone();
            data.conflicts.entry(id).or_insert(conflict);
        }
        for id in writes.ended {
            if let Some(conflict) = data.conflicts.get_mut(&id) {
                conflict.ended = true;
            }
        }
        while data.conflicts.len() > CONFLICTS_KEPT {
            let oldest = data.conflicts.values();
            let oldest = oldest.min_by_key(|one| (!one.ended, one.noticed_at));
            let Some(id) = oldest.map(|one| one.conflict_id.clone()) else {
                break;
            };
            data.conflicts.remove(&id);
        }
        Ok(())
    }
}
