//! A device meets a log of another epoch, or one that was rolled back (R8): page by page of the snapshot it gives back
//! what the log lacks of its own records, or drops it where the operator wants nothing newer back.

use std::collections::BTreeSet;

use super::{
    apply::record_key,
    push::{BATCH_BYTES, BATCH_CHANGES},
    shapes::{
        Commit, JoinRequest, OutboxRow, RecordRange, RecordRow, Refusal, RejoinPlace, ReplicaMeta,
        SnapshotPage, SnapshotRecord, SnapshotRequest, is_later, rows_of,
    },
};
use crate::{
    Gather, Micros, RecordKey, RecordState, apply, manifest::Registry, merge, mission::RUNS,
    staging::Records,
};

/// Records of the replica that are compared at a time.
const RANGE: usize = 200;

/// Outbox rows that are written again over what is dropped. A replica that waits with more keeps what it has.
pub(super) const OUTBOX: usize = 100_000;

/// The fate of what the log lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    GiveBack,
    Keep,
    Drop,
}

/// A page of the snapshot, and how far the replica's records of its range have been looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rejoin {
    asked: SnapshotRequest,
    theirs: Records,
    /// The last record that was looked at.
    from: Option<RecordKey>,
    /// The last record of the page; none for the last page, whose range has no end.
    until: Option<RecordKey>,
    after: Option<String>,
    synced_until: String,
    log_epoch: String,
    log_end: String,
    lost_end: String,
    server_time: Micros,
    heard_at: Micros,
    fate: Fate,
    /// States that wait to be given back.
    waiting: Vec<RecordRow>,
    /// States in a request at most: halved where the server says too large.
    batch: usize,
    /// Records that stay on this device, because the server does not take them.
    kept: Vec<RecordKey>,
    /// The whole range has been looked at.
    ended: bool,
}

impl Rejoin {
    /// Takes a page apart. `place` is how far earlier pages were dealt with.
    pub fn new(
        asked: SnapshotRequest,
        page: SnapshotPage,
        place: RejoinPlace,
        heard_at: Micros,
    ) -> Rejoin {
        let theirs: Records = (page.records.into_iter())
            .map(SnapshotRecord::into_parts)
            .gather();
        let last = theirs.keys().next_back().cloned();
        Rejoin {
            asked,
            until: page.after.as_ref().and(last),
            theirs,
            from: place.after,
            after: page.after,
            synced_until: page.synced_until,
            log_epoch: page.log_epoch,
            log_end: page.log_end,
            lost_end: place.end,
            server_time: page.server_time,
            heard_at,
            fate: match (page.discard_newer, page.give_back) {
                (true, _) => Fate::Drop,
                (false, true) => Fate::GiveBack,
                (false, false) => Fate::Keep,
            },
            waiting: Vec::new(),
            batch: BATCH_CHANGES,
            kept: Vec::new(),
            ended: false,
        }
    }

    /// The part of the replica that is compared next.
    ///
    /// None where all of it has been compared and only has to be given back.
    pub fn range(&self) -> Option<RecordRange> {
        (!self.ended && self.waiting.is_empty()).then(|| RecordRange {
            after: self.from.clone(),
            until: self.until.clone(),
            limit: RANGE,
        })
    }

    /// The token by which the page was fetched.
    pub fn asked(&self) -> &str {
        &self.asked.after
    }

    /// Whether the page continues from what the replica knows of the log.
    pub fn continues(&self, meta: &ReplicaMeta) -> bool {
        meta.rejoin.is_some() && meta.knows(&self.asked.log_epoch, &self.asked.log_end)
    }

    /// The records of the page.
    pub fn touched(&self) -> BTreeSet<RecordKey> {
        self.theirs.keys().cloned().gather()
    }

    /// Whether everything of the page's range has been looked at and given back.
    pub fn is_done(&self) -> bool {
        self.ended && self.waiting.is_empty()
    }

    /// Whether outbox rows are needed to compare.
    pub fn outbox(&self) -> usize {
        match self.fate {
            Fate::Drop | Fate::Keep => OUTBOX,
            Fate::GiveBack => 0,
        }
    }

    /// The commit of the page's records, before anything is compared. The place in the snapshot does not move yet.
    pub fn join(
        &self,
        registry: &Registry,
        mut meta: ReplicaMeta,
        mut records: Records,
        outbox: &[OutboxRow],
    ) -> Commit {
        let (mut changed, mut dropped) = (BTreeSet::new(), Vec::new());
        for (key, theirs) in &self.theirs {
            if theirs.is_forgotten() {
                if records.remove(key).is_some() {
                    dropped.push(key.clone());
                }
                continue;
            }
            let schema = registry.schema(&key.app, &key.table);
            let state = records.entry(key.clone()).or_default();
            if self.drops(outbox) {
                let kept = with_outbox(registry, key, theirs.clone(), outbox);
                if *state != kept {
                    *state = kept;
                    changed.insert(key.clone());
                }
            } else if merge::join(schema, state, theirs) {
                changed.insert(key.clone());
            }
        }
        meta.clock.observe(self.server_time, self.heard_at);
        Commit {
            meta: Some(meta),
            records: rows_of(records, &changed),
            dropped,
            ..Commit::default()
        }
    }

    fn drops(&self, outbox: &[OutboxRow]) -> bool {
        self.fate == Fate::Drop && outbox.len() < OUTBOX
    }

