//! Where Mana keeps what it is told: the log of changes, the records merged from it, the schedule of
//! missions with its claims, the accounts, and the ledger of what models cost.
//!
//! [`Store`], [`Accounts`] and [`Ledger`] are sets of verbs, each one transaction. A backend implements all, and
//! proves it with the contract suite in `tests/it/contract`.

mod accounts;
mod error;
mod fold;
mod ledger;
mod maintenance;
mod message;
mod notice;
mod postgres;
mod replay;
mod row;
mod runs;
mod scope;
mod sql;
mod sqlite;
mod store;

pub use accounts::{Accounts, Invitation, NewUser, Role, Session, User};
pub use error::{Result, StoreError};
pub use ledger::{
    Amount, CallStatus, Ledger, Line, MAX_CELL, MAX_SUM, Measure, Over, Reservation, Reserved,
    Settlement, Tags, UsageBy, UsageQuery, UsageSum, VirtualKey, quarter,
};
pub use maintenance::{Compacted, Difference, Imported, LogPage, LogRow, Maintenance, Projected};
pub use notice::StoreNotice;
pub use postgres::{PostgresOptions, PostgresStore};
pub use runs::{
    Cancelled, Claim, DEBUG_KEPT, DebugRecord, Fence, Lease, MOST_WAITING, RunPhase, RunProgress,
    RunRequest, Take,
};
pub use scope::{Cursor, InvalidCursor, Scope, UserId};
pub use sqlite::SqliteStore;
pub use store::{
    ChangesPage, ChangesQuery, LoggedChange, Push, Pushed, RawState, SnapshotPage, SnapshotQuery,
    Store,
};
