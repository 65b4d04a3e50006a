//! A person's decision on a proposal, and what it writes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    deadline::deadline,
    decision::{DecideError, Decision, DecisionInput, DecisionResult, ShownStamp},
    proposal::{Proposal, ProposalError, ProposalStatus},
    replaced_values::ReplacedValues,
    seen::{seen_fields, seen_key},
    stage::{existing, invalid},
    step::{Verdict, write_steps},
};
use crate::{
    Gather, Map,
    actor::Actor,
    change::{Change, ChangeError, Op},
    ids,
    manifest::{Operation, Registry, ToolRef, ops_hash},
    merge,
    mission::{APP, Intent, Iteration, MISSIONS, Step, StepStatus, objects},
    policy::{Call, Consent, authorize},
    prepare::{Prepare, just_after, prepare},
    record::{RecordKey, RecordState, Records},
    time::Micros,
};

/// The decider where nobody decided in time.
const DEADLINE: &str = "deadline";

/// Carries out a decision.
pub fn decide(input: &DecisionInput<'_>) -> Result<DecisionResult, DecideError> {
    let approved = matches!(input.decision, Decision::Approve { .. });
    match input.proposal.status {
        ProposalStatus::Open => {}
        ProposalStatus::Failed if !approved => {}
        ProposalStatus::Failed => {
            let error = input.proposal.error.clone();
            return Err(error.unwrap_or_else(|| {
                ProposalError::new("invalid", "This can't be carried out here.")
            }));
        }
        _ => return Err(already(None)),
    }
    let mut writer = Writer::new(input);
    let mut proposal = input.proposal.clone();
    proposal.error = None;
    let place = StepContext::find(input.mission, input.proposal);
    if let Some(StepContext { step, .. }) = &place
        && !is_awaited(step.status, input.proposal)
    {
        return Err(already(Some(step.status)));
    }
    match (input.decision, place) {
        (Decision::Approve { .. }, None) => {
            return Err(ProposalError::new(
                "gone",
                "The plan that this belongs to is no longer kept. Nothing was changed; reject it to clear it away.",
            ));
        }
        (
            Decision::Approve {
                edited_params,
                over,
            },
            Some(place),
        ) => {
            if input.tick >= place.deadline(input) {
                return Err(ProposalError::new(
                    "expired",
                    "It is too late for this: its time has passed. Nothing was changed.",
                ));
            }
            let edited = edited_params.as_ref();
            let approved = Approved::check(input, &place, edited, over.as_ref())?;
            proposal.status = ProposalStatus::Approved;
            let mut replaced = ReplacedValues::default();
            let tool = input.registry.tool(&proposal.tool).ok_or_else(altered)?;
            for operation in &approved.operations {
                replaced.add(tool, operation, input.records.get(&operation.key()));
            }
            // The decision first: whoever reads the log up to between the two knows of the leave (SYNC S13).
            writer.step(&Verdict {
                status: StepStatus::Approved,
                edited,
                replaced: Some(&replaced),
                ..writer.verdict()
            })?;
            for operation in &approved.operations {
                writer.operation(operation, &place, &approved)?;
            }
            proposal.params = approved.params;
            proposal.ops_hash = ops_hash(&approved.operations);
            proposal.operations = approved.operations;
        }
        (Decision::Reject { reason }, place) => {
            proposal.status = ProposalStatus::Rejected;
            // The step keeps its approval: what it wrote besides the lost text stands.
            if place.is_some() && !input.proposal.again {
                let reason = reason.as_deref().map(str::trim);
                writer.step(&Verdict {
                    status: StepStatus::Rejected,
                    feedback: reason.filter(|reason| !reason.is_empty()),
                    ..writer.verdict()
                })?;
            }
        }
        (Decision::Expire, place) => {
            proposal.status = ProposalStatus::Expired;
            if let Some(place) = place.filter(|_| !input.proposal.again) {
                let deadline = place.deadline(input);
                if input.tick < deadline {
                    return Err(ProposalError::new("waits", "There is still time for this."));
                }
                // Whoever notices first says the same.
                writer.step(&Verdict {
                    status: StepStatus::Expired,
                    by: DEADLINE,
                    device: DEADLINE,
                    at: Some(deadline),
                    ..writer.verdict()
                })?;
            }
        }
    }
    Ok(DecisionResult {
        changes: writer.changes,
        records: writer.records,
        proposal,
        last: writer.last,
    })
}

