//! Proposals: staged from a server's iterations on every device, decided by people, once.
//!
//! A proposal is local and never synced. Its id derives from its step, and so do the ids of the records
//! that it makes, so devices that stage or approve the same step converge. The decision travels on
//! the step, in the mission's record.

mod card;
mod deadline;
mod decide;
mod decision;
mod proposal;
mod replaced_values;
mod seen;
mod stage;
mod step;

pub use crate::manifest::{Operation, ops_hash};
pub use crate::record::Records;
pub use card::{
    Apart, CardField, CardItem, CardLink, CardOperation, CardRecords, CardUnit, CardValue,
    FieldChange, FieldRole, Fit, ItemChange, MOST_NAMESAKES, ProposalCard, RunKind, ShownValue,
    TextChange, TextPart, TextRun, UnfitField, card_operation, card_records, operation_records,
    proposal_card, record_title, says_its_host, unfit_fields,
};
pub use deadline::{LIFETIME_DAYS, deadline, open_steps};
pub use decide::{decide, edited};
pub use decision::{DecideError, Decision, DecisionInput, DecisionResult, ShownStamp};
pub use proposal::{Proposal, ProposalError, ProposalStatus};
pub use replaced_values::ReplacedValues;
pub use seen::{SeenValue, seen_key};
pub use stage::{ClosedProposal, Staging};
pub use step::replace_steps;
pub(crate) use step::{Verdict, write_steps};

#[cfg(test)]
mod tests;
