//! `mana inbox`, `approve` and `reject`: the AI's proposals, and the person's decision.

use anyhow::{Context as _, Result, bail};
use mana_core::{
    Op,
    manifest::{Registry, value_text},
    staging::{Decision, Operation, Proposal, ProposalStatus},
};
use mana_device::DeviceError;
use serde_json::{Value, json};

use crate::{list::one_line, workspace::Workspace};

/// File with the ids of the inbox as it was shown last, so that a number means the proposal that the person saw.
const SHOWN: &str = "inbox.json";

pub(crate) async fn show(mut workspace: Workspace, as_json: bool) -> Result<()> {
    workspace.sync().await?;
    let proposals = workspace.replica.inbox().await?;
    let ids: Vec<&str> = proposals
        .iter()
        .map(|proposal| proposal.id.as_str())
        .collect();
    workspace.dir().write(SHOWN, &json!(ids).to_string())?;
    if as_json {
        println!("{}", json!(proposals));
    } else if proposals.is_empty() {
        println!("Nothing waits for you.");
    } else {
        for (n, proposal) in proposals.iter().enumerate() {
            print!("{}", text(workspace.replica.registry(), n + 1, proposal));
        }
        println!("`mana approve N` carries one out, `mana reject N --reason …` refuses it.");
    }
    workspace.close().await;
    Ok(())
}

pub(crate) async fn approve(workspace: Workspace, which: &str, as_json: bool) -> Result<()> {
    let decision = Decision::Approve {
        edited_params: None,
        over: None,
    };
    decide(workspace, which, &decision, as_json).await
}

pub(crate) async fn reject(
    workspace: Workspace,
    which: &str,
    reason: Option<String>,
    as_json: bool,
) -> Result<()> {
    decide(workspace, which, &Decision::Reject { reason }, as_json).await
}

/// Decides on the proposal as it was shown, before anything newer is fetched.
async fn decide(
    mut workspace: Workspace,
    which: &str,
    decision: &Decision,
    as_json: bool,
) -> Result<()> {
    let proposal = find(&workspace, which).await?;
    match workspace.replica.decide(&proposal.id, decision).await {
        Ok(_) => {}
        Err(DeviceError::Decision(error)) if error.code == "stale" => {
            workspace.replica.renew(&proposal.id).await?;
            bail!(
                "{}\n{}`mana inbox` shows it as it is now.",
                error.message,
                difference(
                    workspace.replica.registry(),
                    &proposal,
                    error.details.as_ref()
                )
            );
        }
        Err(error) => return Err(error.into()),
    }
    let (status, verb) = match decision {
        Decision::Approve { .. } => (ProposalStatus::Approved, "Approved"),
        Decision::Reject { .. } => (ProposalStatus::Rejected, "Rejected"),
        Decision::Expire => (ProposalStatus::Expired, "Expired"),
    };
    if as_json {
        println!("{}", json!({ "id": proposal.id, "status": status }));
    } else {
        println!("{verb}: {}", one_line(&proposal.summary));
    }
    workspace.sync().await?;
    workspace.close().await;
    Ok(())
}

/// Finds a proposal by its number in the inbox as it was shown last, or by its id.
async fn find(workspace: &Workspace, which: &str) -> Result<Proposal> {
    let id = match which.parse::<usize>() {
        Ok(number) => {
            let shown = workspace.dir().read(SHOWN)?.unwrap_or_default();
            let ids: Vec<String> = serde_json::from_str(&shown).unwrap_or_default();
            let id = number.checked_sub(1).and_then(|n| ids.get(n).cloned());
            id.with_context(|| format!("there was no number {number}; run `mana inbox` first"))?
        }
        Err(_) => which.to_owned(),
    };
    let proposals = workspace.replica.proposals().await?;
    let found = proposals.into_iter().find(|proposal| proposal.id == id);
    found.with_context(|| format!("there is no proposal {id} here; run `mana inbox` first"))
}

/// Returns a proposal as text for the decision: the stored operations, and not the model's description of them.
fn text(registry: &Registry, number: usize, proposal: &Proposal) -> String {
    let tool = registry.tool(&proposal.tool);
    let label = tool.map_or(proposal.tool.as_str(), |tool| tool.tool.label.en());
    let mut text = format!("{number}. {}: {}\n", label, one_line(&proposal.summary));
    for operation in &proposal.operations {
        for line in lines(registry, operation, proposal) {
            text.push_str(&format!("     {}\n", one_line(&line)));
        }
    }
    if let Some(error) = &proposal.error {
        text.push_str(&format!(
            "     It can't be carried out: {}\n",
            one_line(&error.message)
        ));
    }
    text.push_str(&format!(
        "   {}, because: {}\n   {}\n\n",
        one_line(&proposal.mission_title),
        one_line(&proposal.rationale),
        proposal.id
    ));
    text
}

fn lines(registry: &Registry, operation: &Operation, proposal: &Proposal) -> Vec<String> {
    let key = operation.key();
    let table = registry.table(&key.app, &key.table);
    let seen = proposal.seen.get(&mana_core::staging::seen_key(&key));
    let definition = |field: &str| table.and_then(|table| table.fields.get(field));
    let before = |field: &str| {
        seen.and_then(|seen| seen.get(field))
            .map(|seen| value_text(definition(field), &seen.value))
    };
    if operation.op == Op::Delete {
        let title = table.and_then(|table| before(&table.list.title));
        return vec![format!("Deletes {}", title.unwrap_or(key.id))];
    }
    let set = operation.set.iter().map(|(field, value)| {
        let definition = definition(field);
        let label = definition.and_then(|field| field.label.as_ref());
        let label = label.map_or(field.as_str(), |label| label.en());
        let text = value_text(definition, value);
        match before(field).filter(|text| !text.is_empty()) {
            Some(before) => format!("{label}: {before} → {text}"),
            None => format!("{label}: {text}"),
        }
    });
    set.collect()
}

/// Returns a line for each field: the value that was seen, the value now, the proposed value.
fn difference(registry: &Registry, proposal: &Proposal, details: Option<&Value>) -> String {
    let key = proposal.operations.first().map(Operation::key);
    let table = key.and_then(|key| registry.table(&key.app, &key.table));
    let fields = details.and_then(Value::as_object).into_iter().flatten();
    fields
        .map(|(field, values)| {
            let definition = table.and_then(|table| table.fields.get(field));
            let part = |name: &str| one_line(&value_text(definition, &values[name]));
            format!(
                "  {field}: it was \"{}\", it is \"{}\", the proposal says \"{}\"\n",
                part("seen"),
                part("now"),
                part("proposed")
            )
        })
        .collect()
}
