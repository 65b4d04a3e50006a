//! Conflicts on a device: found while an answer is merged, kept for the person, and of two texts by people merged by
//! the device whose text lost (X4, X5).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    apply::record_key,
    shapes::{Commit, ReplicaMeta},
};
use crate::{
    Actor, AdjustedStamp, Change, Clock, FieldWrite, Gather, Micros, Op, RecordKey, RecordState,
    conflict::{
        Conflict, ConflictKind, FoundConflict, KeptConflict, Lineages, TextLineage, WrittenValue,
        apply_watching, is_text, merge_texts,
    },
    ids,
    manifest::Registry,
    merge::TableSchema,
    staging::Records,
};

/// Stamps that were set back and are remembered for what waits in the outbox.
const SET_BACK_KEPT: usize = 50;

/// The further field of a change by which it says that it merged a text that had lost: `{field: stamp}`.
const MERGED: &str = "merged";

/// Watches the changes of an answer for conflicts.
#[derive(Debug)]
pub(super) struct ConflictWatch {
    lineages: Lineages,
    kept: Vec<KeptConflict>,
    now: Micros,
    found: Vec<KeptConflict>,
    /// Of the found ones, those that this device may merge, with the text that both came from.
    own: Vec<(KeptConflict, String)>,
    ended: BTreeSet<String>,
    queue: Vec<Change>,
}

impl ConflictWatch {
    /// `kept` are the conflicts of the records that the answer is about; `now` is the server's time.
    pub fn new(texts: Vec<TextLineage>, kept: Vec<KeptConflict>, now: Micros) -> ConflictWatch {
        ConflictWatch {
            lineages: Lineages::new(texts),
            kept,
            now,
            found: Vec::new(),
            own: Vec::new(),
            ended: BTreeSet::new(),
            queue: Vec::new(),
        }
    }

    /// Takes over in the lineages what the server set back of a change of this device, and remembers it.
    pub fn set_back(
        &mut self,
        meta: &mut ReplicaMeta,
        schema: &TableSchema,
        change: &Change,
        adjusted: &[AdjustedStamp],
    ) {
        let key = record_key(change);
        let stamps = change.stamps(schema);
        for write in change.writes() {
            let pointer = stamp_pointer(write.field);
            let Some(new) = adjusted.iter().find(|one| one.field == pointer) else {
                continue;
            };
            let Some((_, old)) = stamps.iter().find(|(known, _)| *known == pointer) else {
                continue;
            };
            if schema.markdown.contains(write.field) || is_text(schema, write.field, &write.value) {
                self.lineages.set_back(&key, write.field, *old, new.at);
                meta.set_back.retain(|(known, _)| known != old);
                meta.set_back.push((*old, new.at));
            }
        }
        let surplus = meta.set_back.len().saturating_sub(SET_BACK_KEPT);
        meta.set_back.drain(..surplus);
    }

    /// Merges a change of others into a record; true where that changed it.
    pub fn apply(
        &mut self,
        schema: &TableSchema,
        key: &RecordKey,
        state: &mut RecordState,
        change: &Change,
    ) -> bool {
        self.found
            .extend(self.overruled(schema, key, state, change));
        let unseen: BTreeSet<String> = owned(state.unseen_edits());
        let (changed, found) =
            apply_watching(schema, key, state, &mut self.lineages, change, false);
        for conflict in found {
            self.note(conflict);
        }
        for field in state.unseen_edits() {
            if unseen.contains(field) {
                continue;
            }
            let sides = (
                WrittenValue::of(state, "deletedAt"),
                WrittenValue::of(state, field),
            );
            if let (Some(removal), Some(edit)) = sides {
                let (kind, key) = (ConflictKind::Removed, key.clone());
                let kept = KeptConflict::new(kind, key, field, removal, edit, self.now);
                self.found.push(kept);
            }
        }
        self.end_settled(key, change);
        changed
    }

