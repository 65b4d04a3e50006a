//! Taking removed records away for good (F5): at once as their person asks, or 90 days after their removal.

use std::collections::BTreeMap;

use mana_core::{Actor, Change, Micros, RecordKey, RecordState, SystemSource, ids, mission};
use mana_store::{HistoryQuery, Maintenance, Push, Scope, StoreError};
use serde::{Deserialize, Serialize};

use crate::attribution::SERVER_CLIENT;
use crate::{MAX_CHANGES, Sync, SyncError};

/// For how long a removed record can be brought back, in microseconds: 90 days.
pub const REMOVED_KEPT: i64 = 90 * 24 * 60 * 60 * 1_000_000;

/// How often it is looked again where a record was brought back between look and write.
const ATTEMPTS: usize = 3;

/// The body of `POST /sync/forget`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ForgetBody {
    /// The removed records, [`MAX_CHANGES`] at most.
    pub records: Vec<RecordKey>,
}

/// The answer to a request to forget.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ForgetAnswer {
    /// The records that are gone for good.
    pub forgotten: Vec<RecordKey>,
    /// The records that stay: they are not removed, or belong to the missions.
    pub kept: Vec<RecordKey>,
    /// The server's clock.
    pub server_time: Micros,
}

impl Sync {
    /// Takes removed records away for good. Records that are not removed stay, and are named.
    pub async fn forget(
        &self,
        scope: &Scope,
        keys: Vec<RecordKey>,
        now: Micros,
    ) -> Result<ForgetAnswer, SyncError> {
        if keys.len() > MAX_CHANGES {
            return Err(SyncError::TooManyChanges);
        }
        let mut attempt = 1;
        loop {
            let answer = self.try_to_forget(scope, &keys, now).await;
            let again = matches!(answer, Err(SyncError::Store(StoreError::Stands)));
            if !again || attempt == ATTEMPTS {
                return answer;
            }
            attempt += 1;
        }
    }

    /// Takes away what was removed more than [`REMOVED_KEPT`] before the log's end, and the rows of all that was taken
    /// away. Returns how many records went. By the server's clock alone, a clock that is ahead would empty the trash.
    pub async fn empty_trash(
        &self,
        maintenance: &dyn Maintenance,
        scope: &Scope,
        now: Micros,
    ) -> Result<usize, SyncError> {
        let newest = HistoryQuery {
            limit: 1,
            ..HistoryQuery::default()
        };
        let newest = self.log.history(scope, newest).await?.changes;
        let end = newest.first().map_or(Micros::EPOCH, |row| row.cursor.0);
        let before = now.min(end).plus(-REMOVED_KEPT);
        let mut gone = 0;
        loop {
            let keys = maintenance
                .expired_removals(scope, before, MAX_CHANGES)
                .await?;
            let forgotten = match keys.is_empty() {
                true => 0,
                false => self.forget(scope, keys, now).await?.forgotten.len(),
            };
            gone += forgotten;
            // A record that was brought back meanwhile is not found again.
            if forgotten < MAX_CHANGES {
                break;
            }
        }
        maintenance.drop_forgotten(scope).await?;
        Ok(gone)
    }

    async fn try_to_forget(
        &self,
        scope: &Scope,
        keys: &[RecordKey],
        now: Micros,
    ) -> Result<ForgetAnswer, SyncError> {
        let stored: BTreeMap<RecordKey, RecordState> =
            (self.log.records_by_key(scope, keys).await?.into_iter()).collect();
        let (mut forgotten, mut kept) = (Vec::new(), Vec::new());
        let mut tables: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for key in keys {
            match stored.get(key) {
                _ if key.app == mission::APP => kept.push(key.clone()),
                Some(state) if state.is_forgotten() => forgotten.push(key.clone()),
                Some(state) if state.is_deleted() => {
                    let ids = tables.entry((&key.app, &key.table)).or_default();
                    ids.push(key.id.clone());
                    forgotten.push(key.clone());
                }
                _ => kept.push(key.clone()),
            }
        }
        let log = self.log.identity(scope).await?;
        let changes = tables.into_iter().map(|((app, table), record_ids)| {
            let named = format!("forget/{now}/{app}/{table}/{}", record_ids.join("\n"));
            let mut change = Change::forgetting(table, record_ids);
            change.app_id = Some(app.to_owned());
            change.event_id = Some(ids::derive(&log.epoch, &named));
            change.schema_version = Some(change.needed_schema_version());
            change.at = Some(now);
            change.actor = Some(Actor::system(SystemSource::Projection));
            change
        });
        let changes: Vec<Change> = changes.collect();
        if !changes.is_empty() {
            self.commit(scope, Push::new(SERVER_CLIENT, changes, now))
                .await?;
        }
        Ok(ForgetAnswer {
            forgotten,
            kept,
            server_time: now,
        })
    }
}
