//! Modules, tools, policy, proposals.

use std::collections::BTreeMap;

use mana_core::{
    Actor, Change, Clock, Map, Micros, RecordKey, RecordState,
    manifest::{EffectOp, Label, Operation},
    policy::{self, Call, Consent, Overrides, Policy},
    staging::{
        self, CardRecords, ClosedProposal, Decision, DecisionInput, Proposal, ProposalError,
        ProposalStatus, Staging, card_records, proposal_card, unfit_fields,
    },
    undo::{self, UndoRequest},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasm_bindgen::prelude::*;

use crate::{
    Core,
    data::{Keyed, present},
    fault::{Fault, Named, call},
};

#[wasm_bindgen]
impl Core {
    /// `{app, table, data, partial?}` → `{errors: [{field, code, message}]}`: what is wrong with the
    /// fields of a record; with `partial` of those that are given.
    pub fn check(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Check| {
            let Check {
                app,
                table,
                data,
                partial,
            } = input;
            let errors = self.registry.check_record(&app, &table, &data, partial);
            Ok(Named("errors", errors))
        })
    }

    /// `{app, table, data}` → `{fields: [UnfitField]}`: the values of a record that do not fit their fields, and what
    /// can be kept of each.
    pub fn unfit(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Check| {
            let fields = unfit_fields(&self.registry, &input.app, &input.table, &input.data);
            Ok(Named("fields", fields))
        })
    }

    /// `{overrides?}` → `[{name, module, label, policy, effect: {op, table}}]`: every tool,
    /// with the policy that counts.
    pub fn tools(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Tools| {
            let tools = self.registry.tools().into_iter().map(|tool| ToolInfo {
                name: &tool.tool.name,
                module: &tool.module.id,
                label: &tool.tool.label,
                policy: input.overrides.effective(tool),
                effect: EffectInfo {
                    op: tool.tool.effect.op,
                    table: &tool.tool.effect.table,
                },
            });
            Ok(tools.collect::<Vec<_>>())
        })
    }

    /// `{missionId, mission: state, have: {proposalId: status}, overrides?}` → `{records: [{app, table, id}]}`:
    /// the records that `stage` wants to see.
    pub fn touched(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Stage| {
            let records = self.staging(&input).touched();
            Ok(Named("records", records))
        })
    }

    /// `{missionId, mission: state, have: {proposalId: status}, records: [{app, table, id, state|null}],
    /// overrides?}` → `{proposals, closed: [{id, status, step}]}`: proposals for the open steps that are not
    /// in `have`, and those in `have` that stand otherwise since.
    pub fn stage(&self, input: &str) -> Result<String, JsError> {
        call(input, |mut input: Stage| {
            let records = present(std::mem::take(&mut input.records));
            let staging = self.staging(&input);
            Ok(Staged {
                proposals: staging.stage(&records),
                closed: staging.closed(),
            })
        })
    }

    /// `{missionId, mission: state, records, overrides?, approved: proposal, lost: stamp}` → `{proposal}`: a proposal
    /// that was approved here and whose text lost, offered anew on the records as they are.
    #[wasm_bindgen(js_name = "offerAgain")]
    pub fn offer_again(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: OfferAgain| {
            let records = present(input.records);
            let staging = Staging {
                registry: &self.registry,
                overrides: &input.overrides,
                mission_id: &input.mission_id,
                mission: &input.mission,
                have: &BTreeMap::new(),
            };
            let proposal = staging.offer_again(&input.approved, input.lost, &records);
            Ok(Named("proposal", proposal))
        })
    }

    /// `{proposal}` → `{records: [{app, table, id}]}`: the records that `card` wants to see.
    #[wasm_bindgen(js_name = "cardRecords")]
    pub fn card_records(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: CardInput| {
            Ok(Named(
                "records",
                card_records(&self.registry, &input.proposal),
            ))
        })
    }

    /// `{proposal, records: [{app, table, id, state|null}], namesakes: [{app, table, id, state}]}` → the
    /// `ProposalCard`: all that the operations set. A namesake is another record of the title of the named one.
    pub fn card(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: CardInput| {
            let mut known = CardRecords::from(present(input.records));
            for (key, state) in input.namesakes.into_iter().filter_map(Keyed::into_present) {
                known.namesakes.entry(key).or_default().push(state);
            }
            Ok(proposal_card(&self.registry, &input.proposal, &known))
        })
    }

    /// `{proposal, params, records: [{app, table, id, state|null}]}` → `{proposal}` as a person changed its
    /// parameters: its card says what approving with them carries out. Throws `invalid` (details: `{errors}`), `gone`
    /// or `altered`.
    pub fn edited(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: EditedInput| {
            let records = present(input.records);
            let edited = staging::edited(&self.registry, &input.proposal, &input.params, &records);
            Ok(Named("proposal", edited.map_err(fault)?))
        })
    }

    /// `{proposal, decision: {kind: "approve", editedParams?, over?}|{kind: "reject", reason?}|{kind: "expire"},
    /// mission: state, records, now, last|null, eventIds, by, device, overrides?}` → `{changes, records, proposal,
    /// last}`. Throws `decided`, `expired`, `waits`, `gone`, `altered`, `stale` (details: `{field: {seen, now,
    /// proposed, at}}`), `invalid` (details: `{errors}`), `denied` or `unknownTool`; nothing has happened then.
    pub fn decide(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: DecideInput| {
            let mut clock = Clock {
                last: input.last.unwrap_or_default(),
                offset: 0,
            };
            let decided = staging::decide(&DecisionInput {
                registry: &self.registry,
                overrides: &input.overrides,
                proposal: &input.proposal,
                decision: &input.decision,
                mission: &input.mission,
                records: &present(input.records),
                tick: clock.tick(input.now),
                by: &input.by,
                device: &input.device,
                event_ids: &input.event_ids,
            });
            let decided = decided.map_err(fault)?;
            Ok(DecideOutput {
                changes: decided.changes,
                records: keyed(decided.records),
                proposal: Some(decided.proposal),
                last: decided.last,
            })
        })
    }

    /// `{missionId, mission: state, extent: {kind: "step", stepId}|{kind: "iteration", iterationId}|{kind:
    /// "mission"}}` → `{records: [{app, table, id}]}`: the records that `undo` wants to see.
    #[wasm_bindgen(js_name = "undoTouched")]
    pub fn undo_touched(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: UndoInput| {
            Ok(Named("records", self.undoing(&input).touched()))
        })
    }

    /// `{missionId, mission, extent, records}` → `{operations: [{stepId, operation, now}], kept: [{stepId, reason,
    /// record?, field?, at?, actor?}], hash}`: what undoing would do, exactly.
    #[wasm_bindgen(js_name = "undoPreview")]
    pub fn undo_preview(&self, input: &str) -> Result<String, JsError> {
        call(input, |mut input: UndoInput| {
            let records = present(std::mem::take(&mut input.records));
            self.undoing(&input).preview(&records).map_err(fault)
        })
    }

    /// `{missionId, mission, extent, records, hash, now, last|null, eventId, by, device}` → `{changes, records,
    /// last}`. Throws `altered` where it would not be what the preview with this hash showed, `nothing` where
    /// nothing is left to undo; nothing has happened then.
    pub fn undo(&self, input: &str) -> Result<String, JsError> {
        call(input, |mut input: UndoInput| {
            let records = present(std::mem::take(&mut input.records));
            let mut clock = Clock {
                last: input.last.unwrap_or_default(),
                offset: 0,
            };
            let by = undo::UndoConsent {
                user: &input.by,
                device: &input.device,
                tick: clock.tick(input.now),
                seed: &input.event_id,
                hash: &input.hash,
            };
            let undone = self
                .undoing(&input)
                .carry_out(&records, by)
                .map_err(fault)?;
            Ok(DecideOutput {
                changes: undone.changes,
                records: keyed(undone.records),
                proposal: None,
                last: undone.last,
            })
        })
    }

    /// `{actor, tool?, stepId?, operations?, consent?: {proposalId, opsHash}, overrides?}` → `{}`. Throws
    /// where the policy doesn't let the actor write.
    pub fn authorise(&self, input: &str) -> Result<String, JsError> {
        call(input, |input: Authorise| {
            let call = input.tool.as_deref().map(|tool| Call {
                tool,
                step_id: &input.step_id,
                operations: &input.operations,
            });
            let consent = input.consent.as_ref();
            policy::authorize(
                &self.registry,
                &input.overrides,
                &input.actor,
                call.as_ref(),
                consent,
            )
            .map_err(|refusal| Fault::new(refusal.code, refusal.message))?;
            Ok(Map::new())
        })
    }
}

