//! A person's own name, address, time zone and language.

use mana_store::User;

use crate::audit_events::AuditEvent;
use crate::auth::Auth;
use crate::error::Result;
use crate::known_devices::SignInAttempt;
use crate::profile_checks::{
    checked_email, checked_locale, checked_name, checked_timezone, refuse_lookalikes,
};

/// A change of a profile; what is none stays.
#[derive(Default)]
pub struct ProfileChange {
    /// The name.
    pub name: Option<String>,
    /// The address to sign in with; needs the password.
    pub email: Option<String>,
    /// The present password.
    pub password: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// BCP 47 tag.
    pub locale: Option<String>,
}

impl Auth {
    /// Changes the profile of somebody who is signed in. Returns the account as it is now.
    pub async fn change_profile(
        &self,
        user: &User,
        change: ProfileChange,
        attempt: &SignInAttempt,
    ) -> Result<User> {
        let mut changed = user.clone();
        if let Some(name) = &change.name {
            changed.name = checked_name(name)?;
        }
        if let Some(timezone) = change.timezone {
            changed.timezone = checked_timezone(timezone)?;
        }
        if let Some(locale) = change.locale {
            changed.locale = checked_locale(locale)?;
        }
        if let Some(email) = &change.email {
            changed.email = checked_email(email)?;
        }
        let moves = changed.email != user.email;
        if moves {
            let password = change.password.unwrap_or_default();
            self.confirm_password(user, password, attempt).await?;
        }
        let _turn = self.lookalikes.lock().await;
        let email = Some(changed.email.as_str()).filter(|_| moves);
        let name = Some(changed.name.as_str()).filter(|_| changed.name != user.name);
        refuse_lookalikes(&*self.accounts, email, name, Some(&user.id)).await?;
        self.accounts.set_profile(&changed).await?;
        if moves {
            let origin = attempt.origin_of(&user.id);
            self.note(AuditEvent::AddressChanged, &origin, Some(&user.id), "")
                .await;
        }
        Ok(changed)
    }
}
