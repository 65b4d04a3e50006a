//! Keeping and reading the audit log.

use mana_store::{AuditRow, UserId};

use crate::audit_events::{AuditEvent, Origin, entry, log_line};
use crate::auth::Auth;
use crate::error::Result;

impl Auth {
    /// Keeps an entry and logs its line. An entry that can't be kept stops nobody; the line is there.
    pub async fn note(
        &self,
        event: AuditEvent,
        origin: &Origin,
        subject: Option<&UserId>,
        detail: impl Into<String>,
    ) {
        let entry = entry(event, origin, subject, detail.into(), self.now());
        log_line(&entry, event);
        if let Err(error) = self.accounts.keep_audit(entry).await {
            tracing::warn!(%error, "An entry of the audit log could not be kept: {error}");
        }
    }

    /// Logs the line of an event that is too frequent to be kept.
    pub fn note_line(&self, event: AuditEvent, origin: &Origin, subject: Option<&UserId>) {
        log_line(
            &entry(event, origin, subject, String::new(), self.now()),
            event,
        );
    }

    /// Returns entries, the newest first: those before this place, about this account where one is given.
    pub async fn audit(
        &self,
        before: Option<i64>,
        subject: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<AuditRow>> {
        Ok(self.accounts.audit(before, subject, limit).await?)
    }
}
