//! The verbs on SQLite: its connections for the shared verbs, and its own log.

use async_trait::async_trait;
use mana_core::Micros;
use sqlx::{Sqlite, SqliteConnection, Transaction, pool::PoolConnection};

use super::{claim, db::SqliteStore, log, push, space};
use crate::{
    ChangesPage, ChangesQuery, Claim, HistoryQuery, Push, Pushed, Result, RunProgress, Scope,
    SharedDatabase, SnapshotPage, SnapshotQuery, Take, UserId, message::Message, sql::Backend,
};

impl Backend for SqliteStore {
    type Db = Sqlite;
    type Content = PoolConnection<Sqlite>;

    async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.readers.acquire().await?)
    }

    async fn writer(&self) -> Result<PoolConnection<Sqlite>> {
        Ok(self.writer.acquire().await?)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>> {
        self.write().await
    }

    async fn begin_relaxed(&self) -> Result<Transaction<'static, Sqlite>> {
        self.write_soon().await
    }

    async fn begin_as(&self, _: &UserId) -> Result<Transaction<'static, Sqlite>> {
        self.write().await
    }

    /// Deleted content is overwritten by zeros; the pool changes that back.
    async fn begin_alone(&self, _: &UserId) -> Result<Transaction<'static, Sqlite>> {
        let begin = "PRAGMA secure_delete = ON; BEGIN IMMEDIATE";
        Ok(self.writer.begin_with(begin).await?)
    }

    /// Until the write-ahead log is emptied it holds the pages as they were.
    async fn scrub(&self) {
        space::empty_log(&self.writer).await;
    }

    async fn read_as(&self, _: &UserId) -> Result<PoolConnection<Sqlite>> {
        self.reader().await
    }

    async fn read_log(&self, _: &UserId) -> Result<PoolConnection<Sqlite>> {
        self.reader().await
    }

    /// Nobody else uses the database.
    async fn tell(&self, _: &mut SqliteConnection, _: Message<'_>) -> Result<()> {
        Ok(())
    }

    async fn append(&self, scope: &Scope, push: Push) -> Result<Pushed> {
        push::push(self, scope, push).await
    }

    async fn log_page(&self, scope: &Scope, query: ChangesQuery) -> Result<ChangesPage> {
        log::changes(self, scope, query).await
    }

    async fn record_rows(&self, scope: &Scope, query: HistoryQuery) -> Result<ChangesPage> {
        log::history(self, scope, query).await
    }

    async fn snapshot_page(&self, scope: &Scope, query: SnapshotQuery) -> Result<SnapshotPage> {
        log::snapshot(self, scope, query).await
    }

    async fn claim(&self, take: &Take) -> Result<Vec<Claim>> {
        claim::claim_due(self, take).await
    }

    async fn keep_progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()> {
        self.under_way.set(claim, progress);
        Ok(())
    }

    async fn under_way(&self, user: &UserId, mission_id: &str) -> Result<Option<RunProgress>> {
        let held: Option<i64> = sqlx::query_scalar(
            "SELECT token FROM mission_claims WHERE user_id = $1 AND mission_id = $2 AND worker IS NOT NULL",
        )
        .bind(user.as_str())
        .bind(mission_id)
        .fetch_optional(&self.readers)
        .await?;
        let under_way = self.under_way.of(user, mission_id);
        Ok(under_way
            .filter(|(token, _)| held == Some(*token))
            .map(|(_, progress)| progress))
    }

    async fn mark_cancelled(
        &self,
        tx: &mut SqliteConnection,
        user: &UserId,
        mission_id: &str,
        slot: &str,
    ) -> Result<bool> {
        let under_way = self.under_way.of(user, mission_id);
        let token = under_way
            .filter(|(_, progress)| progress.slot == slot)
            .map(|(token, _)| token);
        let marked = sqlx::query(
            "UPDATE mission_claims SET cancelled = 1
             WHERE user_id = $1 AND mission_id = $2 AND (slot = $3 OR token = $4) AND worker IS NOT NULL",
        )
        .bind(user.as_str())
        .bind(mission_id)
        .bind(slot)
        .bind(token)
        .execute(tx)
        .await?;
        Ok(marked.rows_affected() > 0)
    }
}

#[async_trait]
impl SharedDatabase for SqliteStore {
    async fn newest_time(&self) -> Result<Option<Micros>> {
        // The log's end of each account is one look into the index.
        let newest = "SELECT max(
             (SELECT coalesce(max((SELECT max(created_at) FROM sync_changes WHERE user_id = users.id)), 0) FROM users),
             (SELECT coalesce(max(created_at), 0) FROM sessions), (SELECT coalesce(max(created_at), 0) FROM users))";
        let newest: i64 = sqlx::query_scalar(newest).fetch_one(&self.readers).await?;
        Ok((newest > 0).then_some(Micros(newest)))
    }

    async fn close(&self) {
        self.sync.finish().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}
