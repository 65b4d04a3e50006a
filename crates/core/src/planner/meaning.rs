//! Whether a step makes sense beside fitting its tool: nothing ends before it begins, nothing is due on a day that has
//! passed, something changes, no text is a placeholder, and what is emptied is spoken of. Rule MISSIONS A12.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::checks::PlanChecks;
use super::plan::PlannedStep;
use super::reader::{Coerced, is_empty_title, is_placeholder};
use super::time_fields::{DAY, INSTANT, WHOLE_DAY, format, is_due_field, span};
use crate::Map;
use crate::change::Op;
use crate::manifest::{EffectOp, Operation, PromptText, ToolRef, set_from};
use crate::merge;
use crate::record::RecordState;
use crate::time::Micros;

/// A code for programs, and what is wrong.
type Reason = (&'static str, String);

/// Moves the end of what a call moves, where the call names the beginning alone and the record has both.
pub(super) fn keep_length(tool: ToolRef<'_>, params: &mut Map, checks: &PlanChecks<'_>) {
    let Some((begin, end)) = span(tool.table) else {
        return;
    };
    let set = &tool.tool.effect.set;
    let param = |field: &str| set.get(field).and_then(set_from);
    let (Some(begin_param), Some(end_param)) = (param(begin), param(end)) else {
        return;
    };
    if params.contains_key(end_param) {
        return;
    }
    let state = tool.target(params).and_then(|key| (checks.state)(&key));
    let Some(state) = state else { return };
    let old = |field: &str| instant(state.data.get(field));
    let (Some(new), Some(old_begin), Some(old_end)) =
        (instant(params.get(begin_param)), old(begin), old(end))
    else {
        return;
    };
    let moves_only = set.keys().all(|field| field == begin || field == end);
    if old_end <= old_begin || !moves_only && old_end > new {
        return;
    }
    let moved = Timestamp::from_microsecond(new.plus(old_end.0 - old_begin.0).0);
    if let Ok(moved) = moved {
        let moved = moved.to_zoned(checks.zone.clone());
        let text = moved.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        params.insert(end_param.to_owned(), text.into());
    }
}

/// Returns what makes no sense in a call whose parameters fit. `said` is the step's summary and rationale.
pub(super) fn check(
    tool: ToolRef<'_>,
    coerced: &Coerced,
    said: &str,
    checks: &PlanChecks<'_>,
) -> Result<(), Reason> {
    let params = &coerced.params;
    placeholder(tool, params)?;
    let state = tool.target(params).and_then(|key| (checks.state)(&key));
    backwards(tool, params, state)?;
    passed(tool, params, checks)?;
    unchanged(tool, params, state)?;
    emptied(tool, coerced, said, checks)
}

/// Returns why a step contradicts an earlier one on the same record.
pub(super) fn contradiction(
    tool: ToolRef<'_>,
    params: &Map,
    earlier: &[PlannedStep],
    checks: &PlanChecks<'_>,
) -> Result<(), Reason> {
    let Some(target) = tool.target(params) else {
        return Ok(());
    };
    for step in earlier {
        let Some(other) = checks.registry.tool(&step.tool_name) else {
            continue;
        };
        if other.target(&step.params).as_ref() != Some(&target) {
            continue;
        }
        let same = other.tool.name == tool.tool.name && step.params == *params;
        let removes = [tool, other]
            .iter()
            .any(|tool| tool.tool.effect.op == EffectOp::Delete);
        if !same
            && (removes
                || differs(
                    &operation(tool, params, None),
                    &operation(other, &step.params, None),
                ))
        {
            let reason = format!(
                "it contradicts step {} on the same record. Give the one that you mean.",
                step.index + 1
            );
            return Err(("contradiction", reason));
        }
    }
    Ok(())
}

/// Whether two operations write different values into a field. Paragraphs that are added stand beside each other.
fn differs(one: &Option<Operation>, other: &Option<Operation>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    let written = one
        .set
        .iter()
        .any(|(field, value)| other.set.get(field).is_some_and(|own| own != value));
    // Two steps contradict each other too where the time of one is emptied by the other.
    let undone = |a: &Operation, b: &Operation| a.now.iter().any(|field| b.set.contains_key(field));
    written || undone(one, other) || undone(other, one)
}

/// The one operation of a call, without the fields that it adds a paragraph to.
fn operation(tool: ToolRef<'_>, params: &Map, state: Option<&RecordState>) -> Option<Operation> {
    let mut operation = tool.operations(params, "", state).ok()?.pop()?;
    operation.set.retain(|field, _| {
        !tool
            .tool
            .effect
            .set
            .get(field)
            .is_some_and(Value::is_object)
    });
    Some(operation)
}

fn placeholder(tool: ToolRef<'_>, params: &Map) -> Result<(), Reason> {
    for (name, field) in &tool.tool.params {
        let Some(value) = params.get(name).filter(|_| field.kind.is_text()) else {
            continue;
        };
        let is_title = field.required && field.kind.kind().prompt == PromptText::Line;
        if is_placeholder(value) || is_title && is_empty_title(value) {
            let shown = value.as_str().unwrap_or_default();
            let reason = format!(
                "{name} is a placeholder, “{}”. Write the real text.",
                shown.trim()
            );
            return Err(("placeholder", reason));
        }
    }
    Ok(())
}

fn instant(value: Option<&Value>) -> Option<Micros> {
    let text = value?.as_str()?;
    let time = Micros::parse(text);
    time.or_else(|_| Micros::parse(&format!("{text}T00:00:00Z")))
        .ok()
}

fn backwards(tool: ToolRef<'_>, params: &Map, state: Option<&RecordState>) -> Result<(), Reason> {
    let Some((begin, end)) = span(tool.table) else {
        return Ok(());
    };
    let set = &tool.tool.effect.set;
    let after = |field: &str| {
        let given = set
            .get(field)
            .and_then(set_from)
            .and_then(|param| params.get(param));
        match given {
            Some(value) => (instant(Some(value)), true),
            None => (
                instant(state.and_then(|state| state.data.get(field))),
                false,
            ),
        }
    };
    let ((begins, begin_given), (ends, end_given)) = (after(begin), after(end));
    let (Some(begins), Some(ends)) = (begins, ends) else {
        return Ok(());
    };
    // A whole day begins and ends at the same midnight.
    let is_empty =
        ends < begins || ends == begins && format(&tool.table.fields[begin]) == Some(INSTANT);
    if !is_empty || !(begin_given || end_given) || ends == begins && whole_day(params, state) {
        return Ok(());
    }
    let reason =
        format!("{end} is not after {begin}: it would end before it begins. Give both times.");
    Err(("ends_before_start", reason))
}

/// Whether a boolean says that the whole day is taken.
fn whole_day(params: &Map, state: Option<&RecordState>) -> bool {
    let value = |name: &str| params.get(name).or_else(|| state?.data.get(name));
    value(WHOLE_DAY).is_some_and(|value| *value == true)
}

/// Whether a field says when something is to be done.
fn is_ahead(tool: ToolRef<'_>, field: &str) -> bool {
    tool.table.deadline.as_deref() == Some(field) || is_due_field(field)
}

/// When a step that makes something due on a day loses its sense: as that day ends on this wall clock, the last such
/// day where there are several. None where the step makes nothing due on a day.
pub fn expires_at(tool: ToolRef<'_>, params: &Map, zone: &TimeZone) -> Option<Micros> {
    if tool.tool.effect.op != EffectOp::Insert {
        return None;
    }
    let days = tool.tool.effect.set.iter().filter_map(|(field, value)| {
        let is_day = tool.table.fields.get(field).and_then(format) == Some(DAY);
        let text = params.get(set_from(value)?)?.as_str()?;
        let day: Date = text
            .parse()
            .ok()
            .filter(|_| is_day && is_ahead(tool, field))?;
        let end = day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?;
        Some(Micros(end.timestamp().as_microsecond()))
    });
    days.max()
}

/// A day on which something is to be done has not passed.
fn passed(tool: ToolRef<'_>, params: &Map, checks: &PlanChecks<'_>) -> Result<(), Reason> {
    let now = Timestamp::from_microsecond(checks.now.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let today = now.to_zoned(checks.zone.clone()).date().to_string();
    for (field, value) in &tool.tool.effect.set {
        let Some(param) = set_from(value) else {
            continue;
        };
        let Some(text) = params
            .get(param)
            .and_then(Value::as_str)
            .filter(|_| is_ahead(tool, field))
        else {
            continue;
        };
        let has_passed = match tool.table.fields.get(field).and_then(format) {
            Some(DAY) => text < today.as_str(),
            Some(INSTANT) => Micros::parse(text).is_ok_and(|at| at <= checks.now),
            _ => false,
        };
        if has_passed {
            let reason = format!(
                "{param} is {text}, which has passed: today is {today}. Give a time to come."
            );
            return Err(("passed", reason));
        }
    }
    Ok(())
}

/// A change changes something.
fn unchanged(tool: ToolRef<'_>, params: &Map, state: Option<&RecordState>) -> Result<(), Reason> {
    let Some(state) = state else { return Ok(()) };
    let operations = tool.operations(params, "", Some(state)).unwrap_or_default();
    let Some(operation) = operations
        .first()
        .filter(|operation| operation.op == Op::Update)
    else {
        return Ok(());
    };
    let is = |field: &str, value: &Value| {
        let own = state.data.get(field).filter(|own| !own.is_null());
        match own {
            Some(own) => {
                merge::normalize(own) == *value
                    || instant(Some(own)).is_some_and(|at| Some(at) == instant(Some(value)))
            }
            None => value.is_null() || *value == false,
        }
    };
    if !operation.set.is_empty() && operation.set.iter().all(|(field, value)| is(field, value)) {
        let reason = "it changes nothing: the record is like that already. Leave it out.";
        return Err(("unchanged", reason.to_owned()));
    }
    Ok(())
}

/// A field that a step empties is spoken of in its summary or its rationale, by name or by label.
fn emptied(
    tool: ToolRef<'_>,
    coerced: &Coerced,
    said: &str,
    checks: &PlanChecks<'_>,
) -> Result<(), Reason> {
    let said = said.to_lowercase();
    let language = super::language::primary(checks.locale);
    for param in &coerced.cleared {
        let field = tool
            .tool
            .effect
            .set
            .iter()
            .find(|(_, value)| set_from(value) == Some(param));
        let field = field.and_then(|(field, _)| tool.table.fields.get(field));
        let label = field.and_then(|field| field.label.as_ref());
        // In a language that the manifest lacks, nobody can tell.
        if label.is_some_and(|label| !label.0.contains_key(language)) {
            continue;
        }
        let labels = label.into_iter().flat_map(|label| label.0.values());
        let aliases = field.into_iter().flat_map(|field| &field.aliases);
        let spoken = labels
            .chain([param])
            .chain(aliases)
            .any(|name| said.contains(&name.to_lowercase()));
        if !spoken {
            let reason = format!(
                "it empties {param}, and its summary doesn’t say so. Say so, or don’t empty it."
            );
            return Err(("empties", reason));
        }
    }
    Ok(())
}
