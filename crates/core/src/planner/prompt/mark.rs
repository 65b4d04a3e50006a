//! The fixed lines of a prompt.

/// Opens the mission's concept.
pub(super) const CONCEPT: &str = "<<<CONCEPT-";
/// Opens anything else that is data.
pub(super) const DATA: &str = "<<<DATA-";
/// Closes either.
pub(super) const END: &str = ">>>";
/// Names the language of the answer.
pub(super) const LANGUAGE: &str = "Write every summary and rationale in ";
/// Heads what was decided before.
pub(super) const EARLIER: &str = "## Earlier runs";
/// Heads what still waits.
pub(super) const PENDING: &str = "## Waiting for the person’s decision";
/// Says that the plan takes the place of what waits.
pub(super) const REPLACES: &str = "Your plan takes the place of this mission’s own proposals here, in spite of the \
     rule above: hand in again, unchanged, those that still make sense; the others expire. Leave other missions’ \
     proposals alone.\n";
/// Heads the records.
pub(super) const RECORDS: &str = "## Records that this mission reads";
/// Follows a step that the person refused.
pub(super) const REFUSED: &str = ": REFUSED by the person";
/// Follows a step that nobody has decided on.
pub(super) const WAITS: &str = ": waits for the person";
/// Follows a proposal, before its mission.
pub(super) const FROM: &str = "), from \"";