    /// The values of the AI, or of an undo, that a person's change overrules without having seen them. Texts whose
    /// change says what it replaced are found by that.
    fn overruled(
        &self,
        schema: &TableSchema,
        key: &RecordKey,
        state: &RecordState,
        change: &Change,
    ) -> Vec<KeptConflict> {
        let user = Actor::user();
        let actor = change.actor.as_ref().unwrap_or(&user);
        let mut overruled = Vec::new();
        for write in change.writes() {
            let winner = WrittenValue {
                value: write.value.clone().into_owned(),
                updated_at: write.at,
                actor: actor.clone(),
            };
            let Some(loser) = WrittenValue::of(state, write.field) else {
                continue;
            };
            let decided_at = loser.actor.decided_at().filter(|_| !loser.is_persons());
            let base = change.fields.get(write.field).and_then(|write| write.base);
            let unseen = base.is_none() && decided_at.is_some_and(|decided| write.at < decided);
            let wins = write.at > loser.updated_at && winner.value != loser.value;
            if unseen && wins && winner.is_persons() && !schema.lists.contains_key(write.field) {
                let (kind, key) = (ConflictKind::Overruled, key.clone());
                let kept = KeptConflict::new(kind, key, write.field, winner, loser, self.now);
                overruled.push(kept);
            }
        }
        overruled
    }

    fn note(&mut self, conflict: FoundConflict) {
        let FoundConflict {
            key,
            field,
            winner,
            loser,
            own,
            ancestor,
            ..
        } = conflict;
        let people = winner.is_persons() && loser.is_persons();
        let kept = KeptConflict::new(ConflictKind::Text, key, field, winner, loser, self.now);
        // The server may have told of it with an earlier page.
        let known = self.known(&kept).cloned();
        if let Some(common) = ancestor.filter(|_| own && people) {
            let kept = known.clone().unwrap_or_else(|| kept.clone());
            self.own.extend((!kept.ended).then_some((kept, common)));
        }
        if known.is_none() {
            self.found.push(kept);
        }
    }

    /// The conflict in which the same text lost, where this device knows of one.
    fn known(&self, conflict: &KeptConflict) -> Option<&KeptConflict> {
        let mut known = self.kept.iter().chain(&self.found);
        known.find(|one| {
            one.key == conflict.key
                && one.field == conflict.field
                && one.loser.updated_at == conflict.loser.updated_at
        })
    }

    /// Notes a conflict that the server found: this device may hold the values by a snapshot, which tells of none.
    pub fn told(&mut self, conflict: &Conflict) {
        let Conflict {
            app,
            table,
            id,
            field,
            winner,
            loser,
            ..
        } = conflict.clone();
        let key = RecordKey::new(app, table, id);
        let kept = KeptConflict::new(ConflictKind::Text, key, field, winner, loser, self.now);
        if self.known(&kept).is_none() {
            self.found.push(kept);
        }
    }

    /// A conflict is over where a change settles it, says that it merged the text that lost, or where the text that
    /// stands descends from it (X4).
    fn end_settled(&mut self, key: &RecordKey, change: &Change) {
        let merged = change.extra.get(MERGED).and_then(Value::as_object);
        let over = |one: &&KeptConflict| {
            let at = one.loser.updated_at;
            let merged = merged.and_then(|merged| merged.get(&one.field)?.as_str());
            let lineage = self.lineages.get(key, &one.field);
            one.key == *key
                && (one.is_settled_by(change)
                    || one.kind != ConflictKind::Removed
                        && (merged.and_then(|text| Micros::parse(text).ok()) == Some(at)
                            || lineage.is_some_and(|lineage| lineage.descends_from(at))))
        };
        let ended = self.kept.iter().chain(&self.found).filter(over);
        let ended: Vec<String> = ended.map(|one| one.conflict_id.clone()).collect();
        self.ended.extend(ended);
    }

