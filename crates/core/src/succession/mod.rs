//! Records that repeat: whoever completes one writes the record that goes on, and whoever opens it again takes that
//! record back. Part T of `spec/RECURRENCE.md`.
//!
//! Every value of the successor carries the stamp of the value that it was copied from. Two devices that complete the
//! same record therefore write the same record, and what a person did with it on either of them wins.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    Map,
    actor::Actor,
    calendar::Day,
    change::{ChangeError, Op},
    ids,
    manifest::{Registry, Schedule, Table},
    map_of,
    prepare::{Prepare, Prepared, just_after, prepare},
    record::{RecordKey, RecordState, Stamp},
    recurrence::Series,
    replaced::UNDO_MARK,
    time::Micros,
};

/// The field of an actor that names the completed record whose successor a write makes or takes back.
const SUCCESSOR_MARK: &str = "successorOf";

/// A table whose records repeat.
struct Repeating<'a> {
    table: &'a Table,
    schedule: &'a Schedule,
    recurrence: &'a str,
    done: &'a str,
}

impl<'a> Repeating<'a> {
    fn of(registry: &'a Registry, key: &RecordKey) -> Option<Repeating<'a>> {
        let table = registry.table(&key.app, &key.table)?;
        let schedule = table.schedule.as_ref()?;
        Some(Repeating {
            table,
            schedule,
            recurrence: schedule.recurrence.as_deref()?,
            done: table.list.done.as_deref()?,
        })
    }

    fn is_done(&self, state: Option<&RecordState>) -> bool {
        state.and_then(|state| state.data.get(self.done)) == Some(&Value::Bool(true))
    }

    /// The series that is left of a completed record.
    fn rest(&self, state: &RecordState, today: Day) -> Option<Series> {
        let value = state
            .data
            .get(self.recurrence)
            .filter(|value| !value.is_null())?;
        let day = state.data.get(&self.schedule.day);
        let day = day.and_then(Value::as_str).and_then(Day::parse);
        // A value that does not fit says nothing; the page marks it.
        let series = Series::parse(value, day.unwrap_or(today)).ok()?;
        series.rest(today)
    }
}

/// The record that goes on after a record, where a write completed it or opened it again; None where it did neither.
pub fn successor_key(
    registry: &Registry,
    key: &RecordKey,
    before: Option<&RecordState>,
    after: &RecordState,
) -> Option<RecordKey> {
    let repeating = Repeating::of(registry, key)?;
    let repeats = after
        .data
        .get(repeating.recurrence)
        .is_some_and(|value| !value.is_null());
    let changed = repeating.is_done(before) != repeating.is_done(Some(after));
    (repeats && changed && !after.is_deleted())
        .then(|| RecordKey::new(&key.app, &key.table, ids::successor_id(&key.id)))
}

/// A record that was completed or opened again, and what is there of its successor.
#[derive(Debug)]
pub struct Succession<'a> {
    /// The modules of this replica.
    pub registry: &'a Registry,
    /// The record.
    pub key: &'a RecordKey,
    /// The record as it is after the write.
    pub state: &'a RecordState,
    /// The record that [`successor_key`] names, as this replica holds it.
    pub successor: Option<&'a RecordState>,
    /// The person's day.
    pub today: Day,
    /// The clock's time, `max(now, last + 1)`.
    pub tick: Micros,
    /// The change's id, made by the caller.
    pub event_id: String,
}

