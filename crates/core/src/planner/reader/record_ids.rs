//! The record that a model means: by its id, by the short id of the prompt, by the beginning of its id, or by its title
//! where only one record has it.

use serde_json::Value;

use crate::planner::checks::PlanChecks;
use crate::record::RecordKey;

/// The shortest beginning of an id that is taken for the id.
const SHORTEST_PREFIX: usize = 6;

/// The id of the record that a value names in a table; the value as text where no record fits.
pub(super) fn resolve(
    value: &Value,
    (module, table): (&str, &str),
    checks: &PlanChecks<'_>,
) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Object(fields) => return resolve(fields.get("id")?, (module, table), checks),
        Value::Array(items) => match items.as_slice() {
            [only] => return resolve(only, (module, table), checks),
            _ => return None,
        },
        _ => return None,
    };
    let forms = forms(&text, module, table);
    let shown = || {
        let all = checks.shown.iter();
        all.filter(move |record| record.key.app == module && record.key.table == table)
    };
    let by_short = |form: &str| {
        let lower = form.to_lowercase();
        let same = move |short: &String| short.to_lowercase() == lower;
        only(shown().filter(move |record| record.short.as_ref().is_some_and(&same)))
    };
    // A short id stands for the record that the prompt showed by it, whatever other record has it as its id.
    if let Some(record) = forms.iter().find_map(|form| by_short(form)) {
        let _ = (checks.exists)(&record.key);
        return Some(record.key.id.clone());
    }
    // Every form is asked for, because the asking is what makes the runner read the record.
    let known: Vec<bool> = forms
        .iter()
        .map(|id| (checks.exists)(&RecordKey::new(module, table, *id)))
        .collect();
    if let Some((id, _)) = forms.iter().zip(known).find(|(_, known)| *known) {
        return Some((*id).to_owned());
    }
    // A number alone is that of a short id, as the rows of the prompt are numbered.
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let number = |short: &String| {
            let digits = short.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            digits.len() < short.len() && digits == text
        };
        let row = only(shown().filter(|record| record.short.as_ref().is_some_and(number)));
        if let Some(record) = row {
            let _ = (checks.exists)(&record.key);
            return Some(record.key.id.clone());
        }
    }
    for form in &forms {
        let lower = form.to_lowercase();
        let whole = shown().filter(|record| record.key.id.to_lowercase() == lower);
        if let Some(record) = only(whole) {
            return Some(record.key.id.clone());
        }
        let beginning = lower.trim_end_matches(['…', '.']);
        let long_enough = beginning.chars().count() >= SHORTEST_PREFIX;
        let begun = shown()
            .filter(|record| long_enough && record.key.id.to_lowercase().starts_with(beginning));
        if let Some(record) = only(begun) {
            return Some(record.key.id.clone());
        }
        let title = line(form);
        let titled = shown().filter(|record| {
            record
                .title
                .as_deref()
                .is_some_and(|own| line(own) == title)
        });
        if let Some(record) = only(titled) {
            return Some(record.key.id.clone());
        }
    }
    Some(text)
}

/// The ways in which a text may hold an id, the text itself first: `id: t1`, `todo/tasks id: t1`, `Milk (id: t1)`,
/// `[t1]`, `todo/tasks/t1`.
fn forms<'t>(text: &'t str, module: &str, table: &str) -> Vec<&'t str> {
    let mut forms = vec![text];
    let inner = text.trim_matches([
        '"', '\'', '`', '[', ']', '<', '>', '#', '{', '}', '(', ')', '$', '@',
    ]);
    forms.push(inner.trim());
    forms.push(inner.trim_end_matches(['.', '!', ',', ';']).trim());
    if let Some((before, after)) = inner.rsplit_once("id:") {
        forms.push(after.trim().trim_end_matches([')', ']', '"']).trim());
        forms.push(before.trim().trim_end_matches(['(', '[']).trim());
    }
    // `t12 | Buy milk | Due: …` and `Run a marathon (g1)`, as the prompt has them.
    if let Some((first, _)) = inner.split_once(" | ") {
        forms.push(first.trim());
    }
    if let Some((_, last)) = text.rsplit_once('(') {
        forms.push(last.trim().trim_end_matches(')').trim());
    }
    for place in [
        format!("{module}/{table}/"),
        format!("{table}/"),
        format!("{table}:"),
        format!("{module}:"),
        // `task t1`
        format!("{} ", table.trim_end_matches('s')),
    ] {
        forms.extend(inner.strip_prefix(place.as_str()).map(str::trim));
    }
    forms.retain(|form| !form.is_empty());
    forms.dedup();
    forms
}

/// A title without case and with single spaces.
fn line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

fn only<T>(mut fitting: impl Iterator<Item = T>) -> Option<T> {
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}
