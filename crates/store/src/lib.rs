//! Where Mana keeps what it is told: the log of changes, the records merged from it, the schedule of
//! missions with its claims, the accounts, and the ledger of what models cost.
//!
//! [`Log`], [`Schedule`], [`Runs`], [`Accounts`], [`People`], [`SecondFactors`], [`AuditLog`], [`Ledger`] and
//! [`Maintenance`] are sets of verbs, each verb one transaction; [`Store`] is the first three together,
//! [`AccountStore`] the four that are about people. Each backend proves them with the contract suite in
//! `tests/it/contract`.

mod accounts;
mod apply_push;
mod audit;
mod backup;
mod contents;
mod database_errors;
mod error;
mod identity;
mod json;
mod ledger;
mod log;
mod log_size;
mod maintenance;
mod message;
mod notice;
mod people;
mod postgres;
mod push_number;
mod replay;
mod row;
mod runs;
mod schedule;
mod scope;
mod second_factors;
mod sql;
mod sqlite;
mod store;
mod stored_change;
mod tables;

pub use accounts::{
    Accounts, Invitation, NewInvitation, NewSession, NewUser, PersonLimits, Role, Session,
    SessionUse, SessionUsed, User,
};
pub use audit::{AUDIT_KEPT, AuditClass, AuditEntry, AuditLog, AuditRow};
pub use backup::{
    BackupEntry, BackupOrigin, BackupSink, BackupSource, Cell, DatabaseKind, RestoreOptions,
    Restored, RestoredEpoch, TableHead,
};
pub use contents::{DatabaseContents, MissingSteps};
pub use database_errors::file_remedy;
pub use error::{Result, ResyncReason, StoreError};
pub use identity::{CursorCheck, KnownLog, LogIdentity};
pub use ledger::{
    Amount, CallStatus, Ledger, Limits, Line, MAX_CELL, MAX_SUM, Measure, Over, Reservation,
    Reserved, Settlement, Tags, UsageBy, UsageQuery, UsageSum, VirtualKey, quarter,
};
pub use log::{
    ChangesPage, ChangesQuery, FollowUp, HistoryQuery, Log, LoggedChange, Push, Pushed, RawState,
    SnapshotPage, SnapshotQuery,
};
pub use log_size::{LogMeasure, LogSize, Room};
pub use maintenance::{
    Compacted, Difference, FreedSpace, Imported, LogPage, LogRow, Maintenance, Projected,
};
pub use notice::StoreNotice;
pub use people::{People, Person};
pub use postgres::{PostgresOptions, PostgresState, PostgresStore, UpgradeTurn};
pub use runs::{
    Cancelled, DEBUG_KEPT, DebugRecord, MOST_WAITING, RunPhase, RunProgress, RunRequest, Runs,
};
pub use schedule::{Claim, Fence, Lease, Schedule, Take};
pub use scope::{Cursor, InvalidCursor, Scope, UserId};
pub use second_factors::{FactorState, SecondFactor, SecondFactors};
pub use sqlite::SqliteStore;
pub use store::{AccountStore, SharedDatabase, Store};
pub use tables::left_behind;
