//! Records that go on: the successor of a record that a write completed, or opened again.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Change, RecordKey, RecordState,
    calendar::LocalTime,
    succession::{Succession, successor_key},
    sync::ReplicaMeta,
};

use crate::{
    replica::{DeviceError, Replica},
    storage::Transaction,
};

impl Replica {
    /// The changes and the records of the successors that written records call for. `before` are the records as they
    /// were, where they existed.
    pub(crate) async fn successors(
        &self,
        tx: &mut Box<dyn Transaction>,
        meta: &mut ReplicaMeta,
        before: &BTreeMap<RecordKey, RecordState>,
        written: &[(RecordKey, RecordState)],
    ) -> Result<(Vec<Change>, Vec<(RecordKey, RecordState)>), DeviceError> {
        let (mut changes, mut records) = (Vec::new(), Vec::new());
        let now = (self.env.now)();
        let today = LocalTime::at(&*self.env.zone, now).day;
        for (key, state) in written {
            let Some(next) = successor_key(&self.registry, key, before.get(key), state) else {
                continue;
            };
            let found = tx.states(&BTreeSet::from([next.clone()])).await?;
            let succession = Succession {
                registry: &self.registry,
                key,
                state,
                successor: found.get(&next),
                today,
                tick: meta.clock.tick(now),
                event_id: (self.env.new_id)(),
            };
            if let Some(prepared) = succession.carry_out()? {
                changes.push(prepared.change);
                records.push((next, prepared.state));
            }
        }
        Ok((changes, records))
    }
}
