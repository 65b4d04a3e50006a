//! Merged records for a device that is new, or behind what the log keeps (S7).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mana_core::{Micros, RecordKey};
use mana_store::{
    ChangesQuery, Cursor, CursorCheck, KnownLog, LogIdentity, Scope, SnapshotQuery, StoreError,
};

use crate::{PAGE, SnapshotAnswer, SnapshotParams, SnapshotRecord, Sync, SyncError, check};

impl Sync {
    /// A page of a snapshot, of one app or of all.
    pub async fn snapshot(
        &self,
        scope: &Scope,
        app: Option<String>,
        params: SnapshotParams,
        now: Micros,
    ) -> Result<SnapshotAnswer, SyncError> {
        let place = PageToken::parse(&params.after)?;
        let (first, after) =
            place.map_or((None, None), |place| (Some(place.cursor), Some(place.key)));
        let known = params.log_epoch.map(|epoch| {
            let end = params.log_end.parse();
            end.map(|end| KnownLog { epoch, end })
        });
        let known = known.transpose().map_err(SyncError::InvalidCursor)?;
        let check = check(known);
        let query = SnapshotQuery {
            check: check.clone(),
            app,
            after,
            limit: params.limit.unwrap_or(PAGE).clamp(1, PAGE),
        };
        let page = self.log.snapshot(scope, query).await;
        let mut page = self.noticing(scope, &check, page, now).await?;
        if !params.lost_end.is_empty() && !page.log.gives_back(now) {
            let lost = params.lost_end.parse().map_err(SyncError::InvalidCursor)?;
            page.log = self.notice_lost(scope, lost, now).await?;
        }
        let cursor = first.unwrap_or(page.cursor);
        let last = page.records.last().filter(|_| page.has_more);
        Ok(SnapshotAnswer {
            after: last.map(|(key, _)| {
                PageToken {
                    cursor,
                    key: key.clone(),
                }
                .text()
            }),
            has_more: page.has_more,
            synced_until: cursor,
            server_time: now,
            give_back: page.log.gives_back(now),
            discard_newer: page.log.discards_newer,
            log_epoch: page.log.epoch,
            log_end: page.end,
            records: page
                .records
                .into_iter()
                .map(|(key, state)| SnapshotRecord {
                    app_id: key.app,
                    table: key.table,
                    id: key.id,
                    state,
                })
                .collect(),
        })
    }

    /// Looks for the end that a device knew before it began to read anew: a copy may have been put back underneath
    /// since. Returns the log's identity, which takes back what devices hold if the end is missing (R8).
    async fn notice_lost(
        &self,
        scope: &Scope,
        lost: Cursor,
        now: Micros,
    ) -> Result<LogIdentity, SyncError> {
        let check = CursorCheck::Exact(KnownLog {
            epoch: NO_EPOCH.to_owned(),
            end: lost,
        });
        let query = ChangesQuery {
            check: check.clone(),
            limit: 1,
            ..ChangesQuery::default()
        };
        let found = self.log.changes(scope, query).await;
        match self.noticing(scope, &check, found, now).await {
            Ok(_) | Err(SyncError::Store(StoreError::ResyncRequired(_))) => {}
            Err(error) => return Err(error),
        }
        Ok(self.log.identity(scope).await?)
    }

    /// The end of a log.
    pub(crate) async fn log_end(&self, scope: &Scope) -> Result<Cursor, SyncError> {
        let query = SnapshotQuery {
            check: CursorCheck::Floor,
            app: None,
            after: None,
            limit: 1,
        };
        Ok(self.log.snapshot(scope, query).await?.end)
    }
}

/// The epoch of a device that reads anew: no log has it.
const NO_EPOCH: &str = "-";

/// Where a snapshot goes on: after which record, and since when its device has to read the log. On the wire opaque.
struct PageToken {
    cursor: Cursor,
    key: RecordKey,
}

impl PageToken {
    fn parse(text: &str) -> Result<Option<PageToken>, SyncError> {
        if text.is_empty() {
            return Ok(None);
        }
        let json = URL_SAFE_NO_PAD.decode(text).ok();
        let parts = json.and_then(|json| {
            serde_json::from_slice::<(Cursor, String, String, String)>(&json).ok()
        });
        let (cursor, app, table, id) = parts.ok_or(SyncError::InvalidPlace)?;
        Ok(Some(PageToken {
            cursor,
            key: RecordKey::new(app, table, id),
        }))
    }

    fn text(&self) -> String {
        let parts = (self.cursor, &self.key.app, &self.key.table, &self.key.id);
        URL_SAFE_NO_PAD.encode(serde_json::to_string(&parts).unwrap_or_default())
    }
}
