//! `mana list`: showing records, and how a record is shown.

use anyhow::{Result, bail};
use mana_core::{
    RecordState,
    manifest::{Manifest, Registry, Table, value_text},
};
use serde_json::{Value, json};

use crate::{terminal::visible, workspace::Workspace};

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
            println!("{} ({})", table.plural.en(), records.len());
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
    let visible = registry.visible();
    if let Some(module) = visible.iter().find(|module| module.id == id) {
        return Ok(module);
    }
    let ids: Vec<&str> = visible.iter().map(|module| module.id.as_str()).collect();
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
        "" => "(no title)",
        title => title,
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
        .collect();
    let meta = match meta.as_slice() {
        [] => String::new(),
        meta => format!("  · {}", meta.join(" · ")),
    };
    one_line(&format!("{mark}{title}{meta}"))
}

/// Returns the text as one line of at most 200 characters that can't steer the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
