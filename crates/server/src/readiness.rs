//! Whether a server can do its work, and the reasons where it can't.

use std::time::Instant;

use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// The last answer.
#[derive(Debug, Default)]
pub struct ReadyProbe(pub Mutex<Option<(Instant, Readiness)>>);

/// Whether the server can do its work.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Readiness {
    /// How ready the server is.
    pub status: ReadyStatus,
    /// The reasons for a status other than `ready`.
    pub reasons: Vec<Reason>,
    /// The age of the last good backup, in seconds; left out where there is none.
    #[serde(rename = "backupAgeSeconds", skip_serializing_if = "Option::is_none")]
    pub backup_age_s: Option<u64>,
}

/// How ready a server is; the later word is the worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReadyStatus {
    /// All is well.
    Ready,
    /// The server works, and its operator should look at the reasons.
    Degraded,
    /// The server can't take requests.
    Unavailable,
}

/// A reason.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reason {
    /// `stopping`, `database`, `disk`, `backup` or `schedule`.
    code: &'static str,
    /// The problem and the remedy, for people.
    message: String,
}

impl Readiness {
    /// Adds a reason.
    pub fn add(&mut self, status: ReadyStatus, code: &'static str, message: impl Into<String>) {
        self.status = self.status.max(status);
        let message = message.into();
        self.reasons.push(Reason { code, message });
    }
}