/// Whether a step in this state waits for a decision on this proposal.
fn is_awaited(step: StepStatus, proposal: &Proposal) -> bool {
    match proposal.again {
        true => matches!(step, StepStatus::Approved | StepStatus::Rejected),
        false => step.is_open(),
    }
}

fn already(status: Option<StepStatus>) -> ProposalError {
    let mut error = ProposalError::new("decided", "This is already decided. Nothing was changed.");
    error.details = status.map(|status| json!({ "status": status }));
    error
}

fn altered() -> ProposalError {
    ProposalError::new(
        "altered",
        "This is not what was shown to you any more. Nothing was changed; look at it again.",
    )
}

/// Where a proposal's step stands in its mission.
struct StepContext {
    iteration: Iteration,
    step: Step,
}

impl StepContext {
    fn find(mission: &RecordState, proposal: &Proposal) -> Option<StepContext> {
        let named = |object: &&Map, id: &str| object.get("id").and_then(Value::as_str) == Some(id);
        let raw =
            objects(&mission.data, "iterations").find(|one| named(one, &proposal.iteration_id))?;
        let iteration = Iteration::parse(&Value::Object(raw.clone())).ok()?;
        let step = iteration
            .plan
            .iter()
            .find(|step| step.id == proposal.step_id)?
            .clone();
        Some(StepContext { iteration, step })
    }

    fn deadline(&self, input: &DecisionInput<'_>) -> Micros {
        let proposal = input.proposal;
        let tool = input.registry.tool(&proposal.tool);
        let expires_at = self.step.expires_at;
        deadline(tool, &proposal.params, &self.iteration, expires_at)
    }
}

/// An approval that holds.
struct Approved {
    params: Map,
    operations: Vec<Operation>,
    /// The values that the model proposed, where a person changed them.
    planned: Option<Map>,
}

impl Approved {
    /// Checks everything that an approval rests on, in the order in which a person would ask: is this
    /// what I saw, may it happen, has something changed since, does it fit.
    fn check(
        input: &DecisionInput<'_>,
        place: &StepContext,
        edited: Option<&Map>,
        over: Option<&Over>,
    ) -> Result<Approved, ProposalError> {
        let DecisionInput {
            registry,
            overrides,
            proposal,
            records,
            ..
        } = *input;
        // What is offered anew is the call as it was approved.
        let edited_before = place.step.edited_params.as_ref();
        let edited_before = edited_before.filter(|_| proposal.again);
        let same_call = matches!(&place.step.intent, Intent::ToolCall { tool_name, params }
            if *tool_name == proposal.tool
                && normal(&ToolRef::understood_by(registry.tool(tool_name), edited_before.unwrap_or(params)))
                    == normal(&proposal.params));
        let proposal_id = ids::proposal_id(&place.step.id);
        let untouched = ops_hash(&proposal.operations) == proposal.ops_hash
            && (proposal.again || proposal_id == proposal.id)
            && !proposal.operations.is_empty();
        if !same_call || !untouched {
            return Err(altered());
        }
        let actor = actor(proposal, place);
        let consent = |operations: &[Operation]| {
            let call = Call {
                tool: &proposal.tool,
                step_id: &place.step.id,
                operations,
            };
            let consent = Consent {
                proposal_id: proposal_id.clone(),
                ops_hash: ops_hash(operations),
            };
            authorize(registry, overrides, &actor, Some(&call), Some(&consent))
                .map_err(|refusal| ProposalError::new(refusal.code, refusal.message))
        };
        consent(&proposal.operations)?;
        let tool = registry.tool(&proposal.tool).ok_or_else(altered)?;
        let target = existing(tool, &proposal.params, records)?;
        let planned = derive(tool, &proposal.params, &proposal.step_id, target);
        let moved = stale(proposal, records, planned.as_deref().ok(), over)?;
        let planned = planned?;
        if !equal_except(&planned, &proposal.operations, &moved) {
            return Err(altered());
        }
        consent(&planned)?;
        let Some(edited) = edited else {
            return Ok(Approved {
                params: proposal.params.clone(),
                operations: planned,
                planned: None,
            });
        };
        let operations = derive_edited(tool, proposal, edited, target)?;
        consent(&operations)?;
        let planned = planned.into_iter().next().map(|operation| operation.set);
        Ok(Approved {
            params: edited.clone(),
            operations,
            planned,
        })
    }
}

