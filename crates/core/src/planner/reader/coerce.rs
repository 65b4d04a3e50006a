//! The parameters of a call, made to fit the tool's schema where a value can mean one thing only. Whether they do fit
//! is checked afterwards, as for any call.

use serde_json::Value;

use super::days::{self, Today};
use super::durations::number;
use super::end_of_day;
use super::given_apart;
use super::lenient_json;
use super::literals;
use super::{record_ids, recurrence};
use crate::Map;
use crate::manifest::fold;
use crate::manifest::{
    Definition, EffectOp, EnumValue, Field, FieldKind, JsonKeywords, PromptText, ToolRef,
};
use crate::planner::checks::PlanChecks;
use crate::time::Micros;

/// The reserved parameter that names the fields to be emptied.
pub(in crate::planner) const CLEAR: &str = "clear";

/// Parameters as they can be checked.
#[derive(Debug, Default)]
pub(in crate::planner) struct Coerced {
    pub params: Map,
    /// The parameters that the call empties.
    pub cleared: Vec<String>,
    /// Parameters that were left out, in words for the person.
    pub left_out: Vec<String>,
    /// Why a value was not understood, by its parameter.
    pub unread: Vec<(String, String)>,
}

/// Makes the parameters of a call fit.
pub(in crate::planner) fn coerce(
    tool: ToolRef<'_>,
    given: &Map,
    checks: &PlanChecks<'_>,
) -> Coerced {
    let mut coerced = Coerced::default();
    let mut clear = Vec::new();
    let declared = &tool.tool.params;
    let today = Today {
        now: checks.now,
        zone: checks.zone,
    };
    let (given, seconds) = given_apart::together(tool, given, today);
    // A parameter's own name counts before its other names.
    let (own, other): (Vec<_>, Vec<_>) = given
        .iter()
        .partition(|(name, _)| declared.contains_key(*name));
    for (name, value) in own.into_iter().chain(other) {
        if name == CLEAR && !declared.contains_key(CLEAR) {
            clear = names(value);
            continue;
        }
        let Some(param) = tool.parameter(name) else {
            if !is_nothing(value) {
                coerced.params.insert(name.clone(), value.clone());
            }
            continue;
        };
        let field = &declared[param];
        // The tool may be named again among its parameters.
        let is_tool = name != param && value.as_str() == Some(tool.tool.name.as_str());
        if is_tool || is_left_out(field, value) {
            continue;
        }
        if !field.required && is_placeholder(value) {
            let shown = value.as_str().unwrap_or_default();
            coerced.left_out.push(format!(
                "{param}, which was no more than “{}”",
                shown.trim()
            ));
            continue;
        }
        let value = match of_kind(tool, param, field, value, checks) {
            Ok(value) => value,
            Err(why) => {
                if !why.is_empty() {
                    coerced.unread.push((param.to_owned(), why));
                }
                value.clone()
            }
        };
        match coerced.params.get(param) {
            Some(before) if *before != value => coerced
                .left_out
                .push(format!("a second value of {param}, “{}”", plain(&value))),
            Some(_) => {}
            None => {
                coerced.params.insert(param.to_owned(), value);
            }
        }
    }
    if let Some(end) = end_of_day::on_the_day_of_its_beginning(tool, &mut coerced.params, checks) {
        coerced.unread.retain(|(name, _)| name != end);
    }
    given_apart::end_after(tool, &mut coerced.params, seconds);
    leave_out_what_is_so(tool, &mut coerced.params, checks);
    if tool.tool.effect.op == EffectOp::Update {
        for name in clear {
            let param = tool.parameter(&name).map_or(name, str::to_owned);
            if !coerced.params.contains_key(&param) {
                coerced.params.insert(param.clone(), Value::Null);
                coerced.cleared.push(param);
            }
        }
    }
    coerced
}

