//! What a run reads: the mission, the account, the records that the mission links.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use mana_core::manifest::{FieldType, QueryContext, Registry};
use mana_core::mission::{self, Input, Intent, Mission, Terms, agent, cadence, slot};
use mana_core::planner::resolve::{self, Resolver};
use mana_core::planner::{InputText, Pending};
use mana_core::{Map, Micros, RecordKey, RecordState, Stamp, staging};
use mana_store::{Claim, Result, Scope, Store};
use serde::Deserialize;
use serde_json::Value;

/// Waiting proposals that are looked at, the newest missions' first.
const MOST_PENDING: usize = 100;

/// A mission with its record, and what it runs under.
pub(crate) struct Loaded {
    pub mission: Mission,
    pub state: RecordState,
    /// The mission's time zone, by name and by rules.
    pub zone_name: String,
    pub zone: TimeZone,
    /// The account's, whose days the budgets count.
    pub account_zone: TimeZone,
    /// The mission's agent, and the person's settings.
    pub terms: Terms,
}

/// The mission as it is now; none if it is gone.
pub(crate) async fn mission(
    store: &dyn Store,
    scope: &Scope,
    id: &str,
    account_zone: &str,
) -> Result<Option<Loaded>> {
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
    let terms = terms(store, scope, &mission).await?;
    Ok(Some(Loaded {
        mission,
        state,
        zone_name,
        zone,
        account_zone: cadence::time_zone(account_zone).unwrap_or(TimeZone::UTC),
        terms,
    }))
}

/// What a mission runs under, as its person has set it now.
async fn terms(store: &dyn Store, scope: &Scope, mission: &Mission) -> Result<Terms> {
    let wanted = mission.agent_id.as_deref().unwrap_or(agent::DEFAULT);
    let mut agents = BTreeMap::new();
    for id in BTreeSet::from([wanted, agent::DEFAULT]) {
        let key = RecordKey::new(mission::APP, mission::AGENTS, id);
        if let Some(state) = store.record(scope, &key).await? {
            agents.insert(id, state);
        }
    }
    let key = RecordKey::new(mission::APP, mission::SETTINGS, agent::SETTINGS_ID);
    let settings = store.record(scope, &key).await?;
    let settings = settings.filter(|state| !state.is_deleted());
    Ok(Terms::of(
        mission,
        |id| agents.get(id).map(|state| &state.data),
        settings.as_ref().map(|state| &state.data),
    ))
}

/// What the prompt tells of the person's data.
#[derive(Default)]
pub(crate) struct Reading {
    pub inputs: Vec<InputText>,
    pub notes: Vec<String>,
    pub context: Option<String>,
    pub pending: Vec<Pending>,
}

/// Reads everything that a mission's prompt needs.
pub(crate) async fn reading(
    store: &dyn Store,
    registry: &Registry,
    scope: &Scope,
    claim: &Claim,
    loaded: &Loaded,
    now: Micros,
) -> Result<Reading> {
    let given = match claim.requested {
        true => {
            store
                .run_inputs(scope, &claim.mission_id, &claim.slot)
                .await?
        }
        false => None,
    };
    let tables = match given.as_ref().and_then(Value::as_array) {
        Some(given) => given_rows(given),
        None => stored_rows(store, scope, &loaded.mission.inputs).await?,
    };
    let titles = titles(store, registry, scope, &tables).await?;
    let mut reading = words(registry, loaded, &tables, &titles, now);
    let context = store
        .record(scope, &RecordKey::new("context", "documents", "context"))
        .await?;
    if let Some(due) = slot::time(&claim.slot).filter(|_| slot::is_backfill(&claim.slot)) {
        reading
            .notes
            .push(crate::messages::backfill(due, &loaded.zone));
    }
    reading.context = resolve::context_document(context.as_ref()).map(str::to_owned);
    reading.pending = pending(store, registry, scope, now).await?;
    Ok(reading)
}

