//! Accounts, sessions, single-use secrets and the server's own settings. No content.

use std::fmt;

use async_trait::async_trait;
use mana_core::Micros;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Result, UserId, json, sql::columns};

/// The rights of an account over the server itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Administers the server. At least one who is not locked stays.
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

    /// The role of a stored or sent word.
    pub fn parse(word: &str) -> Option<Role> {
        [Self::Owner, Self::Member]
            .into_iter()
            .find(|role| role.as_str() == word)
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
    /// Since when nobody signs in to it; none where somebody may.
    pub locked_at: Option<Micros>,
    /// The owner's limits of this person; none where the server's hold.
    pub limits: Option<PersonLimits>,
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
    /// The account that signed in.
    pub user_id: UserId,
    /// When.
    pub created_at: Micros,
    /// Until when.
    pub expires_at: Micros,
    /// When it was last used to get a token.
    pub used_at: Micros,
    /// The browser and the system of the last use, such as `Firefox on Linux`; empty where unknown.
    pub device: String,
    /// The network address of the last use; empty where unknown.
    pub address: String,
    /// How the person proved who they are: `password`, `code`, `recovery-code` or `oidc`.
    pub proof: String,
}

/// A sign-in to be made.
#[derive(Debug, Clone)]
pub struct NewSession<'s> {
    /// The session's id.
    pub id: String,
    /// The account that signs in.
    pub user: &'s UserId,
    /// The secret, stored as a hash.
    pub token: &'s str,
    /// When it begins.
    pub now: Micros,
    /// When it ends unless it is used before.
    pub expires_at: Micros,
    /// As in [`Session`].
    pub device: &'s str,
    /// As in [`Session`].
    pub address: &'s str,
    /// As in [`Session`].
    pub proof: &'s str,
}

impl<'s> NewSession<'s> {
    /// A sign-in by password from an unknown place.
    pub fn new(user: &'s UserId, token: &'s str, now: Micros, expires_at: Micros) -> Self {
        NewSession {
            id: uuid::Uuid::now_v7().to_string(),
            user,
            token,
            now,
            expires_at,
            device: "",
            address: "",
            proof: "password",
        }
    }
}

/// The next use of a session.
#[derive(Debug, Clone)]
pub struct SessionUse<'s> {
    /// The secret that was shown.
    pub token: &'s str,
    /// The secret that takes its place.
    pub next_token: &'s str,
    /// The time.
    pub now: Micros,
    /// How long a secret lasts before a use changes it, in microseconds.
    pub rotate_after: i64,
    /// For how long the secret before the present one may come again, in microseconds: two tabs ask at once.
    pub grace: i64,
    /// How long the session lasts after this use, in microseconds.
    pub lasts: i64,
    /// How long a session lasts at most, in microseconds.
    pub at_most: i64,
    /// As in [`Session`].
    pub device: &'s str,
    /// As in [`Session`].
    pub address: &'s str,
}

/// The outcome of a use of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionUsed {
    /// The session lasts on, with the next secret in the place of the present one.
    Rotated(Session),
    /// The session lasts on, and its secret stays: it changed a moment ago.
    Kept(Session),
    /// No session has this secret.
    Unknown,
}

/// Limits that the owner sets for one person, in the place of the server's; none for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PersonLimits {
    /// The content of the log's rows, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The log's records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// Calls to models in a day of the person's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Tokens of calls in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Millionths of a US dollar of calls in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros_usd: Option<u64>,
}

impl PersonLimits {
    /// The limits of calls to models.
    pub fn models(&self) -> crate::Limits {
        crate::Limits {
            calls: self.calls,
            tokens: self.tokens,
            micros_usd: self.micros_usd,
        }
    }
}

/// An invitation that nobody has used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Names it to whoever made it, in hexadecimal digits; the secret can't be told from it.
    pub id: String,
    /// Until when it is good.
    pub expires_at: Micros,
    /// The name by which it is listed; may be empty.
    pub label: String,
    /// The role that it gives.
    pub role: Role,
    /// When it was made.
    pub created_at: Micros,
}

