//! Proposals, as a device keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::seen::SeenValue;
use crate::{
    Map,
    change::Op,
    manifest::{Operation, Registry, hash_of, ops_hash},
    time::Micros,
};

/// A step of a server's plan that waits for a person on this device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Derived from the step.
    pub id: String,
    /// The mission that wants it.
    pub mission_id: String,
    /// The mission's name when the proposal was staged.
    pub mission_title: String,
    /// The iteration that planned it.
    pub iteration_id: String,
    /// The step.
    pub step_id: String,
    /// The step's place in its plan.
    pub index: u32,
    /// The app of the records that it touches.
    pub app: String,
    /// The module whose tool it calls.
    pub module: String,
    /// The tool.
    pub tool: String,
    /// The tool's parameters.
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Value>))]
    pub params: Map,
    /// The tool's effect on a record; none where the tool is unknown here.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<crate::change::WriteOp>, required = true))]
    pub op: Option<Op>,
    /// The writes that approving will make. The card is drawn from this.
    pub operations: Vec<Operation>,
    /// The hash that a consent is bound to.
    pub ops_hash: String,
    /// The values of the touched fields when the proposal was staged, by `app/table/id` and field.
    pub seen: BTreeMap<String, BTreeMap<String, SeenValue>>,
    /// The proposal's effect, in the model's words.
    pub summary: String,
    /// Why, in the model's words.
    pub rationale: String,
    /// When the iteration was complete.
    pub created_at: Micros,
    /// When it is too late for it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub deadline: Micros,
    /// Where it stands.
    pub status: ProposalStatus,
    /// Whether its step was approved here before, and its text lost to an edit that it had not seen (S11).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Why it can't be staged, or why the last decision did not go through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ProposalError>,
}

impl Proposal {
    /// The hash of everything that a card is made from, beside the records as they are now: the operations, and the
    /// values that they were proposed upon. A yes that is given by hash is bound to both: a removal of another content
    /// is the same operation. [`ops_hash`] where nothing was there before.
    pub fn shown_hash(&self) -> String {
        match self.seen.values().all(BTreeMap::is_empty) {
            true => ops_hash(&self.operations),
            false => hash_of(&json!({ "operations": self.operations, "seen": self.seen })),
        }
    }

    /// Whether it failed for a tool that was not known here and is by now: its module came later than the plan. Such a
    /// proposal is staged anew.
    pub fn is_outdated(&self, registry: &Registry) -> bool {
        let unknown = |error: &ProposalError| error.code == "unknownTool";
        self.status == ProposalStatus::Failed
            && self.error.as_ref().is_some_and(unknown)
            && registry.tool(&self.tool).is_some()
    }
}

/// Where a proposal stands on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ProposalStatus {
    /// The proposal waits.
    Open,
    /// The proposal was approved here.
    Approved,
    /// The proposal was rejected here.
    Rejected,
    /// The proposal was decided elsewhere, or its mission is gone.
    Closed,
    /// The proposal was rejected here and approved on another device: the approval counts.
    Overruled,
    /// Its time passed before anybody decided.
    Expired,
    /// The proposal can't be carried out here; a person can still reject it.
    Failed,
}

/// Why something did not go through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalError {
    /// A word for programs.
    pub code: String,
    /// The message: what happened and what to do.
    pub message: String,
    /// The details: the fields that are wrong, the three-way difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl ProposalError {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> ProposalError {
        ProposalError {
            code: code.to_owned(),
            message: message.into(),
            details: None,
        }
    }
}