/// The mission's inputs in words, each record once.
fn words(
    registry: &Registry,
    loaded: &Loaded,
    tables: &Tables,
    titles: &BTreeMap<RecordKey, String>,
    now: Micros,
) -> Reading {
    let resolver = Resolver {
        registry,
        context: QueryContext {
            now,
            zone: loaded.zone.clone(),
        },
        title: &|key| titles.get(key).cloned(),
    };

    let mut reading = Reading::default();
    let mut seen = BTreeSet::new();
    for input in &loaded.mission.inputs {
        let rows = tables
            .get(&(input.module.clone(), input.table.clone()))
            .map_or(&[][..], Vec::as_slice);
        let resolved = resolver.resolve(input, rows.iter().map(|(id, state)| (id.as_str(), state)));
        reading.notes.extend(resolved.notes);
        for text in resolved.texts {
            if seen.insert((text.module.clone(), text.table.clone(), text.id.clone())) {
                reading.inputs.push(text);
            }
        }
    }
    reading
}

/// Records by module and table.
pub(crate) type Tables = BTreeMap<(String, String), Vec<(String, RecordState)>>;

async fn stored_rows(store: &dyn Store, scope: &Scope, inputs: &[Input]) -> Result<Tables> {
    let mut tables = Tables::new();
    let whole: BTreeSet<(String, String)> = inputs
        .iter()
        .filter(|input| input.id.is_none())
        .map(|input| (input.module.clone(), input.table.clone()))
        .collect();
    for (module, table) in &whole {
        let rows = store.records(scope, module, table).await?;
        tables.insert((module.clone(), table.clone()), rows);
    }
    for input in inputs {
        let place = (input.module.clone(), input.table.clone());
        let Some(id) = input.id.as_ref().filter(|_| !whole.contains(&place)) else {
            continue;
        };
        let key = RecordKey::new(&input.module, &input.table, id);
        if let Some(state) = store.record(scope, &key).await? {
            tables.entry(place).or_default().push((id.clone(), state));
        }
    }
    Ok(tables)
}

/// A record as a tab sends it along with a run.
#[derive(Deserialize)]
struct Given {
    module: String,
    table: String,
    id: String,
    data: Map,
    /// The stamps, which an order by the last change needs.
    #[serde(default)]
    meta: BTreeMap<String, Stamp>,
}

/// The records that came with the request; one that can't be read is left out.
fn given_rows(given: &[Value]) -> Tables {
    let mut tables = Tables::new();
    for given in given
        .iter()
        .filter_map(|value| Given::deserialize(value).ok())
    {
        let state = RecordState {
            data: given.data,
            meta: given.meta,
        };
        tables
            .entry((given.module, given.table))
            .or_default()
            .push((given.id, state));
    }
    tables
}

/// The titles of the records that these refer to.
pub(crate) async fn titles(
    store: &dyn Store,
    registry: &Registry,
    scope: &Scope,
    tables: &Tables,
) -> Result<BTreeMap<RecordKey, String>> {
    let mut wanted = BTreeSet::new();
    for ((module, table), rows) in tables {
        let Some(definition) = registry.table(module, table) else {
            continue;
        };
        for (name, field) in &definition.fields {
            let (FieldType::Ref, Some(target)) = (field.kind, &field.table) else {
                continue;
            };
            if rows
                .iter()
                .any(|(_, state)| state.data.get(name).is_some_and(Value::is_string))
            {
                wanted.insert((
                    field.module.clone().unwrap_or_else(|| module.clone()),
                    target.clone(),
                ));
            }
        }
    }
    let mut titles = BTreeMap::new();
    for (module, table) in wanted {
        let Some(definition) = registry.table(&module, &table) else {
            continue;
        };
        for (id, state) in store.records(scope, &module, &table).await? {
            if let Some(title) = resolve::title(definition, &state.data) {
                titles.insert(RecordKey::new(&module, &table, id), title);
            }
        }
    }
    Ok(titles)
}

/// The proposals of all missions that wait for a decision.
async fn pending(
    store: &dyn Store,
    registry: &Registry,
    scope: &Scope,
    now: Micros,
) -> Result<Vec<Pending>> {
    let mut pending = Vec::new();
    for (id, state) in store
        .records(scope, mission::APP, mission::MISSIONS)
        .await?
    {
        if state.is_deleted() {
            continue;
        }
        let mission = Mission::parse(&id, &state.data);
        for step in staging::open_steps(registry, &mission, now).rev() {
            let Intent::ToolCall { tool_name, params } = &step.intent else {
                continue;
            };
            pending.push(Pending {
                mission_title: mission.title.clone(),
                summary: step.summary.clone(),
                tool_name: tool_name.clone(),
                params: params.clone(),
            });
        }
    }
    pending.truncate(MOST_PENDING);
    Ok(pending)
}