/// An invitation to be made.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Until when it is good.
    pub expires_at: Micros,
    /// The name by which it is listed; may be empty.
    pub label: String,
    /// The role that it gives.
    pub role: Role,
    /// When it is made.
    pub now: Micros,
}

/// The verbs around accounts, each one transaction. Tokens and secrets are stored as SHA-256 only.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Makes a member. [`EmailTaken`](crate::StoreError::EmailTaken) if the address has an account.
    async fn create_user(&self, user: NewUser, now: Micros) -> Result<User>;

    /// Spends the setup secret and makes the owner, in one transaction: a failure leaves the secret good.
    async fn create_owner(&self, user: NewUser, setup_secret: &str, now: Micros) -> Result<User>;

    /// Spends an invitation and makes an account of its role, in one transaction: a failure leaves the secret good.
    async fn create_invited(&self, user: NewUser, invite: &str, now: Micros) -> Result<User>;

    /// Makes an account that comes from elsewhere, unless there is one with its id. True if it was made.
    async fn admit(&self, user: User) -> Result<bool>;

    /// Whether the server has been set up.
    async fn owner_exists(&self) -> Result<bool>;

    /// Accounts by id, after this one.
    async fn users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<User>>;

    /// The account with this address, however it is written.
    async fn user_by_email(&self, email: &str) -> Result<Option<User>>;

    /// The account with this id.
    async fn user(&self, id: &UserId) -> Result<Option<User>>;

    /// Replaces the password hash and ends every session of the account but `keep`. Returns the ids of those that
    /// ended.
    async fn set_password(
        &self,
        id: &UserId,
        password_hash: &str,
        keep: Option<&str>,
    ) -> Result<Vec<String>>;

    /// Keeps a secret with which this person sets another password; an earlier one is no good any more.
    async fn put_password_reset(&self, id: &UserId, secret: &str, expires_at: Micros)
    -> Result<()>;

    /// Spends the secret, replaces the password hash, and ends every session of the account, in one transaction.
    /// Returns the ids of the sessions. [`SecretInvalid`](crate::StoreError::SecretInvalid) if the secret is not this
    /// person's.
    async fn reset_password(
        &self,
        id: &UserId,
        secret: &str,
        password_hash: &str,
        now: Micros,
    ) -> Result<Vec<String>>;

    /// The sessions of an account that have not ended, the newest first.
    async fn sessions(&self, id: &UserId, now: Micros) -> Result<Vec<Session>>;

    /// Ends the sessions of an account but `keep`: all of them, or the one with the id `only`. Returns the ids of those
    /// that ended.
    async fn end_sessions(
        &self,
        id: &UserId,
        keep: Option<&str>,
        only: Option<&str>,
    ) -> Result<Vec<String>>;

    /// Starts a session. [`AccountLocked`](crate::StoreError::AccountLocked) where nobody may sign in.
    async fn create_session(&self, session: NewSession<'_>) -> Result<Session>;

    /// The session of a token, unless it has ended. The secret before the present one counts as well.
    async fn session(&self, token: &str, now: Micros) -> Result<Option<Session>>;

    /// The session with this id, unless it has ended.
    async fn session_by_id(&self, id: &str, now: Micros) -> Result<Option<Session>>;

    /// Uses a session: it lasts longer, its secret changes, and where it was used is kept.
    async fn use_session(&self, used: SessionUse<'_>) -> Result<SessionUsed>;

    /// Ends the session with this id.
    async fn delete_session_by_id(&self, id: &str) -> Result<()>;

    /// Forgets sessions and secrets that have expired.
    async fn delete_expired(&self, now: Micros) -> Result<u64>;

    /// Keeps a secret that makes one account.
    async fn put_invitation(&self, secret: &str, invitation: NewInvitation) -> Result<Invitation>;

    /// Invitations that are good still, behind the one with this end and id; first the one that ends first.
    async fn invitations(
        &self,
        after: Option<(Micros, &str)>,
        limit: usize,
        now: Micros,
    ) -> Result<Vec<Invitation>>;

    /// Takes an invitation back. False if there is none with this id, such as after it was used.
    async fn delete_invitation(&self, id: &str) -> Result<bool>;

    /// Keeps the one setup secret; an earlier one is no good any more.
    async fn put_setup_secret(&self, secret: &str) -> Result<()>;

    /// Keeps a setting if there is none, and answers the one that is kept: how several processes agree on a key.
    async fn kv_init(&self, key: &str, value: &[u8]) -> Result<Vec<u8>>;

    /// Keeps a setting in the place of an earlier one.
    async fn kv_put(&self, key: &str, value: &[u8]) -> Result<()>;

    /// Keeps a setting if the one that is kept is `before` still; `None`: if there is none. False, and nothing happens,
    /// where somebody else wrote it meanwhile.
    async fn kv_replace(&self, key: &str, before: Option<&[u8]>, value: &[u8]) -> Result<bool>;

    /// The setting that is kept.
    async fn kv_get(&self, key: &str) -> Result<Option<Vec<u8>>>;
}

/// The purpose of the one secret that makes the owner.
pub(crate) const SETUP: &str = "setup";

/// The purpose of a secret that makes a member.
pub(crate) const INVITE: &str = "invite";

/// A row of `users`.
pub(crate) struct UserRow {
    id: String,
    email: String,
    name: String,
    password_hash: String,
    timezone: String,
    locale: String,
    role: String,
    created_at: i64,
    locked_at: Option<i64>,
    limits: Option<String>,
}

columns!(UserRow {
    id,
    email,
    name,
    password_hash,
    timezone,
    locale,
    role,
    created_at,
    locked_at,
    limits,
});

impl UserRow {
    /// The account's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        User {
            id: UserId(row.id),
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            timezone: row.timezone,
            locale: row.locale,
            // The table lets nothing else in.
            role: Role::parse(&row.role).unwrap_or(Role::Member),
            created_at: Micros(row.created_at),
            locked_at: row.locked_at.map(Micros),
            // Limits that can't be read are the strictest.
            limits: row.limits.map(|text| {
                serde_json::from_str(&text).unwrap_or(PersonLimits {
                    bytes: Some(0),
                    records: Some(0),
                    calls: Some(0),
                    tokens: Some(0),
                    micros_usd: Some(0),
                })
            }),
        }
    }
}

