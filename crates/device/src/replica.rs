//! A replica: the records of a person on a server, written locally at once and synced when the server is reachable.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mana_core::{
    Actor, Change, ChangeError, Map, Micros, Op, Prepare, RecordKey, RecordState,
    conflict::Lineages,
    manifest::Registry,
    mission::Problem,
    prepare,
    staging::ProposalError,
    sync::{ReplicaMeta, SetAside, TransportError, note_own_texts, record_key, settled_conflicts},
};
use tokio::sync::Notify;

use crate::{
    env::Env,
    resync::{ResyncNotes, Resynced},
    step::{CoreStep, SyncStep},
    storage::{Storage, StorageError, Transaction, Writes, queue_of},
};

/// A write as a person wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The record.
    pub key: RecordKey,
    /// The operation.
    pub op: Op,
    /// The values; a delete has none.
    pub set: Map,
}

/// Why a replica did nothing.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Values don't fit their fields.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<Problem>),
    /// The change would be refused by every replica.
    #[error("{0}")]
    Change(#[from] ChangeError),
    /// The decision is refused; nothing was changed.
    #[error("{}", .0.message)]
    Decision(ProposalError),
}

/// Why a sync ended early. Everything that was committed by then stays.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The server can't be reached, or refuses.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl SyncError {
    /// Whether the server can't be reached. Local work goes on and is sent later.
    pub fn is_offline(&self) -> bool {
        matches!(self, SyncError::Transport(TransportError::Offline(_)))
    }

    /// Whether the sign-in has ended.
    pub fn is_signed_out(&self) -> bool {
        matches!(self, SyncError::Transport(TransportError::Refused(refusal)) if refusal.status == 401)
    }

    /// How long the server asks to be left alone, in seconds.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            SyncError::Transport(TransportError::Refused(refusal)) => refusal.retry_after_s,
            _ => None,
        }
    }
}

/// The counts of a replica.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Changes that the server has yet to get.
    pub waiting: usize,
    /// Changes that the server refused.
    pub set_aside: usize,
    /// The server's time when it last answered.
    pub last_synced_at: Option<Micros>,
}

/// A replica over a storage. Several replicas may share a storage.
pub struct Replica {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) user: String,
    pub(crate) env: Env,
    pub(crate) changed: Notify,
    pub(crate) new_step: fn() -> Box<dyn SyncStep>,
    pub(crate) resynced: ResyncNotes,
}

impl Replica {
    /// The replica of a user; a new storage gets its client id.
    pub async fn open(
        storage: Arc<dyn Storage>,
        registry: Arc<Registry>,
        user: impl Into<String>,
        env: Env,
    ) -> Result<Replica, StorageError> {
        let mut tx = storage.begin().await?;
        if tx.meta().await?.is_none() {
            let writes = Writes {
                meta: Some(ReplicaMeta {
                    client_id: (env.new_id)(),
                    ..ReplicaMeta::default()
                }),
                ..Writes::default()
            };
            tx.commit(writes).await?;
        } else {
            drop(tx);
        }
        Ok(Replica {
            storage,
            registry,
            user: user.into(),
            env,
            changed: Notify::new(),
            new_step: || Box::<CoreStep>::default(),
            resynced: ResyncNotes::default(),
        })
    }

    /// Syncs by another face of the step than `mana-core` itself.
    pub fn with_step(mut self, new_step: fn() -> Box<dyn SyncStep>) -> Replica {
        self.new_step = new_step;
        self
    }

    /// Stores other modules and uses them. Returns false where they are the same already, or can't be read.
    pub async fn replace_manifests(&mut self, manifests: String) -> Result<bool, StorageError> {
        let Ok(registry) = Registry::from_json(&manifests) else {
            return Ok(false);
        };
        let mut tx = self.storage.begin().await?;
        if tx.manifests().await?.as_ref() == Some(&manifests) {
            return Ok(false);
        }
        let writes = Writes {
            manifests: Some(manifests),
            ..Writes::default()
        };
        tx.commit(writes).await?;
        self.registry = Arc::new(registry);
        Ok(true)
    }

