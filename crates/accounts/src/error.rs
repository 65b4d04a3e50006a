//! Errors of accounts. The server maps each variant to a status and a code.

use mana_store::StoreError;

/// A result whose error is, by default, an [`AccountError`].
pub type Result<T, E = AccountError> = std::result::Result<T, E>;

/// Reasons why a request about an account is refused. The text of a refusal is for the person who asked.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The token or the session is missing, wrong or has ended.
    #[error("You are not signed in, or the sign-in has ended; sign in again.")]
    Unauthorized,
    /// The address has no account, or the password is not the account's.
    #[error("The e-mail address or the password is wrong; check both and try again.")]
    WrongCredentials,
    /// The server takes no new account this way. The text says which way is open.
    #[error("{0}")]
    SignupClosed(&'static str),
    /// As many invitations are open as there may be.
    #[error("{most} invitations are open, which is as many as there may be; withdraw some first.")]
    TooManyInvitations {
        /// How many there may be.
        most: usize,
    },
    /// A field has a value that can't be used.
    #[error("{message}")]
    InvalidField {
        /// The field's name in the request.
        field: &'static str,
        /// The problem and the remedy, for the person.
        message: String,
    },
    /// A new password is easy to guess.
    #[error(
        "This password is easy to guess: {because}. Use several words that don't belong together."
    )]
    WeakPassword {
        /// The field's name in the request.
        field: &'static str,
        /// The fault, for programs.
        fault: &'static str,
        /// The fault, for people.
        because: &'static str,
    },
    /// The password is right, and a code of the second factor has to follow.
    #[error("The password is right; now show a code of your app, or a recovery code.")]
    SecondStep {
        /// The text that comes back with the code.
        challenge: String,
    },
    /// The owners ask everyone for a second factor, and the account has none.
    #[error(
        "Everyone on this server needs a second factor, and this account has none yet; open Mana in a browser, sign \
         in and add one."
    )]
    FactorRequired,
    /// The second step took too long, or the account has changed meanwhile.
    #[error("This step took too long, or the account has changed meanwhile; sign in again.")]
    StepExpired,
    /// The sign-in by a provider failed.
    #[error("{0}")]
    Provider(String),
    /// An account or an address has used up its sign-in attempts.
    #[error("There were too many attempts; try again in {retry_after_s} s.")]
    TooManyAttempts {
        /// Seconds until the next attempt is allowed.
        retry_after_s: u64,
    },
    /// The issuer's keys are needed, and the issuer has never answered.
    #[error("the issuer's keys could not be fetched")]
    IssuerUnavailable,
    /// The database refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of the server, such as a stored password hash that can't be read.
    #[error("{0}")]
    Internal(String),
}

impl AccountError {
    /// Wraps an error that the caller can't help.
    pub(crate) fn internal(error: impl std::fmt::Display) -> AccountError {
        AccountError::Internal(error.to_string())
    }

    /// A field with a value that can't be used.
    pub(crate) fn field(field: &'static str, message: impl Into<String>) -> AccountError {
        AccountError::InvalidField {
            field,
            message: message.into(),
        }
    }
}
