//! A round of syncing as a pure step: `(state, event) → (state, effect)`. No clock, no storage, no network.
//!
//! Whoever drives it reads the outbox in a transaction ([`Event::Ready`]), sends what [`Effect::Send`] says, and
//! brings the answer together with what the storage then holds ([`Event::Answered`]), in the transaction that
//! commits what [`Effect::Commit`] says. Two may drive it over one storage at once: a push can be repeated, an
//! answer can be merged twice, and a cursor that goes back a little only reads again.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Adjusted, Change, Micros, RecordKey, RecordState, change::take_over, manifest::Registry, merge,
    staging::Records,
};
use serde_json::Value;

use crate::{
    storage::{Meta, SetAside, Waiting, Writes},
    transport::{Answer, Page, Push, Refusal, SCHEMA_VERSION, TransportError},
};

/// Changes in one push at most.
pub const BATCH_CHANGES: usize = 500;

/// About how many bytes of JSON in one push.
const BATCH_BYTES: usize = 4_000_000;

/// What lives between rounds; losing it loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Changes in the next push at most: halved where the server says too large.
    pub batch: usize,
    /// The server gives no snapshots: a new replica reads the whole log.
    pub no_snapshots: bool,
}

impl Default for State {
    fn default() -> Self {
        State {
            batch: BATCH_CHANGES,
            no_snapshots: false,
        }
    }
}

/// A batch on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Flight {
    /// What is sent.
    pub rows: Vec<Waiting>,
    /// From where the answer reads on.
    pub since: String,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A round may begin.
    Ready {
        /// What the storage holds.
        meta: &'a Meta,
        /// The oldest of the outbox, [`State::batch`] at most.
        outbox: Vec<Waiting>,
    },
    /// The server answered.
    Answered {
        /// To what.
        flight: &'a Flight,
        /// What.
        answer: &'a Answer,
        /// The local wall time to which the server's belongs.
        heard_at: Micros,
        /// What the storage holds now, of the records that [`touched`] names.
        held: Held<'a>,
    },
    /// A page of a snapshot came.
    Paged {
        /// Which.
        page: &'a Page,
        /// Its records.
        records: Vec<(RecordKey, RecordState)>,
        /// The local wall time to which the server's belongs.
        heard_at: Micros,
        /// What the storage holds now, of the records of the page.
        held: Held<'a>,
    },
    /// No page came.
    NoPage(TransportError),
    /// There was no answer.
    Failed {
        /// To what.
        flight: &'a Flight,
        /// Why.
        error: TransportError,
        /// What the storage holds now.
        meta: &'a Meta,
        /// What of the flight is in the outbox still: another replica over the same storage may have been faster.
        queued: &'a BTreeSet<u64>,
        /// The local wall time.
        now: Micros,
    },
}

/// What the storage holds, read in the transaction that will commit.
#[derive(Debug)]
pub struct Held<'a> {
    /// The modules.
    pub registry: &'a Registry,
    /// About the replica itself.
    pub meta: Meta,
    /// The records that [`touched`] names, as far as they exist.
    pub records: Records,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Send this; then [`Event::Answered`] or [`Event::Failed`].
    Send(Push, Flight),
    /// Fetch a snapshot from its first page; then [`Event::Paged`] for each, or [`Event::NoPage`].
    Fetch,
    /// Commit this, in the transaction that was read in.
    Commit {
        /// What.
        writes: Writes,
        /// There is more to fetch or to mend: begin another round, whatever the outbox holds.
        again: bool,
    },
    /// Begin another round with nothing to commit.
    Again,
    /// Give up for now and tell.
    Stop(TransportError),
}

