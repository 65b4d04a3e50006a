//! The audit log: sign-ins, failures and owners' acts. No content, no secret.

use async_trait::async_trait;
use mana_core::Micros;

use crate::{Result, UserId, sql::columns};

/// How many entries of each class are kept: the newest.
pub const AUDIT_KEPT: usize = 5_000;

/// The class of an entry. Failures, which strangers cause, never push out acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditClass {
    /// Somebody did something.
    Act,
    /// Somebody was refused.
    Failure,
}

impl AuditClass {
    /// The class as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Act => "act",
            Self::Failure => "failure",
        }
    }
}

/// An entry to be kept.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    /// The time.
    pub at: Micros,
    /// Whether it was refused.
    pub class: AuditClass,
    /// The event's name, such as `sign-in`.
    pub event: &'static str,
    /// The account that it is about.
    pub subject: Option<UserId>,
    /// The account that acted; none where nobody is signed in, as at the command line.
    pub actor: Option<UserId>,
    /// The network address that it came from.
    pub address: Option<String>,
    /// A word or two for people, such as a role or a device; never a secret, never content.
    pub detail: String,
}

/// An entry that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// The entry's place; later ones have greater ones.
    pub id: i64,
    /// As in [`AuditEntry`].
    pub at: Micros,
    /// `act` or `failure`.
    pub class: String,
    /// As in [`AuditEntry`].
    pub event: String,
    /// As in [`AuditEntry`].
    pub subject: Option<UserId>,
    /// As in [`AuditEntry`].
    pub actor: Option<UserId>,
    /// As in [`AuditEntry`].
    pub address: Option<String>,
    /// As in [`AuditEntry`].
    pub detail: String,
}

/// The verbs of the audit log, each one transaction.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Keeps an entry, and of its class the newest [`AUDIT_KEPT`].
    async fn keep_audit(&self, entry: AuditEntry) -> Result<()>;

    /// Returns the place of the newest entry of these events, or that an operator's command made, beside the server; 0
    /// where there is none.
    async fn newest_act(&self, events: &[&str]) -> Result<i64>;

    /// Returns entries, the newest first: those before this place, about this account where one is given.
    async fn audit(
        &self,
        before: Option<i64>,
        subject: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<AuditRow>>;
}

/// A row of `audit_log`.
pub(crate) struct StoredAudit {
    id: i64,
    at: i64,
    class: String,
    event: String,
    subject: Option<String>,
    actor: Option<String>,
    address: Option<String>,
    detail: String,
}

columns!(StoredAudit {
    id,
    at,
    class,
    event,
    subject,
    actor,
    address,
    detail,
});

impl From<StoredAudit> for AuditRow {
    fn from(row: StoredAudit) -> Self {
        AuditRow {
            id: row.id,
            at: Micros(row.at),
            class: row.class,
            event: row.event,
            subject: row.subject.map(UserId),
            actor: row.actor.map(UserId),
            address: row.address,
            detail: row.detail,
        }
    }
}
