//! Values that lost to others whose authors had not seen them: told at this replica, and a mission's text offered anew.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Actor, RecordKey,
    conflict::{ConflictKind, KeptConflict},
    ids,
    mission::{APP, MISSIONS},
    staging::{Proposal, ProposalStatus, Staging},
};

use crate::{
    proposals::overrides,
    replica::Replica,
    storage::{StorageError, Writes},
};

impl Replica {
    /// The conflicts of which the person is still to be told, the newest first.
    pub async fn conflicts(&self) -> Result<Vec<KeptConflict>, StorageError> {
        let mut tx = self.storage.begin().await?;
        let mut conflicts = tx.conflicts(None).await?;
        conflicts.retain(|conflict| !conflict.ended);
        let proposals = tx.proposals(None).await?;
        conflicts.retain(|conflict| is_told(conflict, &proposals));
        Ok(conflicts)
    }

    /// Ends conflicts, by id: the person has seen them.
    pub async fn end_conflicts(&self, ids: Vec<String>) -> Result<(), StorageError> {
        let writes = Writes {
            ended: ids,
            ..Writes::default()
        };
        self.storage.begin().await?.commit(writes).await
    }

    /// Offers the texts anew that were approved here and lost to edits that they had not seen (S11). Each is a proposal
    /// from then on, and no conflict.
    pub(crate) async fn offer_again(&self) -> Result<(), StorageError> {
        let now = (self.env.now)();
        let mut tx = self.storage.begin().await?;
        let conflicts = tx.conflicts(None).await?;
        let open = conflicts
            .into_iter()
            .filter(|conflict| !conflict.ended && conflict.kind == ConflictKind::Text);
        let lost: Vec<_> = open
            .filter_map(|conflict| Some((step_of(&conflict)?, conflict)))
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let proposals = tx.proposals(None).await?;
        let mut writes = Writes::default();
        for (step, conflict) in lost {
            let approved = proposals.iter().find(|one| {
                one.step_id == step && one.status == ProposalStatus::Approved && one.deadline > now
            });
            let Some(approved) = approved else { continue };
            let key = RecordKey::new(APP, MISSIONS, &approved.mission_id);
            let mut keys: BTreeSet<RecordKey> =
                approved.operations.iter().map(|one| one.key()).collect();
            keys.insert(key.clone());
            let mut records = tx.states(&keys).await?;
            let Some(mission) = records.remove(&key) else {
                continue;
            };
            let overrides = overrides(&mut tx, &mission).await?;
            let staging = Staging {
                registry: &self.registry,
                overrides: &overrides,
                mission_id: &approved.mission_id,
                mission: &mission,
                have: &BTreeMap::new(),
            };
            let again = staging.offer_again(approved, conflict.loser.updated_at, &records);
            if proposals.iter().all(|one| one.id != again.id) {
                writes.proposals.push(again);
            }
            writes.ended.push(conflict.conflict_id);
        }
        if !writes.is_empty() {
            tx.commit(writes).await?;
            self.changed.notify_one();
        }
        Ok(())
    }
}

/// Whether a person is told of a conflict at this device: of what a mission wrote and a person's edit overruled, where
/// it was approved, and where nobody was asked.
fn is_told(conflict: &KeptConflict, proposals: &[Proposal]) -> bool {
    let step = step_of(conflict);
    let proposal = step.map(|step| ids::proposal_id(&step));
    let mut known = proposals
        .iter()
        .filter(|one| Some(&one.id) == proposal.as_ref());
    known.all(|one| one.status == ProposalStatus::Approved)
}

/// The step whose value lost.
fn step_of(conflict: &KeptConflict) -> Option<String> {
    match &conflict.loser.actor {
        Actor::Ai { extra, .. } => Some(extra.get("stepId")?.as_str()?.to_owned()),
        _ => None,
    }
}
