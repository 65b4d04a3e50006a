//! Owners' care of people: locks, roles, limits, deletion. No content is read.

use async_trait::async_trait;
use mana_core::Micros;

use crate::{PersonLimits, Result, Role, User, UserId, accounts::UserRow, sql::columns};

/// An account as its owners see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Sessions that have not ended.
    pub sessions: u64,
    /// When a session was last used; none where there is none.
    pub seen_at: Option<Micros>,
    /// Since when the account has a second factor.
    pub factor_since: Option<Micros>,
    /// When an owner last asked for a second factor.
    pub asked_at: Option<Micros>,
}

/// The verbs of owners about people, each one transaction.
///
/// Of the owners who may sign in at least one stays: a verb that would take the last one away fails with
/// [`LastOwner`](crate::StoreError::LastOwner).
#[async_trait]
pub trait People: Send + Sync {
    /// Accounts by id, after this one.
    async fn people(
        &self,
        after: Option<&UserId>,
        limit: usize,
        now: Micros,
    ) -> Result<Vec<Person>>;

    /// Locks an account, or opens it again where `at` is none. Locking ends its sessions, of which the ids are
    /// returned, and cancels its runs that are under way; its missions wait until it is opened.
    async fn set_locked(&self, id: &UserId, at: Option<Micros>) -> Result<Vec<String>>;

    /// Gives an account another role.
    async fn set_role(&self, id: &UserId, role: Role) -> Result<()>;

    /// Sets the limits of a person; none: the server's hold.
    async fn set_limits(&self, id: &UserId, limits: Option<PersonLimits>) -> Result<()>;

    /// Whether the owner limits a single person.
    async fn limits_people(&self) -> Result<bool>;

    /// Replaces name, address, time zone and language. [`EmailTaken`](crate::StoreError::EmailTaken) where the address
    /// is another account's.
    async fn set_profile(&self, user: &User) -> Result<()>;

    /// Deletes an account with everything that is kept of it: log, records, missions' schedule and claims, keys, usage,
    /// sessions, entries of the audit log. Late writes of the person are refused from then on. Returns the ids of the
    /// sessions that ended.
    async fn delete_person(&self, id: &UserId, now: Micros) -> Result<Vec<String>>;
}

/// A row of [`People::people`].
pub(crate) struct PersonRow {
    sessions: i64,
    seen_at: Option<i64>,
    factor_since: Option<i64>,
    asked_at: Option<i64>,
}

columns!(PersonRow {
    sessions,
    seen_at,
    factor_since,
    asked_at,
});

impl PersonRow {
    pub(crate) fn person(self, user: UserRow) -> Person {
        Person {
            user: user.into(),
            sessions: self.sessions.unsigned_abs(),
            seen_at: self.seen_at.map(Micros),
            factor_since: self.factor_since.map(Micros),
            asked_at: self.asked_at.map(Micros),
        }
    }
}
