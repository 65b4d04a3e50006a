//! Loading what a mission's prompt tells of the person's data: inputs, context page, open proposals.

use std::collections::{BTreeMap, BTreeSet};

use mana_core::manifest::Registry;
use mana_core::mission::{CONTEXT, Input, Intent, Mission, slot};
use mana_core::planner::prompt::ITERATIONS_SHOWN;
use mana_core::planner::resolve::{self, Resolver};
use mana_core::planner::{BusyTime, InputText, PendingProposal, ShortIds};
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
    /// The short ids of all records that the prompt tells of.
    pub short: ShortIds,
    /// The titles of records that others refer to.
    pub titles: BTreeMap<RecordKey, String>,
    /// The times that linked records take.
    pub busy: Option<Vec<BusyTime>>,
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
    let mut notes = Vec::new();
    let tables = match given.as_ref().and_then(Value::as_array) {
        Some(given) => given_rows(given),
        None => stored_rows(store, scope, &run.mission().inputs, &mut notes).await?,
    };
    let mut inputs = PromptInputs {
        titles: titles(store, registry, scope, &tables).await?,
        pending: pending(run).await?,
        short: ShortIds::new(registry),
        notes,
        ..PromptInputs::default()
    };
    resolve_inputs(run, &tables, &mut inputs);
    let page = RecordKey::new(CONTEXT.0, CONTEXT.1, "context");
    let stored = match tables.contains_key(&(page.app.clone(), page.table.clone())) {
        true => None,
        false => store.record(scope, &page).await?,
    };
    let given = tables.get(&(page.app, page.table)).and_then(|rows| {
        let page = rows.iter().find(|(id, _)| *id == page.id)?;
        Some(&page.1)
    });
    inputs.context = resolve::context_document(given.or(stored.as_ref())).map(str::to_owned);
    if let Some(due) = slot::time(&claim.slot).filter(|_| slot::is_backfill(&claim.slot)) {
        let zone = &run.loaded.zone;
        inputs.notes.push(messages::backfill(due, zone));
    }
    Ok(inputs)
}

/// The mission's inputs as text, each record once, and the short ids of everything that the prompt tells of.
fn resolve_inputs(run: &Run<'_>, tables: &Tables, inputs: &mut PromptInputs) {
    let registry = run.parts().registry.as_ref();
    let context = run.at();
    let mut picked = Vec::new();
    let mut seen = BTreeSet::new();
    for input in &run.mission().inputs {
        let rows = tables
            .get(&(input.module.clone(), input.table.clone()))
            .map_or(&[][..], Vec::as_slice);
        let rows = || rows.iter().map(|(id, state)| (id.as_str(), state));
        let of_input = resolve::pick(input, rows(), registry, &context);
        inputs.notes.extend(of_input.notes);
        for (id, state) in of_input.rows {
            let key = RecordKey::new(&input.module, &input.table, id);
            if seen.insert(key.clone()) {
                inputs.short.add(&key);
                picked.push((key, state));
            }
        }
    }
    for (key, state) in &picked {
        inputs
            .short
            .add_references(registry, &key.app, &key.table, &state.data);
    }
    let told = run.mission().iterations.iter().rev().take(ITERATIONS_SHOWN);
    let told = told.flat_map(|iteration| &iteration.plan);
    for step in told {
        if let Intent::ToolCall { tool_name, params } = &step.intent {
            inputs.short.add_call(registry, tool_name, params);
        }
    }
    for proposal in &inputs.pending {
        inputs
            .short
            .add_call(registry, &proposal.tool_name, &proposal.params);
    }
    let resolver = Resolver {
        registry,
        context,
        title: &|key| inputs.titles.get(key).cloned(),
        short: &inputs.short,
        told: &|key| seen.contains(key),
    };
    let mut texts = Vec::new();
    for (key, state) in picked {
        if (key.app.as_str(), key.table.as_str()) != CONTEXT {
            texts.push(resolver.record(&key.app, &key.table, &key.id, state));
        }
        inputs.shown.insert(key, state.clone());
    }
    let mut busy: Option<Vec<BusyTime>> = None;
    let whole = run
        .mission()
        .inputs
        .iter()
        .filter(|input| input.id.is_none());
    for input in whole {
        let place = (input.module.clone(), input.table.clone());
        let table = registry.table(&input.module, &input.table);
        if let (Some(table), Some(rows)) = (table, tables.get(&place))
            && let Some(times) =
                resolver.busy(table, rows.iter().map(|(id, state)| (id.as_str(), state)))
        {
            busy.get_or_insert_default().extend(times);
        }
    }
    inputs.inputs = texts;
    inputs.busy = busy;
}

/// Records by module and table.
pub(crate) type Tables = BTreeMap<(String, String), Vec<(String, RecordState)>>;

/// Records of a table that a run looks at, those that changed last.
const TABLE_ROWS: usize = 2_000;

/// The records of a table that changed last, by id, and whether there are others.
pub(crate) async fn table_rows(
    store: &dyn Store,
    scope: &Scope,
    module: &str,
    table: &str,
) -> Result<(Vec<(String, RecordState)>, bool)> {
    let limit = u32::try_from(TABLE_ROWS + 1).unwrap_or(u32::MAX);
    let mut rows = store.newest_records(scope, module, table, limit).await?;
    let more = rows.len() > TABLE_ROWS;
    rows.truncate(TABLE_ROWS);
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    Ok((rows, more))
}

/// The records that inputs name: of whole tables those that changed last, and single records by one query.
async fn stored_rows(
    store: &dyn Store,
    scope: &Scope,
    inputs: &[Input],
    notes: &mut Vec<String>,
) -> Result<Tables> {
    let mut tables = Tables::new();
    let whole: BTreeSet<_> = inputs
        .iter()
        .filter(|input| input.id.is_none())
        .map(|input| (input.module.clone(), input.table.clone()))
        .collect();
    for (module, table) in whole {
        let (rows, more) = table_rows(store, scope, &module, &table).await?;
        if more {
            notes.push(messages::newest_rows(&module, &table, TABLE_ROWS));
        }
        tables.insert((module, table), rows);
    }
    let mut single = Vec::new();
    for input in inputs {
        let place = (input.module.clone(), input.table.clone());
        let rows = tables.get(&place).map_or(&[][..], Vec::as_slice);
        let is_read = |id: &String| rows.iter().any(|(row, _)| row == id);
        if let Some(id) = input.id.as_ref().filter(|id| !is_read(id)) {
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
    let most = u32::try_from(MAX_PENDING).unwrap_or(u32::MAX);
    let missions = parts
        .store
        .missions_with_open_steps(&run.scope, most)
        .await?;
    for (id, state) in missions {
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
