//! `mana inbox`, `approve` and `reject`: the AI's proposals, and the person's decision.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};

use anyhow::{Context as _, Result, bail};
use mana_core::{
    Micros,
    manifest::{Registry, value_text},
    staging::{
        Decision, Operation, Proposal, ProposalCard, ProposalStatus, card_records, proposal_card,
    },
};
use mana_device::{DeviceError, Env, Replica};
use serde_json::{Value, json};

use crate::{
    card_text::{card_text, heading},
    names,
    terminal::visible,
    workspace::Workspace,
};

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
        let whole = proposals.iter().map(|proposal| {
            let mut whole = json!(proposal);
            whole["hash"] = json!(proposal.shown_hash());
            whole
        });
        println!("{}", Value::from_iter(whole));
    } else if proposals.is_empty() {
        println!("Nothing waits for you.");
    } else {
        for (n, proposal) in proposals.iter().enumerate() {
            let card = card(&workspace.replica, proposal).await?;
            print!("{}", text(&format!("{}. ", n + 1), proposal, &card));
        }
        println!(
            "`mana approve N` shows one again and asks; with --yes HASH it carries out what has this hash. \
             `mana reject N --reason …` refuses it."
        );
    }
    workspace.close().await;
    Ok(())
}

/// Carries out proposals: those with the hashes that the person read, or after a yes at the terminal. What other
/// devices wrote is fetched first, so that a proposal whose record changed is refused and shown anew.
pub(crate) async fn approve(
    mut workspace: Workspace,
    which: &[String],
    hashes: &[String],
    as_json: bool,
) -> Result<()> {
    workspace.fetch().await?;
    let mut shown: Vec<(Proposal, ProposalCard)> = Vec::new();
    for which in which {
        let proposal = find(&workspace, which).await?;
        if shown.iter().all(|(other, _)| other.id != proposal.id) {
            let card = card(&workspace.replica, &proposal).await?;
            shown.push((proposal, card));
        }
    }
    for (proposal, card) in &shown {
        if !as_json {
            print!("{}", text("", proposal, card));
        }
        let shown_hash = proposal.shown_hash();
        let meant = |hash: &String| hash.eq_ignore_ascii_case(&shown_hash);
        if !hashes.is_empty() && !hashes.iter().any(meant) {
            bail!(
                "{} is not what has this hash (any more). Nothing was changed; `mana inbox` shows it as it is now.",
                heading(card)
            );
        }
    }
    if hashes.is_empty() && !asked(shown.len(), as_json)? {
        bail!("Nothing was approved.");
    }
    let decision = Decision::Approve {
        edited_params: None,
        over: None,
    };
    let mut done = Vec::new();
    for (proposal, card) in &shown {
        decide(&workspace, proposal, &decision).await?;
        if !as_json {
            println!("Approved: {}", heading(card));
        }
        done.push(json!({ "id": proposal.id, "status": ProposalStatus::Approved }));
    }
    if as_json {
        let alone = which.len() == 1;
        let answer = if alone {
            done.into_iter().collect()
        } else {
            vec![Value::from(done)]
        };
        answer.iter().for_each(|answer| println!("{answer}"));
    }
    workspace.sync().await?;
    workspace.close().await;
    Ok(())
}

