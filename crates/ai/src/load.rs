//! Loading a claimed run: its person, its mission, and the occurrence that the claim stands for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use mana_core::manifest::QueryContext;
use mana_core::mission::{self, EffectiveAgent, Mission, agent};
use mana_core::{Micros, RecordKey, RecordState, ids, zone::time_zone};
use mana_store::{Claim, Result, Scope, Store, User};

use crate::occurrence::Occurrence;
use crate::parts::{RunContext, RunnerParts};
use crate::progress::ProgressTracker;

/// A claimed run with everything that it goes by.
pub(crate) struct Run<'a> {
    pub context: &'a RunContext,
    pub claim: &'a Claim,
    pub tracker: &'a ProgressTracker,
    /// The run's person has cancelled it.
    pub cancelled: bool,
    pub scope: Scope,
    pub user: User,
    pub loaded: LoadedMission,
    pub occurrence: Occurrence,
    /// Whether the claim is the schedule's own, so that the run's end moves the schedule.
    pub scheduled: bool,
    pub began: Micros,
}

impl<'a> Run<'a> {
    /// Loads a run. None where its mission or its person is gone.
    pub async fn load(
        context: &'a RunContext,
        claim: &'a Claim,
        tracker: &'a ProgressTracker,
        cancelled: bool,
    ) -> Result<Option<Self>> {
        let parts = &context.parts;
        let scope = Scope::own(&claim.user);
        let began = parts.now();
        let Some(user) = parts.accounts.user(&claim.user).await? else {
            return Ok(None);
        };
        let store = parts.store.as_ref();
        let loaded = load_mission(store, &scope, &claim.mission_id, &user.timezone).await?;
        let Some(loaded) = loaded else {
            return Ok(None);
        };
        let restored_at = store.identity(&scope).await?.restored_at;
        let occurrence = Occurrence::of(claim, &loaded.mission, &loaded.zone, restored_at, began);
        let scheduled = mission::schedule_row(&claim.mission_id, &loaded.state)
            .is_some_and(|row| row.slot == claim.slot);
        Ok(Some(Self {
            context,
            claim,
            tracker,
            cancelled,
            scope,
            user,
            loaded,
            occurrence,
            scheduled,
            began,
        }))
    }

    /// Loads the mission anew. False where it is gone.
    pub async fn reload(&mut self) -> Result<bool> {
        let store = self.parts().store.as_ref();
        let (mission, zone) = (&self.claim.mission_id, &self.user.timezone);
        let loaded = load_mission(store, &self.scope, mission, zone).await?;
        let found = loaded.is_some();
        if let Some(loaded) = loaded {
            self.loaded = loaded;
        }
        Ok(found)
    }

    pub fn parts(&self) -> &'a RunnerParts {
        &self.context.parts
    }

    pub fn mission(&self) -> &Mission {
        &self.loaded.mission
    }

    /// The mission's agent, and the person's settings.
    pub fn agent(&self) -> &EffectiveAgent {
        &self.loaded.agent
    }

    /// The time of the run, on the mission's wall clock.
    pub fn at(&self) -> QueryContext {
        QueryContext {
            now: self.began,
            zone: self.loaded.zone.clone(),
        }
    }

    /// How often this occurrence was tried before and its model could not be asked.
    pub fn tried_before(&self) -> u32 {
        let is_retry = self.mission().retry_slot.as_ref() == Some(&self.occurrence.slot);
        u32::from(is_retry).saturating_add(self.earlier_tries())
    }

    /// The tries of this occurrence that the log was not told of.
    pub fn earlier_tries(&self) -> u32 {
        // After a retry that came too late another occurrence is run than the claimed one.
        match self.occurrence.slot == self.claim.slot {
            true => self.claim.tries,
            false => 0,
        }
    }

    /// The id of the iteration that the run makes.
    pub fn iteration_id(&self) -> String {
        ids::iteration_id(&self.claim.mission_id, &self.occurrence.slot)
    }
}

/// A mission with its record, its zone and its agent.
pub(crate) struct LoadedMission {
    pub mission: Mission,
    pub state: RecordState,
    /// The mission's time zone, by name and by rules.
    pub zone_name: String,
    pub zone: TimeZone,
    /// The account's time zone, whose days the budgets count.
    pub account_zone: TimeZone,
    /// The mission's agent, and the person's settings.
    pub agent: EffectiveAgent,
}

/// The mission as it is now. None if it is gone.
async fn load_mission(
    store: &dyn Store,
    scope: &Scope,
    id: &str,
    account_zone: &str,
) -> Result<Option<LoadedMission>> {
    let key = RecordKey::new(mission::APP, mission::MISSIONS, id);
    let Some(state) = store
        .record(scope, &key)
        .await?
        .filter(|state| !state.is_deleted())
    else {
        return Ok(None);
    };
    let mission = Mission::parse(id, &state.data);
    let zone_name = mission.zone_name(Some(account_zone)).to_owned();
    let zone = mission.zone(Some(account_zone));
    let agent = effective_agent(store, scope, &mission).await?;
    Ok(Some(LoadedMission {
        mission,
        state,
        zone_name,
        zone,
        account_zone: time_zone(account_zone).unwrap_or(TimeZone::UTC),
        agent,
    }))
}

/// The agent of a mission with the settings of its person, as they are now.
async fn effective_agent(
    store: &dyn Store,
    scope: &Scope,
    mission: &Mission,
) -> Result<EffectiveAgent> {
    let wanted = mission
        .agent_id
        .as_deref()
        .unwrap_or(agent::DEFAULT_AGENT_ID);
    let ids = BTreeSet::from([wanted, agent::DEFAULT_AGENT_ID]);
    let mut keys = Vec::from_iter(
        ids.into_iter()
            .map(|id| RecordKey::new(mission::APP, mission::AGENTS, id)),
    );
    let settings_key = RecordKey::new(mission::APP, mission::SETTINGS, agent::SETTINGS_ID);
    keys.push(settings_key.clone());
    let stored = store.records_by_key(scope, &keys).await?;
    let mut stored: BTreeMap<RecordKey, RecordState> = stored.into_iter().collect();
    let settings = stored.remove(&settings_key);
    let settings = settings.filter(|state| !state.is_deleted());
    let agents: BTreeMap<String, RecordState> = stored
        .into_iter()
        .map(|(key, state)| (key.id, state))
        .collect();
    Ok(EffectiveAgent::resolve(
        mission,
        |id| agents.get(id).map(|state| &state.data),
        settings.as_ref().map(|state| &state.data),
    ))
}
