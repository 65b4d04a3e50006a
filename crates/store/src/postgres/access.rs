//! Reaching a log with everything merged that came by SQL.

use std::sync::Arc;

use super::{
    db::Db,
    lock::{Found, LogTx, Tx, Wanted, folded_head, found},
    pending,
};
use crate::{Result, StoreError, UserId};

impl Db {
    /// To read a log and its projections. Rows that came by SQL are folded first; where the log's lock is held for
    /// long they are left for later, and what is read is exact up to them.
    pub async fn read(self: &Arc<Self>, user: &UserId) -> Result<Tx> {
        let mut tx = self.beside(user).await?;
        let pending: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM pending_folds WHERE user_id = $1)")
                .bind(user.as_str())
                .fetch_one(&mut *tx)
                .await?;
        if !pending {
            return Ok(tx);
        }
        tx.rollback().await?;
        self.fold_if_free(user).await?;
        self.beside(user).await
    }

    /// Folds what came by SQL, unless the log's lock is held for long.
    pub async fn fold_if_free(self: &Arc<Self>, user: &UserId) -> Result<()> {
        match pending::fold(self, user).await {
            Err(StoreError::Busy) => Ok(()),
            folded => folded,
        }
    }

    /// To write a log, alone, with everything folded that came by SQL before; and what is there already of what is to
    /// be written.
    pub async fn write(
        self: &Arc<Self>,
        user: &UserId,
        wanted: &Wanted<'_>,
    ) -> Result<(LogTx, Found)> {
        let (mut log, mut there) = self.lock(user, wanted).await?;
        if log.pending {
            pending::fold_in(self, &mut log, user).await?;
            // The last row may have been refused: a cursor names a row that stands.
            log.head = folded_head(&mut log.tx, user).await?;
            there = found(&mut log.tx, user, wanted).await?;
        }
        Ok((log, there))
    }
}
