//! The shapes in which models give steps and calls, brought into the one that is asked for:
//! `{summary, toolName, params, rationale}`.

use serde_json::{Value, json};

use super::coerce::CLEAR;
use super::lenient_json;
use super::literals;
use super::tool_name::ToolNames;
use crate::Map;
use crate::manifest::fold;

/// How deep wrappings are opened.
pub(super) const MAX_WRAPPINGS: usize = 8;

/// Other names of a step's tool.
const TOOL: &[&str] = &[
    "toolname",
    "tool",
    "function",
    "functionname",
    "name",
    "action",
    "toolid",
    "method",
    "operation",
    "command",
    "call",
    "recipientname",
    "fn",
    "func",
    "api",
    "actiontype",
    "actionname",
    "werkzeug",
    "outil",
    "herramienta",
    "type",
    "intent",
];

/// Other names of a step's parameters.
const PARAMS: &[&str] = &[
    "params",
    "parameters",
    "arguments",
    "args",
    "input",
    "inputs",
    "toolinput",
    "toolargs",
    "toolarguments",
    "toolparams",
    "toolparameters",
    "payload",
    "data",
    "kwargs",
    "actioninput",
    "fields",
    "values",
    "param",
    "parameter",
    "argument",
    "functionarguments",
    "parametersjson",
    "paramètres",
    "parámetros",
];

/// Names under which the parameters of a change stand among its parameters.
const CHANGES: &[&str] = &["changes", "updates", "update", "set", "patch", "newvalues"];

/// Other names of a step's rationale.
pub(super) const RATIONALE: &[&str] = &[
    "rationale",
    "why",
    "reason",
    "reasoning",
    "explanation",
    "justification",
    "because",
    "rational",
    "motivation",
    "purpose",
    "thought",
    "begründung",
    "grund",
    "warum",
    "raison",
    "razón",
    "reasons",
];

/// Other names of a summary.
pub(super) const SUMMARY: &[&str] = &[
    "summary",
    "plansummary",
    "overview",
    "zusammenfassung",
    "résumé",
    "resumen",
    "headline",
    "description",
    "title",
    "label",
    "what",
    "effect",
    "message",
    "comment",
    "note",
    "conclusion",
];

/// Objects with more keys than this are no plans and no steps.
const MAX_KEYS: usize = 100;

/// The value of the first of these keys that an object has, with the key as it is written.
pub(super) fn first<'v>(fields: &'v Map, keys: &[&str]) -> Option<(&'v String, &'v Value)> {
    if fields.len() > MAX_KEYS {
        return None;
    }
    let folded: Vec<String> = fields.keys().map(|name| fold(name)).collect();
    keys.iter().find_map(|key| {
        let exact = fields.get_key_value(*key);
        exact.or_else(|| {
            let place = folded.iter().position(|name| name == key)?;
            fields.iter().nth(place)
        })
    })
}

/// A text that holds JSON, as that JSON.
pub(super) fn opened(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    let begins = text
        .trim_start_matches('`')
        .trim_start_matches("json")
        .trim_start();
    if !begins.starts_with(['{', '[']) {
        return None;
    }
    let mut fuel = 12 * text.len() + 1_000;
    let found = lenient_json::read(text, &mut fuel)?;
    found.whole.then_some(found.value)
}

/// Whether a value looks like a step or a call: it names a tool and has parameters, or names a tool that there is.
pub(super) fn is_step(value: &Value, names: ToolNames<'_>) -> bool {
    match value {
        Value::String(_) => {
            opened(value).is_some_and(|inner| inner.is_object() && is_step(&inner, names))
        }
        Value::Object(fields) => {
            let tool = tool_of(fields, names);
            let certain = tool.as_ref().is_some_and(|(key, name)| {
                names.is_known(name)
                    || names.find(name).is_some()
                    || fold(key) == "toolname"
                    || has_params(fields)
            });
            certain || named_by_key(fields, names).is_some() || wrapped(fields, names).is_some()
        }
        Value::Array(items) => in_a_row(items, names).is_some(),
        _ => false,
    }
}

fn has_params(fields: &Map) -> bool {
    first(fields, PARAMS).is_some_and(|(_, value)| {
        value.is_object()
            || value.is_array()
            || value
                .as_str()
                .is_some_and(|text| text.trim_start().starts_with('{'))
    })
}

/// The key and the text that name a step's tool. Of several texts the first that is a tool's name counts.
fn tool_of(fields: &Map, names: ToolNames<'_>) -> Option<(String, String)> {
    let mut named = Vec::new();
    for key in TOOL {
        let Some((key, value)) = first(fields, &[*key]) else {
            continue;
        };
        let name = match value {
            Value::Array(items) if items.len() == 1 => items[0].as_str(),
            value => value.as_str(),
        };
        named.extend(name.map(|name| (key.clone(), name.to_owned())));
    }
    let known = named.iter().position(|(_, name)| names.is_known(name));
    let meant = || {
        named
            .iter()
            .position(|(_, name)| names.find(name).is_some())
    };
    // A type says "function" more often than which.
    let any = || {
        named
            .iter()
            .position(|(key, _)| !matches!(fold(key).as_str(), "type" | "intent" | "call"))
    };
    let place = known.or_else(meant).or_else(any)?;
    Some(named.swap_remove(place))
}

