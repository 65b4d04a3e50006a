//! Proofs of a person beside the password: codes of an app, recovery codes, identities of an OpenID provider.

use async_trait::async_trait;
use mana_core::Micros;

use crate::{Result, UserId, sql::columns};

/// A second factor, with its secret as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactor {
    /// The sealed secret.
    pub secret: String,
    /// Since when codes are asked for; none until a first one was shown.
    pub confirmed_at: Option<Micros>,
}

/// A second factor as its person sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorState {
    /// Since when codes are asked for.
    pub confirmed_at: Micros,
    /// Recovery codes that are left.
    pub codes_left: u64,
}

/// The verbs of second factors and identities, each one transaction.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// The second factor of an account, once it is confirmed.
    async fn factor_state(&self, id: &UserId) -> Result<Option<FactorState>>;

    /// Keeps a secret that has yet to be confirmed, in the place of an earlier one that was not. False where there is
    /// a confirmed one.
    async fn begin_factor(&self, id: &UserId, secret: &str) -> Result<bool>;

    /// Counts a guess at a code, before the code is looked at, and returns the factor. Of `most` wrong ones in a row
    /// the last closes the account's second step for `closed_for` microseconds.
    /// [`CodesClosed`](crate::StoreError::CodesClosed) while it is closed.
    async fn take_guess(
        &self,
        id: &UserId,
        now: Micros,
        most: i64,
        closed_for: i64,
    ) -> Result<Option<SecondFactor>>;

    /// Takes the code of a time step. [`CodeWrong`](crate::StoreError::CodeWrong) where one of this step or a later one
    /// was taken before.
    async fn take_code(&self, id: &UserId, step: i64) -> Result<()>;

    /// Confirms a second factor by the code of a time step, and keeps its recovery codes in the place of earlier ones.
    async fn confirm_factor(
        &self,
        id: &UserId,
        step: i64,
        recovery_codes: &[String],
        now: Micros,
    ) -> Result<()>;

    /// Spends a recovery code. [`CodeWrong`](crate::StoreError::CodeWrong) where it is none of the account's.
    async fn take_recovery_code(&self, id: &UserId, code: &str) -> Result<()>;

    /// Replaces the recovery codes of an account.
    async fn replace_recovery_codes(&self, id: &UserId, codes: &[String]) -> Result<()>;

    /// Takes the second factor away, with its recovery codes. False where there is none.
    async fn remove_factor(&self, id: &UserId) -> Result<bool>;

    /// Keeps when an owner asked the person to add a second factor.
    async fn ask_for_factor(&self, id: &UserId, now: Micros) -> Result<()>;

    /// When an owner last asked the person to add a second factor.
    async fn asked_for_factor(&self, id: &UserId) -> Result<Option<Micros>>;

    /// The account of a provider's identity.
    async fn user_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserId>>;

    /// Joins a provider's identity to an account. False where it is joined to another one.
    async fn join_identity(
        &self,
        id: &UserId,
        issuer: &str,
        subject: &str,
        now: Micros,
    ) -> Result<bool>;

    /// Whether an account has an identity of the provider.
    async fn has_identity(&self, id: &UserId, issuer: &str) -> Result<bool>;

    /// Takes a provider's identities from an account. False where there is none.
    async fn remove_identity(&self, id: &UserId, issuer: &str) -> Result<bool>;
}

/// A row of `second_factors`.
pub(crate) struct FactorRow {
    pub secret: String,
    pub confirmed_at: Option<i64>,
    pub failures: i64,
    pub closed_until: i64,
}

columns!(FactorRow {
    secret,
    confirmed_at,
    failures,
    closed_until,
});
