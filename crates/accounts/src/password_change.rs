//! Another password: by whoever knows the present one, or by the link that the operator gives.

use mana_core::Micros;
use mana_store::{Accounts, StoreError, User, UserId};

use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::random;
use crate::sign_up::check_new_password;

/// How long the link of a reset is good, in microseconds.
const RESET_LIFETIME: i64 = 24 * 60 * 60 * 1_000_000;

/// Makes the token of a link with which a person sets another password, and returns it with its end. An earlier one is
/// no good any more. For the operator's command, which runs beside a server.
pub async fn create_password_reset(
    accounts: &dyn Accounts,
    user: &User,
    now: Micros,
) -> mana_store::Result<(String, Micros)> {
    let (secret, ends) = (random::secret(), now.plus(RESET_LIFETIME));
    accounts.put_password_reset(&user.id, &secret, ends).await?;
    Ok((format!("{}.{secret}", user.id), ends))
}

impl Auth {
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
        check_new_password(&new)?;
        match self.sign_in(&user.email, current, attempt).await {
            Ok(known) if known.id == user.id => {}
            Ok(_) | Err(AccountError::WrongCredentials) => {
                return Err(AccountError::field(
                    "currentPassword",
                    "This is not the present password; check it and try again.",
                ));
            }
            Err(error) => return Err(error),
        }
        let hash = self.passwords.hash(new).await?;
        let ended = self
            .accounts
            .set_password(&user.id, &hash, Some(keep))
            .await?;
        tracing::info!(user_id = %user.id, "Account {} has another password", user.id);
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
        check_new_password(&new)?;
        let (user, secret) = token.split_once('.').ok_or(StoreError::SecretInvalid)?;
        let user = UserId(user.to_owned());
        let hash = self.passwords.hash(new).await?;
        let ended = self
            .accounts
            .reset_password(&user, secret, &hash, self.now())
            .await?;
        tracing::info!(user_id = %user, "Account {user} has another password, by a link");
        Ok(self.announce_all(ended))
    }
}