/// Leaves out what is no parameter, and a field of the record that has this value already.
fn leave_out_what_is_so(tool: ToolRef<'_>, params: &mut Map, checks: &PlanChecks<'_>) {
    let Some(state) = tool.target(params).and_then(|key| (checks.state)(&key)) else {
        return;
    };
    let says_no =
        |value: Option<&Value>| matches!(value, None | Some(Value::Null | Value::Bool(false)));
    params.retain(|name, value| {
        let value: &Value = value;
        let mut fields = tool.table.fields.keys();
        let field = fields.find(|field| fold(field) == fold(name));
        let stored = field.map(|field| state.data.get(field));
        tool.tool.params.contains_key(name)
            || stored.is_none_or(|stored| {
                stored != Some(value) && !(says_no(stored) && says_no(Some(value)))
            })
    });
}

/// The names in a list, in a text with commas, or with a yes to each.
fn names(value: &Value) -> Vec<String> {
    let texts = match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.split(',').collect(),
        Value::Object(fields) => {
            let meant = fields
                .iter()
                .filter(|(_, value)| **value == Value::Bool(true));
            meant.map(|(name, _)| name.as_str()).collect()
        }
        _ => Vec::new(),
    };
    let names = texts
        .into_iter()
        .map(|text| text.trim().trim_matches(['"', '[', ']', '$']).to_owned());
    names.filter(|name| !name.is_empty()).collect()
}

/// Whether a value says that there is none.
fn is_left_out(field: &Field, value: &Value) -> bool {
    let is_choice = |text: &str| {
        field
            .values
            .iter()
            .map(EnumValue::value)
            .any(|value| fold(value) == fold(text))
    };
    is_nothing(value)
        || !field.required
            && value
                .as_str()
                .is_some_and(|text| is_no_word(text) && !is_choice(text))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            text.trim().is_empty() || matches!(text.trim(), "null" | "None" | "undefined")
        }
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A word that a model writes where it has nothing to say.
pub(in crate::planner) fn is_no_word(text: &str) -> bool {
    const NOTHING: &[&str] = &[
        "null",
        "none",
        "nil",
        "undefined",
        "n/a",
        "na",
        "nan",
        "not set",
        "unset",
        "empty",
        "-",
        "--",
        "—",
    ];
    NOTHING.contains(&text.trim().to_lowercase().as_str())
}

/// Whether a text is what a prompt or a schema has in the place of one.
pub(in crate::planner) fn is_placeholder(value: &Value) -> bool {
    const WORDS: &[&str] = &[
        "string",
        "placeholder",
        "lorem ipsum",
        "tbd",
        "tba",
        "fixme",
        "some text",
        "text here",
        "description here",
        "notes here",
        "to be determined",
    ];
    let Some(text) = value.as_str().map(str::trim) else {
        return false;
    };
    if text.is_empty() || text == "?" {
        return false;
    }
    let framed = [("<", ">"), ("[", "]"), ("{", "}"), ("__", "__"), ("$", "$")];
    let inner = framed
        .iter()
        .find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close));
    let in_frame = inner.is_some_and(|inner| {
        let words = inner.trim_matches(['{', '}', '<', '>', '[', ']', '$', ' ']);
        let plain =
            |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '\'' | '…' | '.');
        // `[x]` is a tick of a list.
        words.chars().count() > 1 && words.chars().all(plain)
    });
    let dots = text
        .chars()
        .all(|c| matches!(c, '.' | '…' | '-' | '_' | '?' | '*'));
    let words = unpunctuated(text);
    in_frame || dots || WORDS.contains(&words.as_str()) || is_form(&words)
}

/// Whether words say what should stand in their place: `your task here`, `insert the title here`.
fn is_form(words: &str) -> bool {
    const NAMES: &str = "a body content description event goal name note notes summary task text the title value your";
    let Some((beginning, names)) = words
        .strip_suffix(" here")
        .and_then(|words| words.split_once(' '))
    else {
        return false;
    };
    ["your", "insert", "enter", "write"].contains(&beginning)
        && names
            .split_whitespace()
            .all(|name| NAMES.split(' ').any(|known| known == name))
}

