//! Accounts, sessions, single-use secrets and the server's own settings. No content.

use std::fmt;

use async_trait::async_trait;
use mana_core::Micros;
use serde::{Deserialize, Serialize};

use crate::{Result, UserId};

/// What an account may do to the server itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Set up the server. There is one.
    Owner,
    /// Everybody else.
    Member,
}

impl Role {
    /// The role as it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }
}

/// An account to be made.
#[derive(Clone)]
pub struct NewUser {
    /// In any case, with any space around; stored trimmed and in lower case.
    pub email: String,
    /// How to address the person; may be empty.
    pub name: String,
    /// A password hash in PHC format, never the password.
    pub password_hash: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
}

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Trimmed, in lower case.
    pub email: String,
    /// How to address the person; may be empty.
    pub name: String,
    /// In PHC format.
    pub password_hash: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
    /// Owner or member.
    pub role: Role,
    /// When it was made.
    pub created_at: Micros,
}

impl fmt::Debug for User {
    // The hash stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A sign-in that is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, which is no secret: bearer tokens name their session by it.
    pub id: String,
    /// Who signed in.
    pub user_id: UserId,
    /// When.
    pub created_at: Micros,
    /// Until when.
    pub expires_at: Micros,
}

/// The verbs around accounts, each one transaction. Tokens and secrets are stored as SHA-256 only.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes a member. [`EmailTaken`](crate::StoreError::EmailTaken) if the address has an account.
    async fn create_user(&self, user: NewUser, now: Micros) -> Result<User>;

    /// Spends the setup secret and makes the owner, in one transaction: a failure leaves the secret good.
    async fn create_owner(&self, user: NewUser, setup_secret: &str, now: Micros) -> Result<User>;

    /// Spends an invitation and makes a member, in one transaction: a failure leaves the secret good.
    async fn create_invited(&self, user: NewUser, invite: &str, now: Micros) -> Result<User>;

    /// Whether the server has been set up.
    async fn owner_exists(&self) -> Result<bool>;

    /// How many accounts there are.
    async fn count_users(&self) -> Result<u64>;

    /// The account with this address, however it is written.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>>;

    /// The account with this id.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;

    /// Takes over the name, time zone and locale of `user`.
    async fn update_profile(&self, user: &User) -> Result<()>;

    /// Replaces the password hash and ends every session of the account.
    async fn set_password(&self, id: &UserId, password_hash: &str) -> Result<()>;

    /// Starts a session.
    async fn create_session(
        &self,
        id: &UserId,
        token: &str,
        now: Micros,
        expires_at: Micros,
    ) -> Result<Session>;

    /// The session of a token, unless it has ended.
    async fn session(&self, token: &str, now: Micros) -> Result<Option<Session>>;

    /// The session with this id, unless it has ended.
    async fn session_by_id(&self, id: &str, now: Micros) -> Result<Option<Session>>;

    /// Lets a session last longer. False if it has ended.
    async fn extend_session(&self, token: &str, now: Micros, expires_at: Micros) -> Result<bool>;

    /// Ends a session.
    async fn delete_session(&self, token: &str) -> Result<()>;

    /// Ends the session with this id.
    async fn delete_session_by_id(&self, id: &str) -> Result<()>;

    /// Ends every session of an account.
    async fn delete_sessions(&self, id: &UserId) -> Result<u64>;

    /// Forgets sessions and secrets that have expired.
    async fn delete_expired(&self, now: Micros) -> Result<u64>;

    /// Keeps a single-use secret for a purpose, such as `invite`.
    async fn put_secret(
        &self,
        purpose: &str,
        secret: &str,
        expires_at: Option<Micros>,
    ) -> Result<()>;

    /// Keeps the one setup secret; an earlier one is no good any more.
    async fn put_setup_secret(&self, secret: &str) -> Result<()>;

    /// Whether the secret could be taken now.
    async fn has_secret(&self, purpose: &str, secret: &str, now: Micros) -> Result<bool>;

    /// Spends a secret. True once.
    async fn take_secret(&self, purpose: &str, secret: &str, now: Micros) -> Result<bool>;

    /// A setting of the server's own.
    async fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// Keeps a setting, in place of what was there.
    async fn kv_put(&self, key: &str, value: &[u8]) -> Result<()>;

    /// Keeps a setting if there is none, and answers the one that is kept: how several processes agree on a key.
    async fn kv_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>>;
}
