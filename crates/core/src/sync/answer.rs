//! The answer to a push, merged into the replica (S6, T4, T6).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    apply::{readable, record_key},
    conflicts::ConflictWatch,
    push::PushInFlight,
    shapes::{Commit, LeftOut, OutboxRow, PushAnswer, ReplicaMeta, is_later, rows_of},
};
use crate::{
    AdjustedStamp, Change, Gather, Micros, Op, RecordKey,
    change::apply_adjustments,
    conflict::{Conflict, KeptConflict, TextLineage, writes_text},
    json,
    manifest::Registry,
    staging::Records,
};

/// An answer, read, before the replica's records are at hand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answered {
    flight: PushInFlight,
    changes: Vec<Change>,
    left_out: Vec<LeftOut>,
    adjusted: BTreeMap<String, Vec<AdjustedStamp>>,
    conflicts: Vec<Conflict>,
    synced_until: String,
    has_more: bool,
    server_time: Micros,
    heard_at: Micros,
    log_epoch: String,
    log_end: String,
    give_back: bool,
}

impl Answered {
    /// Reads an answer. `heard_at` is the local time to which the server's time belongs.
    pub fn new(flight: PushInFlight, answer: PushAnswer, heard_at: Micros) -> Answered {
        let mut changes = Vec::with_capacity(answer.server_changes.len());
        let mut left_out = Vec::new();
        for value in answer.server_changes {
            match readable(value) {
                Ok(change) => changes.push(change),
                Err(unreadable) => left_out.push(unreadable),
            }
        }
        let mut adjusted: BTreeMap<String, Vec<AdjustedStamp>> = BTreeMap::new();
        for one in answer.adjusted {
            adjusted.entry(one.event_id.clone()).or_default().push(one);
        }
        Answered {
            flight,
            changes,
            left_out,
            adjusted,
            conflicts: (answer.conflicts.into_iter())
                .filter_map(|conflict| json::from_value(conflict).ok())
                .collect(),
            synced_until: answer.synced_until,
            has_more: answer.has_more,
            server_time: answer.server_time,
            heard_at,
            log_epoch: answer.log_epoch,
            log_end: answer.log_end,
            give_back: answer.give_back,
        }
    }

    /// The records that the answer is about.
    pub fn touched(&self) -> BTreeSet<RecordKey> {
        let set_back = self.set_back().filter_map(|row| row.change.readable());
        set_back
            .chain(&self.changes)
            .flat_map(Change::keys)
            .gather()
    }

    /// The records of which texts are written or set back: their past is wanted too.
    pub fn texts(&self, registry: &Registry) -> BTreeSet<RecordKey> {
        let set_back = self.set_back().filter_map(|row| row.change.readable());
        let changes = set_back.chain(&self.changes).filter(|change| {
            let key = record_key(change);
            writes_text(registry.schema(&key.app, &key.table), change)
        });
        changes.map(record_key).gather()
    }

    /// The rows of the push of which a stamp was set back.
    fn set_back(&self) -> impl Iterator<Item = &OutboxRow> {
        self.flight
            .rows
            .iter()
            .filter(|row| self.adjusted.contains_key(event_id(row)))
    }

    /// Whether the answer continues from what the replica knows of the log.
    pub fn continues(&self, meta: &ReplicaMeta) -> bool {
        meta.knows(&self.flight.log_epoch, &self.flight.log_end)
    }