/// A step that is named by its only key: `{"create_task": {…}}`.
fn named_by_key<'v>(fields: &'v Map, names: ToolNames<'_>) -> Option<(&'v String, &'v Value)> {
    let mut known = fields
        .iter()
        .filter(|(key, value)| names.is_known(key) && (value.is_object() || value.is_null()));
    let only = known.next()?;
    known.next().is_none().then_some(only)
}

/// The step within a wrapping: `{"type": "function", "function": {…}}`, `{"step": {…}}`.
fn wrapped<'v>(fields: &'v Map, names: ToolNames<'_>) -> Option<&'v Value> {
    const KEYS: &[&str] = &[
        "function",
        "toolcall",
        "functioncall",
        "call",
        "tool",
        "action",
        "intent",
        "step",
        "tooluse",
    ];
    KEYS.iter().find_map(|key| {
        let (_, inner) = first(fields, &[*key])?;
        (inner.is_object() && is_step(inner, names)).then_some(inner)
    })
}

/// A step in the form of a plan's. What can't be read as one stays as it is, for the check to name.
pub(super) fn step(value: &Value, names: ToolNames<'_>) -> Value {
    step_within(value, names, MAX_WRAPPINGS)
}

fn step_within(value: &Value, names: ToolNames<'_>, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else {
        return value.clone();
    };
    let fields = match value {
        Value::Object(fields) => fields,
        Value::String(_) => match opened(value) {
            Some(inner) if inner.is_object() => return step_within(&inner, names, depth),
            _ => return value.clone(),
        },
        Value::Array(items) => return in_a_row(items, names).unwrap_or_else(|| value.clone()),
        other => return other.clone(),
    };
    if let Some(inner) = wrapped(fields, names) {
        let mut step = step_within(inner, names, depth);
        for (name, keys) in [("summary", SUMMARY), ("rationale", RATIONALE)] {
            let lacks = step[name].is_null();
            if let Some((_, outer)) = first(fields, keys).filter(|_| lacks) {
                step[name] = outer.clone();
            }
        }
        return step;
    }
    if tool_of(fields, names).is_none()
        && let Some((name, arguments)) = named_by_key(fields, names)
    {
        let mut call = match arguments {
            Value::Object(arguments) => arguments.clone(),
            _ => Map::new(),
        };
        for (key, value) in fields.iter().filter(|(key, _)| *key != name) {
            call.entry(key.clone()).or_insert_with(|| value.clone());
        }
        return self::call(name, &call, names);
    }
    let Some((tool_key, name)) = tool_of(fields, names) else {
        return without_tool(fields);
    };
    let mut rest = fields.clone();
    rest.remove(&tool_key);
    call(&name, &rest, names)
}

/// A step as a row of its parts: `["create_task", {"title": …}, "The reason."]`.
fn in_a_row(items: &[Value], names: ToolNames<'_>) -> Option<Value> {
    let [Value::String(name), Value::Object(params), said @ ..] = items else {
        return None;
    };
    (said.len() <= 2 && names.is_known(name)).then(|| {
        json!({
            "summary": said.get(1),
            "toolName": names.canonical(name),
            "params": params,
            "rationale": said.first(),
        })
    })
}

/// A step that names no tool, for the check to say so.
fn without_tool(fields: &Map) -> Value {
    json!({
        "summary": first(fields, SUMMARY).map(|(_, value)| value),
        "toolName": Value::Null,
        "params": first(fields, PARAMS).map(|(_, value)| value),
        "rationale": first(fields, RATIONALE).map(|(_, value)| value),
    })
}

