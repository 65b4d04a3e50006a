//! The conflicts of a push's texts (X3): found by replaying the rows of a record up to the push, so that a replay of
//! the push says the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mana_core::{
    Change, FieldWrite, Micros, Op, RecordKey, RecordState, TableSchema, apply,
    conflict::{Conflict, Lineages, WrittenValue, apply_watching, is_text, writes_text},
    manifest::Registry,
    sync::record_key,
};
use mana_store::{Cursor, HistoryQuery, LoggedChange, Scope};

use crate::{PAGE, Sync, SyncError};

/// Pages of a record's rows that are looked at; older rows are in conflict with nothing.
const PAGES: usize = 10;

/// The records of the changes that write texts, by event id.
pub(crate) struct PushedTexts(HashMap<String, RecordKey>);

impl PushedTexts {
    pub fn of(registry: &Registry, changes: &[Change]) -> PushedTexts {
        let texts = changes.iter().filter(|change| {
            let app = change.app_id.as_deref().unwrap_or_default();
            writes_text(registry.schema(app, &change.table), change)
        });
        let texts = texts.filter_map(|change| Some((change.event_id.clone()?, record_key(change))));
        PushedTexts(texts.collect())
    }
}

impl Sync {
    /// Says of each text what it replaced where its client does not: the value that stood as far as the client had read
    /// the log, and what it wrote itself since (X3). A client that had read nothing is not taken for a reader.
    pub(crate) async fn fill_in_bases(
        &self,
        scope: &Scope,
        changes: &mut [Change],
        since: Cursor,
        client: &str,
    ) -> Result<(), SyncError> {
        if since == Cursor::BEGINNING {
            return Ok(());
        }
        for index in 0..changes.len() {
            let change = &changes[index];
            let app = change.app_id.as_deref().unwrap_or_default();
            let schema = self.registry.schema(app, &change.table);
            let mut fields = change.fields.iter();
            let unsaid = fields.any(|(field, write)| leaves_out_base(schema, field, write));
            if change.op != Op::Update || !unsaid {
                continue;
            }
            let key = record_key(change);
            let mut state = self.state_read(scope, &key, since, client).await?;
            for earlier in changes[..index].iter().filter(|one| record_key(one) == key) {
                apply(schema, &mut state, earlier);
            }
            for (field, write) in &mut changes[index].fields {
                if leaves_out_base(schema, field, write) {
                    let read = state
                        .meta
                        .get(field)
                        .map_or(Micros::EPOCH, |stamp| stamp.at);
                    write.base = write.updated_at.is_some_and(|at| read < at).then_some(read);
                }
            }
        }
        Ok(())
    }

    /// A record as far as a client had read the log, with what it wrote itself since.
    async fn state_read(
        &self,
        scope: &Scope,
        key: &RecordKey,
        since: Cursor,
        client: &str,
    ) -> Result<RecordState, SyncError> {
        let unread = HistoryQuery {
            after: since,
            ..HistoryQuery::of(key.clone(), PAGE)
        };
        let unread = self.log.history(scope, unread).await?;
        if !unread.has_more && unread.changes.iter().all(|row| row.client_id == client) {
            return Ok(self.log.record(scope, key).await?.unwrap_or_default());
        }
        let schema = self.registry.schema(&key.app, &key.table);
        let mut state = RecordState::default();
        for row in self.rows_of(scope, key).await?.iter().rev() {
            if row.cursor <= since || row.client_id == client {
                apply(schema, &mut state, &row.change);
            }
        }
        Ok(state)
    }

