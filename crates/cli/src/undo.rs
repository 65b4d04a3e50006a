//! `mana undo`: undoing the AI's steps; shown first, done with `--yes`.

use anyhow::{Context as _, Result, bail};
use mana_core::{
    Op, RecordKey,
    manifest::Registry,
    mission::{APP, Iteration, MISSIONS, Mission, Step, StepStatus},
    staging::{CardOperation, SeenValue, card_operation, operation_records},
    undo::{KeptChange, KeptReason, Reversal, UndoExtent, UndoPreview},
};
use mana_device::Replica;
use serde_json::{Value, json};

use crate::{
    card_text::fields_text,
    names,
    terminal::{short, visible},
    workspace::Workspace,
};

/// File with the steps as they were listed last, so that a number means the step that the person saw.
const LISTED: &str = "undo.json";
/// File with the preview that was shown last, which `--yes` agrees to.
const SHOWN: &str = "undo-shown.json";

/// A step that was carried out.
struct Done {
    mission: Mission,
    iteration_id: String,
    step: Step,
}

/// How much to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UndoReach {
    Step,
    Run,
    Mission,
}

/// Lists the steps that can be undone.
pub(crate) async fn list(mut workspace: Workspace, as_json: bool) -> Result<()> {
    workspace.sync().await?;
    let done = done(&workspace).await?;
    let ids: Vec<&str> = done.iter().map(|done| done.step.id.as_str()).collect();
    workspace.dir().write(LISTED, &json!(ids).to_string())?;
    if as_json {
        let rows = done.iter().map(|done| {
            json!({ "stepId": done.step.id, "iterationId": done.iteration_id,
                "missionId": done.mission.id, "summary": done.step.summary, "decidedAt": done.step.decided_at })
        });
        println!("{}", Value::from_iter(rows));
    } else if done.is_empty() {
        println!("No mission has done anything that could be undone.");
    } else {
        for (n, done) in done.iter().enumerate() {
            let at = done.step.decided_at.unwrap_or_default();
            println!(
                "{}. {} ({}, {at})",
                n + 1,
                names::step_name(&workspace.replica, &done.step).await?,
                short(&done.mission.title)
            );
        }
        println!(
            "`mana undo N` shows the result of undoing one; `--run` and `--mission` undo more."
        );
    }
    workspace.close().await;
    Ok(())
}

/// Shows the result of an undo, or undoes.
pub(crate) async fn undo(
    mut workspace: Workspace,
    which: &str,
    reach: UndoReach,
    yes: bool,
    as_json: bool,
) -> Result<()> {
    workspace.fetch().await?;
    let done = find(&workspace, which).await?;
    let extent = match reach {
        UndoReach::Step => UndoExtent::Step {
            step_id: done.step.id.clone(),
        },
        UndoReach::Run => UndoExtent::Iteration {
            iteration_id: done.iteration_id.clone(),
        },
        UndoReach::Mission => UndoExtent::Mission,
    };
    let mission = done.mission.id.as_str();
    let preview = workspace.replica.undo_preview(mission, &extent).await?;
    let what = json!({ "missionId": mission, "extent": extent });
    if !yes {
        let shown = json!({ "what": what, "hash": preview.hash });
        workspace.dir().write(SHOWN, &shown.to_string())?;
        if as_json {
            println!("{}", json!(preview));
        } else {
            print!("{}", text(&workspace.replica, &preview).await?);
            if !preview.operations.is_empty() {
                println!("Nothing has been undone yet. Run it again with --yes to do this.");
            }
        }
        workspace.close().await;
        return Ok(());
    }
    // `--yes` agrees to the preview that was shown, if there was one.
    let shown = workspace.dir().read(SHOWN)?.unwrap_or_default();
    let shown: Value = serde_json::from_str(&shown).unwrap_or_default();
    let hash = match shown["hash"].as_str() {
        Some(hash) if shown["what"] == what => hash.to_owned(),
        _ => preview.hash.clone(),
    };
    // By the names that the records have now.
    let told = text(&workspace.replica, &preview).await?;
    let undone = workspace.replica.undo(mission, &extent, &hash).await;
    if let Err(mana_device::DeviceError::Decision(error)) = &undone
        && error.code == "altered"
    {
        bail!("{} `mana undo {which}` shows it.", error.message);
    }
    undone?;
    if as_json {
        println!(
            "{}",
            json!({ "undone": preview.operations, "kept": preview.kept })
        );
    } else {
        print!("{told}");
        println!("Undone.");
    }
    workspace.sync().await?;
    workspace.close().await;
    Ok(())
}

