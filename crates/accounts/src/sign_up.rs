//! Signing up and signing in with an e-mail address and a password.

use mana_store::{NewUser, StoreError, User};

use crate::audit_events::AuditEvent;
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::lookalikes::{EMAIL_MAX_BYTES, normalize_email};
use crate::password_quality::{PASSWORD_MAX_BYTES, check_new_password};
use crate::profile_checks::{
    checked_email, checked_locale, checked_name, checked_timezone, refuse_lookalikes,
};
use crate::settings::Signup;

/// A request for an account. Empty optional texts count as missing.
#[derive(Clone, Default)]
pub struct SignUpRequest {
    /// The address to sign in with.
    pub email: String,
    /// At least 10 characters, and not easy to guess.
    pub password: String,
    /// The person's name; may be missing.
    pub name: Option<String>,
    /// IANA name, `UTC` by default.
    pub timezone: Option<String>,
    /// BCP 47 tag, `en` by default.
    pub locale: Option<String>,
    /// The token of the setup link, or of an invitation.
    pub invite: Option<String>,
}

impl Auth {
    /// Makes an account.
    pub async fn sign_up(&self, request: SignUpRequest, attempt: &SignInAttempt) -> Result<User> {
        // A known device has no need of another account: the address counts as for everybody.
        if attempt.device.is_some() {
            self.limits.take_address(attempt.address)?;
        }
        let invite = request
            .invite
            .as_deref()
            .filter(|invite| !invite.is_empty());
        let permission = permission(self.signup, self.accounts.owner_exists().await?, invite)?;
        let user = new_user(&request)?;
        let user = NewUser {
            password_hash: self.passwords.hash(request.password.clone()).await?,
            ..user
        };
        self.make_account(user, permission, attempt, "password")
            .await
    }

    /// Makes an account on the ground that was found.
    pub(crate) async fn make_account(
        &self,
        user: NewUser,
        permission: Permission<'_>,
        attempt: &SignInAttempt,
        way: &str,
    ) -> Result<User> {
        let _turn = self.lookalikes.lock().await;
        let (email, name) = (Some(user.email.as_str()), Some(user.name.as_str()));
        refuse_lookalikes(&*self.accounts, email, name, None).await?;
        let (now, origin) = (self.now(), attempt.origin());
        let made = match permission {
            Permission::Setup(token) => self.accounts.create_owner(user, token, now).await,
            Permission::Invited(token) => self.accounts.create_invited(user, token, now).await,
            Permission::Open => self.accounts.create_user(user, now).await,
        };
        if let Err(StoreError::SecretInvalid) = made {
            self.note(AuditEvent::InvitationFailed, &origin, None, "")
                .await;
        }
        let user = made?;
        let detail = format!("{}, {way}", user.role.as_str());
        self.note(AuditEvent::AccountMade, &origin, Some(&user.id), detail)
            .await;
        Ok(user)
    }

    /// Returns the account of an address and a password, where no second step is to follow: the account has no second
    /// factor, or `trusted` is this account's token of a trusted device.
    ///
    /// # Errors
    ///
    /// [`AccountError::SecondStep`] with the challenge for [`Auth::second_step`].
    pub async fn sign_in(
        &self,
        email: &str,
        password: String,
        attempt: &SignInAttempt,
        trusted: Option<&str>,
    ) -> Result<User> {
        let user = self.check_password(email, password, attempt).await?;
        if user.locked_at.is_some() {
            let origin = attempt.origin();
            self.note(AuditEvent::SignInLocked, &origin, Some(&user.id), "")
                .await;
            return Err(StoreError::AccountLocked.into());
        }
        match self.challenge(&user, trusted).await? {
            Some(challenge) => Err(AccountError::SecondStep { challenge }),
            None => Ok(user),
        }
    }

