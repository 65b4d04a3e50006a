//! The check of a mission's form before it is saved.

use super::record::{Mission, Overlap};
use crate::{Map, problem::Problem, zone::unknown_zone};

/// The longest title.
pub const MAX_TITLE: usize = 200;

/// Returns the problems of a mission's data; empty when it can be saved. `is_zone` knows the names of time zones.
pub fn check_mission(data: &Map, is_zone: impl Fn(&str) -> bool) -> Vec<Problem> {
    let mission = Mission::parse("", data);
    let mut problems = Vec::new();
    let title = mission.title.trim();
    if title.is_empty() {
        problems.push(Problem::new(
            "title",
            "required",
            "Give the mission a title.",
        ));
    } else if title.chars().count() > MAX_TITLE {
        problems.push(Problem::new(
            "title",
            "range",
            format!("Use at most {MAX_TITLE} characters."),
        ));
    }
    problems.extend(mission.problems);
    if let Some(name) = &mission.timezone
        && !is_zone(name)
    {
        problems.push(unknown_zone(name));
    }
    if let Some(overlap) = data.get("overlap").filter(|value| !value.is_null())
        && overlap.as_str().and_then(Overlap::parse).is_none()
    {
        problems.push(Problem::new(
            "overlap",
            "invalid",
            "The overlap must be skip, allow or replace.",
        ));
    }
    problems
}
