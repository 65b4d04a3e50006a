//! Verbs for the server's operator: retention, proof of the projections, and moving a log elsewhere.
//! No request of a device uses them.

use std::fmt;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use mana_core::{AdjustedStamp, Micros, RecordKey};

use crate::{Cursor, LoggedChange, Result, Scope, User};

/// The outcome of a compaction (spec/SYNC.md, R1 to R4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Rows dropped.
    pub dropped: u64,
    /// The place of the newest row that was ever dropped from this log.
    pub floor: Cursor,
    /// Records left alone because they are not what their rows make; reproject first.
    pub left: Vec<RecordKey>,
}

/// The room inside a database file after rows were dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreedSpace {
    /// Bytes by which the file became smaller.
    pub given_back: u64,
    /// Bytes inside the file that later rows take.
    pub kept: u64,
}

/// How the projections compare to a replay of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projected {
    /// How many records the replay made.
    pub records: u64,
    /// How many places differ.
    pub differing: u64,
    /// The first of them, [`Projected::NAMED`] at most: names, no content.
    pub differences: Vec<Difference>,
}

impl Projected {
    /// How many differences are named.
    pub const NAMED: usize = 1000;

    /// Counts a difference, and names it if it is one of the first.
    pub(crate) fn differs(&mut self, difference: Difference) {
        self.differing += 1;
        if self.differences.len() < Self::NAMED {
            self.differences.push(difference);
        }
    }
}

/// A place where a projection is not what the log makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The log makes this record, and it is not there.
    Missing(RecordKey),
    /// The record is there, and no row of the log makes it.
    Surplus(RecordKey),
    /// The record's stored bytes are others than those that the log makes.
    Changed(RecordKey),
    /// This mission's due time is another.
    Schedule(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, key) = match self {
            Self::Missing(key) => ("missing", key),
            Self::Surplus(key) => ("surplus", key),
            Self::Changed(key) => ("changed", key),
            Self::Schedule(mission) => return write!(f, "schedule {mission}"),
        };
        write!(f, "{what} {}/{}/{}", key.app, key.table, key.id)
    }
}

/// A row of a log with all that it takes to store it elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRow {
    /// The change, its client and its place.
    pub logged: LoggedChange,
    /// The stamps that were set back when it was stored.
    pub adjusted: Vec<AdjustedStamp>,
}

/// A page of a log, as it is exported.
#[derive(Debug, Clone, PartialEq)]
pub struct LogPage {
    /// Oldest first.
    pub rows: Vec<LogRow>,
    /// There are rows after the last.
    pub has_more: bool,
    /// The place of the newest row that was ever dropped from this log.
    pub floor: Cursor,
    /// The log's epoch.
    pub epoch: String,
}

/// The outcome of an import for one account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The account was made; false: it was there, and stays as it was.
    pub account_made: bool,
    /// The account was an owner's, and this server has another owner: it was made a member.
    pub made_member: bool,
    /// Rows stored.
    pub stored: u64,
    /// Rows that were there already.
    pub present: u64,
}

/// Verbs for the server's operator.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Drops superseded rows from before this time (R1 to R4). The records stay what they are, byte for byte.
    ///
    /// Not one transaction but one for some records at a time, so that nobody who writes waits for all of it.
    async fn compact(&self, scope: &Scope, before: Micros) -> Result<Compacted>;

    /// Drops the rows of forgotten records, however new they are (F5). The missions' app keeps its rows until
    /// [`compact`](Maintenance::compact): they hold no content of a person.
    async fn drop_forgotten(&self, scope: &Scope) -> Result<Compacted>;

    /// Returns records, `limit` at most, that were removed before this time and not written since (F5). Records of
    /// the missions' app stay: they prove whose leave the AI had.
    async fn expired_removals(
        &self,
        scope: &Scope,
        before: Micros,
        limit: usize,
    ) -> Result<Vec<RecordKey>>;

    /// Gives the room of dropped rows back to the disk, as far as there is room to do it. Postgres does that by itself.
    async fn free_space(&self) -> Result<FreedSpace> {
        Ok(FreedSpace::default())
    }

    /// Replays the log and compares, changing nothing. Exact also while others write.
    async fn check(&self, scope: &Scope) -> Result<Projected>;

    /// Replays the log and puts right what differs, all of it or nothing. Answers what differed.
    async fn reproject(&self, scope: &Scope) -> Result<Projected>;

    /// Reads the log to be stored elsewhere.
    async fn export(&self, scope: &Scope, after: Cursor, limit: usize) -> Result<LogPage>;

    /// Stores an account and its log, all of it or nothing (R6).
    ///
    /// An account with this id stays as it is; [`EmailTaken`](crate::StoreError::EmailTaken) if its address is
    /// another account's. A row whose event id is there already is left out. Rows keep their place, or come
    /// after the log's end if their place is not after it. A log that was empty takes over the epoch, if one is
    /// given. The first error of `rows` undoes everything.
    async fn import(
        &self,
        account: User,
        floor: Cursor,
        epoch: Option<String>,
        rows: BoxStream<'_, Result<LogRow>>,
    ) -> Result<Imported>;

    /// Begins another epoch of a log that was put back from a copy. Devices give back what the log lacks for 30 days,
    /// or are to drop it.
    async fn begin_epoch(&self, scope: &Scope, now: Micros, discard_newer: bool) -> Result<()>;
}