/// One step.
pub fn step(state: State, event: Event<'_>) -> (State, Effect) {
    match event {
        // New here, or behind what the log keeps (S7).
        Event::Ready { meta, .. } if meta.cursor.is_empty() && !state.no_snapshots => {
            (state, Effect::Fetch)
        }
        Event::Ready { meta, outbox } => (state, send(meta, outbox)),
        Event::Paged {
            page,
            records,
            heard_at,
            held,
        } => (state, joined(page, records, heard_at, held)),
        Event::NoPage(TransportError::Refused(refusal)) if refusal.status == 404 => {
            let no_snapshots = true;
            let state = State {
                no_snapshots,
                ..state
            };
            (state, Effect::Again)
        }
        Event::NoPage(error) => (state, Effect::Stop(error)),
        Event::Answered {
            flight,
            answer,
            heard_at,
            held,
        } => {
            let state = State {
                batch: (state.batch * 2).min(BATCH_CHANGES),
                ..state
            };
            (state, answered(flight, answer, heard_at, held))
        }
        Event::Failed {
            flight,
            error,
            meta,
            queued,
            now,
        } => failed(state, flight, error, meta, queued, now),
    }
}

fn send(meta: &Meta, mut rows: Vec<Waiting>) -> Effect {
    let mut bytes = 0;
    let fits = rows
        .iter()
        .take_while(|row| {
            bytes += serde_json::to_string(&row.change).map_or(0, |text| text.len());
            bytes <= BATCH_BYTES
        })
        .count();
    rows.truncate(fits.max(1));
    let push = Push {
        client_id: meta.client_id.clone(),
        since: meta.cursor.clone(),
        schema_version: SCHEMA_VERSION,
        changes: rows.iter().map(|row| row.change.clone()).collect(),
    };
    let since = meta.cursor.clone();
    Effect::Send(push, Flight { rows, since })
}

/// The records that an answer concerns.
pub fn touched(flight: &Flight, answer: &Answer) -> BTreeSet<RecordKey> {
    let adjusted: BTreeSet<&str> = answer
        .adjusted
        .iter()
        .map(|adjusted| adjusted.event_id.as_str())
        .collect();
    let set_back = flight.rows.iter().map(|row| &row.change).filter(|change| {
        let id = change.event_id.as_deref();
        id.is_some_and(|id| adjusted.contains(id))
    });
    set_back.chain(&answer.server_changes).map(key_of).collect()
}

/// What a server's answer means (S6, T4, T6): first what was set back, then what others did, then the outbox and
/// the cursor; committed together.
fn answered(flight: &Flight, answer: &Answer, heard_at: Micros, held: Held<'_>) -> Effect {
    let Held {
        registry,
        mut meta,
        mut records,
    } = held;
    let mut changed = BTreeSet::new();
    let mut adjusted: BTreeMap<&str, Vec<Adjusted>> = BTreeMap::new();
    for one in &answer.adjusted {
        adjusted.entry(&one.event_id).or_default().push(one.clone());
    }
    for row in &flight.rows {
        let Some(adjusted) = adjusted.get(row.change.event_id.as_deref().unwrap_or_default())
        else {
            continue;
        };
        let key = key_of(&row.change);
        let schema = registry.schema(&key.app, &key.table);
        if let Some(state) = records.get_mut(&key) {
            let mut change = row.change.clone();
            take_over(schema, state, &mut change, adjusted);
            changed.insert(key);
        }
    }
    for change in &answer.server_changes {
        let key = key_of(change);
        let schema = registry.schema(&key.app, &key.table);
        let state = records.entry(key.clone()).or_default();
        if merge::apply(schema, state, change) {
            changed.insert(key);
        }
    }
    // What came between the writing of a change and now may have lost here to a stamp that was set back: then it is
    // read again. In order, the first row is the oldest.
    let set_back = |row: &&Waiting| {
        let id = row.change.event_id.as_deref();
        id.is_some_and(|id| adjusted.contains_key(id))
    };
    let reread = flight
        .rows
        .iter()
        .filter(set_back)
        .find(|row| row.since != flight.since || meta.cursor != flight.since)
        .map(|row| &row.since);
    let again = answer.has_more || reread.is_some();
    meta.cursor
        .clone_from(reread.unwrap_or(&answer.synced_until));
    meta.last_synced_at = Some(answer.server_time);
    meta.clock.observe(answer.server_time, heard_at);
    records.retain(|key, _| changed.contains(key));
    let writes = Writes {
        meta: Some(meta),
        records: records.into_iter().collect(),
        unqueue: flight.rows.iter().map(|row| row.seq).collect(),
        // What one server refused another may have taken.
        unset_aside: flight
            .rows
            .iter()
            .filter_map(|row| row.change.event_id.clone())
            .collect(),
        ..Writes::default()
    };
    Effect::Commit { writes, again }
}