    /// Compares a part of the replica with the page. The commit has what is dropped, and is empty otherwise.
    pub fn compare(
        &mut self,
        registry: &Registry,
        rows: Vec<RecordRow>,
        outbox: &[OutboxRow],
    ) -> Commit {
        // A part that was compared before, and waits to be given back.
        if !self.waiting.is_empty() || self.ended {
            return Commit::default();
        }
        self.ended = rows.len() < RANGE;
        let mut commit = Commit::default();
        let drops = self.drops(outbox);
        for row in rows {
            let (key, state) = row.into_parts();
            self.from = Some(key.clone());
            let theirs = self.theirs.get(&key);
            if theirs == Some(&state) {
                continue;
            }
            match self.fate {
                Fate::GiveBack => self.waiting.push(RecordRow::new(key, state)),
                Fate::Drop if drops && theirs.is_none() => {
                    let kept = with_outbox(registry, &key, RecordState::default(), outbox);
                    match kept.meta.is_empty() {
                        true => commit.dropped.push(key),
                        false => commit.records.push(RecordRow::new(key, kept)),
                    }
                }
                Fate::Keep => {
                    let theirs = theirs.cloned().unwrap_or_default();
                    if with_outbox(registry, &key, theirs, outbox) != state {
                        self.keep(key);
                    }
                }
                Fate::Drop => {}
            }
        }
        if self.ended {
            self.from.clone_from(&self.until);
        }
        commit
    }

    /// Run records are the server's to tell, and to forget.
    fn keep(&mut self, key: RecordKey) {
        if key.table != RUNS {
            self.kept.push(key);
        }
    }

    /// The next request; none where nothing waits.
    pub fn request(&self, client_id: &str) -> Option<JoinRequest> {
        if self.waiting.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let fits = self.waiting.iter().take(self.batch).take_while(|record| {
            bytes += serde_json::to_string(record).map_or(0, |text| text.len());
            bytes <= BATCH_BYTES
        });
        let count = fits.count().max(1);
        Some(JoinRequest {
            client_id: client_id.to_owned(),
            log_epoch: self.log_epoch.clone(),
            records: self.waiting[..count].to_vec(),
        })
    }

    /// So many states were taken, and stand before this end of the log.
    pub fn taken(&mut self, count: usize, log_end: String) {
        if is_later(&log_end, &self.log_end) {
            self.log_end = log_end;
        }
        self.waiting.drain(..count.min(self.waiting.len()));
        self.batch = (self.batch * 2).min(BATCH_CHANGES);
    }

    /// The next of the states that wait stay here.
    fn keep_waiting(&mut self, count: usize) {
        for row in self.waiting.drain(..count).collect::<Vec<_>>() {
            self.keep(row.into_parts().0);
        }
    }

    /// Goes on after a refusal. False: the refusal is for time or a person.
    ///
    /// A state that the server can't take stays on this device.
    pub fn refused(&mut self, sent: usize, refusal: &Refusal) -> bool {
        match (refusal.status, refusal.code.as_str()) {
            (400, "invalid_record") => {
                let index = refusal
                    .details
                    .get("index")
                    .and_then(|index| index.as_u64());
                let index = index.and_then(|index| usize::try_from(index).ok());
                match index.filter(|index| *index < self.waiting.len()) {
                    Some(index) => {
                        let (key, _) = self.waiting.remove(index).into_parts();
                        self.keep(key);
                    }
                    None => return false,
                }
            }
            (413, _) if sent > 1 => self.batch = sent / 2,
            (413, _) => self.keep_waiting(1),
            // A server that takes nothing back: its operator said so meanwhile, or it is older.
            (404 | 405, _) | (409, "give_back_closed") => {
                self.keep_waiting(self.waiting.len());
                self.fate = Fate::Keep;
            }
            _ => return false,
        }
        true
    }

    /// The commit that moves the place in the snapshot, and the token of the page that follows; none where the
    /// storage has to say how to go on.
    pub fn finish(self, mut meta: ReplicaMeta) -> (Commit, Option<String>) {
        let here = meta.cursor.is_empty() && meta.snapshot_after == self.asked.after;
        if !here || !self.continues(&meta) {
            return (Commit::default(), None);
        }
        if meta.log_epoch.is_empty() {
            meta.log_epoch = self.log_epoch;
        }
        meta.saw_end(&self.log_end);
        match &self.after {
            Some(_) => {
                meta.rejoin = Some(RejoinPlace {
                    after: self.from,
                    end: self.lost_end,
                })
            }
            None => {
                meta.rejoined.clone_from(&self.synced_until);
                meta.cursor = self.synced_until;
                meta.rejoin = None;
            }
        }
        meta.snapshot_after = self.after.clone().unwrap_or_default();
        let commit = Commit {
            meta: Some(meta),
            kept: self.kept,
            ..Commit::default()
        };
        (commit, self.after)
    }
}

/// A state with the changes of it that wait in the outbox.
fn with_outbox(
    registry: &Registry,
    key: &RecordKey,
    mut state: RecordState,
    outbox: &[OutboxRow],
) -> RecordState {
    let schema = registry.schema(&key.app, &key.table);
    let changes = outbox.iter().filter_map(|row| row.change.readable());
    for change in changes.filter(|change| record_key(change) == *key) {
        apply(schema, &mut state, change);
    }
    state
}