/// Returns the steps that were carried out and not undone, newest first.
async fn done(workspace: &Workspace) -> Result<Vec<Done>> {
    let mut done = Vec::new();
    for (id, state) in workspace.replica.records(APP, MISSIONS).await? {
        let mission = Mission::parse(&id, &state.data);
        for Iteration { id, plan, .. } in &mission.iterations {
            let steps = plan.iter().filter(|step| {
                step.status == StepStatus::Approved && !step.all_replaced().is_empty()
            });
            done.extend(steps.map(|step| Done {
                mission: mission.clone(),
                iteration_id: id.clone(),
                step: step.clone(),
            }));
        }
    }
    done.sort_by_key(|done| std::cmp::Reverse(done.step.decided_at));
    Ok(done)
}

/// Finds a step by its number in the last list, or by its id.
async fn find(workspace: &Workspace, which: &str) -> Result<Done> {
    let id = match which.parse::<usize>() {
        Ok(number) => {
            let listed = workspace.dir().read(LISTED)?.unwrap_or_default();
            let ids: Vec<String> = serde_json::from_str(&listed).unwrap_or_default();
            let id = number.checked_sub(1).and_then(|n| ids.get(n).cloned());
            id.with_context(|| format!("there was no number {number}; run `mana undo` first"))?
        }
        Err(_) => which.to_owned(),
    };
    let found = done(workspace).await?.into_iter();
    let found = found.into_iter().find(|done| done.step.id == id);
    found.with_context(|| {
        format!(
            "no step {id} that could be undone is here; run `mana undo` to see those that could"
        )
    })
}

/// Everything that undoing writes, whole, and what stays.
async fn text(replica: &Replica, preview: &UndoPreview) -> Result<String> {
    let mut text = String::new();
    for reversal in &preview.operations {
        reversal_text(&mut text, replica, reversal).await?;
    }
    if preview.operations.is_empty() {
        text.push_str("  There is nothing left to undo.\n");
    }
    for kept in &preview.kept {
        text.push_str(&format!("  stays: {}\n", why(replica, kept).await?));
    }
    Ok(text)
}

async fn reversal_text(text: &mut String, replica: &Replica, reversal: &Reversal) -> Result<()> {
    let Reversal { operation, now, .. } = reversal;
    let registry = replica.registry();
    let name = names::record_name(replica, &operation.key()).await?;
    let keys = operation_records(registry, operation, now.iter());
    let records = names::card_records(replica, keys).await?;
    let seen = now.iter().map(|(field, value)| {
        let value = value.clone();
        let seen = SeenValue {
            value,
            at: None,
            actor: None,
        };
        (field.clone(), seen)
    });
    let mut operation = operation.clone();
    let returns = operation.set.remove("deletedAt").is_some();
    let CardOperation { op, fields, .. } =
        card_operation(registry, &operation, &seen.collect(), &records);
    match op {
        Op::Delete | Op::Forget => {
            text.push_str(&format!(
                "  removes {name}, which the mission made, with all of this:\n"
            ));
        }
        _ if returns => text.push_str(&format!("  brings back {name}\n")),
        Op::Insert | Op::Update => text.push_str(&format!("  changes {name}:\n")),
    }
    fields_text(text, &fields);
    Ok(())
}

async fn why(replica: &Replica, kept: &KeptChange) -> Result<String> {
    let Some(record) = &kept.record else {
        return Ok("what this step replaced was not kept".to_owned());
    };
    let name = names::record_name(replica, record).await?;
    let field = kept.field.as_deref().unwrap_or_default();
    let field = label(replica.registry(), record, field);
    let at = kept.at.map(|at| format!(" ({at})")).unwrap_or_default();
    Ok(match kept.reason {
        KeptReason::Changed => format!("{name}, {field}: written since{at}"),
        KeptReason::Edited => format!("{name}: edited since, {field}{at}"),
        KeptReason::Removed => format!("{name}: already removed{at}"),
        KeptReason::Missing => format!("{name}: not on this device"),
        KeptReason::Unknown => format!("{name}: what it held before was not kept"),
    })
}

fn label(registry: &Registry, record: &RecordKey, field: &str) -> String {
    let label = registry
        .table(&record.app, &record.table)
        .and_then(|table| table.fields.get(field)?.label.as_ref());
    visible(label.map_or(field, |label| label.en()))
}
