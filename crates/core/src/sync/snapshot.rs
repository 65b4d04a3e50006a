//! A page of a snapshot, joined with the replica (S7, R3).

use std::collections::BTreeSet;

use super::shapes::{Commit, ReplicaMeta, SnapshotPage, rows_of};
use crate::{Micros, RecordKey, RecordState, manifest::Registry, merge, staging::Records};

/// A page, before the replica's records are at hand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Paged {
    /// The token by which the page was fetched.
    asked: String,
    records: Vec<(RecordKey, RecordState)>,
    /// The token of the next page.
    pub after: Option<String>,
    synced_until: String,
    server_time: Micros,
    heard_at: Micros,
}

impl Paged {
    /// Takes a page apart. `heard_at` is the local time to which the server's time belongs.
    pub fn new(asked: String, page: SnapshotPage, heard_at: Micros) -> Paged {
        Paged {
            asked,
            records: page
                .records
                .into_iter()
                .map(|record| record.into_parts())
                .collect(),
            after: page.after,
            synced_until: page.synced_until,
            server_time: page.server_time,
            heard_at,
        }
    }

    /// The records of the page.
    pub fn touched(&self) -> BTreeSet<RecordKey> {
        self.records.iter().map(|(key, _)| key.clone()).collect()
    }

    /// The commit, and the token of the page that follows; none where the storage has to say how to go on.
    ///
    /// States join, so that nothing of the outbox is lost. The place in the snapshot moves only where no other driver
    /// moved it or began anew meanwhile.
    pub fn commit(
        self,
        registry: &Registry,
        mut meta: ReplicaMeta,
        mut records: Records,
    ) -> (Commit, Option<String>) {
        let mut changed = BTreeSet::new();
        for (key, theirs) in self.records {
            let schema = registry.schema(&key.app, &key.table);
            let state = records.entry(key.clone()).or_default();
            if merge::join(schema, state, &theirs) {
                changed.insert(key);
            }
        }
        let mut next = None;
        if meta.cursor.is_empty() && meta.snapshot_after == self.asked {
            if self.after.is_none() {
                meta.cursor = self.synced_until;
            }
            meta.snapshot_after = self.after.clone().unwrap_or_default();
            next = self.after;
        }
        meta.clock.observe(self.server_time, self.heard_at);
        let commit = Commit {
            meta: Some(meta),
            records: rows_of(records, &changed),
            ..Commit::default()
        };
        (commit, next)
    }
}
