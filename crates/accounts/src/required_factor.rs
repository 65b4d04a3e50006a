//! The owners' rule that everyone needs a second factor from a time on. An account without one is signed in by its
//! password as before, and may do nothing but care for itself until it has added one. Sessions that began before the
//! time are held to it as well, from their next request on.

use mana_core::Micros;
use mana_store::{StoreError, User, UserId};
use serde::{Deserialize, Serialize};

use crate::audit_events::{AuditEvent, Origin};
use crate::auth::Auth;
use crate::error::{AccountError, Result};

/// The setting that holds the rule.
const KEY: &str = "people.second-factor";

/// How long a person is not written to again, in microseconds.
const ASK_AGAIN_AFTER: i64 = 60 * 60 * 1_000_000;

/// The rule as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredRule {
    /// From when on; none where a password alone is enough.
    from: Option<Micros>,
}

impl Auth {
    /// From when on everyone needs a second factor; none where nobody does.
    pub fn factor_required_from(&self) -> Option<Micros> {
        self.factor_rule.from()
    }

    /// Reads the rule, which another server may have changed.
    pub async fn read_factor_rule(&self) -> Result<()> {
        let from = match self.accounts.kv_get(KEY).await? {
            None => None,
            Some(stored) => {
                let rule: StoredRule = serde_json::from_slice(&stored).map_err(unreadable)?;
                rule.from
            }
        };
        self.factor_rule.set(from);
        Ok(())
    }

    /// Sets the rule; none: a password alone is enough. An owner without a second factor would be the first whom it
    /// keeps out, so that owner adds one first.
    pub async fn set_factor_rule(&self, origin: &Origin, from: Option<Micros>) -> Result<()> {
        if from.is_some()
            && let Some(owner) = &origin.actor
            && self.accounts.factor_state(owner).await?.is_none()
        {
            return Err(AccountError::field(
                "from",
                "Add a second factor to your own account first; then ask everyone for one.",
            ));
        }
        let rule = serde_json::to_vec(&StoredRule { from }).map_err(AccountError::internal)?;
        loop {
            let read = self.accounts.kv_get(KEY).await?;
            let before = read.as_deref();
            if self.accounts.kv_replace(KEY, before, &rule).await? {
                break;
            }
        }
        self.factor_rule.set(from);
        let detail = from.map_or_else(|| "off".to_owned(), |from| format!("from {from}"));
        self.note(AuditEvent::FactorRuleChanged, origin, None, detail)
            .await;
        Ok(())
    }

    /// Whether the account lacks the second factor that the rule asks for, now or later. An account without a password
    /// is proved by its provider alone, which asks for its own.
    pub async fn lacks_factor(&self, user: &User) -> Result<bool> {
        Ok(self.factor_required_from().is_some()
            && !user.password_hash.is_empty()
            && self.accounts.factor_state(&user.id).await?.is_none())
    }

    /// Refuses an account that lacks the second factor, once the time has come.
    pub async fn check_factor_rule(&self, id: &UserId) -> Result<()> {
        let now = self.now();
        if self.factor_required_from().is_none_or(|from| now < from) {
            return Ok(());
        }
        if self.factor_rule.is_met_by(id, now) {
            return Ok(());
        }
        match self.accounts.user(id).await? {
            Some(user) if self.lacks_factor(&user).await? => Err(AccountError::FactorRequired),
            _ => {
                self.factor_rule.remember(id, now);
                Ok(())
            }
        }
    }

    /// Asks a person to add a second factor. Returns the account where the person is to be written to: not within an
    /// hour of the last time.
    pub async fn ask_for_factor(&self, origin: &Origin, id: &UserId) -> Result<Option<User>> {
        let user = self.accounts.user(id).await?;
        let user = user.ok_or(StoreError::NoSuchUser)?;
        if user.password_hash.is_empty() || self.accounts.factor_state(id).await?.is_some() {
            return Err(AccountError::field(
                "id",
                "This person needs no second factor, or has one already.",
            ));
        }
        let now = self.now();
        let before = self.accounts.asked_for_factor(id).await?;
        self.accounts.ask_for_factor(id, now).await?;
        self.note(AuditEvent::FactorAskedFor, origin, Some(id), "")
            .await;
        let lately = before.is_some_and(|at| now.0 - at.0 < ASK_AGAIN_AFTER);
        Ok(Some(user).filter(|_| !lately))
    }
}

/// The rule before stays: whether everyone needs a second factor must not hang on a damaged row.
fn unreadable(error: serde_json::Error) -> AccountError {
    AccountError::Internal(format!(
        "the setting {KEY} in the table kv can't be read ({error}); put a backup back, or delete the row, after which \
         a password alone is enough"
    ))
}