/// A proposal as a person changed its parameters: its operations are exactly those that an approval with these
/// parameters carries out, so that its card says the edited whole (rule MODULES C10). `records` has the record that it
/// changes.
pub fn edited(
    registry: &Registry,
    proposal: &Proposal,
    params: &Map,
    records: &Records,
) -> Result<Proposal, ProposalError> {
    let tool = registry.tool(&proposal.tool).ok_or_else(altered)?;
    let target = existing(tool, &proposal.params, records)?;
    let operations = derive_edited(tool, proposal, params, target)?;
    Ok(Proposal {
        params: params.clone(),
        ops_hash: ops_hash(&operations),
        operations,
        error: None,
        ..proposal.clone()
    })
}

fn derive_edited(
    tool: ToolRef<'_>,
    proposal: &Proposal,
    edited: &Map,
    target: Option<&RecordState>,
) -> Result<Vec<Operation>, ProposalError> {
    if tool.target(edited) != tool.target(&proposal.params) {
        let message =
            "Another record can't be put in. Reject this, and change the other record yourself.";
        return Err(ProposalError::new("invalid", message));
    }
    derive(tool, edited, &proposal.step_id, target)
}

fn derive(
    tool: ToolRef<'_>,
    params: &Map,
    step_id: &str,
    target: Option<&RecordState>,
) -> Result<Vec<Operation>, ProposalError> {
    let problems = tool.check(params);
    if !problems.is_empty() {
        return Err(invalid(&problems));
    }
    tool.operations(params, step_id, target)
        .map_err(|problem| invalid(&[problem]))
}

fn normal(params: &Map) -> Value {
    merge::normalize(&Value::Object(params.clone()))
}

fn actor(proposal: &Proposal, place: &StepContext) -> Actor {
    place
        .iteration
        .actor(&proposal.mission_id, &place.step.rationale)
        .of_step(&place.step.id)
}

/// The stamps that a person was shown, by field.
type Over = BTreeMap<String, ShownStamp>;

/// Refuses where a field that the proposal touches was written since it was shown, with what was seen,
/// what is there now, its stamp and author (`at`, `actor`), and what is proposed. Answers the fields that were written
/// since and /// that the person was shown anew.
fn stale(
    proposal: &Proposal,
    records: &Records,
    planned: Option<&[Operation]>,
    over: Option<&Over>,
) -> Result<BTreeSet<String>, ProposalError> {
    let (mut fields, mut shown) = (BTreeMap::new(), BTreeSet::new());
    for operation in planned.unwrap_or(&proposal.operations) {
        let key = operation.key();
        let now = seen_fields(operation, records.get(&key));
        let empty = BTreeMap::new();
        let seen = proposal.seen.get(&seen_key(&key)).unwrap_or(&empty);
        for field in now.keys().chain(seen.keys()) {
            let (was, is) = (seen.get(field), now.get(field));
            let same = match (was, is) {
                (Some(was), Some(is)) => was.is_same_write(is),
                (was, is) => was.and_then(|was| was.at) == is.and_then(|is| is.at),
            };
            if same {
                continue;
            }
            if (over.and_then(|over| over.get(field))).is_some_and(|shown| shown.is(is)) {
                shown.insert(field.clone());
                continue;
            }
            let proposed = match operation.op {
                Op::Delete => &Value::Null,
                _ => operation.set.get(field).unwrap_or(&Value::Null),
            };
            let difference = json!({
                "seen": was.map(|was| &was.value),
                "now": is.map(|is| &is.value),
                "proposed": proposed,
                "at": is.and_then(|is| is.at),
                "actor": is.and_then(|is| is.actor.as_ref()),
            });
            fields.insert(field.clone(), difference);
        }
    }
    if fields.is_empty() {
        return Ok(shown);
    }
    let mut error = ProposalError::new(
        "stale",
        "This has changed since it was proposed. Nothing was changed; look at what is there now.",
    );
    error.details = Some(json!(fields));
    Err(error)
}

/// Whether the operations are those of the proposal, but for the values of the fields that moved.
fn equal_except(planned: &[Operation], shown: &[Operation], moved: &BTreeSet<String>) -> bool {
    let rest = |operations: &[Operation]| -> Vec<Operation> {
        let mut operations = operations.to_vec();
        for operation in &mut operations {
            operation.set.retain(|field, _| !moved.contains(field));
        }
        operations
    };
    rest(planned) == rest(shown)
}

