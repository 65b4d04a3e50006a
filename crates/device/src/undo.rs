//! Undoing what the AI did, at this replica.

use std::collections::BTreeSet;

use mana_core::{
    RecordKey, RecordState,
    mission::{APP, MISSIONS},
    undo::{UndoConsent, UndoExtent, UndoOutcome, UndoPreview, UndoRequest},
};

use crate::{
    proposals::gone,
    replica::{DeviceError, Replica, note_texts, read_meta},
    storage::{Transaction, Writes, queue_of},
};

impl Replica {
    /// Previews an undo: the exact operations.
    pub async fn undo_preview(
        &self,
        mission_id: &str,
        extent: &UndoExtent,
    ) -> Result<UndoPreview, DeviceError> {
        let mut tx = self.storage.begin().await?;
        let mission = mission(&mut tx, mission_id).await?;
        let undo = self.undoing(mission_id, &mission, extent);
        let records = tx.states(&undo.touched()).await?;
        undo.preview(&records).map_err(DeviceError::Decision)
    }

    /// Carries out what the preview with this hash showed: the records, the steps and the outbox rows, or nothing.
    pub async fn undo(
        &self,
        mission_id: &str,
        extent: &UndoExtent,
        hash: &str,
    ) -> Result<UndoOutcome, DeviceError> {
        let mut tx = self.storage.begin().await?;
        let mission = mission(&mut tx, mission_id).await?;
        let undo = self.undoing(mission_id, &mission, extent);
        let records = tx.states(&undo.touched()).await?;
        let mut meta = read_meta(&mut tx).await?;
        let tick = meta.clock.tick((self.env.now)());
        let by = UndoConsent {
            user: &self.user,
            device: &meta.client_id,
            tick,
            seed: &(self.env.new_id)(),
            hash,
        };
        let mut undone = undo
            .carry_out(&records, by)
            .map_err(DeviceError::Decision)?;
        meta.clock.last = meta.clock.last.max(undone.last);
        let (changes, successors) = self
            .successors(&mut tx, &mut meta, &records, &undone.records)
            .await?;
        undone.changes.extend(changes);
        undone.records.extend(successors);
        let cursor = meta.cursor.clone();
        let noted = note_texts(&mut tx, &self.registry, &undone.changes, meta.clock.last).await?;
        let writes = Writes {
            meta: Some(meta),
            records: undone.records.clone(),
            queue: queue_of(&undone.changes, &cursor),
            ..noted
        };
        tx.commit(writes).await?;
        self.changed.notify_one();
        Ok(undone)
    }

    fn undoing<'a>(
        &'a self,
        mission_id: &'a str,
        mission: &'a RecordState,
        extent: &'a UndoExtent,
    ) -> UndoRequest<'a> {
        UndoRequest {
            registry: &self.registry,
            mission_id,
            mission,
            extent,
        }
    }
}

async fn mission(tx: &mut Box<dyn Transaction>, id: &str) -> Result<RecordState, DeviceError> {
    let key = RecordKey::new(APP, MISSIONS, id);
    let found = tx
        .states(&BTreeSet::from([key.clone()]))
        .await?
        .remove(&key);
    found.ok_or_else(|| gone("This mission is not here. Nothing was changed."))
}
