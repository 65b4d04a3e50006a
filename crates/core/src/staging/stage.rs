//! From a mission's record to proposals.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    deadline::deadline,
    proposal::{Proposal, ProposalError, ProposalStatus},
    seen::{seen_fields, seen_key},
};
use crate::{
    Gather, Map,
    change::Op,
    ids,
    manifest::{EffectOp, Registry, ToolRef, ops_hash},
    mission::{Intent, Iteration, Step, StepStatus, objects},
    policy::{Overrides, Policy},
    problem::Problem,
    record::{RecordKey, RecordState, Records},
    time::Micros,
};

/// A mission whose steps are brought to a person.
#[derive(Debug, Clone, Copy)]
pub struct Staging<'a> {
    /// The modules of this replica.
    pub registry: &'a Registry,
    /// The person's levels of permission instead of the manifests' policies.
    pub overrides: &'a Overrides,
    /// The mission's id.
    pub mission_id: &'a str,
    /// The mission's record.
    pub mission: &'a RecordState,
    /// The proposals that this replica has, and what became of them here.
    pub have: &'a BTreeMap<String, ProposalStatus>,
}

/// A proposal that stands otherwise than this replica has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClosedProposal {
    /// The proposal.
    pub id: String,
    /// Where it stands now: `closed`, `expired` or `overruled`.
    pub status: ProposalStatus,
    /// The state of its step.
    pub step: StepStatus,
}

/// A step that this replica has yet to stage.
struct Candidate<'a> {
    iteration: &'a Iteration,
    step: &'a Step,
    tool: &'a str,
    /// Under the manifest's own names.
    params: Map,
}

