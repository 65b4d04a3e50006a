//! `mana list`: showing records, and how a record is shown.

use std::cmp::Ordering;

use anyhow::{Result, bail};
use mana_core::{
    RecordState,
    manifest::{Direction, FieldType, Manifest, Registry, Table},
};
use serde_json::{Value, json};

use crate::workspace::Workspace;

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
            records
                .sort_by(|(a_id, a), (b_id, b)| compare(table, a, b).then_with(|| a_id.cmp(b_id)));
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

/// Compares two records in the order of the module's page; records without a value come last.
fn compare(table: &Table, a: &RecordState, b: &RecordState) -> Ordering {
    for sort in &table.list.sort {
        let value = |state: &RecordState| {
            state
                .data
                .get(&sort.field)
                .filter(|value| !value.is_null())
                .cloned()
        };
        let order = match (value(a), value(b)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => plain(&a).cmp(&plain(&b)),
            },
        };
        let order = match sort.dir {
            Direction::Asc => order,
            Direction::Desc => order.reverse(),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Returns a record as a line: mark, title and further fields.
pub(crate) fn line(table: &Table, state: &RecordState) -> String {
    let mark = match &table.list.done {
        Some(_) if is_done(table, state) => "[x] ",
        Some(_) => "[ ] ",
        None => "",
    };
    let title = state
        .data
        .get(&table.list.title)
        .map(plain)
        .unwrap_or_default();
    let title = match title.trim() {
        "" => "(no title)",
        title => title,
    };
    let meta: Vec<String> = table
        .list
        .meta
        .iter()
        .filter(|name| {
            table
                .fields
                .get(*name)
                .is_some_and(|field| field.kind != FieldType::Ref)
        })
        .filter_map(|name| state.data.get(name))
        .filter(|value| !value.is_null())
        .map(plain)
        .filter(|text| !text.is_empty())
        .collect();
    let meta = match meta.as_slice() {
        [] => String::new(),
        meta => format!("  · {}", meta.join(" · ")),
    };
    one_line(&format!("{mark}{title}{meta}"))
}

/// Returns a value as text for a person.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Returns the text without control characters, which could break the line or control the terminal, cut to 200
/// characters.
pub(crate) fn one_line(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
