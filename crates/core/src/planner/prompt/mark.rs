//! The fixed lines of a prompt.

/// Opens the mission's concept.
pub(in crate::planner) const CONCEPT: &str = "<<<CONCEPT-";
/// Opens anything else that is data.
pub(in crate::planner) const DATA: &str = "<<<DATA-";
/// Closes either.
pub(in crate::planner) const END: &str = ">>>";
/// Heads a tool.
pub(in crate::planner) const TOOL: &str = "### ";
/// Names the language of the answer.
pub(in crate::planner) const LANGUAGE: &str = "Write every summary and rationale in ";
/// Heads what was decided before.
pub(in crate::planner) const EARLIER: &str = "## Earlier runs";
/// Heads what still waits.
pub(in crate::planner) const PENDING: &str = "## Waiting for the person’s decision";
/// Heads the records.
pub(in crate::planner) const RECORDS: &str = "## Records that this mission reads";
/// Follows a step that the person refused.
pub(in crate::planner) const REFUSED: &str = ": REFUSED by the person";
/// Follows a step that nobody has decided on.
pub(in crate::planner) const WAITS: &str = ": waits for the person";
/// Follows a proposal, before its mission.
pub(in crate::planner) const FROM: &str = "), from \"";