/// A snapshot's page joins what is here, so nothing that waits in the outbox is lost; with the last one the log goes
/// on from where the first was taken.
fn joined(
    page: &Page,
    theirs: Vec<(RecordKey, RecordState)>,
    heard_at: Micros,
    held: Held<'_>,
) -> Effect {
    let Held {
        registry,
        mut meta,
        mut records,
    } = held;
    for (key, state) in theirs {
        let schema = registry.schema(&key.app, &key.table);
        merge::join(schema, records.entry(key).or_default(), &state);
    }
    meta.clock.observe(page.server_time, heard_at);
    if page.after.is_none() && meta.cursor.is_empty() {
        meta.cursor.clone_from(&page.synced_until);
    }
    let writes = Writes {
        meta: Some(meta),
        records: records.into_iter().collect(),
        ..Writes::default()
    };
    Effect::Commit {
        writes,
        again: true,
    }
}

/// What can be mended is mended and tried again; the rest is for time or a person.
fn failed(
    state: State,
    flight: &Flight,
    error: TransportError,
    meta: &Meta,
    queued: &BTreeSet<u64>,
    now: Micros,
) -> (State, Effect) {
    let TransportError::Refused(refusal) = &error else {
        return (state, Effect::Stop(error));
    };
    match (refusal.status, refusal.code.as_str()) {
        (400, "invalid_change") => {
            let index = refusal.details.get("index").and_then(Value::as_u64);
            let bad = index.and_then(|index| flight.rows.get(usize::try_from(index).ok()?));
            let reason = refusal.details.get("reason").and_then(Value::as_str);
            match bad {
                Some(row) => (
                    state,
                    set_aside(row, reason.unwrap_or(&refusal.message), queued, now),
                ),
                None => (state, Effect::Stop(error)),
            }
        }
        (413, _) => match flight.rows.as_slice() {
            [] => (state, Effect::Stop(error)),
            [only] => (state, set_aside(only, &refusal.message, queued, now)),
            rows => {
                let batch = rows.len() / 2;
                (State { batch, ..state }, Effect::Again)
            }
        },
        // The log no longer reaches back to the cursor: a snapshot (R3). The outbox stays.
        (410, _) if !flight.since.is_empty() => {
            let mut meta = meta.clone();
            if meta.cursor != flight.since {
                return (state, Effect::Again);
            }
            meta.cursor.clear();
            let writes = Writes {
                meta: Some(meta),
                ..Writes::default()
            };
            (
                state,
                Effect::Commit {
                    writes,
                    again: true,
                },
            )
        }
        _ => (state, Effect::Stop(error)),
    }
}

/// A change that the server refuses must not hold up the others (S3).
fn set_aside(row: &Waiting, reason: &str, queued: &BTreeSet<u64>, now: Micros) -> Effect {
    if !queued.contains(&row.seq) {
        return Effect::Again;
    }
    let writes = Writes {
        unqueue: vec![row.seq],
        set_aside: vec![SetAside {
            change: row.change.clone(),
            reason: reason.to_owned(),
            at: now,
        }],
        ..Writes::default()
    };
    Effect::Commit {
        writes,
        again: true,
    }
}

/// The record of a change.
pub(crate) fn key_of(change: &Change) -> RecordKey {
    let app = change.app_id.as_deref().unwrap_or_default();
    RecordKey::new(app, &change.table, &change.id)
}

impl Refusal {
    /// A refusal that says what it is and nothing more.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Refusal {
        Refusal {
            status,
            code: code.into(),
            message: message.into(),
            details: Value::Null,
            retry_after_s: None,
        }
    }
}
