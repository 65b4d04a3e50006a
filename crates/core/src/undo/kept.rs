//! The changes that an undo leaves as they are, and why.

use serde::{Deserialize, Serialize};

use crate::{
    actor::Actor,
    record::{RecordKey, RecordState, Stamp},
    time::Micros,
};

/// A change that stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct KeptChange {
    /// The step that made it; none where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// Why it stays.
    pub reason: KeptReason,
    /// The record, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordKey>,
    /// The field that was written since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// When it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Micros>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeptReason {
    /// The field was written since.
    Changed,
    /// The record that the write made was edited since.
    Edited,
    /// The record was removed since.
    Removed,
    /// The record isn't on this device.
    Missing,
    /// The step says nothing of what it replaced.
    Unknown,
}

impl KeptChange {
    /// A change that stays for a reason.
    pub(super) fn because(reason: KeptReason) -> KeptChange {
        KeptChange {
            step_id: None,
            reason,
            record: None,
            field: None,
            at: None,
            actor: None,
        }
    }

    /// The record is not here.
    pub(super) fn missing(key: &RecordKey) -> KeptChange {
        KeptChange {
            record: Some(key.clone()),
            ..KeptChange::because(KeptReason::Missing)
        }
    }

    /// The field of this record holds another write.
    pub(super) fn changed(key: &RecordKey, state: &RecordState, field: &str) -> KeptChange {
        KeptChange::with_stamp(key, state, field, KeptReason::Changed)
    }

    /// The same, of a step.
    pub(super) fn of_step(self, step_id: &str) -> KeptChange {
        KeptChange {
            step_id: Some(step_id.to_owned()),
            ..self
        }
    }

    fn with_stamp(
        key: &RecordKey,
        state: &RecordState,
        field: &str,
        reason: KeptReason,
    ) -> KeptChange {
        let stamp = state.meta.get(field);
        KeptChange {
            record: Some(key.clone()),
            field: Some(field.to_owned()),
            at: stamp.map(Stamp::made_at),
            actor: stamp.map(|stamp| stamp.actor.clone()),
            ..KeptChange::because(reason)
        }
    }
}

/// Why a write on a record stays whole: the record was removed by somebody else since, or it was made by the write and
/// has a field of another write. None where fields may go back.
pub(super) fn whole_record_stays(
    key: &RecordKey,
    state: &RecordState,
    (removes, makes): (bool, bool),
    is_of_write: impl Fn(&str) -> bool,
) -> Option<KeptChange> {
    if state.is_deleted() && !removes {
        return Some(KeptChange::with_stamp(
            key,
            state,
            "deletedAt",
            KeptReason::Removed,
        ));
    }
    let edited = state.meta.keys().find(|field| !is_of_write(field));
    let edited = edited.filter(|_| makes)?;
    Some(KeptChange::with_stamp(
        key,
        state,
        edited,
        KeptReason::Edited,
    ))
}
