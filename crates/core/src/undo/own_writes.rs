//! A person's own writes, and taking them back (U10).
//!
//! A step keeps the values that it replaced in itself ([`super::UndoRequest`]); those of a person's write are kept by
//! the device as a [`ReversibleWrite`], or read from the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    kept::{KeptChange, whole_record_stays},
    write_back::WriteBack,
};
use crate::{
    Map,
    change::{Change, ChangeError, Op},
    ids,
    manifest::Registry,
    record::{RecordKey, RecordState, Records},
    time::Micros,
};

/// A write on a record, with what it replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReversibleWrite {
    /// The record.
    #[serde(flatten)]
    pub key: RecordKey,
    /// Whether the write made the record.
    #[serde(default)]
    pub made: bool,
    /// The fields that it wrote.
    pub fields: BTreeMap<String, ReversibleField>,
}

/// A field of a [`ReversibleWrite`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReversibleField {
    /// The value before, null where there was none.
    pub was: Value,
    /// The stamp of the write.
    pub at: Micros,
    /// The stamp of the value before; none where the field had never been written, or nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Micros>,
}

/// The outcome of taking writes back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TakenBack {
    /// The changes to log and push.
    pub changes: Vec<Change>,
    /// The records after them.
    pub records: Records,
    /// The changes that stay.
    pub kept: Vec<KeptChange>,
}

/// The values that changes replaced, one entry a record. `before` holds the records as they were before the first of
/// the changes.
pub fn reversible(changes: &[Change], before: &Records) -> Vec<ReversibleWrite> {
    let mut writes: BTreeMap<RecordKey, ReversibleWrite> = BTreeMap::new();
    for change in changes {
        for key in change.keys() {
            let state = before.get(&key);
            let entry = writes.entry(key);
            let reversible = entry.or_insert_with_key(|key| ReversibleWrite {
                key: key.clone(),
                made: state.is_none(),
                fields: BTreeMap::new(),
            });
            for write in change.writes() {
                let was = state.and_then(|state| state.data.get(write.field));
                let field = ReversibleField {
                    was: was.cloned().unwrap_or(Value::Null),
                    at: write.at,
                    over: state
                        .and_then(|state| state.meta.get(write.field))
                        .map(|stamp| stamp.at),
                };
                reversible.fields.insert(write.field.to_owned(), field);
            }
        }
    }
    writes.into_values().collect()
}

/// Takes writes back, as the person: each field to the value before, where it still holds the write. The rest stays,
/// and is named. `records` are those that the writes name; `seed` is a fresh id.
pub fn take_back(
    registry: &Registry,
    writes: &[ReversibleWrite],
    mut records: Records,
    tick: Micros,
    seed: &str,
) -> Result<TakenBack, ChangeError> {
    let mut done = TakenBack::default();
    for write in writes {
        let key = &write.key;
        let Some(state) = records.get(key) else {
            done.kept.push(KeptChange::missing(key));
            continue;
        };
        let Some((op, set)) = reversal(write, state, &mut done.kept) else {
            continue;
        };
        let write_back = WriteBack {
            key,
            op,
            set,
            state: Some(state),
            mark: Map::new(),
            tick,
            event_id: ids::derive(seed, &done.changes.len().to_string()),
        };
        let prepared = write_back.prepare(registry)?;
        done.changes.push(prepared.change);
        done.records.insert(key.clone(), prepared.state.clone());
        records.insert(key.clone(), prepared.state);
    }
    Ok(done)
}

/// Tells earlier writes the stamps under which their values stand again, once `undone` were taken back by `changes`: so
/// that several writes of a record go back one after the other.
pub fn stand_again(
    earlier: &mut [ReversibleWrite],
    undone: &[ReversibleWrite],
    changes: &[Change],
) {
    for change in changes {
        for key in change.keys() {
            let Some(write) = undone.iter().find(|write| write.key == key) else {
                continue;
            };
            for put_back in change.writes() {
                let Some(field) = write.fields.get(put_back.field) else {
                    continue;
                };
                let twins = earlier.iter_mut().filter(|earlier| earlier.key == key);
                twins.for_each(|twin| twin.stands_again(put_back.field, field, put_back.at));
            }
        }
    }
}

