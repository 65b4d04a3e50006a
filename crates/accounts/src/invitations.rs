//! Invitations: links by which the owner lets people in, each valid for one account and a number of days.

use mana_core::Micros;
use mana_store::{Invitation, NewInvitation, Role};

use crate::audit_events::{AuditEvent, Origin};
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::profile_checks::checked_name;
use crate::random;
use crate::settings::Signup;

/// Days that an invitation is valid for by default.
const DAYS: i64 = 7;
const DAYS_MAX: i64 = 90;
/// Unused invitations at most. Owners who invite at the same moment may pass it by one each.
const INVITATIONS_MAX: usize = 500;
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

impl Auth {
    /// Makes an invitation, valid for 1 to 90 days (7 by default), listed under a name and good for a role. Returns it
    /// with its secret, which belongs into the link and is stored as a hash only.
    pub async fn create_invitation(
        &self,
        origin: &Origin,
        days: Option<i64>,
        name: &str,
        role: Role,
    ) -> Result<(Invitation, String)> {
        if self.signup == Signup::Closed {
            return Err(AccountError::SignupClosed(
                "This server takes no new accounts, so an invitation would let nobody in; \
                 set MANA_SIGNUP=invite and restart it.",
            ));
        }
        let days = days.unwrap_or(DAYS);
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(AccountError::field(
                "days",
                format!("An invitation is good for 1 to {DAYS_MAX} days; choose a number between."),
            ));
        }
        let name = checked_name(name)?;
        let most = INVITATIONS_MAX;
        if self.invitations(None, most).await?.len() == most {
            return Err(AccountError::TooManyInvitations { most });
        }
        let secret = random::secret();
        let invitation = NewInvitation {
            expires_at: Micros(self.now().0 + days * DAY_US),
            label: name,
            role,
            now: self.now(),
        };
        let invitation = self.accounts.put_invitation(&secret, invitation).await?;
        self.note(AuditEvent::InvitationMade, origin, None, role.as_str())
            .await;
        Ok((invitation, secret))
    }

    /// Returns unused invitations behind the one with this end and id, the one that ends first being the first.
    pub async fn invitations(
        &self,
        after: Option<(Micros, &str)>,
        limit: usize,
    ) -> Result<Vec<Invitation>> {
        Ok(self.accounts.invitations(after, limit, self.now()).await?)
    }

    /// Withdraws an invitation. Returns whether it was there.
    pub async fn withdraw_invitation(&self, origin: &Origin, id: &str) -> Result<bool> {
        let withdrawn = self.accounts.delete_invitation(id).await?;
        if withdrawn {
            self.note(AuditEvent::InvitationWithdrawn, origin, None, "")
                .await;
        }
        Ok(withdrawn)
    }
}
