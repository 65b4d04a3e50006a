//! A page of a snapshot, joined with the replica (S7, R3).

use std::collections::BTreeSet;

use super::shapes::{Commit, ReplicaMeta, SnapshotPage, SnapshotRequest, is_later, rows_of};
use crate::{Gather, Micros, RecordKey, RecordState, manifest::Registry, merge, staging::Records};

/// A page, before the replica's records are at hand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Paged {
    /// The request by which the page was fetched.
    asked: SnapshotRequest,
    records: Vec<(RecordKey, RecordState)>,
    /// The token of the next page.
    pub after: Option<String>,
    synced_until: String,
    server_time: Micros,
    heard_at: Micros,
    log_epoch: String,
    log_end: String,
}

impl Paged {
    /// Takes a page apart. `heard_at` is the local time to which the server's time belongs.
    pub fn new(asked: SnapshotRequest, page: SnapshotPage, heard_at: Micros) -> Paged {
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
            log_epoch: page.log_epoch,
            log_end: page.log_end,
        }
    }

    /// The request of the page that follows, which names what is known of the log once this page is joined.
    pub fn next(&self) -> Option<SnapshotRequest> {
        let (asked, after) = (&self.asked, self.after.clone()?);
        let (epoch, end) = (&asked.log_epoch, &asked.log_end);
        let pick = |known: bool, known_text: &String, said: &String| match known {
            true => known_text.clone(),
            false => said.clone(),
        };
        Some(SnapshotRequest {
            after,
            log_epoch: pick(!epoch.is_empty(), epoch, &self.log_epoch),
            log_end: pick(!is_later(&self.log_end, end), end, &self.log_end),
            lost_end: String::new(),
        })
    }

    /// Whether the page continues from what the replica knows of the log.
    pub fn continues(&self, meta: &ReplicaMeta) -> bool {
        meta.knows(&self.asked.log_epoch, &self.asked.log_end)
    }

    /// The records of the page.
    pub fn touched(&self) -> BTreeSet<RecordKey> {
        self.records.iter().map(|(key, _)| key.clone()).gather()
    }

    /// The commit, and the request of the page that follows; none where the storage has to say how to go on.
    ///
    /// States join, so that nothing of the outbox is lost. The place in the snapshot moves only where no other driver
    /// moved it or began anew meanwhile.
    pub fn commit(
        self,
        registry: &Registry,
        mut meta: ReplicaMeta,
        mut records: Records,
    ) -> (Commit, Option<SnapshotRequest>) {
        let (mut changed, following) = (BTreeSet::new(), self.next());
        let mut dropped = Vec::new();
        for (key, theirs) in self.records {
            if theirs.is_forgotten() {
                if records.remove(&key).is_some() {
                    dropped.push(key);
                }
                continue;
            }
            let schema = registry.schema(&key.app, &key.table);
            let state = records.entry(key.clone()).or_default();
            if merge::join(schema, state, &theirs) {
                changed.insert(key);
            }
        }
        let mut next = None;
        if meta.log_epoch.is_empty() {
            meta.log_epoch = self.log_epoch;
        }
        meta.saw_end(&self.log_end);
        // Where another driver has begun to give back, the pages have to be compared too (R9).
        let ordinary = meta.rejoin.is_none();
        if ordinary && meta.cursor.is_empty() && meta.snapshot_after == self.asked.after {
            if self.after.is_none() {
                meta.cursor = self.synced_until;
            }
            meta.snapshot_after = self.after.unwrap_or_default();
            next = following;
        }
        meta.clock.observe(self.server_time, self.heard_at);
        let commit = Commit {
            meta: Some(meta),
            records: rows_of(records, &changed),
            dropped,
            ..Commit::default()
        };
        (commit, next)
    }
}