/// The title in the prompt's worked step. A model that copies it means nothing by it.
pub(in crate::planner) const EXAMPLE_TITLE: &str = "Call the plumber about the dripping tap";

/// Whether a text is no more than the name of what should stand there, or the prompt's example.
pub(in crate::planner) fn is_empty_title(value: &Value) -> bool {
    const WORDS: &[&str] = &[
        "todo",
        "to do",
        "to-do",
        "title",
        "task title",
        "event title",
        "note title",
        "goal title",
        "new task",
        "new event",
        "new note",
        "new goal",
        "example",
        "example title",
        "example task",
        "title here",
        "xxx",
        "xx",
        "foo",
        "bar",
        "foo bar",
        "foobar",
        "insert title",
        "untitled",
        "title of the task",
        "the title",
        "text",
        "task",
        "event",
        "value",
        "name",
    ];
    let word = value.as_str().map(unpunctuated);
    let is_example = |word: &str| word == EXAMPLE_TITLE.to_lowercase();
    is_placeholder(value)
        || word.is_some_and(|word| WORDS.contains(&word.as_str()) || is_example(&word))
}

fn unpunctuated(text: &str) -> String {
    text.trim()
        .trim_end_matches(['.', '…', ':', '!'])
        .to_lowercase()
}

/// A value as the kind of its parameter has it; else why it is not understood, empty where there is nothing to add.
fn of_kind(
    tool: ToolRef<'_>,
    name: &str,
    field: &Field,
    value: &Value,
    checks: &PlanChecks<'_>,
) -> Result<Value, String> {
    let today = Today {
        now: checks.now,
        zone: checks.zone,
    };
    let kind = field.kind.kind();
    let value = single(&kind, value);
    let nothing = String::new;
    // A parameter's schema says what its values are, as it says to the model.
    match (kind.json_type, kind.json_format) {
        (Some("integer"), _) => {
            let number = number(name, value).ok_or_else(nothing)?;
            // Floats up to here are exact.
            match number.fract() == 0.0 && number.abs() < 9e15 {
                true => Ok(Value::from(number as i64)),
                false => Err(nothing()),
            }
        }
        (Some("number"), _) => number(name, value).map(Value::from).ok_or_else(nothing),
        (Some("boolean"), _) => boolean(value).map(Value::from).ok_or_else(nothing),
        (Some("array"), _) if kind.json_keywords == JsonKeywords::Words => {
            tags(value).ok_or_else(nothing)
        }
        (Some("string"), Some("date")) => days::day(text(value)?, today).map(Value::from),
        (Some("string"), Some("date-time")) => moment(value, today),
        (Some("string"), Some("uri")) => Ok(Value::from(address(text(value)?))),
        (Some("string"), None) => match kind.definition {
            Definition::Values => {
                let word = text(value)?;
                // `normal (default)`: what stands in brackets behind a choice says something about it.
                let alone = word.split_once(" (").map_or(word, |(choice, _)| choice);
                let choice = tool.choice(name, field, word);
                let choice = choice.or_else(|| tool.choice(name, field, alone));
                choice.map(Value::from).ok_or_else(nothing)
            }
            Definition::Table => {
                let place = field.reference(&tool.module.id).ok_or_else(nothing)?;
                let id = record_ids::resolve(value, place, checks);
                id.map(Value::from).ok_or_else(nothing)
            }
            _ if kind.is_text => {
                let between = if kind.prompt == PromptText::Line {
                    ", "
                } else {
                    "\n"
                };
                line(value, between).ok_or_else(nothing)
            }
            _ if kind.prompt == PromptText::Recurrence => recurrence::recurrence(value, today),
            _ => days::time_of_day(text(value)?, today).map(Value::from),
        },
        _ => Ok(value.clone()),
    }
}

