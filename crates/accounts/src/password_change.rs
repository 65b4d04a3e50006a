//! Another password: by whoever knows the present one, or by the link that the operator gives.

use mana_core::Micros;
use mana_store::{AccountStore, StoreError, User, UserId};

use crate::audit_events::AuditEvent;
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::password_quality::check_new_password;
use crate::profile_checks::checked_email;
use crate::random;

/// How long the link of a reset is good, in microseconds.
const RESET_LIFETIME: i64 = 24 * 60 * 60 * 1_000_000;

/// Makes the token of a link with which a person sets another password, and returns it with its end. An earlier one is
/// no good any more. For the operator's command, which runs beside a server.
pub async fn create_password_reset(
    accounts: &dyn AccountStore,
    user: &User,
    now: Micros,
) -> mana_store::Result<(String, Micros)> {
    let (secret, ends) = (random::secret(), now.plus(RESET_LIFETIME));
    accounts.put_password_reset(&user.id, &secret, ends).await?;
    Ok((format!("{}.{secret}", user.id), ends))
}

impl Auth {
    /// Checks the password of somebody who is signed in, before what a stolen session must not do. Takes one attempt of
    /// the account, as a sign-in does.
    pub(crate) async fn confirm_password(
        &self,
        user: &User,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<()> {
        self.confirm_password_as("password", user, password, attempt)
            .await
    }

    async fn confirm_password_as(
        &self,
        field: &'static str,
        user: &User,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<()> {
        match self.check_password(&user.email, password, attempt).await {
            Ok(known) if known.id == user.id => Ok(()),
            Ok(_) | Err(AccountError::WrongCredentials) => Err(AccountError::field(
                field,
                "This is not the present password; check it and try again.",
            )),
            Err(error) => Err(error),
        }
    }

    /// Takes one mail to the address of somebody who forgot the password, and returns the address as it is stored.
    ///
    /// # Errors
    ///
    /// Too many were wanted of late, for this address or from this network.
    pub fn take_forgotten(&self, email: &str, attempt: &SignInAttempt) -> Result<String> {
        if attempt.device.is_some() {
            self.limits.take_address(attempt.address)?;
        }
        let email = checked_email(email)?;
        self.limits.take_mail(&email)?;
        Ok(email)
    }

    /// Makes the token of a link with which a person sets another password. None where there is no such account;
    /// whoever asks is not told.
    pub async fn forgotten_password(
        &self,
        email: String,
        attempt: &SignInAttempt,
    ) -> Result<Option<(User, String)>> {
        let user = self.user_by_written_email(&email).await?;
        let Some(user) = user.filter(|user| user.locked_at.is_none()) else {
            return Ok(None);
        };
        let (token, _) = create_password_reset(&*self.accounts, &user, self.now()).await?;
        let origin = attempt.origin();
        self.note(AuditEvent::ResetMailSent, &origin, Some(&user.id), "")
            .await;
        Ok(Some((user, token)))
    }

    /// Replaces the password of somebody who is signed in with the session `keep`. Every other session ends. Takes one
    /// attempt of the account, as a sign-in does. Returns how many sessions ended.
    pub async fn change_password(
        &self,
        user: &User,
        keep: &str,
        current: String,
        new: String,
        attempt: SignInAttempt,
    ) -> Result<usize> {
        check_new_password("newPassword", &new, &[&user.email, &user.name])?;
        self.confirm_password_as("currentPassword", user, current, &attempt)
            .await?;
        let hash = self.passwords.hash(new).await?;
        let ended = self
            .accounts
            .set_password(&user.id, &hash, Some(keep))
            .await?;
        let origin = attempt.origin_of(&user.id);
        self.note(AuditEvent::PasswordChanged, &origin, Some(&user.id), "")
            .await;
        Ok(self.announce_all(ended))
    }

    /// Replaces a password by the token of a reset's link, which is good once. Every session of the account ends.
    pub async fn reset_password(
        &self,
        token: &str,
        new: String,
        attempt: SignInAttempt,
    ) -> Result<usize> {
        if attempt.device.is_some() {
            self.limits.take_address(attempt.address)?;
        }
        // Ids of foreign issuers may hold dots, secrets don't.
        let (user, secret) = token.rsplit_once('.').ok_or(StoreError::SecretInvalid)?;
        let user = UserId(user.to_owned());
        let account = self.accounts.user(&user).await?;
        let known = account.map(|account| [account.email, account.name]);
        let known = known.iter().flatten().map(String::as_str);
        check_new_password("newPassword", &new, &known.collect::<Vec<_>>())?;
        let hash = self.passwords.hash(new).await?;
        let reset = self
            .accounts
            .reset_password(&user, secret, &hash, self.now())
            .await;
        let origin = attempt.origin();
        if let Err(StoreError::SecretInvalid) = reset {
            self.note(AuditEvent::ResetFailed, &origin, None, "").await;
        }
        let ended = reset?;
        self.note(AuditEvent::PasswordReset, &origin, Some(&user), "")
            .await;
        Ok(self.announce_all(ended))
    }
}
