//! Whether values fit: parameters of a tool's call, fields of a record. In plain words, since a person
//! reads them in a form and a model reads them to repair its plan.

use serde_json::Value;

use super::{
    field_value::GivenValue,
    operation::Operation,
    tool_ref::ToolRef,
    types::{EffectOp, Field, Table, ValueSource, value_source},
};
use crate::{Map, change::Op, problem::Problem, time::Micros};

/// Returns the problem of a value, by the row of its field's kind.
fn value_problem(name: &str, field: &Field, value: &Value) -> Option<Problem> {
    (field.kind.kind().check)(GivenValue { name, field, value })
}

fn missing(name: &str) -> Problem {
    Problem::new(
        name,
        "required",
        format!("{name} is missing. Give it a value."),
    )
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Returns the problems of a record's data.
pub(super) fn record(table: &Table, data: &Map, partial: bool) -> Vec<Problem> {
    let problems = table
        .fields
        .iter()
        .filter_map(|(name, field)| match data.get(name) {
            None if partial || !field.required => None,
            None => Some(missing(name)),
            Some(value) if is_empty(value) && field.required => Some(missing(name)),
            Some(Value::Null) => None,
            Some(value) => value_problem(name, field, value),
        });
    problems.collect()
}

fn call(tool: ToolRef<'_>, params: &Map) -> Vec<Problem> {
    let declared = &tool.tool.params;
    let name = &tool.tool.name;
    let mut problems = Vec::new();
    for given in params.keys().filter(|given| !declared.contains_key(*given)) {
        let known: Vec<_> = declared.keys().map(String::as_str).collect();
        let known = match known.as_slice() {
            [] => "It takes none.".to_owned(),
            known => format!("It knows {}.", known.join(", ")),
        };
        problems.push(Problem::new(
            given,
            "unknown",
            format!("{name} has no parameter {given}. {known}"),
        ));
    }
    for (param, field) in declared {
        match params.get(param) {
            None | Some(Value::Null) if !field.required => {}
            None => problems.push(missing(param)),
            Some(value) if field.required && is_empty(value) => problems.push(missing(param)),
            Some(value) => problems.extend(value_problem(param, field, value)),
        }
    }
    if problems.is_empty() {
        problems.extend(field_problems(tool, params));
    }
    problems
}

/// Returns what the table's fields refuse of the values that the parameters put into them.
fn field_problems(tool: ToolRef<'_>, params: &Map) -> Vec<Problem> {
    let effect = &tool.tool.effect;
    let mut changes = effect.set.is_empty();
    let mut problems = Vec::new();
    for (field, value) in &effect.set {
        let (ValueSource::Param(param) | ValueSource::Append(param)) = value_source(value) else {
            changes = true;
            continue;
        };
        let (Some(value), Some(definition)) = (params.get(param), tool.table.fields.get(field))
        else {
            continue;
        };
        changes = true;
        if value.is_null() && definition.required && effect.op == EffectOp::Update {
            let message = format!("{param} can't be emptied. Leave it out to keep what is there.");
            problems.push(Problem::new(param, "required", message));
        } else if !value.is_null() {
            problems.extend(value_problem(param, definition, value));
        }
    }
    if !changes && effect.op == EffectOp::Update {
        let choices = effect
            .set
            .values()
            .filter_map(|value| match value_source(value) {
                ValueSource::Param(param) | ValueSource::Append(param) => Some(param),
                _ => None,
            });
        let choices: Vec<_> = choices.collect();
        let message = format!(
            "{} would change nothing. Give at least one of {}.",
            tool.tool.name,
            choices.join(", ")
        );
        problems.push(Problem::new("params", "required", message));
    }
    problems
}

impl ToolRef<'_> {
    /// Returns what is wrong with the parameters of a call; empty where the call can be made.
    pub fn check(self, params: &Map) -> Vec<Problem> {
        call(self, params)
    }

    /// Returns the problem of the record that an operation leads to: an appended text may have become too
    /// long, a manifest may have changed.
    pub(super) fn record_problem(self, operation: &Operation) -> Option<Problem> {
        let mut data = operation.set.clone();
        data.extend(
            operation
                .now
                .iter()
                .map(|field| (field.clone(), Value::from(Micros::EPOCH.to_string()))),
        );
        match operation.op {
            Op::Delete => None,
            op => record(self.table, &data, op == Op::Update)
                .into_iter()
                .next(),
        }
    }
}