/// Collects what a decision writes.
struct Writer<'a> {
    input: &'a DecisionInput<'a>,
    event_ids: std::slice::Iter<'a, String>,
    changes: Vec<Change>,
    records: Vec<(RecordKey, RecordState)>,
    last: Micros,
}

impl<'a> Writer<'a> {
    fn new(input: &'a DecisionInput<'a>) -> Writer<'a> {
        Writer {
            input,
            event_ids: input.event_ids.iter(),
            changes: Vec::new(),
            records: Vec::new(),
            last: input.tick,
        }
    }

    /// Returns the part that every decision of this person at this device has.
    fn verdict(&self) -> Verdict<'a> {
        Verdict {
            by: self.input.by,
            device: self.input.device,
            proposal: Some(&self.input.proposal.id),
            ..Verdict::default()
        }
    }

    fn event_id(&mut self) -> Result<String, ProposalError> {
        self.event_ids.next().cloned().ok_or_else(|| {
            ProposalError::new(
                "invalid",
                "The call gives too few event ids: one more than there are operations.",
            )
        })
    }

    /// A record's write, as the AI (S6). A record that a step creates is stamped with the end of its iteration, an
    /// update just after the values that were seen, so that whatever a person did with it meanwhile or does later wins
    /// on every device. A removal, and what a person changed in the proposal itself, is as new as the decision.
    fn operation(
        &mut self,
        operation: &Operation,
        place: &StepContext,
        approved: &Approved,
    ) -> Result<(), ProposalError> {
        let insert = operation.op == Op::Insert;
        let by_person = |field: &str| {
            let planned = approved.planned.as_ref();
            planned.is_some_and(|planned| operation.set.get(field) != planned.get(field))
        };
        let (tick, created) = (self.input.tick, place.iteration.created_at());
        let key = operation.key();
        let state = self.input.records.get(&key);
        let schema = self.input.registry.schema(&key.app, &key.table);
        let set = operation.values(if insert { created } else { tick });
        let (actor, stamps) = match operation.op {
            Op::Insert => {
                let edited = set.keys().filter(|field| by_person(field));
                let stamps = edited.map(|field| (field.clone(), tick)).gather();
                (actor(self.input.proposal, place), stamps)
            }
            Op::Update => {
                let planned = set.keys().filter(|field| !by_person(field));
                let stamps = planned.map(|field| (field.clone(), just_after(state, field)));
                let actor = actor(self.input.proposal, place).decided(tick);
                (actor, stamps.gather())
            }
            Op::Delete | Op::Forget => {
                let seen = state.into_iter().flat_map(|state| &state.meta);
                let seen = seen.map(|(field, stamp)| (field, stamp.at));
                let actor = actor(self.input.proposal, place).having_seen(seen);
                (actor, BTreeMap::new())
            }
        };
        let write = Prepare {
            key: &key,
            op: operation.op,
            set,
            state,
            tick,
            at: insert.then_some(created),
            stamps,
            seen: BTreeMap::new(),
            actor,
            event_id: self.event_id()?,
        };
        let prepared = prepare(schema, write).map_err(refused)?;
        self.note(&prepared.change);
        self.changes.push(prepared.change);
        self.records.push((key, prepared.state));
        Ok(())
    }

    /// The decision on the step, as the person.
    fn step(&mut self, verdict: &Verdict<'_>) -> Result<(), ProposalError> {
        let input = self.input;
        let key = RecordKey::new(APP, MISSIONS, &input.proposal.mission_id);
        let event_id = self.event_id()?;
        let which = |step: &str| step == input.proposal.step_id;
        let prepared = write_steps(
            input.registry,
            &key,
            input.mission,
            which,
            verdict,
            input.tick,
            event_id,
        )?;
        self.note(&prepared.change);
        self.changes.push(prepared.change);
        self.records.push((key, prepared.state));
        Ok(())
    }

    fn note(&mut self, change: &Change) {
        if change.op != Op::Insert {
            self.last = self.last.max(change.at.unwrap_or(self.last));
        }
    }
}

fn refused(error: ChangeError) -> ProposalError {
    ProposalError::new("invalid", error.reason)
}
