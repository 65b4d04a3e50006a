//! All of a server's storage behind one handle, and the database beneath it.

use async_trait::async_trait;
use mana_core::Micros;
use tokio::sync::broadcast;

use crate::{Accounts, AuditLog, Log, People, Result, Runs, Schedule, SecondFactors, StoreNotice};

/// The database that the verbs run on, and the processes that share it.
#[async_trait]
pub trait SharedDatabase: Send + Sync {
    /// Returns the time by the clock that all processes on the database share; none where there is one process, which
    /// has its machine's.
    async fn shared_clock(&self) -> Result<Option<Micros>> {
        Ok(None)
    }

    /// Whether other processes may use the database: then claims that are held may be theirs.
    fn is_shared(&self) -> bool {
        false
    }

    /// Subscribes to what other processes on the database do from now on, and to what comes by SQL; none where there
    /// can't be any.
    fn notices(&self) -> Option<broadcast::Receiver<StoreNotice>> {
        None
    }

    /// The time of the newest row that the store knows without reading content: a clock that shows an earlier one is
    /// wrong, or was wrong then.
    async fn newest_time(&self) -> Result<Option<Micros>>;

    /// Finishes what is being written and closes the files.
    async fn close(&self);
}

/// The log, the schedule and the runs of one database, for callers that need several of them.
pub trait Store: Log + Schedule + Runs + SharedDatabase {}

impl<T: Log + Schedule + Runs + SharedDatabase> Store for T {}

/// Everything about people, for the service that lets them in.
pub trait AccountStore: Accounts + People + SecondFactors + AuditLog {}

impl<T: Accounts + People + SecondFactors + AuditLog> AccountStore for T {}