    /// The commit, and whether another round is needed: first the stamps that were set back, then the changes of
    /// others and the conflicts with them, then the outbox and the cursor.
    pub fn commit(
        self,
        registry: &Registry,
        mut meta: ReplicaMeta,
        mut records: Records,
        texts: Vec<TextLineage>,
        kept: Vec<KeptConflict>,
    ) -> (Commit, bool) {
        let mut changed = BTreeSet::new();
        let mut watch = ConflictWatch::new(texts, kept, self.server_time);
        for row in self.set_back() {
            let Some(change) = row.change.readable() else {
                continue;
            };
            let key = record_key(change);
            let schema = registry.schema(&key.app, &key.table);
            if let Some(state) = records.get_mut(&key) {
                let adjusted = &self.adjusted[event_id(row)];
                watch.set_back(&mut meta, schema, change, adjusted);
                let mut change = change.clone();
                apply_adjustments(schema, state, &mut change, adjusted);
                changed.insert(key);
            }
        }
        let mut dropped = BTreeSet::new();
        for change in &self.changes {
            if change.op == Op::Forget {
                for key in change.keys() {
                    records.remove(&key);
                    changed.remove(&key);
                    dropped.insert(key);
                }
                continue;
            }
            let key = record_key(change);
            if dropped.contains(&key) {
                continue;
            }
            let schema = registry.schema(&key.app, &key.table);
            let state = records.entry(key.clone()).or_default();
            if watch.apply(schema, &key, state, change) {
                changed.insert(key);
            }
        }
        let sent = |id: &str| self.flight.rows.iter().any(|row| event_id(row) == id);
        for conflict in self.conflicts.iter().filter(|one| sent(&one.event_id)) {
            watch.told(conflict);
        }
        meta.clock.observe(self.server_time, self.heard_at);
        for key in watch.merge(registry, &mut records, &mut meta.clock, self.heard_at) {
            changed.insert(key);
        }
        let moved = meta.cursor != self.flight.since;
        let reread = self.reread_from(moved, &meta.rejoined);
        let again = self.has_more || moved || reread.is_some() || watch.has_merged();
        match reread {
            // A cursor that is empty leads to a snapshot. Its pages that came before this answer are read again.
            Some(_) if moved && meta.cursor.is_empty() => meta.snapshot_after.clear(),
            Some(since) => {
                meta.cursor = since;
                meta.snapshot_after.clear();
            }
            // Another driver set the cursor, perhaps back: it must not be passed over.
            None if moved => {}
            None => meta.cursor = self.synced_until,
        }
        // A replica of an older version has not heard of an epoch: the log may have been restored since.
        let lacks = meta.log_epoch.is_empty() && self.give_back && !self.flight.since.is_empty();
        if lacks && !moved {
            meta.begin_rejoin();
        } else {
            meta.log_epoch = self.log_epoch;
            meta.saw_end(&self.log_end);
        }
        let again = again || lacks;
        meta.last_synced_at = Some(self.server_time);
        // Another driver may have taken another client id meanwhile, which counts anew.
        if meta.client_id == self.flight.client_id {
            meta.push_number = meta.push_number.max(self.flight.number.unwrap_or_default());
        }
        let rows = self.flight.rows;
        let commit = Commit {
            meta: Some(meta),
            records: rows_of(records, &changed),
            dequeue: rows.iter().map(|row| row.seq).collect(),
            set_aside: Vec::new(),
            // A change that one server refused may be stored by another (T4).
            unset_aside: rows
                .into_iter()
                .filter_map(|row| row.change.event_id().map(str::to_owned))
                .collect(),
            left_out: self.left_out,
            dropped: dropped.into_iter().collect(),
            ..watch.into_commit()
        };
        (commit, again)
    }

    /// The cursor from which to read again (T4): a change that arrived between the writing of a row and now may have
    /// lost here to a stamp that was set back. The first row is the oldest, so its cursor comes before the others'.
    /// Cursors from before the last giving back count as unknown.
    fn reread_from(&self, moved: bool, rejoined: &str) -> Option<String> {
        let row = self
            .set_back()
            .find(|row| moved || row.since != self.flight.since)?;
        let gone = is_later(rejoined, &row.since);
        Some(if gone {
            String::new()
        } else {
            row.since.clone()
        })
    }
}

fn event_id(row: &OutboxRow) -> &str {
    row.change.event_id().unwrap_or_default()
}
