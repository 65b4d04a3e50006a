//! Proposals of the AI: staged, shown and decided at this replica.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::{
    Change, RecordKey, RecordState,
    mission::{AGENTS, APP, EffectiveAgent, MISSIONS, Mission},
    policy::Overrides,
    staging::{
        Decision, DecisionInput, Proposal, ProposalError, ProposalStatus, Records, Staging, decide,
    },
};

use crate::{
    replica::{DeviceError, Replica, note_texts, read_meta},
    storage::{StorageError, Transaction, Writes, queue_of},
};

impl Replica {
    /// Makes proposals of the steps that wait, and closes those that were decided elsewhere. Ids are derived and
    /// the transaction is exclusive, so nothing is staged twice.
    pub async fn stage(&self) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await?;
        let missions = tx.table(APP, MISSIONS).await?;
        let mut known: BTreeMap<String, Vec<Proposal>> = BTreeMap::new();
        for proposal in tx.proposals(None).await? {
            known
                .entry(proposal.mission_id.clone())
                .or_default()
                .push(proposal);
        }
        let mut proposals = Vec::new();
        for (id, mission) in &missions {
            let known = known.remove(id).unwrap_or_default();
            proposals.extend(
                self.stage_mission(&mut tx, id, mission, known, None)
                    .await?,
            );
        }
        if proposals.is_empty() {
            return Ok(());
        }
        let writes = Writes {
            proposals,
            ..Writes::default()
        };
        tx.commit(writes).await?;
        self.changed.notify_one();
        Ok(())
    }

    /// Stages a proposal again on the records as they are now, after it went stale.
    pub async fn renew(&self, id: &str) -> Result<Option<Proposal>, DeviceError> {
        let mut tx = self.storage.begin().await?;
        let proposal = find(&mut tx, id).await?;
        let key = RecordKey::new(APP, MISSIONS, &proposal.mission_id);
        let mission = tx
            .states(&BTreeSet::from([key.clone()]))
            .await?
            .remove(&key);
        let known = tx.proposals(Some(&proposal.mission_id)).await?;
        let Some(mission) = mission else {
            return Ok(None);
        };
        let proposals = self
            .stage_mission(&mut tx, &proposal.mission_id, &mission, known, Some(id))
            .await?;
        let renewed = proposals.iter().find(|new| new.id == id).cloned();
        let writes = Writes {
            proposals,
            ..Writes::default()
        };
        tx.commit(writes).await?;
        Ok(renewed)
    }

    async fn stage_mission(
        &self,
        tx: &mut Box<dyn Transaction>,
        id: &str,
        mission: &RecordState,
        known: Vec<Proposal>,
        renew: Option<&str>,
    ) -> Result<Vec<Proposal>, StorageError> {
        let have = (known.iter())
            .filter(|proposal| Some(proposal.id.as_str()) != renew)
            .filter(|proposal| !proposal.is_outdated(&self.registry))
            .map(|proposal| (proposal.id.clone(), proposal.status))
            .collect();
        let overrides = overrides(tx, mission).await?;
        let staging = Staging {
            registry: &self.registry,
            overrides: &overrides,
            mission_id: id,
            mission,
            have: &have,
        };
        let records = tx.states(&staging.touched()).await?;
        let mut proposals = staging.stage(&records);
        let closed = staging.closed();
        for mut proposal in known {
            if let Some(closed) = closed.iter().find(|closed| closed.id == proposal.id) {
                proposal.status = closed.status;
                proposals.push(proposal);
            }
        }
        Ok(proposals)
    }

    /// Expires the open proposals whose deadline has passed. Returns how many.
    pub async fn expire(&self) -> Result<usize, StorageError> {
        let now = (self.env.now)();
        let late = self.inbox().await?.into_iter();
        let mut expired = 0;
        for proposal in late.filter(|proposal| proposal.deadline <= now) {
            match self.decide(&proposal.id, &Decision::Expire).await {
                Ok(_) => expired += 1,
                Err(DeviceError::Storage(error)) => return Err(error),
                // Decided meanwhile, or the server's clock is behind this one: the next time.
                Err(_) => {}
            }
        }
        Ok(expired)
    }

    /// The proposals that wait for a decision, oldest first.
    pub async fn inbox(&self) -> Result<Vec<Proposal>, StorageError> {
        let mut proposals = self.proposals().await?;
        proposals.retain(|one| matches!(one.status, ProposalStatus::Open | ProposalStatus::Failed));
        proposals.sort_by(|a, b| {
            (a.created_at, &a.iteration_id, a.index).cmp(&(b.created_at, &b.iteration_id, b.index))
        });
        Ok(proposals)
    }

    /// Every proposal that was ever staged here.
    pub async fn proposals(&self) -> Result<Vec<Proposal>, StorageError> {
        self.storage.begin().await?.proposals(None).await
    }

    /// Carries out a person's decision: the records, the step's decision and the outbox rows, or nothing.
    pub async fn decide(&self, id: &str, decision: &Decision) -> Result<Vec<Change>, DeviceError> {
        self.decide_where(id, None, decision).await
    }

    /// [`Replica::decide`] on what has this [`Proposal::shown_hash`]. Refuses as `altered` where the proposal is
    /// another one by now.
    pub async fn decide_shown(
        &self,
        id: &str,
        shown_hash: &str,
        decision: &Decision,
    ) -> Result<Vec<Change>, DeviceError> {
        self.decide_where(id, Some(shown_hash), decision).await
    }

    async fn decide_where(
        &self,
        id: &str,
        shown: Option<&str>,
        decision: &Decision,
    ) -> Result<Vec<Change>, DeviceError> {
        let mut tx = self.storage.begin().await?;
        let proposal = find(&mut tx, id).await?;
        if shown.is_some_and(|shown| shown != proposal.shown_hash()) {
            return Err(altered());
        }
        let mission_key = RecordKey::new(APP, MISSIONS, &proposal.mission_id);
        let mut keys: BTreeSet<RecordKey> = proposal
            .operations
            .iter()
            .map(|operation| operation.key())
            .collect();
        keys.extend(proposal.seen.keys().filter_map(|name| parse_key(name)));
        keys.insert(mission_key.clone());
        let mut records: Records = tx.states(&keys).await?;
        let mission = records.remove(&mission_key).ok_or_else(|| {
            gone("The mission of this proposal is no longer here. Nothing was changed.")
        })?;
        let overrides = overrides(&mut tx, &mission).await?;
        let mut meta = read_meta(&mut tx).await?;
        let event_ids: Vec<String> = (0..=proposal.operations.len())
            .map(|_| (self.env.new_id)())
            .collect();
        let mut decided = decide(&DecisionInput {
            registry: &self.registry,
            overrides: &overrides,
            proposal: &proposal,
            decision,
            mission: &mission,
            records: &records,
            tick: meta.clock.tick((self.env.now)()),
            by: &self.user,
            device: &meta.client_id.clone(),
            event_ids: &event_ids,
        })
        .map_err(DeviceError::Decision)?;
        meta.clock.last = meta.clock.last.max(decided.last);
        let (changes, successors) = self
            .successors(&mut tx, &mut meta, &records, &decided.records)
            .await?;
        decided.changes.extend(changes);
        decided.records.extend(successors);
        let cursor = meta.cursor.clone();
        let noted = note_texts(&mut tx, &self.registry, &decided.changes, meta.clock.last).await?;
        let writes = Writes {
            meta: Some(meta),
            records: decided.records,
            queue: queue_of(&decided.changes, &cursor),
            proposals: vec![decided.proposal],
            ..noted
        };
        tx.commit(writes).await?;
        self.changed.notify_one();
        Ok(decided.changes)
    }
}