/// Asks at the terminal. Without one there is nobody to ask.
fn asked(count: usize, as_json: bool) -> Result<bool> {
    if as_json || !stdin().is_terminal() || !stderr().is_terminal() {
        bail!(
            "Nobody is here to ask. Nothing was changed; read `mana inbox`, then give the hash that it prints: \
             `mana approve N --yes HASH`."
        );
    }
    match count {
        1 => eprint!("Carry this out? (y/N) "),
        count => eprint!("Carry out all {count}? (y/N) "),
    }
    stderr().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

pub(crate) async fn reject(
    mut workspace: Workspace,
    which: &str,
    reason: Option<String>,
    as_json: bool,
) -> Result<()> {
    workspace.fetch().await?;
    let proposal = find(&workspace, which).await?;
    let card = card(&workspace.replica, &proposal).await?;
    decide(&workspace, &proposal, &Decision::Reject { reason }).await?;
    if as_json {
        println!(
            "{}",
            json!({ "id": proposal.id, "status": ProposalStatus::Rejected })
        );
    } else {
        println!("Rejected: {}", heading(&card));
    }
    workspace.sync().await?;
    workspace.close().await;
    Ok(())
}

/// Decides on the proposal as its card says it.
async fn decide(workspace: &Workspace, proposal: &Proposal, decision: &Decision) -> Result<()> {
    let shown = proposal.shown_hash();
    let decided = workspace
        .replica
        .decide_shown(&proposal.id, &shown, decision);
    match decided.await {
        Ok(_) => Ok(()),
        Err(DeviceError::Decision(error)) if error.code == "stale" => {
            workspace.replica.renew(&proposal.id).await?;
            bail!(
                "{}\n{}`mana inbox` shows it as it is now.",
                error.message,
                difference(
                    workspace.replica.registry(),
                    proposal,
                    error.details.as_ref()
                )
            );
        }
        Err(error) => Err(error.into()),
    }
}

/// The card of a proposal, with the records that it names as they are here.
pub(crate) async fn card(replica: &Replica, proposal: &Proposal) -> Result<ProposalCard> {
    let registry = replica.registry();
    let records = names::card_records(replica, card_records(registry, proposal)).await?;
    Ok(proposal_card(registry, proposal, &records))
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

/// Returns a proposal as text for the decision: the card, whole, then the reason and the hash of what the card says and
/// was made upon. The model's own words stand only where there is no operation to say.
pub(crate) fn text(number: &str, proposal: &Proposal, card: &ProposalCard) -> String {
    let mut text = format!("{number}{}", heading(card));
    if card.operations.is_empty() {
        text.push_str(&format!(
            ", in the model's words: {}",
            visible(&proposal.summary)
        ));
    }
    text.push('\n');
    text.push_str(&card_text(card));
    if let Some(error) = &proposal.error {
        text.push_str(&format!(
            "     It can't be carried out: {}\n",
            visible(&error.message)
        ));
    }
    text.push_str(&format!("   {}", visible(&proposal.mission_title)));
    if let Some(waits) = waits_since(proposal.created_at) {
        text.push_str(&format!(", {waits}"));
    }
    if !proposal.rationale.trim().is_empty() {
        text.push_str(&format!(", because: {}", visible(&proposal.rationale)));
    }
    text.push_str(&format!(
        "\n   hash {}\n   {}\n\n",
        proposal.shown_hash(),
        proposal.id
    ));
    text
}

/// How long a proposal has waited, in days. None within the first one.
fn waits_since(at: Micros) -> Option<String> {
    let now = (Env::system().now)();
    match now.0.saturating_sub(at.0) / (24 * 60 * 60 * 1_000_000) {
        ..=0 => None,
        1 => Some("waits for 1 day".to_owned()),
        days => Some(format!("waits for {days} days")),
    }
}

/// Returns a line for each field: the value that was seen, the value now, the proposed value.
fn difference(registry: &Registry, proposal: &Proposal, details: Option<&Value>) -> String {
    let key = proposal.operations.first().map(Operation::key);
    let table = key.and_then(|key| registry.table(&key.app, &key.table));
    let fields = details.and_then(Value::as_object).into_iter().flatten();
    fields
        .map(|(field, values)| {
            let definition = table.and_then(|table| table.fields.get(field));
            let label = definition.and_then(|field| field.label.as_ref());
            let part = |name: &str| visible(&value_text(definition, &values[name]));
            format!(
                "  {}: it was \"{}\", it is \"{}\", the proposal says \"{}\"\n",
                visible(label.map_or(field, |label| label.en())),
                part("seen"),
                part("now"),
                part("proposed")
            )
        })
        .collect()
}
