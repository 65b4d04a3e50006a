//! A local write: from values to a change with explicit stamps, and the record after it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{
    Map,
    actor::Actor,
    change::{Change, ChangeError, FieldWrite, Op},
    conflict::is_text,
    merge::{self, TableSchema},
    record::{MAX_RECORD_BYTES, RecordKey, RecordState, too_large},
    time::Micros,
};

/// A write that a replica is about to make.
#[derive(Debug, Clone)]
pub struct Prepare<'a> {
    /// The record.
    pub key: &'a RecordKey,
    /// The operation on the record.
    pub op: Op,
    /// The values; a delete has none.
    pub set: Map,
    /// The record as this replica holds it.
    pub state: Option<&'a RecordState>,
    /// The clock's time, `max(now, last + 1)`.
    pub tick: Micros,
    /// The exact stamp instead of the clock's, for writes that must yield to later edits.
    pub at: Option<Micros>,
    /// The exact stamps of single fields, before `at` and the clock.
    pub stamps: BTreeMap<String, Micros>,
    /// The stamps of the texts that the person saw, by field, where the record may have moved on since, as under an
    /// open form: a field that is not named had no value. Where none is named, the person saw what is here.
    pub seen: BTreeMap<String, Micros>,
    /// The author.
    pub actor: Actor,
    /// The change's id, made by the caller.
    pub event_id: String,
}

/// The result of [`prepare`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prepared {
    /// The change to log and push, with every stamp explicit.
    pub change: Change,
    /// The record after it.
    pub state: RecordState,
}

/// By how much the stamp of a person's write is later than the one that it replaces, at least: a write of the AI comes
/// a microsecond after the value that it saw, so a person's unseen edit of the same value always wins.
const PERSONS_STEP: i64 = 1_000;

/// The stamp just after the value that a field holds, which an update of the AI and an undo carry (T2): whatever a
/// person wrote on top of the same value wins. The epoch stands for a field that was never written.
pub fn just_after(state: Option<&RecordState>, field: &str) -> Micros {
    let seen = state.and_then(|state| state.meta.get(field));
    seen.map_or(Micros::EPOCH, |stamp| stamp.at).plus(1)
}

/// Of a text, the stamp of the value that it replaces; the epoch where there is none (X1).
fn replaced(
    schema: &TableSchema,
    state: &RecordState,
    field: &str,
    value: &Value,
    seen: &BTreeMap<String, Micros>,
) -> Option<Micros> {
    let present = state.data.get(field);
    let text = is_text(schema, field, value)
        || present.is_some_and(|present| is_text(schema, field, present));
    let here = state
        .meta
        .get(field)
        .map_or(Micros::EPOCH, |stamp| stamp.at);
    let seen = match seen.is_empty() {
        true => here,
        false => seen.get(field).copied().unwrap_or_default().min(here),
    };
    text.then_some(seen)
}

/// Makes a local write: the change, and the record after it.
///
/// Every stamp is later than the one that it replaces (rule T2), by a millisecond at least unless the system writes,
/// where neither [`Prepare::at`] nor [`Prepare::stamps`] names one.
pub fn prepare(schema: &TableSchema, write: Prepare<'_>) -> Result<Prepared, ChangeError> {
    let mut state = write.state.cloned().unwrap_or_default();
    let deleted_at = "deletedAt".to_owned();
    let touched: Vec<&String> = match write.op {
        Op::Delete => vec![&deleted_at],
        Op::Insert | Op::Update | Op::Forget => write.set.keys().collect(),
    };
    let later_by = match write.actor {
        Actor::System { .. } => 1,
        Actor::User { .. } | Actor::Ai { .. } | Actor::Other(_) => PERSONS_STEP,
    };
    let at = write.at.unwrap_or_else(|| {
        let replaced = touched
            .iter()
            .filter(|field| !write.stamps.contains_key(**field))
            .filter_map(|field| state.meta.get(*field))
            .map(|stamp| stamp.at.plus(later_by));
        replaced.fold(write.tick, Micros::max)
    });
    let stamp_of = |field: &String| Some(write.stamps.get(field).copied().unwrap_or(at));
    let mut change = Change::new(&write.key.table, &write.key.id, write.op);
    change.event_id = Some(write.event_id);
    change.app_id = Some(write.key.app.clone());
    change.at = Some(at);
    change.actor = Some(write.actor);
    match write.op {
        Op::Insert => {
            for field in write.set.keys() {
                let stamp = FieldWrite {
                    value: None,
                    updated_at: stamp_of(field),
                    base: replaced(schema, &state, field, &write.set[field], &write.seen),
                };
                change.fields.insert(field.clone(), stamp);
            }
            change.data = Some(write.set);
        }
        Op::Update => {
            for (field, value) in write.set {
                let stamped = FieldWrite {
                    base: replaced(schema, &state, &field, &value, &write.seen),
                    value: Some(value),
                    updated_at: stamp_of(&field),
                };
                change.fields.insert(field, stamped);
            }
        }
        Op::Delete => change.deleted_at = Some(at),
        // A server's change that names several records; no write of one makes it.
        Op::Forget => {}
    }
    change.inspect()?;
    change.check_lists(schema)?;
    merge::apply(schema, &mut state, &change);
    let is_systems = matches!(change.actor, Some(Actor::System { .. }));
    let outgrown = state.outgrown(write.state, MAX_RECORD_BYTES);
    if let Some(bytes) = outgrown.filter(|_| !is_systems) {
        let reason = too_large(bytes);
        return Err(ChangeError { reason });
    }
    Ok(Prepared { change, state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Registry;

    fn write(
        field: &str,
        bytes: usize,
        state: Option<&RecordState>,
    ) -> Result<Prepared, ChangeError> {
        let key = RecordKey::new("notes", "notes", "n1");
        let write = Prepare {
            key: &key,
            op: Op::Update,
            set: Map::from_iter([(field.to_owned(), "x".repeat(bytes).into())]),
            state,
            tick: Micros(9),
            at: None,
            stamps: BTreeMap::new(),
            seen: BTreeMap::new(),
            actor: Actor::user(),
            event_id: "e".to_owned(),
        };
        prepare(Registry::builtin().schema("notes", "notes"), write)
    }

    #[test]
    fn sync_s19_a_device_refuses_a_write_that_makes_a_record_too_large() {
        let third = MAX_RECORD_BYTES / 3;
        let state = write("body", third, None).expect("it fits").state;
        let mut state = write("one", third, Some(&state)).expect("it fits").state;
        let refused = write("two", third, Some(&state)).expect_err("it is too large");
        assert!(
            refused
                .reason
                .starts_with("this record would be larger than 8388608 bytes")
        );
        // A record that joined whole may be written as long as it does not grow.
        state
            .data
            .insert("joined".to_owned(), "x".repeat(third).into());
        write("body", third - 100, Some(&state)).expect("it shrinks");
        write("body", third + 100, Some(&state)).expect_err("it grows");
    }
}
