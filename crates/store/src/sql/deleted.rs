//! Accounts that were deleted: by the hash of their id, so that nothing names them.

use mana_core::Micros;

use super::{Connection, sql};
use crate::{Result, StoreError, UserId, accounts::hash};

/// How long a deleted account's id is refused, in microseconds: a year. A token of another issuer may come later than
/// its account was deleted.
const REFUSED_FOR: i64 = 365 * 24 * 60 * 60 * 1_000_000;

/// Refuses a write of a person whose account was deleted.
pub(crate) async fn refuse(tx: &mut impl Connection, id: &UserId) -> Result<()> {
    let deleted = sql("SELECT EXISTS (SELECT 1 FROM deleted_accounts WHERE id_hash = $1)");
    let hash = hash(id.as_str());
    let (deleted,): (bool,) = tx.fetch_one(deleted.bind(&hash)).await?;
    match deleted {
        true => Err(StoreError::NoSuchUser),
        false => Ok(()),
    }
}

/// Remembers that an account was deleted.
pub(super) async fn remember(tx: &mut impl Connection, id: &UserId, now: Micros) -> Result<()> {
    let insert = sql(
        "INSERT INTO deleted_accounts (id_hash, deleted_at) VALUES ($1, $2)
         ON CONFLICT (id_hash) DO UPDATE SET deleted_at = excluded.deleted_at",
    );
    let hash = hash(id.as_str());
    tx.execute(insert.bind(&hash).bind(now)).await?;
    Ok(())
}

/// Takes an account that its operator puts back.
pub(super) async fn forget(tx: &mut impl Connection, id: &UserId) -> Result<()> {
    let delete = sql("DELETE FROM deleted_accounts WHERE id_hash = $1");
    let hash = hash(id.as_str());
    tx.execute(delete.bind(&hash)).await?;
    Ok(())
}

/// Forgets what was deleted long ago. Returns how many accounts.
pub(super) async fn prune(tx: &mut impl Connection, now: Micros) -> Result<u64> {
    let delete = sql("DELETE FROM deleted_accounts WHERE deleted_at <= $1");
    tx.execute(delete.bind(now.plus(-REFUSED_FOR))).await
}
