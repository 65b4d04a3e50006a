//! The meaning of a push, apart from any database: which changes are new, which stamps are set back, what the
//! records become, what the server adds and when missions are due.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mana_core::{
    AdjustedStamp, Change, Micros, RecordKey, RecordState, TableSchema,
    change::{FUTURE_TOLERANCE, clamp_future_stamps},
    conflict::{unseen_texts, writes_text},
    manifest::Registry,
    mission::{self, ScheduleRow},
    staging::Records,
    sync::{apply_changes, record_key},
};

use crate::{Cursor, Result, StoreError, json, row::ChangeRow};

/// The client id of what the server itself adds to a push: the pushing device is to see it too.
pub(crate) const SERVER: &str = "mana-server";

/// A push, sorted into what is new and what is stored already.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The new changes, each event id once, every stamp as it will be stored.
    pub fresh: Vec<Change>,
    /// Of the fresh ones, by event id.
    set_back: HashMap<String, Vec<AdjustedStamp>>,
    /// Of the stored ones.
    stored: Vec<AdjustedStamp>,
    /// The first place that the new changes may have in the log.
    first: Micros,
    /// Of the stored ones, those that write texts, by event id.
    stored_texts: BTreeSet<String>,
}

impl Plan {
    /// `stored` has the event ids that the log holds, with the stamps that were set back then.
    ///
    /// `now` is later than the log's end, whatever the clock says, and the new places follow the stamps that are set
    /// back: so what a device wrote later is later in the next push too, also at a server whose clock is behind.
    pub fn new(
        registry: &Registry,
        changes: Vec<Change>,
        stored: HashMap<String, Vec<AdjustedStamp>>,
        now: Micros,
    ) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut fresh = Vec::with_capacity(changes.len());
        let mut again = Vec::new();
        let mut stored_texts = BTreeSet::new();
        let mut moved: HashMap<Micros, Micros> = HashMap::new();
        for change in changes {
            let id = change.event_id.clone().ok_or_else(|| {
                StoreError::Invalid("a change to be stored has no eventId".to_owned())
            })?;
            let stored = stored.get(&id);
            if !seen.insert(id) {
                continue;
            }
            match stored {
                Some(adjusted) => {
                    again.extend(adjusted.iter().cloned());
                    moved.extend(set_back(registry, &change, adjusted));
                    if writes_text(schema_of(registry, &change), &change) {
                        stored_texts.extend(change.event_id);
                    }
                }
                None => fresh.push(change),
            }
        }
        // The device has not heard yet that what its texts replaced was set back.
        let bases = fresh
            .iter_mut()
            .flat_map(|change| change.fields.values_mut());
        for base in bases.filter_map(|write| write.base.as_mut()) {
            *base = moved.get(base).copied().unwrap_or(*base);
        }
        let mut by_event: HashMap<String, Vec<AdjustedStamp>> = HashMap::new();
        let mut first = now;
        for adjusted in clamp_future_stamps(&mut fresh, |change| schema_of(registry, change), now) {
            first = first.max(adjusted.at.plus(-FUTURE_TOLERANCE));
            by_event
                .entry(adjusted.event_id.clone())
                .or_default()
                .push(adjusted);
        }
        Ok(Self {
            fresh,
            set_back: by_event,
            stored: again,
            first,
            stored_texts,
        })
    }

    /// Every stamp that differs from what the device sent.
    pub fn adjusted(&self) -> Vec<AdjustedStamp> {
        let fresh = self
            .fresh
            .iter()
            .filter_map(|change| self.set_back.get(change.event_id.as_ref()?));
        self.stored.iter().chain(fresh.flatten()).cloned().collect()
    }

    /// The texts that a conflict may be about: those that were stored before, and the fresh ones that don't name what
    /// they replaced.
    pub fn unseen_texts(&self, folded: Option<&Folded>) -> BTreeSet<String> {
        let fresh = folded.into_iter().flat_map(|folded| &folded.unseen_texts);
        self.stored_texts.iter().chain(fresh).cloned().collect()
    }

    /// The adjusted stamps that the log keeps for a replay of this change.
    pub fn adjusted_of(&self, change: &Change) -> Result<Option<String>> {
        let adjusted = change
            .event_id
            .as_ref()
            .and_then(|id| self.set_back.get(id));
        adjusted
            .map(|adjusted| json::json("a change", adjusted))
            .transpose()
    }

    /// The records that the new changes touch, each once.
    pub fn keys(&self) -> BTreeSet<RecordKey> {
        self.fresh.iter().map(record_key).collect()
    }

    /// The app and table of each new change.
    pub fn tables(&self) -> BTreeSet<(String, String)> {
        self.fresh
            .iter()
            .map(|change| (app_of(change).to_owned(), change.table.clone()))
            .collect()
    }

    /// Whether a mission may have to be scheduled anew.
    pub fn touches_missions(&self) -> bool {
        self.fresh
            .iter()
            .any(|change| app_of(change) == mission::APP && change.table == mission::MISSIONS)
    }
}

