//! Requests, progress, cancellation and debug records of runs, and the runs that ended.

use async_trait::async_trait;
use mana_core::{Micros, RecordState};
use serde_json::Value;

use super::{Backend, Connection, Dialect, composed, deleted, forgotten_state, sql};
use crate::{
    Cancelled, Claim, DEBUG_KEPT, DebugRecord, MOST_WAITING, Result, RunPhase, RunProgress,
    RunRequest, Runs, Scope, StoreError, json, message::Message, row,
};

#[async_trait]
impl<B: Backend> Runs for B {
    async fn enqueue_run(&self, scope: &Scope, request: RunRequest) -> Result<()> {
        let user = scope.owner();
        let mut tx = self.begin_as(user).await?;
        deleted::refuse(&mut *tx, user).await?;
        let others = sql(
            "SELECT count(*) FROM run_requests WHERE user_id = $1 AND (mission_id, slot) <> ($2, $3)",
        );
        let others = others
            .bind(user)
            .bind(&request.mission_id)
            .bind(&request.slot);
        let (others,): (i64,) = tx.fetch_one(others).await?;
        if usize::try_from(others).unwrap_or(0) >= MOST_WAITING {
            return Err(StoreError::TooManyRuns(MOST_WAITING));
        }
        let insert = composed(format!(
            "INSERT INTO run_requests (user_id, mission_id, slot, iteration_id, not_before)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (user_id, mission_id, slot)
             DO UPDATE SET not_before = {}(run_requests.not_before, excluded.not_before)",
            B::Db::LEAST
        ));
        let insert = insert
            .bind(user)
            .bind(&request.mission_id)
            .bind(&request.slot)
            .bind(&request.iteration_id)
            .bind(request.not_before);
        tx.execute(insert).await?;
        if let Some(inputs) = &request.inputs {
            let insert = sql(
                "INSERT INTO run_inputs (user_id, mission_id, slot, inputs) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
            );
            let insert = insert
                .bind(user)
                .bind(&request.mission_id)
                .bind(&request.slot)
                .bind(inputs.to_string());
            tx.execute(insert).await?;
        }
        let queued = RunProgress::queued(&request.mission_id, request.slot, request.iteration_id);
        self.tell(&mut tx, Message::run(user, &queued).schedule(true))
            .await?;
        Ok(tx.commit().await?)
    }

    async fn run_inputs(
        &self,
        scope: &Scope,
        mission_id: &str,
        slot: &str,
    ) -> Result<Option<Value>> {
        let select = sql(
            "SELECT inputs FROM run_inputs WHERE user_id = $1 AND mission_id = $2 AND slot = $3",
        );
        let select = select.bind(scope.owner()).bind(mission_id).bind(slot);
        let mut connection = self.read_as(scope.owner()).await?;
        let found: Option<(String,)> = connection.fetch_optional(select).await?;
        found
            .map(|(text,)| json::read("the inputs of a run", &text))
            .transpose()
    }

    async fn progress(&self, claim: &Claim, progress: &RunProgress) -> Result<()> {
        self.keep_progress(claim, progress).await
    }

