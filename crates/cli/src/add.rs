//! `mana add`: making a record.

use anyhow::{Result, bail};
use mana_core::{Map, Op, RecordKey, manifest::Table};
use mana_device::{DeviceError, Write};
use serde_json::json;

use crate::list;
use crate::terminal::visible;
use crate::workspace::Workspace;

pub(crate) async fn add(
    mut workspace: Workspace,
    module: &str,
    values: &[String],
    as_json: bool,
) -> Result<()> {
    let registry = workspace.replica.registry().clone();
    let module = list::find(&registry, module)?;
    let Some((name, table)) = module.tables.first() else {
        bail!("the module {} has no table", module.id);
    };
    let set = read(table, values)?;
    let (id, op) = match table.singleton {
        true => (module.id.clone(), Op::Update),
        false => ((mana_device::Env::system().new_id)(), Op::Insert),
    };
    let key = RecordKey::new(&module.id, name, &id);
    let write = Write {
        key: key.clone(),
        op,
        set,
    };
    match workspace.replica.write(vec![write]).await {
        Ok(_) => {}
        Err(DeviceError::Invalid(problems)) => {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| format!("  {}: {}", problem.field, problem.message))
                .collect();
            bail!("nothing was added:\n{}", lines.join("\n"));
        }
        Err(error) => return Err(error.into()),
    }
    let state = workspace.replica.record(&key).await?.unwrap_or_default();
    if as_json {
        println!(
            "{}",
            json!({ "app": key.app, "table": key.table, "id": id, "data": state.data, "meta": state.meta })
        );
    } else {
        println!(
            "{}: {}",
            visible(table.name.en()),
            list::line(table, &state)
        );
    }
    workspace.sync().await?;
    workspace.close().await;
    Ok(())
}

/// Reads `field=value` by the fields' types. The error names every mistake.
fn read(table: &Table, values: &[String]) -> Result<Map> {
    let mut set = Map::new();
    let mut problems = Vec::new();
    for text in values {
        let Some((name, value)) = text.split_once('=') else {
            problems.push(format!("  {text}: write it as field=value."));
            continue;
        };
        let Some(field) = table.fields.get(name).filter(|field| !field.read_only) else {
            let known: Vec<&str> = table
                .fields
                .iter()
                .filter(|(_, field)| !field.read_only)
                .map(|(name, _)| name.as_str())
                .collect();
            problems.push(format!(
                "  {name}: there is no such field; there are {}.",
                known.join(", ")
            ));
            continue;
        };
        set.insert(name.to_owned(), field.kind.value_from_text(value));
    }
    if !problems.is_empty() {
        bail!("nothing was added:\n{}", problems.join("\n"));
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use mana_core::manifest::Registry;
    use serde_json::Value;

    use super::*;

    #[test]
    fn add_reads_values_by_their_fields() {
        let registry = Registry::builtin();
        let table = registry.table("todo", "tasks").unwrap();
        let read = |values: &[&str]| {
            read(
                table,
                &values
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let set = read(&["title=a=b", "done=yes", "estimateMinutes=30"]).unwrap();
        assert_eq!(
            Value::Object(set),
            json!({"title": "a=b", "done": true, "estimateMinutes": 30})
        );
        let message = read(&["titel=x", "milk", "completedAt=now"])
            .unwrap_err()
            .to_string();
        for part in [
            "titel: there is no such field",
            "milk: write it as field=value",
            "completedAt: there is no",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
