//! What went to models, for the person whose runs they were.

use mana_core::Micros;

use super::Db;
use crate::{DEBUG_KEPT, DebugRecord, Result, Scope, row};

pub(super) async fn keep(db: &Db, scope: &Scope, record: DebugRecord) -> Result<()> {
    let user = scope.owner();
    let mut tx = db.beside(user).await?;
    sqlx::query(
        "INSERT INTO run_debug (user_id, iteration_id, at, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, iteration_id) DO UPDATE SET at = excluded.at, body = excluded.body",
    )
    .bind(user.as_str())
    .bind(&record.iteration_id)
    .bind(record.at.0)
    .bind(record.body.to_string())
    .execute(&mut *tx)
    .await?;
    let (count, bytes) = DEBUG_KEPT;
    sqlx::query(
        "DELETE FROM run_debug WHERE user_id = $1 AND iteration_id IN (
            SELECT iteration_id FROM (
                SELECT iteration_id, count(*) OVER newest AS nth, sum(octet_length(body)) OVER newest AS bytes
                FROM run_debug WHERE user_id = $1
                WINDOW newest AS (ORDER BY at DESC, iteration_id ROWS UNBOUNDED PRECEDING)) AS kept
            WHERE nth > $2 OR bytes > $3)",
    )
    .bind(user.as_str())
    .bind(i64::try_from(count).unwrap_or(i64::MAX))
    .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

pub(super) async fn get(db: &Db, scope: &Scope, iteration_id: &str) -> Result<Option<DebugRecord>> {
    let mut tx = db.beside(scope.owner()).await?;
    let found: Option<(i64, String)> =
        sqlx::query_as("SELECT at, body FROM run_debug WHERE user_id = $1 AND iteration_id = $2")
            .bind(scope.owner().as_str())
            .bind(iteration_id)
            .fetch_optional(&mut *tx)
            .await?;
    tx.commit().await?;
    found
        .map(|(at, body)| {
            Ok(DebugRecord {
                iteration_id: iteration_id.to_owned(),
                at: Micros(at),
                body: row::read("a debug record", &body)?,
            })
        })
        .transpose()
}