impl Staging<'_> {
    /// The existing records that staging looks at.
    pub fn touched(&self) -> BTreeSet<RecordKey> {
        let iterations = self.iterations();
        let candidates = self.candidates(&iterations);
        let keys = candidates
            .iter()
            .filter_map(|c| self.registry.tool(c.tool)?.target(&c.params));
        keys.gather()
    }

    /// The proposals of the steps that wait and that this replica hasn't staged. `records` are those
    /// that [`Staging::touched`] names. A step that can't be carried out here becomes a failed proposal
    /// with its reason.
    ///
    /// To renew a stale proposal, leave its id out of `have`.
    pub fn stage(&self, records: &Records) -> Vec<Proposal> {
        let iterations = self.iterations();
        let candidates = self.candidates(&iterations);
        candidates
            .iter()
            .map(|candidate| self.proposal(candidate, records))
            .collect()
    }

    /// Returns the proposals of this replica whose state has changed elsewhere: open here and decided on
    /// another device, expired, or of a deleted mission; or rejected here and approved on another device,
    /// which counts for more.
    pub fn closed(&self) -> Vec<ClosedProposal> {
        let deleted = self.mission.is_deleted();
        let steps = objects(&self.mission.data, "iterations")
            .flat_map(|iteration| objects(iteration, "plan"));
        let closed = steps.filter_map(|step| {
            let id = ids::proposal_id(step.get("id")?.as_str()?);
            let here = *self.have.get(&id)?;
            let step = match status(step) {
                status if status.is_open() && deleted => StepStatus::Expired,
                status => status,
            };
            let status = match (here, step) {
                (ProposalStatus::Open | ProposalStatus::Failed, step) if step.is_open() => None,
                (ProposalStatus::Open | ProposalStatus::Failed, StepStatus::Expired)
                    if !deleted =>
                {
                    Some(ProposalStatus::Expired)
                }
                (ProposalStatus::Open | ProposalStatus::Failed, _) => Some(ProposalStatus::Closed),
                (
                    ProposalStatus::Rejected | ProposalStatus::Expired,
                    StepStatus::Approved | StepStatus::Undone,
                ) => Some(ProposalStatus::Overruled),
                _ => None,
            }?;
            Some(ClosedProposal { id, status, step })
        });
        closed.collect()
    }

    /// The server's iterations in which a step waits.
    fn iterations(&self) -> Vec<Iteration> {
        if self.mission.is_deleted() {
            return Vec::new();
        }
        let iterations = self
            .mission
            .data
            .get("iterations")
            .and_then(Value::as_array);
        let waiting = iterations.into_iter().flatten().filter(|iteration| {
            let server = iteration.get("source").and_then(Value::as_str) == Some("server");
            server
                && iteration.as_object().is_some_and(|iteration| {
                    objects(iteration, "plan").any(|step| status(step).is_open())
                })
        });
        waiting
            .filter_map(|iteration| Iteration::parse(iteration).ok())
            .collect()
    }

    fn candidates<'i>(&self, iterations: &'i [Iteration]) -> Vec<Candidate<'i>> {
        let sound = iterations
            .iter()
            .filter(|iteration| iteration.error.is_none());
        let steps =
            sound.flat_map(|iteration| iteration.plan.iter().map(move |step| (iteration, step)));
        let candidates = steps.filter_map(|(iteration, step)| {
            let Intent::ToolCall {
                tool_name: tool,
                params,
            } = &step.intent
            else {
                return None;
            };
            let waits =
                step.status.is_open() && !self.have.contains_key(&ids::proposal_id(&step.id));
            (waits && self.is_asked(tool)).then(|| Candidate {
                iteration,
                step,
                tool,
                params: ToolRef::understood_by(self.registry.tool(tool), params),
            })
        });
        candidates.collect()
    }

    /// A person hears of a tool that asks, and of one that can't be used; `auto` is the runner's.
    fn is_asked(&self, tool: &str) -> bool {
        self.registry
            .tool(tool)
            .is_none_or(|tool| self.overrides.effective(tool) != Policy::Auto)
    }

    fn proposal(&self, candidate: &Candidate<'_>, records: &Records) -> Proposal {
        let Candidate {
            iteration,
            step,
            tool,
            ref params,
        } = *candidate;
        let known = self.registry.tool(tool);
        let module = known.map(|tool| tool.module.id.clone()).unwrap_or_default();
        let title = self
            .mission
            .data
            .get("title")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut proposal = Proposal {
            id: ids::proposal_id(&step.id),
            mission_id: self.mission_id.to_owned(),
            mission_title: title.to_owned(),
            iteration_id: iteration.id.clone(),
            step_id: step.id.clone(),
            index: step.index,
            app: module.clone(),
            module,
            tool: tool.to_owned(),
            params: params.clone(),
            op: known.and_then(|tool| tool.tool.effect.op.op()),
            operations: Vec::new(),
            ops_hash: ops_hash(&[]),
            seen: BTreeMap::new(),
            summary: step.summary.clone(),
            rationale: step.rationale.clone(),
            created_at: iteration.created_at(),
            deadline: deadline(known, params, iteration, step.expires_at),
            status: ProposalStatus::Open,
            again: false,
            error: None,
        };
        if let Err(error) = self.fill(&mut proposal, known, records) {
            proposal.status = ProposalStatus::Failed;
            proposal.error = Some(error);
        }
        proposal
    }

    /// Offers a proposal anew that was approved here and whose text, with this stamp, lost to an edit that it had not
    /// seen (S11), or that was rejected here at this time and whose rejection is taken back (S12): the same call on the
    /// record as it is now. `records` are those that its operations touch.
    pub fn offer_again(&self, approved: &Proposal, lost: Micros, records: &Records) -> Proposal {
        let mut again = Proposal {
            id: ids::derive(&approved.step_id, &format!("again/{lost}")),
            operations: Vec::new(),
            seen: BTreeMap::new(),
            status: ProposalStatus::Open,
            again: true,
            error: None,
            ..approved.clone()
        };
        let tool = self.registry.tool(&again.tool);
        if let Err(error) = self.fill(&mut again, tool, records) {
            again.status = ProposalStatus::Failed;
            again.error = Some(error);
        }
        again
    }

    /// Puts in what approving will write, and what it was decided upon.
    fn fill(
        &self,
        proposal: &mut Proposal,
        tool: Option<ToolRef<'_>>,
        records: &Records,
    ) -> Result<(), ProposalError> {
        let tool = tool.ok_or_else(|| {
            let message = format!(
                "This step needs the tool {}, which is not known here. \
                 Reload the page, or add its module on the server.",
                proposal.tool
            );
            ProposalError::new("unknownTool", message)
        })?;
        if self.overrides.effective(tool) == Policy::Deny {
            let message = format!(
                "{} is switched off by the policy. Allow it there if you want this.",
                proposal.tool
            );
            return Err(ProposalError::new("denied", message));
        }
        let problems = tool.check(&proposal.params);
        if !problems.is_empty() {
            return Err(invalid(&problems));
        }
        let target = existing(tool, &proposal.params, records)?;
        let operations = tool.operations(&proposal.params, &proposal.step_id, target);
        proposal.operations = operations.map_err(|problem| invalid(&[problem]))?;
        proposal.ops_hash = ops_hash(&proposal.operations);
        for operation in proposal
            .operations
            .iter()
            .filter(|operation| operation.op != Op::Insert)
        {
            proposal
                .seen
                .insert(seen_key(&operation.key()), seen_fields(operation, target));
        }
        Ok(())
    }
}

/// The record that a call touches. A record that has to be there and isn't, or was deleted, is the reason why
/// the call can't be made.
pub(super) fn existing<'r>(
    tool: ToolRef<'_>,
    params: &Map,
    records: &'r Records,
) -> Result<Option<&'r RecordState>, ProposalError> {
    let Some(key) = tool.target(params) else {
        return Ok(None);
    };
    let name = tool.table.name.en().to_lowercase();
    let gone = |message: String| ProposalError::new("gone", message);
    match records.get(&key) {
        Some(state) if !state.is_deleted() => Ok(Some(state)),
        // The page that a module holds in one record comes into being with the first write.
        None if tool.table.singleton && tool.tool.effect.op == EffectOp::Update => Ok(None),
        Some(_) => Err(gone(format!(
            "The {name} that this would change was deleted."
        ))),
        None => Err(gone(format!(
            "The {name} that this would change is not here: there is no {}.",
            key.id
        ))),
    }
}

/// Returns the error that names the faults of a call's parameters.
pub(super) fn invalid(problems: &[Problem]) -> ProposalError {
    let messages: Vec<_> = problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    let mut error = ProposalError::new("invalid", messages.join(" "));
    error.details = Some(serde_json::json!({ "errors": problems }));
    error
}

fn status(step: &Map) -> StepStatus {
    StepStatus::from(
        step.get("status")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    )
}