/// The stamps of a change that were set back when it was stored, each with what it became.
fn set_back(
    registry: &Registry,
    change: &Change,
    adjusted: &[AdjustedStamp],
) -> HashMap<Micros, Micros> {
    if adjusted.is_empty() {
        return HashMap::new();
    }
    let stamps: HashMap<String, Micros> = change
        .stamps(schema_of(registry, change))
        .into_iter()
        .collect();
    let known = adjusted.iter();
    known
        .filter_map(|one| Some((*stamps.get(&one.field)?, one.at)))
        .collect()
}

/// The projections after the new changes.
#[derive(Debug, Default)]
pub(crate) struct Folded {
    /// The changes that the server adds, to be appended after the push.
    pub follow_ups: Vec<Change>,
    /// The records that changed.
    pub records: Vec<(RecordKey, RecordState)>,
    /// The missions whose due time changed; none: not due any more.
    pub schedule: Vec<(String, Option<ScheduleRow>)>,
    /// The changes that write texts without naming the value that they replaced, by event id.
    pub unseen_texts: BTreeSet<String>,
}

impl Folded {
    fn take(&mut self, key: RecordKey, before: Option<&RecordState>, state: RecordState) {
        if is_mission(&key) {
            let due = mission::schedule_row(&key.id, &state);
            if due != before.and_then(|before| mission::schedule_row(&key.id, before)) {
                self.schedule.push((key.id.clone(), due));
            }
        }
        self.records.push((key, state));
    }
}

/// Merges changes into the records that they touch. `states` holds those that exist.
pub(crate) fn fold(
    registry: &Registry,
    states: HashMap<RecordKey, RecordState>,
    changes: &[Change],
    timezone: Option<&str>,
    now: Micros,
) -> Result<Folded> {
    let (merged, unseen_texts) = merge(registry, &states, changes);
    let mut folded = Folded {
        unseen_texts,
        ..Folded::default()
    };
    for (key, mut state) in merged {
        let before = states.get(&key);
        if is_mission(&key) {
            let schema = registry.schema(&key.app, &key.table);
            let follow_up = mission::follow_up(schema, &key.id, before, &state, timezone, now)
                .map_err(|error| StoreError::Invalid(error.reason))?;
            if let Some(prepared) = follow_up {
                folded.follow_ups.push(prepared.change);
                state = prepared.state;
            }
        }
        folded.take(key, before, state);
    }
    Ok(folded)
}

/// Merges rows of a log again: the log has the server's follow-ups already, so nothing is added.
pub(crate) fn replay(
    registry: &Registry,
    states: &HashMap<RecordKey, RecordState>,
    changes: &[Change],
) -> Folded {
    let mut folded = Folded::default();
    for (key, state) in merge(registry, states, changes).0 {
        let before = states.get(&key);
        folded.take(key, before, state);
    }
    folded
}

/// The records that the changes change, each once, and the changes that write over texts which they don't name.
fn merge(
    registry: &Registry,
    states: &HashMap<RecordKey, RecordState>,
    changes: &[Change],
) -> (BTreeMap<RecordKey, RecordState>, BTreeSet<String>) {
    let touched = changes.iter().map(record_key);
    let mut records: Records = touched
        .filter_map(|key| Some((key.clone(), states.get(&key)?.clone())))
        .collect();
    let (mut changed, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let state = records.get(&record_key(change));
        if unseen_texts(schema_of(registry, change), state, change) {
            unseen.extend(change.event_id.clone());
        }
        changed.extend(apply_changes(registry, &mut records, [change]));
    }
    records.retain(|key, _| changed.contains(key));
    (records, unseen)
}

/// Whether the record is a mission, which may be due.
pub(crate) fn is_mission(key: &RecordKey) -> bool {
    key.app == mission::APP && key.table == mission::MISSIONS
}

/// A row of the log with the stamps of it that were set back.
pub(crate) type LogRow = (ChangeRow, Option<String>);

/// The rows to append, the push's own and then the server's, each with a stamp after `end`; and the log's new end.
pub(crate) fn log_rows(
    plan: &Plan,
    folded: &Folded,
    client: &str,
    now: Micros,
    end: Cursor,
) -> Result<(Vec<LogRow>, Cursor)> {
    let theirs = plan.fresh.iter().map(|change| (change, client));
    let ours = folded.follow_ups.iter().map(|change| (change, SERVER));
    let mut at = end.0;
    let mut rows = Vec::with_capacity(plan.fresh.len() + folded.follow_ups.len());
    for (change, client) in theirs.chain(ours) {
        at = now.max(plan.first).max(at.plus(1));
        rows.push((
            ChangeRow::new(change, client, at)?,
            plan.adjusted_of(change)?,
        ));
    }
    Ok((rows, Cursor(at)))
}

fn app_of(change: &Change) -> &str {
    change.app_id.as_deref().unwrap_or_default()
}

/// The schema of the table that a change is about.
pub(crate) fn schema_of<'r>(registry: &'r Registry, change: &Change) -> &'r TableSchema {
    registry.schema(app_of(change), &change.table)
}
