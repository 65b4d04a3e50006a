//! Derived ids: the same thing gets the same id on every replica, so a retry adds nothing.

use uuid::Uuid;

/// UUIDv5 of `name` in the namespace `parent`; a parent that is no hyphenated UUID is first made one.
pub fn derive(parent: &str, name: &str) -> String {
    let hyphenated = (parent.len() == 36)
        .then(|| Uuid::try_parse(parent).ok())
        .flatten();
    let namespace =
        hyphenated.unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, parent.as_bytes()));
    Uuid::new_v5(&namespace, name.as_bytes()).to_string()
}

/// The iteration that plans a slot of a mission.
pub fn iteration_id(mission: &str, slot: &str) -> String {
    derive(mission, slot)
}

/// A step of an iteration's plan, by its index from 0.
pub fn step_id(iteration: &str, index: usize) -> String {
    derive(iteration, &index.to_string())
}

/// The proposal that stages a step.
pub fn proposal_id(step: &str) -> String {
    derive(step, "proposal")
}

/// The n-th record, from 0, that a step creates.
pub fn created_record_id(step: &str, n: usize) -> String {
    derive(step, &n.to_string())
}

/// The record that goes on where one that repeats was completed: the same on every device, whichever completes it.
pub fn successor_id(record: &str) -> String {
    derive(record, "next")
}
