//! The audit log.

use async_trait::async_trait;

use super::{Backend, Connection, Dialect, composed, sql};
use crate::{AUDIT_KEPT, AuditEntry, AuditLog, AuditRow, Result, UserId, audit::StoredAudit};

/// How often a place for an entry is looked for.
const ATTEMPTS: usize = 8;

#[async_trait]
impl<B: Backend> AuditLog for B {
    async fn keep_audit(&self, entry: AuditEntry) -> Result<()> {
        let mut tx = self.begin().await?;
        let text = format!(
            "INSERT INTO audit_log (id, at, class, event, subject, actor, address, detail)
             SELECT {}($1, coalesce((SELECT max(id) FROM audit_log), 0) + 1), $1, $2, $3, $4, $5, $6, $7
             WHERE true ON CONFLICT (id) DO NOTHING",
            B::Db::GREATEST
        );
        // Another process may take the same place at the same moment.
        for _ in 0..ATTEMPTS {
            let insert = composed(text.clone())
                .bind(entry.at)
                .bind(entry.class.as_str())
                .bind(entry.event)
                .bind(entry.subject.as_ref().map(UserId::as_str))
                .bind(entry.actor.as_ref().map(UserId::as_str))
                .bind(entry.address.as_deref())
                .bind(&entry.detail);
            if tx.execute(insert).await? == 1 {
                break;
            }
        }
        let prune = sql("DELETE FROM audit_log WHERE class = $1 AND id <= (
                 SELECT id FROM audit_log WHERE class = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)");
        tx.execute(prune.bind(entry.class.as_str()).bind(AUDIT_KEPT))
            .await?;
        Ok(tx.commit().await?)
    }

    async fn newest_act(&self, events: &[&str]) -> Result<i64> {
        let places: String = (1..=events.len()).map(|at| format!(", ${at}")).collect();
        let text = format!(
            "SELECT coalesce(max(id), 0) FROM audit_log
             WHERE class = 'act' AND (event IN (''{places}) OR actor IS NULL AND address IS NULL)"
        );
        let mut select = composed(text);
        for event in events {
            select = select.bind(*event);
        }
        let (id,): (i64,) = self.reader().await?.fetch_one(select).await?;
        Ok(id)
    }

    async fn audit(
        &self,
        before: Option<i64>,
        subject: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<AuditRow>> {
        let select = sql(
            "SELECT id, at, class, event, subject, actor, address, detail FROM audit_log
             WHERE id < $1 AND (CAST($2 AS text) IS NULL OR subject = $2) ORDER BY id DESC LIMIT $3",
        );
        let select = select
            .bind(before.unwrap_or(i64::MAX))
            .bind(subject.map(UserId::as_str))
            .bind(limit);
        let rows: Vec<StoredAudit> = self.reader().await?.fetch_all(select).await?;
        Ok(rows.into_iter().map(AuditRow::from).collect())
    }
}
