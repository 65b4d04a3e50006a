//! Checks of a person's name, address, time zone and language.

use mana_store::{AccountStore, NewUser, UserId};

use crate::error::{AccountError, Result};
use crate::lookalikes::{
    NameFault, check_name, is_email, look_alike, normalize_email, normalize_name,
};

/// Accounts that are compared at a time.
const PAGE: usize = 500;

/// Returns the account that an operator makes for somebody, who sets the password by a link.
pub async fn new_account(accounts: &dyn AccountStore, email: &str, name: &str) -> Result<NewUser> {
    let (email, name) = (checked_email(email)?, checked_name(name)?);
    refuse_lookalikes(accounts, Some(&email), Some(&name), None).await?;
    Ok(NewUser {
        email,
        name,
        password_hash: String::new(),
        timezone: "UTC".to_owned(),
        locale: "en".to_owned(),
    })
}

/// Refuses an address or a name that can't be told by eye from another account's.
pub(crate) async fn refuse_lookalikes(
    accounts: &dyn AccountStore,
    email: Option<&str>,
    name: Option<&str>,
    own: Option<&UserId>,
) -> Result<()> {
    let email = email.filter(|email| !email.is_empty());
    let name = name.filter(|name| !name.is_empty());
    if email.is_none() && name.is_none() {
        return Ok(());
    }
    let mut after = None;
    loop {
        let page = accounts.users(after.as_ref(), PAGE).await?;
        for other in page.iter().filter(|other| Some(&other.id) != own) {
            if email.is_some_and(|email| look_alike(email, &other.email)) {
                return Err(AccountError::field(
                    "email",
                    "This address looks like the one of another account; use one that can be told from it.",
                ));
            }
            if name.is_some_and(|name| look_alike(name, &other.name)) {
                return Err(AccountError::field(
                    "name",
                    "This name looks like another person's and is written with other letters; \
                     use one that can be told from it.",
                ));
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
            _ => return Ok(()),
        }
    }
}

/// Returns an address as it is stored.
pub(crate) fn checked_email(email: &str) -> Result<String> {
    let email = normalize_email(email);
    match is_email(&email) {
        true => Ok(email),
        false => Err(AccountError::field(
            "email",
            "This is no e-mail address, or it has a character that can't be told from another; \
             write one such as ada@example.org.",
        )),
    }
}

/// Returns a name as it is stored.
pub(crate) fn checked_name(name: &str) -> Result<String> {
    let name = normalize_name(name);
    match check_name(&name) {
        Ok(()) => Ok(name),
        Err(fault) => Err(AccountError::field(
            "name",
            match fault {
                NameFault::TooLong => "The name is too long; use at most 200 characters.",
                NameFault::Hidden => "The name has a character that nobody sees; leave it out.",
                NameFault::Own => "The name passes for Mana itself; use another one.",
            },
        )),
    }
}

pub(crate) fn checked_timezone(timezone: String) -> Result<String> {
    match is_timezone(&timezone) {
        true => Ok(timezone),
        false => Err(AccountError::field(
            "timezone",
            "This time zone is unknown; use an IANA name such as Europe/Berlin.",
        )),
    }
}

pub(crate) fn checked_locale(locale: String) -> Result<String> {
    match is_locale(&locale) {
        true => Ok(locale),
        false => Err(AccountError::field(
            "locale",
            "This language is unknown; use a tag such as en or de.",
        )),
    }
}

/// Whether the text is a name that an account may have.
pub(crate) fn is_name(text: &str) -> bool {
    check_name(text).is_ok()
}

/// Whether the text is an IANA time zone.
pub(crate) fn is_timezone(text: &str) -> bool {
    jiff::tz::TimeZone::get(text).is_ok()
}

/// Whether the text looks like a BCP 47 tag.
pub(crate) fn is_locale(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty() && text.len() <= 35 && text.chars().all(is_plain)
}
