//! Signing up and signing in with an e-mail address and a password.

use mana_store::{NewUser, User};

use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::profile::{is_locale, is_name, is_timezone};
use crate::settings::Signup;

const PASSWORD_MIN_CHARS: usize = 10;
/// Longer passwords only cost time.
const PASSWORD_MAX_BYTES: usize = 1024;
/// The limit of mail itself (RFC 5321). The sign-in limits keep an address in memory, so a longer one gets no bucket.
const EMAIL_MAX_BYTES: usize = 254;

/// A request for an account. Empty optional texts count as missing.
#[derive(Clone, Default)]
pub struct SignUpRequest {
    /// The address to sign in with.
    pub email: String,
    /// At least 10 characters.
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
    pub async fn sign_up(&self, request: SignUpRequest, attempt: SignInAttempt) -> Result<User> {
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
        let now = self.now();
        let user = match permission {
            Permission::Setup(token) => self.accounts.create_owner(user, token, now).await?,
            Permission::Invited(token) => self.accounts.create_invited(user, token, now).await?,
            Permission::Open => self.accounts.create_user(user, now).await?,
        };
        tracing::info!(user_id = %user.id, role = user.role.as_str(), "Account {} was made", user.id);
        Ok(user)
    }

    /// Returns the account of an address and a password. Takes one attempt of the account, unless the device is known
    /// to be the account's, and as much time for an unknown account as for a known one.
    pub async fn sign_in(
        &self,
        email: &str,
        password: String,
        attempt: SignInAttempt,
    ) -> Result<User> {
        let email = normalize_email(email);
        if email.len() > EMAIL_MAX_BYTES {
            return Err(AccountError::WrongCredentials);
        }
        let user = self.accounts.user_by_email(&email).await?;
        match (&attempt.device, &user) {
            (Some(device), Some(user)) if device.user == user.id => {}
            (device, _) => {
                // The device of another account is a stranger here.
                if device.is_some() {
                    self.limits.take_address(attempt.address)?;
                }
                self.limits.take_account(&email, attempt.address)?;
            }
        }
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        // An account of a foreign issuer has no password.
        let hash = hash.filter(|hash| !hash.is_empty());
        let matches =
            password.len() <= PASSWORD_MAX_BYTES && self.passwords.verify(password, hash).await?;
        user.filter(|_| matches)
            .ok_or(AccountError::WrongCredentials)
    }
}

/// The ground on which an account is made.
#[derive(Debug, PartialEq, Eq)]
enum Permission<'a> {
    Setup(&'a str),
    Invited(&'a str),
    Open,
}

/// Decides whether an account may be made. A token is the setup link's while there is no owner, and an invitation's
/// afterwards.
fn permission(signup: Signup, has_owner: bool, invite: Option<&str>) -> Result<Permission<'_>> {
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
    let email = normalize_email(&request.email);
    if !looks_like_email(&email) {
        return Err(AccountError::field(
            "email",
            "This is no e-mail address; write one such as ada@example.org.",
        ));
    }
    check_new_password(&request.password)?;
    let timezone = text_or(request.timezone.as_deref(), "UTC");
    if !is_timezone(&timezone) {
        return Err(AccountError::field(
            "timezone",
            "This time zone is unknown; use an IANA name such as Europe/Berlin.",
        ));
    }
    let locale = text_or(request.locale.as_deref(), "en");
    if !is_locale(&locale) {
        return Err(AccountError::field(
            "locale",
            "This language is unknown; use a tag such as en or de.",
        ));
    }
    let name = text_or(request.name.as_deref(), "");
    if !is_name(&name) {
        return Err(AccountError::field(
            "name",
            "The name is too long; use at most 200 characters.",
        ));
    }
    Ok(NewUser {
        email,
        name,
        password_hash: String::new(),
        timezone,
        locale,
    })
}

/// Refuses a new password that is too short, or so long that it only costs time.
pub(crate) fn check_new_password(password: &str) -> Result<()> {
    if password.chars().count() < PASSWORD_MIN_CHARS {
        return Err(AccountError::field(
            "password",
            "The password is too short; use at least 10 characters.",
        ));
    }
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(AccountError::field(
            "password",
            "The password is too long; use at most 1,000 characters.",
        ));
    }
    Ok(())
}

fn text_or(text: Option<&str>, default: &str) -> String {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(default)
        .to_owned()
}

fn normalize_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Refuses what is surely a slip. Only a message to the address could tell whether the address exists.
fn looks_like_email(email: &str) -> bool {
    let is_plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    let (name, host) = email.rsplit_once('@').unwrap_or_default();
    is_plain
        && email.len() <= EMAIL_MAX_BYTES
        && !name.is_empty()
        && !name.contains('@')
        && !host.is_empty()
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

    #[test]
    fn signup_email_is_normalized_and_slips_are_refused() {
        assert_eq!(normalize_email(" Ada@Example.ORG "), "ada@example.org");
        assert!(looks_like_email("ada@example.org") && looks_like_email("ada@localhost"));
        for slip in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "a da@example.org",
            "a@b@c",
            "ada\0@example.org",
        ] {
            assert!(!looks_like_email(slip), "{slip:?}");
        }
    }
}
