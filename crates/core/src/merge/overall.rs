//! `overallStatus`: derived from an iteration's steps, never written (L8).

use serde_json::Value;

use super::schema::ListSpec;
use crate::Map;

/// Returns the status of an iteration: `failed` with an error, `awaiting-review` while a step is open,
/// `approved` where one was approved or there was nothing to do, else `rejected`.
pub fn overall_status(spec: &ListSpec, element: &Map) -> &'static str {
    if element.get("error").is_some_and(|error| !error.is_null()) {
        return "failed";
    }
    let lists = spec.lists.iter().filter(|(_, nested)| nested.decision);
    let steps = lists
        .filter_map(|(name, _)| element.get(name)?.as_array())
        .flatten();
    let mut status = "approved";
    for (index, step) in steps.enumerate() {
        if index == 0 {
            status = "rejected";
        }
        match step.get("status").and_then(Value::as_str) {
            Some("failed" | "expired" | "skipped" | "rejected" | "undone") => {}
            Some("approved") => status = "approved",
            _ => return "awaiting-review",
        }
    }
    status
}
