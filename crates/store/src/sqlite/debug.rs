//! What went to models, for the person whose runs they were.

use mana_core::Micros;

use super::SqliteStore;
use crate::{DEBUG_KEPT, DebugRecord, Result, Scope, row};

pub(super) async fn keep(store: &SqliteStore, scope: &Scope, record: DebugRecord) -> Result<()> {
    let user = scope.owner().as_str();
    let mut tx = store.write().await?;
    sqlx::query(
        "INSERT OR REPLACE INTO run_debug (user_id, iteration_id, at, body) VALUES (?, ?, ?, ?)",
    )
    .bind(user)
    .bind(&record.iteration_id)
    .bind(record.at.0)
    .bind(record.body.to_string())
    .execute(&mut *tx)
    .await?;
    let (count, bytes) = DEBUG_KEPT;
    sqlx::query(
        "DELETE FROM run_debug WHERE user_id = ?1 AND iteration_id IN (
            SELECT iteration_id FROM (
                SELECT iteration_id, count(*) OVER newest AS nth, sum(octet_length(body)) OVER newest AS bytes
                FROM run_debug WHERE user_id = ?1
                WINDOW newest AS (ORDER BY at DESC, iteration_id ROWS UNBOUNDED PRECEDING))
            WHERE nth > ?2 OR bytes > ?3)",
    )
    .bind(user)
    .bind(i64::try_from(count).unwrap_or(i64::MAX))
    .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

pub(super) async fn get(
    store: &SqliteStore,
    scope: &Scope,
    iteration_id: &str,
) -> Result<Option<DebugRecord>> {
    let found: Option<(i64, String)> =
        sqlx::query_as("SELECT at, body FROM run_debug WHERE user_id = ? AND iteration_id = ?")
            .bind(scope.owner().as_str())
            .bind(iteration_id)
            .fetch_optional(&store.readers)
            .await?;
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
