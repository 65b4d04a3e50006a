//! A record's past by field: who wrote what, and when (S14).

use mana_core::{Actor, Micros, Op, RecordKey};
use mana_store::{Cursor, HistoryQuery, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{PAGE, Sync, SyncError};

/// Rows in a page where nothing is said.
const ROWS: usize = 100;

/// The query of a history.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryParams {
    /// The record's table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The only field to tell of; empty or missing: all.
    #[serde(default)]
    pub field: String,
    /// The `before` of the last page; empty or missing: from the newest.
    #[serde(default)]
    pub before: String,
    /// How many changes at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of a record's past.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryAnswer {
    /// The writes, newest first by the log's order.
    pub entries: Vec<HistoryEntry>,
    /// Where to go on; null after the last page.
    pub before: Option<Cursor>,
    /// There are older entries; ask again with `before`.
    pub has_more: bool,
    /// The server's clock.
    pub server_time: Micros,
}

/// A value that was written to a field.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The field.
    pub field: String,
    /// The value, also where it lost.
    pub value: Value,
    /// The kind of its change.
    pub op: Op,
    /// Its stamp, by which it merged.
    pub updated_at: Micros,
    /// When it was written: the time of the decision where the stamp follows what the write saw.
    pub made_at: Micros,
    /// When the server got it.
    pub received_at: Cursor,
    /// The client that pushed it.
    pub client_id: String,
    /// The value that stood before, null where there was none. Missing where the rows that tell lie too far back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// Its author.
    pub actor: Actor,
    /// Its change.
    pub event_id: String,
    /// Whether it is the value that stands.
    pub stands: bool,
}

impl Sync {
    /// A page of a record's past, as far as the log keeps it. Of a forgotten record nothing is told.
    pub async fn history(
        &self,
        scope: &Scope,
        app: String,
        params: HistoryParams,
        now: Micros,
    ) -> Result<HistoryAnswer, SyncError> {
        let before: Cursor = params.before.parse().map_err(SyncError::InvalidCursor)?;
        let key = RecordKey::new(app, &params.table, &params.id);
        let stored = self
            .log
            .records_by_key(scope, std::slice::from_ref(&key))
            .await?;
        if stored.iter().any(|(_, state)| state.is_forgotten()) {
            return Err(SyncError::Forgotten);
        }
        let limit = params.limit.unwrap_or(ROWS).clamp(1, PAGE);
        let query = HistoryQuery {
            before: (before > Cursor::BEGINNING).then_some(before),
            ..HistoryQuery::of(key, limit)
        };
        let page = self.log.history(scope, query).await?;
        let mut entries = Vec::new();
        for change in self.past_changes(scope, &page.changes).await? {
            for write in change.writes {
                if !params.field.is_empty() && write.field != params.field {
                    continue;
                }
                entries.push(HistoryEntry {
                    field: write.field,
                    op: change.op,
                    updated_at: write.updated_at,
                    made_at: change.actor.decided_at().unwrap_or(write.updated_at),
                    received_at: change.received_at,
                    client_id: change.client_id.clone(),
                    event_id: change.event_id.clone(),
                    stands: write.stands,
                    was: write.was,
                    value: write.value,
                    actor: change.actor.clone(),
                });
            }
        }
        Ok(HistoryAnswer {
            entries,
            before: page.has_more.then_some(page.cursor),
            has_more: page.has_more,
            server_time: now,
        })
    }
}
