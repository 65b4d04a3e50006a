//! A decision on a proposal, with what it is checked against and what it writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    proposal::{Proposal, ProposalError},
    seen::SeenValue,
};
use crate::{
    Map,
    actor::Actor,
    change::Change,
    manifest::Registry,
    policy::Overrides,
    record::{RecordKey, RecordState, Records},
    time::Micros,
};

/// A person's decision on a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "kind",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum Decision {
    /// Yes, with other parameters where there are some.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Approve {
        /// The parameters as the person changed them.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
        edited_params: Option<Map>,
        /// For a stale proposal: on top of what is there now, whose stamps and authors these are, by field, as the
        /// refusal named them (`at`, `actor`). A consent to exactly that.
        #[serde(default)]
        #[cfg_attr(feature = "openapi", schema(value_type = Option<BTreeMap<String, Value>>))]
        over: Option<BTreeMap<String, ShownStamp>>,
    },
    /// No.
    Reject {
        /// Why; the mission reads it before its next run.
        #[serde(default)]
        reason: Option<String>,
    },
    /// The deadline has passed. A device says so by itself.
    Expire,
}

/// The stamp of a field as a refusal named it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ShownStamp {
    /// With its author.
    Write {
        /// The stamp; none where the field was never written.
        at: Option<Micros>,
        /// The author.
        #[serde(default)]
        actor: Option<Actor>,
    },
    /// Without its author, as older versions name it.
    At(Option<Micros>),
}

impl ShownStamp {
    pub(super) fn is(&self, now: Option<&SeenValue>) -> bool {
        let (at, actor) = match self {
            ShownStamp::Write { at, actor } => (*at, actor.clone()),
            ShownStamp::At(at) => (*at, None),
        };
        let shown = SeenValue {
            value: Value::Null,
            at,
            actor,
        };
        match now {
            Some(now) => shown.is_same_write(now),
            None => shown.at.is_none(),
        }
    }
}

/// A decision with everything that it is checked against.
#[derive(Debug, Clone)]
pub struct DecisionInput<'a> {
    /// The modules of this replica.
    pub registry: &'a Registry,
    /// The person's levels of permission instead of the manifests' policies.
    pub overrides: &'a Overrides,
    /// The proposal, as it was shown.
    pub proposal: &'a Proposal,
    /// The person's decision.
    pub decision: &'a Decision,
    /// The mission's record.
    pub mission: &'a RecordState,
    /// The records that the operations touch, as far as they exist.
    pub records: &'a Records,
    /// The clock's time, `max(now, last + 1)`.
    pub tick: Micros,
    /// The decider: a user's id, or `user`.
    pub by: &'a str,
    /// At which device: its client id.
    pub device: &'a str,
    /// An id for each change: one more than there are operations.
    pub event_ids: &'a [String],
}

/// The writes of a decision, all of them or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionResult {
    /// The changes to log and push.
    pub changes: Vec<Change>,
    /// The records after it.
    pub records: Vec<(RecordKey, RecordState)>,
    /// The proposal after it.
    pub proposal: Proposal,
    /// The last stamp that was given.
    pub last: Micros,
}

/// Why a decision is refused: `decided`, `expired`, `waits`, `gone`, `altered`, `stale`, `invalid`, `denied`.
/// Nothing was changed then.
pub type DecideError = ProposalError;
