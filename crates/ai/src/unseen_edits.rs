//! The edits of people while a run was under way: the model planned without having seen them.

use std::collections::BTreeMap;

use mana_core::sync::record_key;
use mana_core::{Actor, Micros, RecordKey};
use mana_store::{ChangesQuery, Cursor, StoreError};

use crate::error::RunError;
use crate::load::Run;

/// Rows of the log read at a time.
const PAGE: usize = 1_000;

/// The first stamp that a person wrote to each field since the run began.
#[derive(Debug, Default)]
pub(crate) struct UnseenEdits(BTreeMap<(RecordKey, String), Micros>);

impl UnseenEdits {
    /// Reads the log from the run's beginning.
    pub async fn since(run: &Run<'_>) -> Result<UnseenEdits, RunError> {
        let mut edits = BTreeMap::new();
        let mut query = ChangesQuery {
            since: Cursor(run.began),
            limit: PAGE,
            ..ChangesQuery::default()
        };
        loop {
            let page = match run.parts().store.changes(&run.scope, query.clone()).await {
                // The log was compacted meanwhile: the rows since the beginning of the run are told by their places.
                Err(StoreError::ResyncRequired(_)) => {
                    query.since = Cursor::BEGINNING;
                    continue;
                }
                page => page?,
            };
            for logged in &page.changes {
                let by_person = matches!(logged.change.actor, Some(Actor::User { .. }));
                if !by_person || logged.cursor <= Cursor(run.began) {
                    continue;
                }
                for write in logged.change.writes() {
                    let place = (record_key(&logged.change), write.field.to_owned());
                    let first = edits.entry(place).or_insert(write.at);
                    *first = write.at.min(*first);
                }
            }
            if !page.has_more {
                return Ok(UnseenEdits(edits));
            }
            query.since = page.cursor;
        }
    }

    /// The stamp of the first edit of a field that the run has not seen.
    pub fn first(&self, key: &RecordKey, field: &str) -> Option<Micros> {
        self.0.get(&(key.clone(), field.to_owned())).copied()
    }
}