    /// Returns the account of an address and a password. Takes one attempt of the account, unless the device is known
    /// to be the account's, and as much time for an unknown account as for a known one.
    pub(crate) async fn check_password(
        &self,
        email: &str,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<User> {
        let email = normalize_email(email);
        if email.len() > EMAIL_MAX_BYTES {
            return Err(AccountError::WrongCredentials);
        }
        let user = self.user_by_written_email(&email).await?;
        match (&attempt.device, &user) {
            (Some(device), Some(user)) if device.user == user.id => {}
            (device, _) => {
                // The device of another account is a stranger here.
                if device.is_some() {
                    self.limits.take_address(attempt.address)?;
                }
                let taken = self.limits.take_account(&email, attempt.address);
                if taken.is_err() {
                    let id = user.as_ref().map(|user| &user.id);
                    self.note_line(AuditEvent::SignInFailed, &attempt.origin(), id);
                }
                taken?;
            }
        }
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        // An account of a foreign issuer has no password.
        let hash = hash.filter(|hash| !hash.is_empty());
        let matches =
            password.len() <= PASSWORD_MAX_BYTES && self.passwords.verify(password, hash).await?;
        if !matches {
            let id = user.as_ref().map(|user| &user.id);
            self.note(AuditEvent::SignInFailed, &attempt.origin(), id, "")
                .await;
        }
        user.filter(|_| matches)
            .ok_or(AccountError::WrongCredentials)
    }

    /// The account of a normalised address; else one that an earlier version stored as it was written.
    pub(crate) async fn user_by_written_email(&self, email: &str) -> Result<Option<User>> {
        let user = self.accounts.user_by_email(email).await?;
        let Some((name, host)) = email.rsplit_once('@').filter(|_| user.is_none()) else {
            return Ok(user);
        };
        match idna::domain_to_unicode(host) {
            (host, Ok(())) if !host.is_ascii() => Ok(self
                .accounts
                .user_by_email(&format!("{name}@{host}"))
                .await?),
            _ => Ok(None),
        }
    }
}

/// The ground on which an account is made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Permission<'a> {
    Setup(&'a str),
    Invited(&'a str),
    Open,
}

/// Decides whether an account may be made. A token is the setup link's while there is no owner, and an invitation's
/// afterwards.
pub(crate) fn permission(
    signup: Signup,
    has_owner: bool,
    invite: Option<&str>,
) -> Result<Permission<'_>> {
    let closed = |message| Err(AccountError::SignupClosed(message));
    match (signup, has_owner, invite) {
        (_, false, Some(token)) => Ok(Permission::Setup(token)),
        (Signup::Open, _, None) => Ok(Permission::Open),
        (Signup::Open | Signup::Invite, true, Some(token)) => Ok(Permission::Invited(token)),
        (Signup::Closed, true, _) => {
            closed("This server takes no new accounts; ask its owner for one.")
        }
        (Signup::Invite, true, None) => {
            closed("This server takes new accounts by invitation only; ask its owner for a link.")
        }
        (Signup::Closed | Signup::Invite, false, None) => {
            closed("The first account is made with the setup link; Mana prints it when it starts.")
        }
    }
}

/// Checks a request. The password's hash is still missing in the result.
fn new_user(request: &SignUpRequest) -> Result<NewUser> {
    let email = checked_email(&request.email)?;
    let name = checked_name(&text_or(request.name.as_deref(), ""))?;
    check_new_password("password", &request.password, &[&email, &name])?;
    Ok(NewUser {
        timezone: checked_timezone(text_or(request.timezone.as_deref(), "UTC"))?,
        locale: checked_locale(text_or(request.locale.as_deref(), "en"))?,
        email,
        name,
        password_hash: String::new(),
    })
}

fn text_or(text: Option<&str>, default: &str) -> String {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(default)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signup_needs_the_setup_link_until_there_is_an_owner() {
        for signup in [Signup::Open, Signup::Invite, Signup::Closed] {
            assert_eq!(
                permission(signup, false, Some("t")).unwrap(),
                Permission::Setup("t")
            );
        }
        assert_eq!(
            permission(Signup::Open, false, None).unwrap(),
            Permission::Open
        );
        assert_eq!(
            permission(Signup::Open, true, None).unwrap(),
            Permission::Open
        );
        assert_eq!(
            permission(Signup::Invite, true, Some("t")).unwrap(),
            Permission::Invited("t")
        );
        permission(Signup::Invite, true, None).unwrap_err();
        permission(Signup::Closed, true, Some("t")).unwrap_err();
        permission(Signup::Closed, false, None).unwrap_err();
    }
}