    /// The modules.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Returns when this replica has written something.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Commits a person's writes: all of them with their outbox rows, or none. Returns the queued changes.
    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<Change>, DeviceError> {
        for write in &writes {
            let RecordKey { app, table, .. } = &write.key;
            if write.op != Op::Delete {
                let partial = write.op == Op::Update;
                let problems = self.registry.check_record(app, table, &write.set, partial);
                if !problems.is_empty() {
                    return Err(DeviceError::Invalid(problems));
                }
            }
        }
        let mut tx = self.storage.begin().await?;
        let mut meta = read_meta(&mut tx).await?;
        let keys = writes.iter().map(|write| write.key.clone()).collect();
        let mut states = tx.states(&keys).await?;
        let before = states.clone();
        let mut queue = Vec::with_capacity(writes.len());
        for Write { key, op, set } in writes {
            let tick = meta.clock.tick((self.env.now)());
            let prepared = prepare(
                self.registry.schema(&key.app, &key.table),
                Prepare {
                    key: &key,
                    op,
                    set,
                    state: states.get(&key),
                    tick,
                    at: None,
                    stamps: BTreeMap::new(),
                    seen: BTreeMap::new(),
                    actor: Actor::user(),
                    event_id: (self.env.new_id)(),
                },
            )?;
            meta.clock.last = meta.clock.last.max(prepared.change.at.unwrap_or(tick));
            queue.push(prepared.change);
            states.insert(key, prepared.state);
        }
        let mut records: Vec<_> = states.into_iter().collect();
        let (changes, successors) = self
            .successors(&mut tx, &mut meta, &before, &records)
            .await?;
        queue.extend(changes);
        records.extend(successors);
        let cursor = meta.cursor.clone();
        let noted = note_texts(&mut tx, &self.registry, &queue, meta.clock.last).await?;
        let writes = Writes {
            meta: Some(meta),
            records,
            queue: queue_of(&queue, &cursor),
            ..noted
        };
        tx.commit(writes).await?;
        self.changed.notify_one();
        Ok(queue)
    }

    /// A record of this replica, deleted or not.
    pub async fn record(&self, key: &RecordKey) -> Result<Option<RecordState>, StorageError> {
        let keys = BTreeSet::from([key.clone()]);
        Ok(self.storage.begin().await?.states(&keys).await?.remove(key))
    }

    /// The records of a table by id, deleted ones too.
    pub async fn records(
        &self,
        app: &str,
        table: &str,
    ) -> Result<Vec<(String, RecordState)>, StorageError> {
        self.storage.begin().await?.table(app, table).await
    }

    /// The counts of a replica.
    pub async fn status(&self) -> Result<Status, StorageError> {
        let mut tx = self.storage.begin().await?;
        Ok(Status {
            waiting: tx.waiting().await?,
            set_aside: tx.set_aside().await?.len(),
            last_synced_at: read_meta(&mut tx).await?.last_synced_at,
        })
    }

    /// The id by which the server knows this replica.
    pub async fn client_id(&self) -> Result<String, StorageError> {
        Ok(read_meta(&mut self.storage.begin().await?).await?.client_id)
    }

    /// Takes the notes for the person on a log that was read anew (R11): they are told once.
    pub fn take_resynced(&self) -> Option<Resynced> {
        self.resynced.take()
    }

    /// The changes that the server refused, with its reasons.
    pub async fn set_aside(&self) -> Result<Vec<SetAside>, StorageError> {
        self.storage.begin().await?.set_aside().await
    }

    /// Sends a change again that was set aside. Returns false where none has this event id.
    pub async fn retry(&self, event_id: &str) -> Result<bool, StorageError> {
        let mut tx = self.storage.begin().await?;
        let all = tx.set_aside().await?;
        let Some(found) = all.into_iter().find(|one| one.event_id() == event_id) else {
            return Ok(false);
        };
        let writes = Writes {
            queue: vec![(found.change, found.since)],
            unset_aside: vec![event_id.to_owned()],
            ..Writes::default()
        };
        tx.commit(writes).await?;
        self.changed.notify_one();
        Ok(true)
    }
}

/// The lineages of the texts that these changes of this replica write, before the changes are committed, and the
/// conflicts with texts that their writer had not seen. Conflicts that the changes settle are over.
pub(crate) async fn note_texts(
    tx: &mut Box<dyn Transaction>,
    registry: &Registry,
    changes: &[Change],
    now: Micros,
) -> Result<Writes, StorageError> {
    let writes_text = |change: &&Change| change.fields.values().any(|write| write.base.is_some());
    let texts: Vec<Change> = changes.iter().filter(writes_text).cloned().collect();
    let keys: BTreeSet<RecordKey> = changes.iter().map(record_key).collect();
    let ended = settled_conflicts(&tx.conflicts(Some(&keys)).await?, changes);
    if texts.is_empty() {
        return Ok(Writes {
            ended,
            ..Writes::default()
        });
    }
    let keys: BTreeSet<RecordKey> = texts.iter().map(record_key).collect();
    let mut records = tx.states(&keys).await?;
    let mut lineages = Lineages::new(tx.texts(&keys).await?);
    let conflicts = note_own_texts(registry, &mut records, &mut lineages, &texts, now);
    Ok(Writes {
        texts: lineages.into_changed(),
        conflicts,
        ended,
        ..Writes::default()
    })
}

/// The replica's metadata, which its storage has since [`Replica::open`].
pub(crate) async fn read_meta(tx: &mut Box<dyn Transaction>) -> Result<ReplicaMeta, StorageError> {
    Ok(tx.meta().await?.unwrap_or_default())
}