impl ReversibleWrite {
    /// A value that was replaced stands again under another stamp. A record that this write made had none in a field
    /// that was never written before.
    fn stands_again(&mut self, name: &str, undone: &ReversibleField, at: Micros) {
        match self.fields.get_mut(name) {
            Some(field) if undone.over == Some(field.at) => field.at = at,
            None if self.made && undone.over.is_none() && undone.was.is_null() => {
                let never = ReversibleField {
                    was: Value::Null,
                    at,
                    over: None,
                };
                self.fields.insert(name.to_owned(), never);
            }
            _ => {}
        }
    }
}

/// The operation that takes a write back, and its values. None where nothing is left to take back.
fn reversal(
    write: &ReversibleWrite,
    state: &RecordState,
    kept: &mut Vec<KeptChange>,
) -> Option<(Op, Map)> {
    let is_of_write = |name: &str| {
        let (field, stamp) = (write.fields.get(name), state.meta.get(name));
        field
            .zip(stamp)
            .is_some_and(|(field, stamp)| field.at == stamp.at)
    };
    let removes = write.fields.contains_key("deletedAt");
    if let Some(stays) = whole_record_stays(&write.key, state, (removes, write.made), is_of_write) {
        kept.push(stays);
        return None;
    }
    if write.made {
        return Some((Op::Delete, Map::new()));
    }
    let mut set = Map::new();
    for (name, field) in &write.fields {
        let now = state.data.get(name).unwrap_or(&Value::Null);
        if *now == field.was {
            continue;
        }
        if is_of_write(name) {
            set.insert(name.clone(), field.was.clone());
        } else {
            kept.push(KeptChange::changed(&write.key, state, name));
        }
    }
    (!set.is_empty()).then_some((Op::Update, set))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        actor::Actor,
        prepare::{Prepare, prepare},
        undo::KeptReason,
    };

    const KEY: (&str, &str, &str) = ("todo", "tasks", "t");

    fn key() -> RecordKey {
        RecordKey::new(KEY.0, KEY.1, KEY.2)
    }

    /// Writes as the person, and returns what it replaced.
    fn write(records: &mut Records, op: Op, set: Value, tick: i64) -> Vec<ReversibleWrite> {
        let before = records.clone();
        let key = key();
        let Value::Object(set) = set else {
            panic!("values by field")
        };
        let prepared = prepare(
            Registry::builtin().schema(KEY.0, KEY.1),
            Prepare {
                key: &key,
                op,
                set,
                state: before.get(&key),
                tick: Micros(tick),
                at: None,
                stamps: BTreeMap::new(),
                seen: BTreeMap::new(),
                actor: Actor::user(),
                event_id: format!("e{tick}"),
            },
        )
        .expect("a sound write");
        records.insert(key, prepared.state);
        reversible(&[prepared.change], &before)
    }

    fn back(records: &Records, writes: &[ReversibleWrite], tick: i64) -> TakenBack {
        let registry = Registry::builtin();
        take_back(&registry, writes, records.clone(), Micros(tick), "seed").expect("it is writable")
    }

    #[test]
    fn modules_u10_a_persons_write_goes_back_field_by_field_and_a_deletion_whole() {
        let mut records = Records::default();
        write(
            &mut records,
            Op::Insert,
            json!({"title": "A", "done": false}),
            10_000,
        );
        let ticked = write(&mut records, Op::Update, json!({"done": true}), 20_000);
        let undone = back(&records, &ticked, 30_000);
        let state = &undone.records[&key()];
        assert_eq!(state.data["done"], json!(false));
        assert_eq!(
            state.meta["done"].at,
            Micros(20_001),
            "any edit on top of the tick wins"
        );
        assert_eq!(state.meta["done"].made_at(), Micros(30_000));
        assert_eq!(undone.kept, []);

        let deleted = write(&mut records, Op::Delete, json!({}), 40_000);
        assert!(records[&key()].is_deleted());
        let undone = back(&records, &deleted, 50_000);
        assert!(!undone.records[&key()].is_deleted());
        assert_eq!(undone.records[&key()].data["title"], json!("A"));
    }

    #[test]
    fn modules_u10_several_writes_of_a_record_go_back_one_after_the_other() {
        let mut records = Records::default();
        let made = write(&mut records, Op::Insert, json!({"title": "A"}), 10_000);
        let first = write(&mut records, Op::Update, json!({"title": "B"}), 20_000);
        let second = write(
            &mut records,
            Op::Update,
            json!({"title": "C", "done": true}),
            30_000,
        );
        let removed = write(&mut records, Op::Delete, json!({}), 40_000);
        let mut earlier = [made, first, second, removed].concat();
        let mut titles = Vec::new();
        let mut tick = 50_000;
        while let Some(last) = earlier.pop() {
            let undone = back(&records, std::slice::from_ref(&last), tick);
            assert_eq!(undone.kept, []);
            stand_again(&mut earlier, &[last], &undone.changes);
            records.extend(undone.records);
            let state = &records[&key()];
            titles.push((state.data["title"].clone(), state.is_deleted()));
            tick += 10_000;
        }
        let told: Vec<_> = titles
            .iter()
            .map(|(title, gone)| (title.as_str().unwrap(), *gone))
            .collect();
        assert_eq!(
            told,
            [("C", false), ("B", false), ("A", false), ("A", true)]
        );
    }

    #[test]
    fn modules_u10_a_value_that_somebody_else_wrote_stands_again_as_theirs() {
        let mut records = Records::default();
        let made = write(&mut records, Op::Insert, json!({"title": "A"}), 10_000);
        write(
            &mut records,
            Op::Update,
            json!({"title": "elsewhere"}),
            20_000,
        );
        let own = write(&mut records, Op::Update, json!({"title": "B"}), 30_000);
        let undone = back(&records, &own, 40_000);
        let mut earlier = made;
        stand_again(&mut earlier, &own, &undone.changes);
        records.extend(undone.records);
        let undone = back(&records, &earlier, 50_000);
        assert_eq!(
            (undone.changes.len(), undone.kept[0].reason),
            (0, KeptReason::Edited)
        );
    }

    #[test]
    fn modules_u10_a_made_record_goes_unless_somebody_edited_it() {
        let mut records = Records::default();
        let made = write(&mut records, Op::Insert, json!({"title": "A"}), 10_000);
        assert!(back(&records, &made, 20_000).records[&key()].is_deleted());
        write(&mut records, Op::Update, json!({"title": "B"}), 30_000);
        let undone = back(&records, &made, 40_000);
        assert_eq!(undone.changes, []);
        assert_eq!(undone.kept[0].reason, KeptReason::Edited);
    }

    #[test]
    fn modules_u10_a_later_write_is_kept_and_named() {
        let mut records = Records::default();
        write(
            &mut records,
            Op::Insert,
            json!({"title": "A", "done": false}),
            10_000,
        );
        let both = write(
            &mut records,
            Op::Update,
            json!({"title": "B", "done": true}),
            20_000,
        );
        write(&mut records, Op::Update, json!({"title": "C"}), 30_000);
        let undone = back(&records, &both, 40_000);
        let state = &undone.records[&key()];
        assert_eq!(
            (&state.data["title"], &state.data["done"]),
            (&json!("C"), &json!(false))
        );
        assert_eq!(
            (undone.kept[0].reason, undone.kept[0].field.as_deref()),
            (KeptReason::Changed, Some("title"))
        );

        write(&mut records, Op::Delete, json!({}), 50_000);
        let undone = back(&records, &both, 60_000);
        assert_eq!(
            (undone.changes.len(), undone.kept[0].reason),
            (0, KeptReason::Removed)
        );
        let undone = back(&Records::default(), &both, 60_000);
        assert_eq!(undone.kept[0].reason, KeptReason::Missing);
    }
}