impl Succession<'_> {
    /// The write of the successor; None where nothing is to be written: the series is over, a successor is there
    /// already, a person removed it, or did something with it.
    pub fn carry_out(self) -> Result<Option<Prepared>, ChangeError> {
        let Some(repeating) = Repeating::of(self.registry, self.key) else {
            return Ok(None);
        };
        match (repeating.is_done(Some(self.state)), self.successor) {
            (true, None) => match repeating.rest(self.state, self.today) {
                Some(rest) => {
                    let (set, stamps) = self.copy(&repeating, &rest);
                    self.write(Op::Insert, set, stamps).map(Some)
                }
                None => Ok(None),
            },
            (true, Some(taken_back)) if self.is_taken_back(taken_back) => {
                let Some(rest) = repeating.rest(self.state, self.today) else {
                    return Ok(None);
                };
                let (mut set, _) = self.copy(&repeating, &rest);
                set.retain(|field, value| taken_back.data.get(field) != Some(value));
                set.insert("deletedAt".to_owned(), Value::Null);
                let stamp = |field: &String| (field.clone(), just_after(Some(taken_back), field));
                let stamps = set.keys().map(stamp).collect();
                self.write(Op::Update, set, stamps).map(Some)
            }
            (false, Some(there)) if !there.is_deleted() && self.is_untouched(there) => self
                .write(Op::Delete, Map::new(), BTreeMap::new())
                .map(Some),
            (true | false, _) => Ok(None),
        }
    }

    /// The values of the successor, each with the stamp of the value that it comes from. Read-only fields are not
    /// copied, and neither are emptied ones.
    fn copy(&self, repeating: &Repeating<'_>, rest: &Series) -> (Map, BTreeMap<String, Micros>) {
        let is_copied = |field: &str| {
            let is_read_only = repeating
                .table
                .fields
                .get(field)
                .is_some_and(|known| known.read_only);
            !is_read_only && field != repeating.done && field != "deletedAt"
        };
        let data = self.state.data.iter();
        let copied = data.filter(|(field, value)| is_copied(field) && !value.is_null());
        let mut set: Map = copied
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect();
        let day = &repeating.schedule.day;
        let value = rest.value_after(&self.state.data[repeating.recurrence]);
        set.insert(repeating.recurrence.to_owned(), value);
        set.insert(day.clone(), Value::from(rest.start.day.to_string()));
        let stamp_of = |field: &String| {
            let own = self.state.meta.get(field);
            let stamp = own.or_else(|| self.state.meta.get(repeating.recurrence));
            stamp.map(|stamp| (field.clone(), stamp.at))
        };
        let stamps = set.keys().filter_map(stamp_of).collect();
        (set, stamps)
    }

    fn write(
        &self,
        op: Op,
        set: Map,
        stamps: BTreeMap<String, Micros>,
    ) -> Result<Prepared, ChangeError> {
        let key = RecordKey::new(
            &self.key.app,
            &self.key.table,
            ids::successor_id(&self.key.id),
        );
        let schema = self.registry.schema(&key.app, &key.table);
        let extra = map_of(SUCCESSOR_MARK, self.key.id.as_str().into());
        prepare(
            schema,
            Prepare {
                key: &key,
                op,
                set,
                state: self.successor,
                tick: self.tick,
                at: None,
                stamps,
                seen: BTreeMap::new(),
                actor: Actor::User { extra },
                event_id: self.event_id.clone(),
            },
        )
    }

    /// Whether the stamp is of a write that a succession made.
    fn is_own(&self, stamp: &Stamp) -> bool {
        let Actor::User { extra } = &stamp.actor else {
            return false;
        };
        extra.get(SUCCESSOR_MARK).and_then(Value::as_str) == Some(&self.key.id)
    }

    fn is_untouched(&self, successor: &RecordState) -> bool {
        successor.meta.values().all(|stamp| self.is_own(stamp))
    }

    /// Whether opening the record again, or undoing its completion, removed the successor, and not a person.
    fn is_taken_back(&self, successor: &RecordState) -> bool {
        let is_undo = |stamp: &Stamp| match &stamp.actor {
            Actor::User { extra } => extra.contains_key(UNDO_MARK),
            Actor::Ai { .. } | Actor::System { .. } | Actor::Other(_) => false,
        };
        let removal = successor.meta.get("deletedAt");
        successor.is_deleted() && removal.is_some_and(|stamp| self.is_own(stamp) || is_undo(stamp))
    }
}

#[cfg(test)]
mod tests;
