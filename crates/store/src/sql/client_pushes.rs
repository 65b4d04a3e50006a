//! The last numbered push of each client.

use mana_core::Micros;

use super::{Connection, sql};
use crate::{Result, UserId, push_number::LastPush};

/// Clients of a person whose last push is kept; of the others no copy is noticed.
const CLIENTS_KEPT: i64 = 500;

/// Keeps the push of a client as its last.
pub(crate) async fn keep(
    tx: &mut impl Connection,
    user: &UserId,
    client_id: &str,
    last: &LastPush,
    at: Micros,
) -> Result<()> {
    let insert = sql(
        "INSERT INTO client_pushes (user_id, client_id, number, changes, digest, pushed_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (user_id, client_id) DO UPDATE SET number = excluded.number, changes = excluded.changes,
         digest = excluded.digest, pushed_at = excluded.pushed_at",
    );
    let insert = insert
        .bind(user)
        .bind(client_id)
        .bind(last.number)
        .bind(last.changes)
        .bind(&last.digest)
        .bind(at);
    tx.execute(insert).await?;
    Ok(())
}

/// Forgets the clients that have not pushed for the longest, after a new one came.
pub(crate) async fn prune(tx: &mut impl Connection, user: &UserId) -> Result<()> {
    let delete = sql(
        "DELETE FROM client_pushes WHERE user_id = $1 AND client_id NOT IN (
             SELECT client_id FROM client_pushes WHERE user_id = $1 ORDER BY pushed_at DESC, client_id LIMIT $2)",
    );
    tx.execute(delete.bind(user).bind(CLIENTS_KEPT)).await?;
    Ok(())
}