/// A call with its arguments as a step: `{summary, rationale, params}`, or flat with the parameters beside these.
pub(in crate::planner) fn call(name: &str, arguments: &Map, names: ToolNames<'_>) -> Value {
    let tool = names.find(name);
    // `tool_call` with the name of the tool among its arguments.
    if tool.is_none()
        && !names.is_hand_in(name)
        && let Some((_, inner)) = tool_of(arguments, names)
        && names.is_known(&inner)
    {
        return step(&Value::Object(arguments.clone()), names);
    }
    let declares = |param: &str| {
        tool.is_some_and(|tool| {
            tool.tool
                .params
                .keys()
                .any(|own| own == param || fold(own) == fold(param))
        })
    };
    let mut rest = arguments.clone();
    lenient_json::unmarked(&mut rest);
    let mut params = None;
    // A parameter of the tool's own may have such a name.
    let key = first(&rest, PARAMS)
        .map(|(key, _)| key.clone())
        .filter(|key| !declares(key));
    if let Some(key) = key {
        params = rest.remove(&key);
    }
    let nested = params.as_ref().is_some_and(|params| !params.is_null());
    let params = match params.map(unwrapped) {
        Some(Value::Object(mut fields)) => {
            lenient_json::unmarked(&mut fields);
            // Parameters within parameters.
            let inner = first(&fields, PARAMS).or_else(|| first(&fields, CHANGES));
            let inner = inner
                .map(|(key, _)| key.clone())
                .filter(|key| !declares(key));
            if let Some(inner) = inner
                && let Some(Value::Object(within)) =
                    fields.get(&inner).map(|value| unwrapped(value.clone()))
            {
                fields.remove(&inner);
                // The tool may be named again beside them.
                fields.retain(|key, _| declares(key) || !TOOL.contains(&fold(key).as_str()));
                fields.extend(within);
            }
            Ok(fields)
        }
        None | Some(Value::Null) => Ok(Map::new()),
        Some(other) => Err(other),
    };
    let mut params = match params {
        Ok(params) => params,
        Err(other) => {
            return json!({
                "summary": take(&mut rest, SUMMARY),
                "toolName": names.canonical(name),
                "params": other,
                "rationale": take(&mut rest, RATIONALE),
            });
        }
    };
    // Summary and rationale may stand beside the parameters or among them.
    let mut said = |keys: &[&str], own: &str| {
        let outside = first(&rest, keys).map(|(key, value)| (key.clone(), value.clone()));
        let outside = outside
            .filter(|(key, _)| key == own || !declares(key) || nested && params.contains_key(key));
        if let Some((key, value)) = outside {
            rest.remove(&key);
            return Some(value);
        }
        let inside = first(&params, keys).map(|(key, value)| (key.clone(), value.clone()));
        let (key, value) = inside.filter(|(key, _)| !declares(key))?;
        // Only the plain names are taken out of parameters: another one may be a parameter by another name.
        if matches!(
            fold(&key).as_str(),
            "summary" | "rationale" | "why" | "reason" | "reasoning"
        ) {
            params.remove(&key);
            return Some(value);
        }
        None
    };
    let mut rationale = said(RATIONALE, "rationale");
    let summary_keys: &[&str] = if nested { SUMMARY } else { &["summary"] };
    let summary = said(summary_keys, "summary");
    if rationale.is_none() && !nested {
        // A flat call of a tool with a parameter of that name says it once.
        rationale = first(&rest, RATIONALE).map(|(_, value)| value.clone());
    }
    for (key, value) in rest {
        let is_param = !nested || declares(&key) || key == CLEAR;
        if is_param && (declares(&key) || !is_frame(&key, &value)) {
            params.entry(key).or_insert(value);
        }
    }
    if let Some(inner) = under_one_name(&params, declares) {
        params = inner;
    }
    json!({
        "summary": summary.map(sentences),
        "toolName": names.canonical(name),
        "params": params,
        "rationale": rationale.map(sentences),
    })
}

/// The parameters that stand together under a name of their own: `{"task": {"title": …}}`.
fn under_one_name(params: &Map, declares: impl Fn(&str) -> bool) -> Option<Map> {
    let mut all = params.iter();
    let (Some((name, Value::Object(inner))), None) = (all.next(), all.next()) else {
        return None;
    };
    let fits = !declares(name) && inner.keys().any(|key| declares(key));
    fits.then(|| inner.clone())
}

/// A text that may have come as a list of sentences, or under a name of its own.
fn sentences(value: Value) -> Value {
    let texts: Option<Vec<_>> = match &value {
        Value::String(text) => return literals::letters(text).into(),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::Object(fields) if fields.len() == 1 => fields.values().map(Value::as_str).collect(),
        _ => None,
    };
    texts.map_or(value.clone(), |texts| texts.join(" ").into())
}

/// Keys around a call that say nothing about it.
fn is_frame(key: &str, value: &Value) -> bool {
    match fold(key).as_str() {
        "type" | "toolcallid" | "callid" | "role" | "index" | "step" | "stepnumber" | "number"
        | "order" | "stepid" => true,
        "id" => {
            value.is_number()
                || value
                    .as_str()
                    .is_some_and(|id| id.starts_with("call") || id.starts_with("toolu"))
        }
        _ => false,
    }
}

fn take(fields: &mut Map, keys: &[&str]) -> Value {
    let key = first(fields, keys).map(|(key, _)| key.clone());
    key.and_then(|key| fields.remove(&key))
        .unwrap_or(Value::Null)
}

/// Parameters out of a text, a list of one object, or a list of names and values.
fn unwrapped(value: Value) -> Value {
    let value = opened(&value).unwrap_or(value);
    let Value::Array(items) = &value else {
        return value;
    };
    let pair = |item: &Value| {
        let fields = item.as_object()?;
        let (_, name) = first(fields, &["name", "key", "param", "parameter"])?;
        let (_, value) = first(fields, &["value"])?;
        Some((name.as_str()?.to_owned(), value.clone()))
    };
    if let Some(pairs) = items.iter().map(pair).collect::<Option<Map>>()
        && !pairs.is_empty()
    {
        return pairs.into();
    }
    match items.as_slice() {
        [only @ Value::Object(_)] => only.clone(),
        [] => Value::Null,
        _ => value,
    }
}
