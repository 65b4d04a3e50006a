//! The record that a log makes, and the rows that add nothing to it. Apart from any database.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Change, Micros, Op, RecordKey, RecordState, TableSchema, apply,
    conflict::writes_text,
    mission::{self, ScheduleRow},
};

use crate::{Cursor, Difference, LoggedChange, Projected, Result, apply_push, json};

/// For how long every text stays in the log, in microseconds: 90 days.
const TEXTS_KEPT: i64 = 90 * 24 * 60 * 60 * 1_000_000;

/// Sorts the rows of one record, given newest first, into those that make it and those that add nothing (R1).
///
/// A row adds nothing if each of its writes lost to a later stamp, or if merging it into what the newer rows make
/// changes nothing. The second covers keyed lists, whose elements merge one by one: the merge itself is asked.
pub(crate) struct Sieve<'s> {
    schema: &'s TableSchema,
    /// None where there is no record.
    stored: Option<&'s RecordState>,
    made: RecordState,
    superseded: Vec<i64>,
}

impl<'s> Sieve<'s> {
    /// For a record that is stored like this.
    pub fn new(schema: &'s TableSchema, stored: Option<&'s RecordState>) -> Self {
        Self {
            schema,
            stored,
            made: RecordState::default(),
            superseded: Vec::new(),
        }
    }

    /// Whether a row stays whatever it holds (R2): from the horizon on, the newest of the log, and where it forgets; of
    /// a record that is not forgotten, also where its stamps were set back or it holds a text that is kept for a person
    /// to read. Without a horizon, no row of a record that is not forgotten goes.
    pub fn stays(
        &self,
        row: &LoggedChange,
        set_back: bool,
        horizon: Option<Micros>,
        head: Cursor,
    ) -> bool {
        horizon.map_or(!self.is_forgotten(), |horizon| row.cursor.0 >= horizon)
            || row.cursor == head
            || row.change.op == Op::Forget
            || (!self.is_forgotten() && (set_back || self.keeps_text(row, head)))
    }

    /// Counted from the log's end and not by a clock: of a log that rests, nothing is older tomorrow.
    fn keeps_text(&self, row: &LoggedChange, head: Cursor) -> bool {
        row.cursor.0 > head.0.plus(-TEXTS_KEPT) && writes_text(self.schema, &row.change)
    }

    fn is_forgotten(&self) -> bool {
        self.stored.is_some_and(RecordState::is_forgotten)
    }

    /// A row that has to stay.
    pub fn keep(&mut self, change: &Change) {
        apply(self.schema, &mut self.made, change);
    }

    /// A row that may go, and its place.
    pub fn weigh(&mut self, change: &Change, place: i64) {
        if self.is_forgotten() || self.lost(change) || !apply(self.schema, &mut self.made, change) {
            self.superseded.push(place);
        }
    }

    fn lost(&self, change: &Change) -> bool {
        change.writes().iter().all(|write| {
            let stored = self.stored.and_then(|stored| stored.meta.get(write.field));
            !self.schema.lists.contains_key(write.field)
                && stored.is_some_and(|stored| write.at < stored.at)
        })
    }

    /// The places that can go. None if what stays would not make the stored record: nothing may go then.
    pub fn superseded(self) -> Option<Vec<i64>> {
        let none = RecordState::default();
        let is_whole = self.made == *self.stored.unwrap_or(&none);
        (is_whole || self.is_forgotten()).then_some(self.superseded)
    }
}

/// The missions whose due times have to be put right; none: not due.
pub(crate) type Schedule = Vec<(String, Option<ScheduleRow>)>;

/// The correction that a record needs.
pub(crate) enum Mend {
    /// None: the record is the one that the log makes.
    Nothing,
    /// The record has to become this.
    Write(RecordState),
    /// No row of the log makes it.
    Delete,
}

/// Compares the projections to what a replay of the log makes, record by record.
pub(crate) struct Comparison {
    projected: Projected,
    forgotten: BTreeSet<RecordKey>,
    scheduled: BTreeMap<String, (i64, String)>,
    moved: Schedule,
}

impl Comparison {
    /// `scheduled` has the due time and slot of each mission that has one now, `forgotten` the records that the log
    /// says are forgotten.
    pub fn new(scheduled: BTreeMap<String, (i64, String)>, forgotten: BTreeSet<RecordKey>) -> Self {
        Self {
            projected: Projected::default(),
            forgotten,
            scheduled,
            moved: Vec::new(),
        }
    }

    /// A record that the log makes, or that is stored, or both.
    pub fn record(
        &mut self,
        key: &RecordKey,
        made: Option<RecordState>,
        stored: Option<&str>,
    ) -> Result<Mend> {
        let is_forgotten = self.forgotten.contains(key);
        // Whose id is not kept any more stays forgotten, too.
        let made = match is_forgotten {
            true => stored.map(|_| RecordState::default()),
            false => made,
        };
        self.projected.records += u64::from(made.is_some() && !is_forgotten);
        if apply_push::is_mission(key) {
            let due = made
                .as_ref()
                .and_then(|state| mission::schedule_row(&key.id, state));
            let now = self.scheduled.remove(&key.id);
            if due
                .as_ref()
                .map(|due| (due.next_run_at.0, due.slot.clone()))
                != now
            {
                self.projected.differs(Difference::Schedule(key.id.clone()));
                self.moved.push((key.id.clone(), due));
            }
        }
        let (difference, mend) = match (made, stored) {
            (None, None) => return Ok(Mend::Nothing),
            (None, Some(_)) => (Difference::Surplus(key.clone()), Mend::Delete),
            (Some(state), None) => (Difference::Missing(key.clone()), Mend::Write(state)),
            (Some(state), Some(stored)) => {
                if json::json("a record", &state)? == stored {
                    return Ok(Mend::Nothing);
                }
                (Difference::Changed(key.clone()), Mend::Write(state))
            }
        };
        self.projected.differs(difference);
        Ok(mend)
    }

    /// The differences, and the due times that have to be put right.
    pub fn finish(mut self) -> (Projected, Schedule) {
        for mission in self.scheduled.into_keys() {
            self.projected
                .differs(Difference::Schedule(mission.clone()));
            self.moved.push((mission, None));
        }
        (self.projected, self.moved)
    }
}