/// An instant: as it stands where it is one already, in words, or as seconds or milliseconds since 1970.
fn moment(value: &Value, today: Today<'_>) -> Result<Value, String> {
    if let Some(number) = value.as_i64() {
        let micros = match number {
            1_000_000_000..10_000_000_000 => number * 1_000_000,
            1_000_000_000_000..10_000_000_000_000 => number * 1_000,
            _ => return Err(String::new()),
        };
        return Ok(Value::from(Micros(micros).to_string()));
    }
    let text = text(value)?;
    match Micros::parse(text) {
        Ok(_) => Ok(Value::from(text)),
        Err(_) => days::moment(text, today).map(Value::from),
    }
}

/// The one value in a list or an object where the kind takes neither.
fn single<'v>(kind: &FieldKind, value: &'v Value) -> &'v Value {
    let (takes_lists, takes_all) = (kind.json_type == Some("array"), kind.json_type.is_none());
    match value {
        Value::Array(items) if !takes_lists && !takes_all && items.len() == 1 => &items[0],
        Value::Object(fields) if !takes_all && fields.len() == 1 => {
            let wrapped = ["value", "text", "content", "date", "dateTime", "datetime"];
            wrapped
                .iter()
                .find_map(|key| fields.get(*key))
                .unwrap_or(value)
        }
        value => value,
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(String::new)
}

fn line(value: &Value, between: &str) -> Option<Value> {
    match value {
        Value::String(text) => Some(literals::letters(text).into()),
        Value::Number(_) | Value::Bool(_) => Some(Value::from(value.to_string())),
        Value::Array(items) => {
            let lines: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            Some(Value::from(lines?.join(between)))
        }
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_f64()? {
            1.0 => Some(true),
            0.0 => Some(false),
            _ => None,
        },
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "y" | "on" | "1" | "ja" | "wahr" => Some(true),
            "false" | "no" | "n" | "off" | "0" | "nein" | "falsch" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A list of words, also as a text with commas, as a list in a text, or with a hash before each.
fn tags(value: &Value) -> Option<Value> {
    let word = |text: &str| text.trim().trim_start_matches('#').trim().to_owned();
    let words: Vec<String> = match value {
        Value::String(text) if text.trim_start().starts_with('[') => {
            let mut fuel = 10 * text.len() + 1_000;
            let found = lenient_json::read(text, &mut fuel)?;
            return tags(&found.value).filter(|_| found.whole);
        }
        Value::String(text) => text.split([',', ';', '\n']).map(word).collect(),
        Value::Array(items) => {
            let texts = items.iter().map(|item| match item {
                Value::String(text) => Some(word(text)),
                Value::Number(number) => Some(number.to_string()),
                Value::Object(fields) => ["name", "label", "tag", "value"]
                    .iter()
                    .find_map(|key| fields.get(*key)?.as_str())
                    .map(word),
                _ => None,
            });
            texts.collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(
        words
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(Value::from)
            .collect(),
    )
}

/// An address without the marks of a link around it: `<https://…>`, `[text](https://…)`, `www.example.org`.
fn address(text: &str) -> String {
    let text = text.trim().trim_matches(['<', '>', '"']);
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]("))
        .and_then(|(_, address)| address.strip_suffix(')'));
    let text = inner.unwrap_or(text);
    match text.starts_with("www.") {
        true => format!("https://{text}"),
        false => text.to_owned(),
    }
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missions_a12_placeholders_are_told_from_texts() {
        for text in [
            "…",
            "...",
            "<task title>",
            "string",
            "{title}",
            "[Title]",
            "{{title}}",
            "TBD",
            "<your text>",
            "Your task here",
            "Insert the title here…",
        ] {
            assert!(is_placeholder(&json!(text)), "{text}");
        }
        for text in ["TODO", "Task title", "xxx", "New task", "Title:"] {
            assert!(
                is_empty_title(&json!(text)) && !is_placeholder(&json!(text)),
                "{text}"
            );
        }
        for text in [
            "Buy milk",
            "<3",
            "[x]",
            "Call…",
            "TODO list for Anna",
            "Text Anna",
            "A - B",
            "?",
            "",
            "Notes",
            "Your keys are here",
            "Move here",
        ] {
            assert!(!is_empty_title(&json!(text)), "{text}");
        }
    }
}
