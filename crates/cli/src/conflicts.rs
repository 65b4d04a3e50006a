//! `mana conflicts`: values that lost to others whose authors had not seen them.

use anyhow::Result;
use mana_core::{
    Actor,
    conflict::{ConflictKind, KeptConflict, WrittenValue},
    manifest::{Registry, value_text},
};
use serde_json::json;

use crate::{
    names,
    terminal::{short, visible},
    workspace::Workspace,
};

/// Shows the conflicts whole; with `seen` they are not told again.
pub(crate) async fn show(mut workspace: Workspace, seen: bool, as_json: bool) -> Result<()> {
    workspace.fetch().await?;
    let conflicts = workspace.replica.conflicts().await?;
    if as_json {
        println!("{}", json!(conflicts));
    } else if conflicts.is_empty() {
        println!("Nothing is in conflict.");
    } else {
        let registry = workspace.replica.registry().clone();
        for conflict in &conflicts {
            let name = names::record_name(&workspace.replica, &conflict.key).await?;
            print!("{}", text(&registry, &name, conflict));
        }
        println!(
            "`mana conflicts --seen` clears the list; the texts stay in the records' history for 90 days."
        );
    }
    if seen {
        let ids = conflicts.into_iter().map(|conflict| conflict.conflict_id);
        workspace.replica.end_conflicts(ids.collect()).await?;
    }
    workspace.close().await;
    Ok(())
}

fn text(registry: &Registry, name: &str, conflict: &KeptConflict) -> String {
    let KeptConflict { key, field, .. } = conflict;
    let table = registry.table(&key.app, &key.table);
    let definition = table.and_then(|table| table.fields.get(field));
    let label = definition.and_then(|field| field.label.as_ref());
    let label = visible(label.map_or(field, |label| label.en()));
    let said = |side: &WrittenValue| {
        let value = value_text(definition, &side.value);
        let lines = value
            .lines()
            .map(|line| format!("     | {}\n", visible(line)));
        format!(
            "{} ({}):\n{}",
            who(side),
            made_at(side),
            lines.collect::<String>()
        )
    };
    let heading = match conflict.kind {
        ConflictKind::Text if conflict.loser.is_persons() => "two texts",
        ConflictKind::Text | ConflictKind::Overruled => {
            "a mission's value lost to an edit that it had not seen"
        }
        ConflictKind::Removed => {
            "an edit in a record that a mission removed without having seen it"
        }
    };
    let lost = said(&conflict.loser);
    match conflict.kind {
        ConflictKind::Removed => format!("{name}, {label}: {heading}\n   Kept: {lost}\n"),
        _ => format!(
            "{name}, {label}: {heading}\n   Stands: {}   Kept: {lost}\n",
            said(&conflict.winner)
        ),
    }
}

fn who(side: &WrittenValue) -> String {
    match &side.actor {
        _ if side.is_persons() => "a person".to_owned(),
        Actor::User { .. } => "an undo".to_owned(),
        Actor::Ai { .. } => "a mission".to_owned(),
        actor if actor.is_servers() => "the server".to_owned(),
        actor => match actor.program() {
            Some(name) => format!("the program \"{}\"", short(&name)),
            None => "another program".to_owned(),
        },
    }
}

fn made_at(side: &WrittenValue) -> String {
    side.actor
        .decided_at()
        .unwrap_or(side.updated_at)
        .to_string()
}