    /// Merges the texts that this device lost with those that stand, where they don't touch, as the person: once,
    /// because the change's id derives from the conflict. Returns the records that changed.
    pub fn merge(
        &mut self,
        registry: &Registry,
        records: &mut Records,
        clock: &mut Clock,
        now: Micros,
    ) -> Vec<RecordKey> {
        let mut changed = Vec::new();
        for (conflict, common) in std::mem::take(&mut self.own) {
            if self.ended.contains(&conflict.conflict_id) {
                continue;
            }
            let KeptConflict { key, field, .. } = &conflict;
            let Some(state) = records.get_mut(key) else {
                continue;
            };
            let Some(standing) = WrittenValue::of(state, field).filter(WrittenValue::is_persons)
            else {
                continue;
            };
            let (Some(lost), Some(stands)) = (conflict.loser.text(), standing.text()) else {
                continue;
            };
            let Some(text) = merge_texts(&common, lost, stands) else {
                continue;
            };
            self.ended.insert(conflict.conflict_id.clone());
            if text == stands {
                continue;
            }
            let tick = clock.tick(now);
            let at = tick.max(standing.updated_at.plus(1_000));
            clock.last = clock.last.max(at);
            let mut change = Change::new(&key.table, &key.id, Op::Update);
            change.event_id = Some(ids::derive(&conflict.conflict_id, MERGED));
            change.app_id = Some(key.app.clone());
            change.at = Some(at);
            change.actor = Some(Actor::user());
            let write = FieldWrite {
                value: Some(Value::from(text)),
                updated_at: Some(at),
                base: Some(standing.updated_at),
            };
            change.fields.insert(field.clone(), write);
            let merged = json!({ field.as_str(): conflict.loser.updated_at });
            change.extra.insert(MERGED.to_owned(), merged);
            let schema = registry.schema(&key.app, &key.table);
            apply_watching(schema, key, state, &mut self.lineages, &change, true);
            self.queue.push(change);
            changed.push(key.clone());
        }
        changed
    }

    /// Whether there is something to send.
    pub fn has_merged(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The writes of the device.
    pub fn into_commit(self) -> Commit {
        let mut found = self.found;
        found.iter_mut().for_each(|one| {
            one.ended = self.ended.contains(&one.conflict_id);
        });
        Commit {
            texts: self.lineages.into_changed(),
            conflicts: found,
            ended: self.ended.into_iter().collect(),
            queue: self.queue,
            ..Commit::default()
        }
    }
}

/// The ids of the conflicts that changes settle, each by a change of its own record (X4).
pub fn settled_conflicts(kept: &[KeptConflict], changes: &[Change]) -> Vec<String> {
    let is_settled = |one: &&KeptConflict| {
        let mut changes = changes.iter();
        changes.any(|change| record_key(change) == one.key && one.is_settled_by(change))
    };
    let settled = kept.iter().filter(is_settled);
    settled.map(|one| one.conflict_id.clone()).collect()
}

/// Notes what the changes that a replica itself has just made replaced, and returns the texts among it that their
/// writer had not seen. `records` are those that they touch, as they were before.
pub fn note_own_texts(
    registry: &Registry,
    records: &mut Records,
    lineages: &mut Lineages,
    changes: &[Change],
    now: Micros,
) -> Vec<KeptConflict> {
    let mut conflicts = Vec::new();
    for change in changes {
        let key = record_key(change);
        let schema = registry.schema(&key.app, &key.table);
        let state = records.entry(key.clone()).or_default();
        let (_, found) = apply_watching(schema, &key, state, lineages, change, true);
        let found = found.into_iter();
        conflicts.extend(found.map(|found| {
            let FoundConflict {
                key,
                field,
                winner,
                loser,
                ..
            } = found;
            KeptConflict::new(ConflictKind::Text, key, field, winner, loser, now)
        }));
    }
    conflicts
}

/// The JSON pointer of a field's stamp.
fn stamp_pointer(field: &str) -> String {
    let field = field.replace('~', "~0").replace('/', "~1");
    format!("/fields/{field}/updatedAt")
}

fn owned(fields: Vec<&str>) -> BTreeSet<String> {
    fields.into_iter().map(str::to_owned).gather()
}