impl Core {
    fn undoing<'a>(&'a self, input: &'a UndoInput) -> UndoRequest<'a> {
        UndoRequest {
            registry: &self.registry,
            mission_id: &input.mission_id,
            mission: &input.mission,
            extent: &input.extent,
        }
    }

    fn staging<'a>(&'a self, input: &'a Stage) -> Staging<'a> {
        Staging {
            registry: &self.registry,
            overrides: &input.overrides,
            mission_id: &input.mission_id,
            mission: &input.mission,
            have: &input.have,
        }
    }
}

fn fault(error: ProposalError) -> Fault {
    Fault {
        code: error.code,
        message: error.message,
        details: error.details.unwrap_or(Value::Null),
    }
}

fn keyed(records: Vec<(RecordKey, RecordState)>) -> Vec<Keyed> {
    let keyed = records.into_iter();
    let keyed = keyed.map(|(key, state)| Keyed::new(key, Some(state)));
    keyed.collect()
}

#[derive(Debug, Deserialize)]
struct Check {
    app: String,
    table: String,
    data: Map,
    #[serde(default)]
    partial: bool,
}

#[derive(Debug, Deserialize)]
struct Tools {
    #[serde(default)]
    overrides: Overrides,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolInfo<'a> {
    name: &'a str,
    module: &'a str,
    label: &'a Label,
    policy: Policy,
    effect: EffectInfo<'a>,
}