/// The policy of a mission's agent, as this replica knows it.
pub(crate) async fn overrides(
    tx: &mut Box<dyn Transaction>,
    mission: &RecordState,
) -> Result<Overrides, StorageError> {
    let agents = tx.table(APP, AGENTS).await?;
    let agent = |id: &str| {
        let found = agents.iter().find(|(agent, _)| agent == id);
        found.map(|(_, state)| &state.data)
    };
    let mission = Mission::parse("", &mission.data);
    Ok(EffectiveAgent::resolve(&mission, agent, None).agent.policy)
}

fn altered() -> DeviceError {
    DeviceError::Decision(ProposalError {
        code: "altered".to_owned(),
        message:
            "This is not what was shown to you any more. Nothing was changed; look at it again."
                .to_owned(),
        details: None,
    })
}

async fn find(tx: &mut Box<dyn Transaction>, id: &str) -> Result<Proposal, DeviceError> {
    let found = tx
        .proposals(None)
        .await?
        .into_iter()
        .find(|one| one.id == id);
    found.ok_or_else(|| gone("This proposal is not here. Nothing was changed; look at the inbox."))
}

pub(crate) fn gone(message: &str) -> DeviceError {
    DeviceError::Decision(ProposalError {
        code: "gone".to_owned(),
        message: message.to_owned(),
        details: None,
    })
}

fn parse_key(name: &str) -> Option<RecordKey> {
    let mut parts = name.splitn(3, '/');
    Some(RecordKey::new(parts.next()?, parts.next()?, parts.next()?))
}