    /// The conflicts of these changes of a push by a client that had read the log up to a cursor.
    pub(crate) async fn conflicts(
        &self,
        scope: &Scope,
        texts: &PushedTexts,
        unseen: &BTreeSet<String>,
        since: Cursor,
        client: &str,
    ) -> Result<Vec<Conflict>, SyncError> {
        let mut wanted: BTreeMap<&RecordKey, BTreeSet<&str>> = BTreeMap::new();
        for event in unseen {
            if let Some(key) = texts.0.get(event) {
                wanted.entry(key).or_default().insert(event);
            }
        }
        let mut conflicts = Vec::new();
        for (key, events) in wanted {
            let rows = self.rows_of(scope, key).await?;
            let schema = self.registry.schema(&key.app, &key.table);
            let mut replayed = Replayed::default();
            for row in rows.iter().rev() {
                let event = row.change.event_id.as_deref().unwrap_or_default();
                if events.contains(event) {
                    conflicts.extend(replayed.unsaid(schema, key, row, since, client));
                }
                let found = apply_watching(
                    schema,
                    key,
                    &mut replayed.state,
                    &mut replayed.lineages,
                    &row.change,
                    false,
                );
                replayed.note(row);
                let found = found.1.into_iter().filter(|_| events.contains(event));
                conflicts.extend(found.map(|found| Conflict {
                    event_id: found.event_id,
                    app: found.key.app,
                    table: found.key.table,
                    id: found.key.id,
                    field: found.field,
                    winner: found.winner,
                    loser: found.loser,
                }));
            }
        }
        Ok(conflicts)
    }

    /// The rows of a record, newest first.
    async fn rows_of(
        &self,
        scope: &Scope,
        key: &RecordKey,
    ) -> Result<Vec<LoggedChange>, SyncError> {
        let (mut rows, mut before) = (Vec::new(), None);
        for _ in 0..PAGES {
            let query = HistoryQuery {
                before,
                ..HistoryQuery::of(key.clone(), PAGE)
            };
            let page = self.log.history(scope, query).await?;
            rows.extend(page.changes);
            before = Some(page.cursor);
            if !page.has_more {
                break;
            }
        }
        Ok(rows)
    }
}

/// Whether a write of a text, or into a field of texts, does not say what it replaced.
fn leaves_out_base(schema: &TableSchema, field: &str, write: &FieldWrite) -> bool {
    let value = write.value.as_ref();
    let text =
        schema.markdown.contains(field) || value.is_some_and(|value| is_text(schema, field, value));
    text && write.base.is_none()
}

/// A record as far as its rows are replayed.
#[derive(Default)]
struct Replayed {
    state: RecordState,
    lineages: Lineages,
    /// Where the value of each field stands in the log, and by which client it was pushed.
    places: HashMap<String, (Cursor, String)>,
}

impl Replayed {
    fn note(&mut self, row: &LoggedChange) {
        for write in row.change.writes() {
            let stamp = self.state.meta.get(write.field);
            if stamp.is_some_and(|stamp| stamp.at == write.at) {
                let place = (row.cursor, row.client_id.clone());
                self.places.insert(write.field.to_owned(), place);
            }
        }
    }

    /// The conflicts of a change that doesn't say what its texts replaced: its client had not read the value that
    /// stands, which another client pushed.
    fn unsaid(
        &self,
        schema: &TableSchema,
        key: &RecordKey,
        row: &LoggedChange,
        since: Cursor,
        client: &str,
    ) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for write in row.change.writes() {
            let said =
                (row.change.fields.get(write.field)).is_some_and(|write| write.base.is_some());
            let place = self.places.get(write.field);
            let unread = place.is_some_and(|(place, by)| *place > since && by != client);
            let Some(standing) = WrittenValue::of(&self.state, write.field) else {
                continue;
            };
            let text = is_text(schema, write.field, &standing.value)
                || is_text(schema, write.field, &write.value);
            let listed = schema.lists.contains_key(write.field);
            if said || !unread || !text || listed || standing.updated_at == write.at {
                continue;
            }
            let Some(actor) = row.change.actor.clone() else {
                continue;
            };
            let written = WrittenValue {
                value: write.value.into_owned(),
                updated_at: write.at,
                actor,
            };
            let (winner, loser) = match written.updated_at > standing.updated_at {
                true => (written, standing),
                false => (standing, written),
            };
            let lost = (loser.value.as_str()).is_some_and(|text| !text.trim().is_empty());
            if lost && winner.value != loser.value {
                conflicts.push(Conflict {
                    event_id: row.change.event_id.clone().unwrap_or_default(),
                    app: key.app.clone(),
                    table: key.table.clone(),
                    id: key.id.clone(),
                    field: write.field.to_owned(),
                    winner,
                    loser,
                });
            }
        }
        conflicts
    }
}