#[derive(Debug, Serialize)]
struct EffectInfo<'a> {
    op: EffectOp,
    table: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stage {
    mission_id: String,
    mission: RecordState,
    have: BTreeMap<String, ProposalStatus>,
    #[serde(default)]
    records: Vec<Keyed>,
    #[serde(default)]
    overrides: Overrides,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfferAgain {
    mission_id: String,
    mission: RecordState,
    #[serde(default)]
    records: Vec<Keyed>,
    #[serde(default)]
    overrides: Overrides,
    approved: Proposal,
    lost: Micros,
}

#[derive(Debug, Deserialize)]
struct CardInput {
    proposal: Proposal,
    #[serde(default)]
    records: Vec<Keyed>,
    #[serde(default)]
    namesakes: Vec<Keyed>,
}

#[derive(Debug, Deserialize)]
struct EditedInput {
    proposal: Proposal,
    params: Map,
    #[serde(default)]
    records: Vec<Keyed>,
}

#[derive(Debug, Serialize)]
struct Staged {
    proposals: Vec<Proposal>,
    closed: Vec<ClosedProposal>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DecideInput {
    proposal: Proposal,
    decision: Decision,
    mission: RecordState,
    records: Vec<Keyed>,
    now: Micros,
    last: Option<Micros>,
    event_ids: Vec<String>,
    by: String,
    device: String,
    #[serde(default)]
    overrides: Overrides,
}

#[derive(Debug, Serialize)]
struct DecideOutput {
    changes: Vec<Change>,
    records: Vec<Keyed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<Proposal>,
    last: Micros,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UndoInput {
    mission_id: String,
    mission: RecordState,
    extent: undo::UndoExtent,
    #[serde(default)]
    records: Vec<Keyed>,
    #[serde(default)]
    now: Micros,
    last: Option<Micros>,
    #[serde(default)]
    event_id: String,
    #[serde(default)]
    by: String,
    #[serde(default)]
    device: String,
    #[serde(default)]
    hash: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authorise {
    actor: Actor,
    tool: Option<String>,
    #[serde(default)]
    step_id: String,
    #[serde(default)]
    operations: Vec<Operation>,
    consent: Option<Consent>,
    #[serde(default)]
    overrides: Overrides,
}