/// A row of `sessions`.
pub(crate) struct SessionRow {
    id: String,
    user_id: String,
    created_at: i64,
    expires_at: i64,
    used_at: i64,
    device: String,
    address: String,
    proof: String,
}

columns!(SessionRow {
    id,
    user_id,
    created_at,
    expires_at,
    used_at,
    device,
    address,
    proof,
});

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Session {
            id: row.id,
            user_id: UserId(row.user_id),
            created_at: Micros(row.created_at),
            expires_at: Micros(row.expires_at),
            // A session of an earlier version says no use but its beginning.
            used_at: Micros(row.used_at.max(row.created_at)),
            device: row.device,
            address: row.address,
            proof: row.proof,
        }
    }
}

/// The hash that is kept of a token or secret.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret).to_vec()
}

impl Invitation {
    /// The invitation of a stored secret.
    pub(crate) fn of(secret_hash: &[u8], made: NewInvitation) -> Invitation {
        Invitation {
            id: json::hex(secret_hash),
            expires_at: made.expires_at,
            label: made.label,
            role: made.role,
            created_at: made.now,
        }
    }
}

/// An address as it is stored: trimmed and in lower case.
pub(crate) fn normalise(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The account that is to be made.
pub(crate) fn new_user(new: NewUser, role: Role, now: Micros) -> User {
    User {
        id: UserId::generate(),
        email: normalise(&new.email),
        name: new.name,
        password_hash: new.password_hash,
        timezone: new.timezone,
        locale: new.locale,
        role,
        created_at: now,
        locked_at: None,
        limits: None,
    }
}
