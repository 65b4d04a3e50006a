//! The room inside the file that dropped rows leave.

use sqlx::{SqliteConnection, SqlitePool};

use crate::{FreedSpace, Result};

/// Free bytes below which the file stays as it is: later rows take them.
const LITTLE: u64 = 256 << 10;

/// The part of a file that has to be free before the whole of it is written anew.
const WORTH_IT: u64 = 10;

/// Gives free pages back to the disk. A file of an earlier version, which can't do that page by page, is written anew
/// once and can from then on; where the disk has no room for that, the pages stay for later rows.
pub(super) async fn free(writer: &SqlitePool) -> Result<FreedSpace> {
    let mut connection = writer.acquire().await?;
    let page_size = number(&mut connection, "PRAGMA page_size").await?;
    let free = number(&mut connection, "PRAGMA freelist_count").await?;
    if free * page_size < LITTLE {
        return Ok(FreedSpace::default());
    }
    // FULL is 1, INCREMENTAL is 2 (<https://www.sqlite.org/pragma.html#pragma_auto_vacuum>).
    if number(&mut connection, "PRAGMA auto_vacuum").await? == 2 {
        sqlx::query("PRAGMA incremental_vacuum")
            .fetch_all(&mut *connection)
            .await?;
    } else if free * WORTH_IT >= number(&mut connection, "PRAGMA page_count").await? {
        // A failure leaves the file as it was.
        let anew = sqlx::raw_sql("PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
        if let Err(error) = anew.execute(&mut *connection).await {
            tracing::warn!("the file could not be made smaller: {error}");
        }
    }
    // The file itself becomes smaller with the checkpoint.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_all(&mut *connection)
        .await?;
    let kept = number(&mut connection, "PRAGMA freelist_count").await?;
    Ok(FreedSpace {
        given_back: free.saturating_sub(kept) * page_size,
        kept: kept * page_size,
    })
}

/// Brings the write-ahead log into the file and empties it. A reader that is at it keeps it for a while longer.
pub(super) async fn empty_log(writer: &SqlitePool) {
    let emptied = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_all(writer)
        .await;
    if let Err(error) = emptied {
        tracing::warn!(%error, "The write-ahead log could not be emptied: {error}");
    }
}

async fn number(connection: &mut SqliteConnection, pragma: &'static str) -> Result<u64> {
    let number: i64 = sqlx::query_scalar(pragma).fetch_one(connection).await?;
    Ok(number.unsigned_abs())
}
