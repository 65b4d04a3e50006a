//! `mana list`: showing records, and how a record is shown.

use anyhow::{Result, bail};
use mana_core::{
    RecordState,
    manifest::{Manifest, Registry, Table, value_text},
};
use serde_json::{Value, json};

use crate::{
    terminal::{short, visible},
    workspace::Workspace,
};

pub(crate) async fn list(
    mut workspace: Workspace,
    module: Option<&str>,
    all: bool,
    as_json: bool,
) -> Result<()> {
    workspace.sync().await?;
    let registry = workspace.replica.registry().clone();
    let modules = match module {
        Some(id) => vec![find(&registry, id)?],
        None => registry.visible(),
    };
    let mut found = Vec::new();
    for module in modules {
        for (name, table) in &module.tables {
            let mut records = workspace.replica.records(&module.id, name).await?;
            records.retain(|(_, state)| !state.is_deleted() && (all || !is_done(table, state)));
            records.sort_by(|(a_id, a), (b_id, b)| table.compare((a_id, a), (b_id, b)));
            found.push((module, name, table, records));
        }
    }
    if as_json {
        let records: Vec<Value> = found
            .iter()
            .flat_map(|(module, name, _, records)| {
                records.iter().map(move |(id, state)| {
                    json!({ "app": module.id, "table": name, "id": id, "data": state.data, "meta": state.meta })
                })
            })
            .collect();
        println!("{}", Value::Array(records));
    } else {
        let single = found.len() == 1;
        for (_, _, table, records) in &found {
            if !single && records.is_empty() {
                continue;
            }
            println!("{} ({})", visible(table.plural.en()), records.len());
            for (_, state) in records {
                println!("  {}", line(table, state));
            }
        }
        if found.iter().all(|(.., records)| records.is_empty()) && !single {
            println!("Nothing here yet.");
        }
    }
    workspace.close().await;
    Ok(())
}

/// Finds a module by its id. The error names the existing modules.
pub(crate) fn find<'r>(registry: &'r Registry, id: &str) -> Result<&'r Manifest> {
    let modules = registry.visible();
    if let Some(module) = modules.iter().find(|module| module.id == id) {
        return Ok(module);
    }
    let ids: Vec<&str> = modules.iter().map(|module| module.id.as_str()).collect();
    bail!("there is no module {id}; there are {}", ids.join(", "));
}

fn is_done(table: &Table, state: &RecordState) -> bool {
    let done = table
        .list
        .done
        .as_ref()
        .and_then(|field| state.data.get(field));
    done == Some(&Value::Bool(true))
}

/// Returns a record as a line: mark, title and further fields.
pub(crate) fn line(table: &Table, state: &RecordState) -> String {
    let mark = match &table.list.done {
        Some(_) if is_done(table, state) => "[x] ",
        Some(_) => "[ ] ",
        None => "",
    };
    let text = |name: &str| {
        let value = state.data.get(name)?;
        Some(value_text(table.fields.get(name), value))
    };
    let title = text(&table.list.title).unwrap_or_default();
    let title = match title.trim() {
        "" => "(no title)".to_owned(),
        title => short(title),
    };
    let meta: Vec<String> = table
        .list
        .meta
        .iter()
        .filter(|name| {
            // The id in a reference says nothing to a person.
            let field = table.fields.get(*name);
            field.is_some_and(|field| field.table.is_none())
        })
        .filter_map(|name| text(name))
        .filter(|text| !text.is_empty())
        .map(|text| short(&text))
        .collect();
    let meta = match meta.as_slice() {
        [] => String::new(),
        meta => format!("  · {}", meta.join(" · ")),
    };
    format!("{mark}{title}{meta}")
}
