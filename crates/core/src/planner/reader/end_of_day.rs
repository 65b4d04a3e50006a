//! An end that is given as a time of day alone.

use serde_json::Value;

use super::days::{self, Today};
use crate::Map;
use crate::manifest::{ToolRef, set_from};
use crate::planner::checks::PlanChecks;
use crate::planner::prompt::days::zoned;
use crate::planner::time_fields;
use crate::time::Micros;

/// An end that is a time of day alone is one of the day of the beginning, as the prompt writes it: the beginning of the
/// same call, else that of the record.
/// Returns the parameter that was completed so.
pub(super) fn on_the_day_of_its_beginning<'t>(
    tool: ToolRef<'t>,
    params: &mut Map,
    checks: &PlanChecks<'_>,
) -> Option<&'t str> {
    let set = &tool.tool.effect.set;
    let param = |field: &str| set.get(field).and_then(set_from);
    let (begin_field, end_field) = time_fields::span(tool.table)?;
    let end = param(end_field)?;
    let today = Today {
        now: checks.now,
        zone: checks.zone,
    };
    let clock = days::time_of_day(params.get(end)?.as_str()?, today).ok()?;
    let given = param(begin_field).and_then(|begin| params.get(begin));
    let target = tool.target(params);
    let stored = || {
        target
            .as_ref()
            .and_then(|key| (checks.state)(key)?.data.get(begin_field))
    };
    let begin = given.or_else(stored).and_then(Value::as_str)?;
    let day = zoned(Micros::parse(begin).ok()?, checks.zone).date();
    let moment = days::moment(&format!("{day} {clock}"), today).ok()?;
    params.insert(end.to_owned(), moment.into());
    Some(end)
}
