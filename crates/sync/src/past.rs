//! Rows of the log as people read them: each write with the value that it replaced.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mana_core::{Actor, Micros, Op, RecordKey, RecordState, sync::record_key};
use mana_store::{Cursor, HistoryQuery, LoggedChange, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Sync, SyncError};

/// Older rows that are read at most to find what the rows of a page replaced.
const OLDER_ROWS: usize = 2_000;

/// Changes in a page where nothing is said, and at most.
const CHANGES: usize = 100;

/// A change of the log with what it replaced.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PastChange {
    /// The record's module.
    pub app: String,
    /// Its table.
    pub table: String,
    /// Its id.
    pub id: String,
    /// The kind of the change.
    pub op: Op,
    /// The change's id.
    pub event_id: String,
    /// The client that pushed it.
    pub client_id: String,
    /// When the server got it.
    pub received_at: Cursor,
    /// When it was made.
    pub made_at: Micros,
    /// Its author.
    pub actor: Actor,
    /// Whether it made the record, as far as the log is kept.
    pub made: bool,
    /// Its values.
    pub writes: Vec<PastWrite>,
}

/// A value of a [`PastChange`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PastWrite {
    /// The field.
    pub field: String,
    /// The value, also where it lost.
    pub value: Value,
    /// The value that stood before, null where there was none. Missing where the rows that tell lie too far back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
    /// Its stamp, by which it merged.
    pub updated_at: Micros,
    /// Whether it is the value that stands.
    pub stands: bool,
}

/// The query of what changed since a moment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangesSinceParams {
    /// The moment, as a time or a cursor.
    #[serde(default)]
    pub since: String,
    /// The `before` of the last page; empty or missing: from the newest.
    #[serde(default)]
    pub before: String,
    /// How many changes at most.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of what changed since a moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangesSinceAnswer {
    /// The changes, newest first by the log's order.
    pub changes: Vec<PastChange>,
    /// Where to go on; null after the last page.
    pub before: Option<Cursor>,
    /// There are older changes; ask again with `before`.
    pub has_more: bool,
    /// The server's clock.
    pub server_time: Micros,
}

impl Sync {
    /// A page of what changed since a moment, whoever changed it. The missions' own records are left out, and what is
    /// forgotten.
    pub async fn changes_since(
        &self,
        scope: &Scope,
        params: ChangesSinceParams,
        now: Micros,
    ) -> Result<ChangesSinceAnswer, SyncError> {
        let since: Cursor = params.since.parse().map_err(SyncError::InvalidCursor)?;
        let before: Cursor = params.before.parse().map_err(SyncError::InvalidCursor)?;
        let query = HistoryQuery {
            not_app: Some(mana_core::mission::APP.to_owned()),
            after: since,
            before: (before > Cursor::BEGINNING).then_some(before),
            limit: params.limit.unwrap_or(CHANGES).clamp(1, CHANGES),
            ..HistoryQuery::default()
        };
        let page = self.log.history(scope, query).await?;
        let rows = page.changes.into_iter();
        let rows: Vec<LoggedChange> = rows.filter(|row| row.change.op != Op::Forget).collect();
        Ok(ChangesSinceAnswer {
            changes: self.past_changes(scope, &rows).await?,
            before: page.has_more.then_some(page.cursor),
            has_more: page.has_more,
            server_time: now,
        })
    }

    /// Rows, newest first, with what each write replaced. Rows of forgotten records are left out.
    pub(crate) async fn past_changes(
        &self,
        scope: &Scope,
        rows: &[LoggedChange],
    ) -> Result<Vec<PastChange>, SyncError> {
        let Some(oldest) = rows.last() else {
            return Ok(Vec::new());
        };
        let keys: BTreeSet<RecordKey> = rows.iter().map(|row| record_key(&row.change)).collect();
        let keys: Vec<RecordKey> = keys.into_iter().collect();
        let states = self.log.records_by_key(scope, &keys).await?;
        let states: BTreeMap<RecordKey, RecordState> = states.into_iter().collect();
        let query = HistoryQuery {
            keys,
            before: Some(oldest.cursor),
            limit: OLDER_ROWS,
            ..HistoryQuery::default()
        };
        let older = self.log.history(scope, query).await?;
        let mut standing = Standing {
            values: HashMap::new(),
            known: BTreeSet::new(),
            is_whole: !older.has_more,
        };
        for row in older.changes.iter().rev() {
            standing.pass(row);
        }
        let mut changes: Vec<PastChange> = Vec::with_capacity(rows.len());
        for row in rows.iter().rev() {
            let state = states.get(&record_key(&row.change));
            if !state.is_some_and(RecordState::is_forgotten) {
                changes.push(standing.told(row, state));
            }
            standing.pass(row);
        }
        changes.reverse();
        Ok(changes)
    }
}

/// The values that stand at a place of the log, of some records.
struct Standing {
    values: HashMap<(RecordKey, String), (Micros, Value)>,
    /// The records of which a row was passed.
    known: BTreeSet<RecordKey>,
    /// Whether all older rows were passed.
    is_whole: bool,
}

impl Standing {
    fn pass(&mut self, row: &LoggedChange) {
        let key = record_key(&row.change);
        for write in row.change.writes() {
            let place = (key.clone(), write.field.to_owned());
            let stands = self.values.get(&place);
            if stands.is_none_or(|(at, _)| *at <= write.at) {
                let value = write.value.into_owned();
                self.values.insert(place, (write.at, value));
            }
        }
        self.known.insert(key);
    }

    fn told(&self, row: &LoggedChange, state: Option<&RecordState>) -> PastChange {
        let key = record_key(&row.change);
        let actor = row.change.actor.clone().unwrap_or_else(Actor::user);
        let mut writes = Vec::new();
        for write in row.change.writes() {
            let before = self.values.get(&(key.clone(), write.field.to_owned()));
            let stamp = state.and_then(|state| state.meta.get(write.field));
            writes.push(PastWrite {
                field: write.field.to_owned(),
                was: match before {
                    Some((_, value)) => Some(value.clone()),
                    None => self.is_whole.then_some(Value::Null),
                },
                updated_at: write.at,
                stands: stamp.is_some_and(|stamp| stamp.at == write.at && stamp.actor == actor),
                value: write.value.into_owned(),
            });
        }
        let at = writes.iter().map(|write| write.updated_at).max();
        PastChange {
            op: row.change.op,
            event_id: row.change.event_id.clone().unwrap_or_default(),
            client_id: row.client_id.clone(),
            received_at: row.cursor,
            made_at: actor.decided_at().or(at).unwrap_or(row.cursor.0),
            made: self.is_whole && !self.known.contains(&key),
            actor,
            writes,
            app: key.app,
            table: key.table,
            id: key.id,
        }
    }
}
