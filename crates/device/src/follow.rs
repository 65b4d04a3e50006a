//! Keeping a replica in step for as long as somebody watches.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{
    http::HttpTransport,
    live::{Live, Notice},
    replica::{Replica, Status, SyncError},
};

/// Syncs at least this often, should every notice have been lost.
const SAFETY: Duration = Duration::from_secs(60);

/// The wait after a failure doubles from the first to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// An event for a watcher.
#[derive(Debug)]
pub enum Seen {
    /// Everything is sent and fetched.
    Synced(Status),
    /// A run of a mission went on.
    Run {
        /// The mission's id.
        mission_id: String,
        /// The run's phase.
        phase: String,
    },
    /// The server can't be reached or asks to wait; it is tried again by itself.
    Waiting(SyncError),
}

/// Syncs at once, then whenever the server says that there is something, or this replica writes. Ends where only a
/// person can help: when the sign-in has ended, or the storage fails.
pub async fn follow(
    replica: &Replica,
    http: &HttpTransport,
    mut tell: impl AsyncFnMut(Seen),
) -> Result<(), SyncError> {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match watch(replica, http, &mut wait, &mut tell).await {
            SyncError::Storage(error) => return Err(error.into()),
            error if error.is_signed_out() => return Err(error),
            error => error,
        };
        let asked = error.retry_after_s().map(Duration::from_secs);
        tell(Seen::Waiting(error)).await;
        sleep(asked.unwrap_or_default().max(wait)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Serves a connection until it breaks. The socket is open before the first sync, so that no notice is missed between.
async fn watch(
    replica: &Replica,
    http: &HttpTransport,
    wait: &mut Duration,
    tell: &mut impl AsyncFnMut(Seen),
) -> SyncError {
    let mut live = match Live::open(http).await {
        Ok(live) => live,
        Err(error) => return error.into(),
    };
    loop {
        if let Err(error) = replica.sync(http).await {
            return error;
        }
        *wait = FIRST_WAIT;
        match replica.status().await {
            Ok(status) => tell(Seen::Synced(status)).await,
            Err(error) => return error.into(),
        }
        match next(replica, &mut live, tell).await {
            Ok(()) => {}
            Err(error) => return error,
        }
    }
}

/// Returns when there is something to sync.
async fn next(
    replica: &Replica,
    live: &mut Live,
    tell: &mut impl AsyncFnMut(Seen),
) -> Result<(), SyncError> {
    loop {
        let notice = tokio::select! {
            notice = timeout(SAFETY, live.next()) => notice,
            () = replica.changed() => return Ok(()),
        };
        match notice {
            Err(_) | Ok(Ok(Notice::SyncAvailable { .. })) => return Ok(()),
            Ok(Ok(Notice::Run { mission_id, phase })) => {
                tell(Seen::Run { mission_id, phase }).await;
            }
            Ok(Ok(Notice::AuthOk | Notice::Other)) => {}
            Ok(Err(error)) => return Err(error.into()),
        }
    }
}
