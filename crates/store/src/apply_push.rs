//! The meaning of a push, apart from any database: which changes are new, which stamps are set back, what the
//! records become, what the server adds and when missions are due.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mana_core::{
    AdjustedStamp, Change, Micros, Op, RecordKey, RecordState, TableSchema,
    change::{FUTURE_TOLERANCE, clamp_future_stamps},
    conflict::{unseen_texts, writes_text},
    manifest::Registry,
    mission::{self, ScheduleRow},
    staging::Records,
    sync::{apply_changes, record_key},
};

use crate::{
    Cursor, LogMeasure, LogSize, Result, Room, StoreError, json, row::ChangeRow,
    stored_change::StoredChange,
};

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
    /// Of the stored ones, those that left everything as it was, by event id.
    stored_unchanged: BTreeSet<String>,
}

impl Plan {
    /// `stored` has the changes of the log under these event ids.
    ///
    /// `now` is later than the log's end, whatever the clock says, and the new places follow the stamps that are set
    /// back: so what a device wrote later is later in the next push too, also at a server whose clock is behind.
    pub fn new(
        registry: &Registry,
        changes: Vec<Change>,
        stored: HashMap<String, StoredChange>,
        now: Micros,
    ) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut fresh = Vec::with_capacity(changes.len());
        let mut again = Vec::new();
        let mut stored_texts = BTreeSet::new();
        let mut stored_unchanged = BTreeSet::new();
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
                Some(known) => {
                    again.extend(known.adjusted.iter().cloned());
                    moved.extend(set_back(registry, &change, &known.adjusted));
                    if known.unchanged {
                        stored_unchanged.extend(change.event_id.clone());
                    }
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
            stored_unchanged,
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

    /// The changes that left everything as it was, those that were stored before among them.
    pub fn unchanged(&self, folded: Option<&Folded>) -> BTreeSet<String> {
        let fresh = folded.into_iter().flat_map(|folded| &folded.unchanged);
        self.stored_unchanged.iter().chain(fresh).cloned().collect()
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
        self.fresh.iter().flat_map(Change::keys).collect()
    }

    /// Leaves out what a run says of records that are forgotten: its record may be of an old occurrence.
    pub fn leave_out_forgotten(&mut self, states: &HashMap<RecordKey, RecordState>) {
        self.fresh.retain(|change| !is_forgotten(states, change));
    }

    /// The app and table of each new change.
    pub fn tables(&self) -> BTreeSet<(String, String)> {
        self.fresh
            .iter()
            .map(|change| (app_of(change).to_owned(), change.table.clone()))
            .collect()
    }

    /// Whether records are forgotten.
    pub fn forgets(&self) -> bool {
        self.fresh.iter().any(|change| change.op == Op::Forget)
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
    /// The changes that left everything as it was, by event id.
    pub unchanged: BTreeSet<String>,
    /// How many of the records were not there before.
    made: u64,
    /// The changes that removed a record which was there, by event id.
    removals: BTreeSet<String>,
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

/// Whether a change is about a record that is forgotten.
fn is_forgotten(states: &HashMap<RecordKey, RecordState>, change: &Change) -> bool {
    let state = states.get(&record_key(change));
    change.op != Op::Forget && state.is_some_and(RecordState::is_forgotten)
}

/// Merges changes into the records that they touch. `states` holds those that exist.
///
/// Refused are changes of forgotten records, and those by which a record grows beyond `largest` bytes.
pub(crate) fn fold(
    registry: &Registry,
    states: HashMap<RecordKey, RecordState>,
    changes: &[Change],
    timezone: Option<&str>,
    now: Micros,
    largest: usize,
) -> Result<Folded> {
    let refused = changes.iter().find(|change| is_forgotten(&states, change));
    if let Some(change) = refused {
        let event_id = change.event_id.clone().unwrap_or_default();
        return Err(StoreError::Forgotten { event_id });
    }
    refuse_to_forget_what_stands(&states, changes)?;
    let merged = merge(registry, &states, changes);
    let mut folded = Folded {
        unseen_texts: merged.unseen_texts,
        unchanged: merged.unchanged,
        removals: merged.removals,
        ..Folded::default()
    };
    for (key, mut state) in merged.changed {
        let before = states.get(&key);
        check_size(&key, before, &state, changes, largest)?;
        folded.made += u64::from(before.is_none() && !state.is_forgotten());
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

/// Refuses to forget a record that a person can read: it was brought back meanwhile. The missions' app forgets by its
/// own rules.
fn refuse_to_forget_what_stands(
    states: &HashMap<RecordKey, RecordState>,
    changes: &[Change],
) -> Result<()> {
    let forgets = changes.iter().filter(|change| change.op == Op::Forget);
    let mut keys = forgets
        .flat_map(Change::keys)
        .filter(|key| key.app != mission::APP);
    let stands = keys.any(|key| {
        states
            .get(&key)
            .is_some_and(|state| !state.is_deleted() && !state.is_forgotten())
    });
    match stands {
        true => Err(StoreError::Stands),
        false => Ok(()),
    }
}

/// Refuses a record that grows beyond the bound, by the last change that writes it.
fn check_size(
    key: &RecordKey,
    before: Option<&RecordState>,
    state: &RecordState,
    changes: &[Change],
    largest: usize,
) -> Result<()> {
    let Some(bytes) = state.outgrown(before, largest) else {
        return Ok(());
    };
    let last = changes
        .iter()
        .rev()
        .find(|change| record_key(change) == *key);
    let event_id = last.and_then(|change| change.event_id.clone());
    Err(StoreError::RecordTooLarge {
        event_id: event_id.unwrap_or_default(),
        bytes,
    })
}

/// Merges rows of a log again: the log has the server's follow-ups already, so nothing is added.
pub(crate) fn replay(
    registry: &Registry,
    states: &HashMap<RecordKey, RecordState>,
    changes: &[Change],
) -> Folded {
    let mut folded = Folded::default();
    for (key, state) in merge(registry, states, changes).changed {
        let before = states.get(&key);
        folded.take(key, before, state);
    }
    folded
}

/// The outcome of merging changes into records.
struct Merged {
    /// The records that changed, each once.
    changed: BTreeMap<RecordKey, RecordState>,
    /// The changes that write over texts which they don't name.
    unseen_texts: BTreeSet<String>,
    /// The changes that left everything as it was.
    unchanged: BTreeSet<String>,
    /// The changes that removed a record which was there.
    removals: BTreeSet<String>,
}

fn merge(
    registry: &Registry,
    states: &HashMap<RecordKey, RecordState>,
    changes: &[Change],
) -> Merged {
    let touched = changes.iter().flat_map(Change::keys);
    let mut forgotten: BTreeSet<RecordKey> = states
        .iter()
        .filter(|(_, state)| state.is_forgotten())
        .map(|(key, _)| key.clone())
        .collect();
    let mut records: Records = touched
        .filter_map(|key| Some((key.clone(), states.get(&key)?.clone())))
        .collect();
    let (mut changed, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    let (mut unchanged, mut removals) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        if change.op == Op::Forget {
            forgotten.extend(change.keys());
            changed.extend(apply_changes(registry, &mut records, [change]));
            continue;
        }
        let key = record_key(change);
        if forgotten.contains(&key) {
            unchanged.extend(change.event_id.clone());
            continue;
        }
        let state = records.get(&key);
        if unseen_texts(schema_of(registry, change), state, change) {
            unseen.extend(change.event_id.clone());
        }
        let was_deleted = state.is_some_and(RecordState::is_deleted);
        let was_there = state.is_some() && !was_deleted;
        let merged = apply_changes(registry, &mut records, [change]);
        // A removed record that stays removed is to a person as it was, whatever its tombstone holds.
        let is_deleted = records.get(&key).is_some_and(RecordState::is_deleted);
        if merged.is_empty() || (was_deleted && is_deleted) {
            unchanged.extend(change.event_id.clone());
        }
        if change.op == Op::Delete && was_there && is_deleted {
            removals.extend(change.event_id.clone());
        }
        changed.extend(merged);
    }
    records.retain(|key, _| changed.contains(key));
    Merged {
        changed: records,
        unseen_texts: unseen,
        unchanged,
        removals,
    }
}

/// Whether the record is a mission, which may be due.
pub(crate) fn is_mission(key: &RecordKey) -> bool {
    key.app == mission::APP && key.table == mission::MISSIONS
}

/// A row of the log with the stamps of it that were set back.
pub(crate) type LogRow = (ChangeRow, Option<String>);

/// The most bytes that the row of a removal has without needing room.
const REMOVAL_BYTES: usize = 4_096;

/// How much a push adds to the log by these rows. The removal of a record that is there needs no room, which is how a
/// person makes some; whatever else a push has is counted, also what loses the merge.
///
/// # Errors
///
/// There is less room: nothing of the push may be stored.
pub(crate) fn growth(plan: &Plan, folded: &Folded, rows: &[LogRow], room: Room) -> Result<LogSize> {
    let makes_room = |row: &ChangeRow| {
        folded.removals.contains(&row.event_id) && row.content_size() <= REMOVAL_BYTES
    };
    let own = rows.iter().take(plan.fresh.len());
    let mut grown = LogSize::default();
    if !own.clone().all(|(row, _)| makes_room(row)) {
        let counted = rows.iter().filter(|(row, _)| !makes_room(row));
        let bytes: usize = counted.map(|(row, _)| row.content_size()).sum();
        grown.bytes = bytes as u64;
        grown.records = folded.made;
    }
    let is_over = |grown: u64, room: Option<u64>| room.is_some_and(|room| grown > room);
    if is_over(grown.bytes, room.bytes) {
        return Err(StoreError::NoRoom(LogMeasure::Bytes));
    }
    if is_over(grown.records, room.records) {
        return Err(StoreError::NoRoom(LogMeasure::Records));
    }
    Ok(grown)
}

/// The rows to append, the push's own and then the server's, each with a stamp after `end`; and the log's new end.
pub(crate) fn log_rows(
    plan: &Plan,
    folded: &Folded,
    client: &str,
    by_server: &BTreeSet<String>,
    now: Micros,
    end: Cursor,
) -> Result<(Vec<LogRow>, Cursor)> {
    let theirs = plan.fresh.iter().map(|change| {
        let event_id = change.event_id.as_ref();
        let is_servers = event_id.is_some_and(|id| by_server.contains(id));
        (change, if is_servers { SERVER } else { client })
    });
    let ours = folded.follow_ups.iter().map(|change| (change, SERVER));
    let mut at = end.0;
    let mut rows = Vec::with_capacity(plan.fresh.len() + folded.follow_ups.len());
    for (change, client) in theirs.chain(ours) {
        at = now.max(plan.first).max(at.plus(1));
        let mut row = ChangeRow::new(change, client, at)?;
        row.unchanged = folded.unchanged.contains(&row.event_id);
        rows.push((row, plan.adjusted_of(change)?));
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
