//! The write by which an undo puts values back or removes a record.

use std::collections::BTreeMap;

use crate::{
    Gather, Map,
    actor::Actor,
    change::{ChangeError, Op},
    manifest::Registry,
    map_of,
    prepare::{Prepare, Prepared, just_after, prepare},
    record::{RecordKey, RecordState},
    replaced::UNDO_MARK,
    time::Micros,
};

/// A write that puts values of a record back, or removes the record, as the person (U8).
pub(super) struct WriteBack<'a> {
    pub key: &'a RecordKey,
    pub op: Op,
    pub set: Map,
    pub state: Option<&'a RecordState>,
    /// The undo mark of the actor.
    pub mark: Map,
    pub tick: Micros,
    pub event_id: String,
}

impl WriteBack<'_> {
    /// The change and its record. A value that a person wrote on top of the value that goes back stands, also where it
    /// was not seen here; a removal is as new as the undo.
    pub fn prepare(self, registry: &Registry) -> Result<Prepared, ChangeError> {
        let stamps = self.set.keys();
        let stamps = stamps.map(|field| (field.clone(), just_after(self.state, field)));
        let actor = Actor::User {
            extra: map_of(UNDO_MARK, self.mark.into()),
        };
        let write = Prepare {
            key: self.key,
            op: self.op,
            stamps: stamps.gather(),
            set: self.set,
            state: self.state,
            tick: self.tick,
            at: None,
            seen: BTreeMap::new(),
            actor: match self.op {
                Op::Delete => actor,
                Op::Insert | Op::Update | Op::Forget => actor.decided(self.tick),
            },
            event_id: self.event_id,
        };
        prepare(registry.schema(&self.key.app, &self.key.table), write)
    }
}
