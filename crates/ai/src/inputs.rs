//! Loading what a mission's prompt tells of the person's data: inputs, context page, open proposals.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::manifest::{QueryContext, Registry};
use mana_core::mission::{Input, Intent, Mission, slot};
use mana_core::planner::resolve::{self, Resolver};
use mana_core::planner::{InputText, PendingProposal};
use mana_core::{Map, RecordKey, RecordState, Stamp, staging};
use mana_store::{Result, Scope, Store};
use serde::Deserialize;
use serde_json::Value;

use crate::load::Run;
use crate::messages;

/// The most open proposals that a prompt tells of, of the missions that are read first.
const MAX_PENDING: usize = 100;

/// The part of a prompt that comes from the person's data.
#[derive(Default)]
pub(crate) struct PromptInputs {
    pub inputs: Vec<InputText>,
    /// The records of the inputs.
    pub shown: BTreeMap<RecordKey, RecordState>,
    pub notes: Vec<String>,
    pub context: Option<String>,
    pub pending: Vec<PendingProposal>,
}

/// Reads everything that a mission's prompt needs.
pub(crate) async fn read(run: &Run<'_>) -> Result<PromptInputs> {
    let parts = run.parts();
    let (store, registry, scope) = (parts.store.as_ref(), parts.registry.as_ref(), &run.scope);
    let claim = run.claim;
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
        None => stored_rows(store, scope, &run.mission().inputs).await?,
    };
    let titles = titles(store, registry, scope, &tables).await?;
    let mut inputs = resolve_inputs(run, &tables, &titles);
    let context = store
        .record(scope, &RecordKey::new("context", "documents", "context"))
        .await?;
    if let Some(due) = slot::time(&claim.slot).filter(|_| slot::is_backfill(&claim.slot)) {
        let zone = &run.loaded.zone;
        inputs.notes.push(messages::backfill(due, zone));
    }
    inputs.context = resolve::context_document(context.as_ref()).map(str::to_owned);
    inputs.pending = pending(run).await?;
    Ok(inputs)
}

/// The mission's inputs as text, each record once.
fn resolve_inputs(
    run: &Run<'_>,
    tables: &Tables,
    titles: &BTreeMap<RecordKey, String>,
) -> PromptInputs {
    let resolver = Resolver {
        registry: &run.parts().registry,
        context: QueryContext {
            now: run.began,
            zone: run.loaded.zone.clone(),
        },
        title: &|key| titles.get(key).cloned(),
    };

    let mut inputs = PromptInputs::default();
    let mut seen = BTreeSet::new();
    for input in &run.mission().inputs {
        let rows = tables
            .get(&(input.module.clone(), input.table.clone()))
            .map_or(&[][..], Vec::as_slice);
        let resolved = resolver.resolve(input, rows.iter().map(|(id, state)| (id.as_str(), state)));
        inputs.notes.extend(resolved.notes);
        for text in resolved.texts {
            let key = RecordKey::new(&text.module, &text.table, &text.id);
            if seen.insert(key.clone()) {
                let state = rows.iter().find(|(id, _)| *id == text.id);
                inputs
                    .shown
                    .extend(state.map(|(_, state)| (key, state.clone())));
                inputs.inputs.push(text);
            }
        }
    }
    inputs
}

/// Records by module and table.
pub(crate) type Tables = BTreeMap<(String, String), Vec<(String, RecordState)>>;

/// The records that inputs name: whole tables, and single records by one query.
#[expect(
    clippy::disallowed_methods,
    reason = "an input without an id is a whole table, filtered and ordered by the core"
)]
async fn stored_rows(store: &dyn Store, scope: &Scope, inputs: &[Input]) -> Result<Tables> {
    let mut tables = Tables::new();
    let whole: BTreeSet<_> = inputs
        .iter()
        .filter(|input| input.id.is_none())
        .map(|input| (input.module.clone(), input.table.clone()))
        .collect();
    for (module, table) in whole {
        let rows = store.records(scope, &module, &table).await?;
        tables.insert((module, table), rows);
    }
    let mut single = Vec::new();
    for input in inputs {
        let place = (input.module.clone(), input.table.clone());
        if let Some(id) = input.id.as_ref().filter(|_| !tables.contains_key(&place)) {
            single.push(RecordKey::new(&input.module, &input.table, id));
        }
    }
    let found = store.records_by_key(scope, &single).await?;
    let found: BTreeMap<RecordKey, RecordState> = found.into_iter().collect();
    for key in single {
        if let Some(state) = found.get(&key) {
            let rows = tables.entry((key.app, key.table)).or_default();
            rows.push((key.id, state.clone()));
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

/// The records that came with the request. Records that can't be read are left out.
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

/// The titles of the records that these refer to, by one query.
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
            let Some((module, target)) = field.reference(module) else {
                continue;
            };
            let ids = rows.iter().filter_map(|(_, state)| state.data.get(name));
            let ids = ids.filter_map(Value::as_str);
            wanted.extend(ids.map(|id| RecordKey::new(module, target, id)));
        }
    }
    let mut titles = BTreeMap::new();
    for (key, state) in store.records_by_key(scope, &Vec::from_iter(wanted)).await? {
        let definition = registry.table(&key.app, &key.table);
        if let Some(title) = definition.and_then(|table| resolve::title(table, &state.data)) {
            titles.insert(key, title);
        }
    }
    Ok(titles)
}

/// The proposals of all missions that wait for a decision.
async fn pending(run: &Run<'_>) -> Result<Vec<PendingProposal>> {
    let parts = run.parts();
    let mut pending = Vec::new();
    for (id, state) in parts.store.missions_with_open_steps(&run.scope).await? {
        let mission = Mission::parse(&id, &state.data);
        for step in staging::open_steps(&parts.registry, &mission, run.began).rev() {
            let Intent::ToolCall { tool_name, params } = &step.intent else {
                continue;
            };
            pending.push(PendingProposal {
                mission_title: mission.title.clone(),
                summary: step.summary.clone(),
                tool_name: tool_name.clone(),
                params: params.clone(),
            });
        }
    }
    pending.truncate(MAX_PENDING);
    Ok(pending)
}
