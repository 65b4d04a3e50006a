//! Owners' care of people, and a person's own leave.

use mana_core::Micros;
use mana_store::{Person, PersonLimits, Role, User, UserId};

use crate::audit_events::{AuditEvent, Origin};
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::session_ended::SessionEnded;

/// How young a session has to be to prove a person who has no password, in microseconds.
const FRESH: i64 = 10 * 60 * 1_000_000;

impl Auth {
    /// Accounts by id, after this one.
    pub async fn people(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<Person>> {
        Ok(self.accounts.people(after, limit, self.now()).await?)
    }

    /// Locks an account: its sessions and tokens end, its missions wait, its keys open nothing. Returns how many
    /// sessions ended.
    pub async fn lock_person(&self, origin: &Origin, id: &UserId) -> Result<usize> {
        let ended = self.accounts.set_locked(id, Some(self.now())).await?;
        self.note(AuditEvent::AccountLocked, origin, Some(id), "")
            .await;
        // Tokens of another issuer have no session here.
        self.announce(SessionEnded::Any);
        Ok(self.announce_all(ended))
    }

    /// Opens a locked account.
    pub async fn unlock_person(&self, origin: &Origin, id: &UserId) -> Result<()> {
        self.accounts.set_locked(id, None).await?;
        self.note(AuditEvent::AccountOpened, origin, Some(id), "")
            .await;
        Ok(())
    }

    /// Gives an account another role.
    pub async fn set_role(&self, origin: &Origin, id: &UserId, role: Role) -> Result<()> {
        self.accounts.set_role(id, role).await?;
        self.note(AuditEvent::RoleChanged, origin, Some(id), role.as_str())
            .await;
        Ok(())
    }

    /// Sets the limits of a person; none: the server's hold.
    pub async fn set_limits(
        &self,
        origin: &Origin,
        id: &UserId,
        limits: Option<PersonLimits>,
    ) -> Result<()> {
        self.accounts.set_limits(id, limits).await?;
        self.note(AuditEvent::LimitsChanged, origin, Some(id), "")
            .await;
        Ok(())
    }

    /// Deletes an account with everything that is kept of it.
    pub async fn delete_person(&self, origin: &Origin, id: &UserId) -> Result<()> {
        let ended = self.accounts.delete_person(id, self.now()).await?;
        self.announce(SessionEnded::Any);
        self.announce_all(ended);
        let own = origin.actor.as_ref() == Some(id);
        // Nothing names the person any more, neither as the subject nor as the one who acted.
        let origin = Origin {
            actor: origin.actor.clone().filter(|_| !own),
            address: origin.address.filter(|_| !own),
        };
        let detail = if own { "by its person" } else { "" };
        self.note(AuditEvent::AccountDeleted, &origin, None, detail)
            .await;
        Ok(())
    }

    /// Deletes the account of somebody who is signed in with the session `session`. The password is asked; where the
    /// account has none, a sign-in that is no older than ten minutes.
    pub async fn delete_self(
        &self,
        user: &User,
        session: &str,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<()> {
        if user.password_hash.is_empty() {
            self.require_fresh_session(session).await?;
        } else {
            self.confirm_password(user, password, attempt).await?;
        }
        self.delete_person(&attempt.origin_of(&user.id), &user.id)
            .await
    }

    async fn require_fresh_session(&self, session: &str) -> Result<()> {
        let now = self.now();
        let session = self.accounts.session_by_id(session, now).await?;
        let is_fresh = |began: Micros| now.0 - began.0 < FRESH;
        match session {
            Some(session) if is_fresh(session.created_at) => Ok(()),
            _ => Err(AccountError::field(
                "password",
                "Sign in again first: this account has no password, so a fresh sign-in proves that it is you.",
            )),
        }
    }
}