    async fn running(&self, scope: &Scope, mission_id: &str) -> Result<Vec<RunProgress>> {
        let user = scope.owner();
        let under_way = self.under_way(user, mission_id).await?;
        let waiting = sql(
            "SELECT slot, iteration_id FROM run_requests r WHERE user_id = $1 AND mission_id = $2 AND NOT EXISTS (
                SELECT 1 FROM mission_claims c
                WHERE c.user_id = $1 AND c.mission_id = $2 AND c.slot = r.slot AND c.worker IS NOT NULL)
             ORDER BY not_before, slot",
        );
        let waiting = waiting.bind(user).bind(mission_id);
        let waiting: Vec<(String, String)> = self.reader().await?.fetch_all(waiting).await?;
        let waiting = waiting
            .into_iter()
            .map(|(slot, iteration_id)| RunProgress::queued(mission_id, slot, iteration_id));
        Ok(under_way.into_iter().chain(waiting).collect())
    }

    async fn cancel_run(&self, scope: &Scope, mission_id: &str, slot: &str) -> Result<Cancelled> {
        let user = scope.owner();
        let mut tx = self.begin_as(user).await?;
        if self.mark_cancelled(&mut tx, user, mission_id, slot).await? {
            self.tell(&mut tx, Message::cancel(user, mission_id))
                .await?;
            tx.commit().await?;
            return Ok(Cancelled::Running);
        }
        let delete = sql(
            "DELETE FROM run_requests WHERE user_id = $1 AND mission_id = $2 AND slot = $3 RETURNING iteration_id",
        );
        let delete = delete.bind(user).bind(mission_id).bind(slot);
        let deleted: Option<(String,)> = tx.fetch_optional(delete).await?;
        let Some((iteration_id,)) = deleted else {
            return Ok(Cancelled::Nothing);
        };
        let inputs =
            sql("DELETE FROM run_inputs WHERE user_id = $1 AND mission_id = $2 AND slot = $3");
        tx.execute(inputs.bind(user).bind(mission_id).bind(slot))
            .await?;
        let cancelled = RunProgress {
            phase: RunPhase::Cancelled,
            ..RunProgress::queued(mission_id, slot, iteration_id)
        };
        self.tell(&mut tx, Message::run(user, &cancelled)).await?;
        tx.commit().await?;
        Ok(Cancelled::Waiting(cancelled))
    }

    async fn keep_debug(&self, scope: &Scope, record: DebugRecord) -> Result<()> {
        let user = scope.owner();
        let mut tx = self.begin_as(user).await?;
        deleted::refuse(&mut *tx, user).await?;
        let insert = sql(
            "INSERT INTO run_debug (user_id, iteration_id, at, body) VALUES ($1, $2, $3, $4)
             ON CONFLICT (user_id, iteration_id) DO UPDATE SET at = excluded.at, body = excluded.body",
        );
        let body = record.body.to_string();
        tx.execute(
            insert
                .bind(user)
                .bind(&record.iteration_id)
                .bind(record.at)
                .bind(body),
        )
        .await?;
        let (count, bytes) = DEBUG_KEPT;
        let delete = sql(
            "DELETE FROM run_debug WHERE user_id = $1 AND iteration_id IN (
                SELECT iteration_id FROM (
                    SELECT iteration_id, count(*) OVER newest AS nth, sum(octet_length(body)) OVER newest AS bytes
                    FROM run_debug WHERE user_id = $1
                    WINDOW newest AS (ORDER BY at DESC, iteration_id ROWS UNBOUNDED PRECEDING)) AS kept
                WHERE nth > $2 OR bytes > $3)",
        );
        tx.execute(delete.bind(user).bind(count).bind(bytes))
            .await?;
        Ok(tx.commit().await?)
    }

    async fn debug(&self, scope: &Scope, iteration_id: &str) -> Result<Option<DebugRecord>> {
        let select = sql("SELECT at, body FROM run_debug WHERE user_id = $1 AND iteration_id = $2");
        let select = select.bind(scope.owner()).bind(iteration_id);
        let mut connection = self.read_as(scope.owner()).await?;
        let found: Option<(i64, String)> = connection.fetch_optional(select).await?;
        let Some((at, body)) = found else {
            return Ok(None);
        };
        Ok(Some(DebugRecord {
            iteration_id: iteration_id.to_owned(),
            at: Micros(at),
            body: json::read("a debug record", &body)?,
        }))
    }

    async fn runs_of_mission(
        &self,
        scope: &Scope,
        mission_id: &str,
        before: Option<(String, String)>,
        limit: u32,
    ) -> Result<Vec<(String, RecordState)>> {
        let data = format!("{} -> 'data'", B::Db::STATE);
        // The index `records_of_runs` (migration 0008) is in this order, and made of these expressions.
        let started_at = format!("coalesce({data} ->> 'startedAt', '')");
        let mut text = format!(
            "SELECT record_id, state FROM records
             WHERE app_id = 'ai' AND table_name = 'aiRuns' AND user_id = $1
             AND {data} ->> 'missionId' = $2 AND {data} ->> 'deletedAt' IS NULL"
        );
        if before.is_some() {
            text += &format!(" AND ({started_at}, record_id) < ($4, $5)");
        }
        text += &format!(" ORDER BY {started_at} DESC, record_id DESC LIMIT $3");
        let mut select = composed(text)
            .bind(scope.owner())
            .bind(mission_id)
            .bind(i64::from(limit));
        if let Some((started_at, id)) = before {
            select = select.bind(started_at).bind(id);
        }
        let rows = self
            .read_log(scope.owner())
            .await?
            .fetch_all(select)
            .await?;
        row::states(rows)
    }

    async fn newest_records(
        &self,
        scope: &Scope,
        app: &str,
        table: &str,
        limit: u32,
    ) -> Result<Vec<(String, RecordState)>> {
        // In the order of the index `records_by_change` (migration 0014).
        let select = composed(format!(
            "SELECT record_id, state FROM records WHERE user_id = $1 AND app_id = $2 AND table_name = $3
             AND state <> {} AND {} -> 'data' ->> 'deletedAt' IS NULL
             ORDER BY updated_at DESC, record_id DESC LIMIT $4",
            forgotten_state!(),
            B::Db::STATE
        ));
        let select = select.bind(scope.owner()).bind(app).bind(table);
        let mut connection = self.read_log(scope.owner()).await?;
        let rows = connection.fetch_all(select.bind(i64::from(limit))).await?;
        row::states(rows)
    }

    async fn surplus_runs(
        &self,
        scope: &Scope,
        mission_id: &str,
        keep: u32,
        limit: u32,
    ) -> Result<Vec<String>> {
        let data = format!("{} -> 'data'", B::Db::STATE);
        let select = composed(format!(
            "SELECT record_id FROM records
             WHERE app_id = 'ai' AND table_name = 'aiRuns' AND user_id = $1 AND {data} ->> 'missionId' = $2
             ORDER BY coalesce({data} ->> 'startedAt', '') DESC, record_id DESC LIMIT $3 OFFSET $4"
        ));
        let select = select.bind(scope.owner()).bind(mission_id);
        let select = select.bind(i64::from(limit)).bind(i64::from(keep));
        let mut connection = self.read_log(scope.owner()).await?;
        let rows: Vec<(String,)> = connection.fetch_all(select).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    async fn missions_with_open_steps(
        &self,
        scope: &Scope,
        limit: u32,
    ) -> Result<Vec<(String, RecordState)>> {
        let select = composed(format!(
            "SELECT record_id, state FROM records
             WHERE app_id = 'ai' AND table_name = 'aiMissions' AND user_id = $1
             AND {} -> 'data' ->> 'deletedAt' IS NULL AND {} ORDER BY record_id LIMIT $2",
            B::Db::STATE,
            B::Db::HAS_OPEN_STEP,
        ));
        let mut connection = self.read_log(scope.owner()).await?;
        let select = select.bind(scope.owner()).bind(i64::from(limit));
        let rows = connection.fetch_all(select).await?;
        row::states(rows)
    }
}
