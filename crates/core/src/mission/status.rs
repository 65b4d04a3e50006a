//! The status of a step.

use serde::{Deserialize, Serialize};

/// The state of a step. The merge knows which of two wins (SYNC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase", from = "String")]
pub enum StepStatus {
    /// In the plan, not looked at yet.
    #[default]
    Planned,
    /// A device shows it as a proposal.
    Staged,
    /// The step could not be carried out.
    Failed,
    /// Its time passed before anybody decided.
    Expired,
    /// Not offered: refused by the check, or there is nothing to decide.
    Skipped,
    /// A person said no.
    Rejected,
    /// A person, or the policy, said yes.
    Approved,
    /// Approved once, and taken back.
    Undone,
}

impl StepStatus {
    /// Somebody still has to decide.
    pub fn is_open(self) -> bool {
        matches!(self, StepStatus::Planned | StepStatus::Staged)
    }
}

impl From<String> for StepStatus {
    /// Reads the wire's word; an unknown one counts as planned.
    fn from(word: String) -> StepStatus {
        match word.as_str() {
            "staged" => StepStatus::Staged,
            "failed" => StepStatus::Failed,
            "expired" => StepStatus::Expired,
            "skipped" => StepStatus::Skipped,
            "rejected" => StepStatus::Rejected,
            "approved" => StepStatus::Approved,
            "undone" => StepStatus::Undone,
            _ => StepStatus::Planned,
        }
    }
}
