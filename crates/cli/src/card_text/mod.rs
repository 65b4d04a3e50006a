//! A proposal's card as text for the terminal: everything that the operations set.
//!
//! Every line that holds text of others begins with a margin of ours, so that no text can pass for another part of
//! the card.

use jiff::civil;
use mana_core::{
    Op,
    staging::{
        Apart, CardField, CardItem, CardOperation, CardUnit, CardValue, FieldChange, Fit,
        ItemChange, ProposalCard, RunKind, ShownValue, TextChange, TextPart, TextRun,
        says_its_host,
    },
};
use url::Url;

use crate::terminal::visible;

/// An address that a path of Mana's own belongs to.
const HERE: &str = "https://mana.invalid/";

/// The margin of a field's label.
const FIELD: &str = "     ";

/// The margin of the lines of a field.
const LINE: &str = "       ";

/// The heading of a card: the tool's label and the record's own title.
pub(crate) fn heading(card: &ProposalCard) -> String {
    let first = card.operations.first();
    let named = first.map(|operation| match &operation.title {
        Some(title) => title.as_str(),
        None => operation.noun.en(),
    });
    match named {
        Some(named) => format!("{}: {}", visible(card.label.en()), visible(named)),
        None => visible(card.label.en()),
    }
}

/// The operations of a card, every field of each.
pub(crate) fn card_text(card: &ProposalCard) -> String {
    let mut text = String::new();
    for (index, operation) in card.operations.iter().enumerate() {
        if index > 0 {
            push(&mut text, FIELD, &record_line(operation));
        }
        if operation.op == Op::Delete {
            let named = operation.title.as_deref().unwrap_or(&operation.id);
            push(
                &mut text,
                FIELD,
                &format!("Removes {}, with all of this:", visible(named)),
            );
        }
        if let Some(apart) = &operation.apart {
            let line = format!("Others have this title. This one: {}", apart_text(apart));
            push(&mut text, FIELD, &line);
        }
        if operation.gone {
            push(&mut text, FIELD, "The record is not there any more.");
        }
        fields_text(&mut text, &operation.fields);
    }
    if card.changes_nothing {
        push(&mut text, FIELD, "Nothing would change.");
    }
    if card.instructs_missions {
        push(
            &mut text,
            FIELD,
            "Missions read this page: from their next run on they follow the new text.",
        );
    }
    text
}

/// The fields of an operation, each whole.
pub(crate) fn fields_text(text: &mut String, fields: &[CardField]) {
    fields.iter().for_each(|field| field_text(text, field));
}

fn push(text: &mut String, margin: &str, line: &str) {
    text.push_str(margin);
    text.push_str(line);
    text.push('\n');
}

fn record_line(operation: &CardOperation) -> String {
    let verb = match operation.op {
        Op::Insert => "Makes",
        Op::Update => "Changes",
        Op::Delete | Op::Forget => "Removes",
    };
    let named = operation.title.as_deref().unwrap_or(&operation.id);
    format!("{verb} {} {}", visible(operation.noun.en()), visible(named))
}

fn field_text(text: &mut String, field: &CardField) {
    let label = visible(field.label.en());
    let fit = fit_note(&field.after);
    let unit = field.unit.as_ref();
    match (&field.text, field.change) {
        (_, FieldChange::Same) => {
            let value = inline(&field.after, unit);
            push(
                text,
                FIELD,
                &format!("{label}: {value} (as it is now){fit}"),
            );
            item_lines(text, &field.items);
        }
        (
            Some(TextChange::Whole {
                text: words,
                lines: 1,
                ..
            }),
            _,
        ) => {
            push(text, FIELD, &format!("{label}: {}{fit}", visible(words)));
        }
        (
            Some(TextChange::Whole {
                text: words,
                lines,
                words_in,
                ..
            }),
            _,
        ) => {
            push(
                text,
                FIELD,
                &format!("{label} (new, {lines} lines, {words_in} words){fit}:"),
            );
            for line in words.lines() {
                push(text, LINE, &format!("| {}", visible(line)));
            }
        }
        (
            Some(TextChange::Removed {
                text: words,
                lines: 1,
                ..
            }),
            FieldChange::Removed,
        ) => {
            push(text, FIELD, &format!("{label}: {}", visible(words)));
        }
        (
            Some(TextChange::Removed {
                text: words,
                words_out,
                ..
            }),
            change,
        ) => {
            let cleared = if change == FieldChange::Cleared {
                "cleared, "
            } else {
                ""
            };
            push(
                text,
                FIELD,
                &format!("{label} ({cleared}{words_out} words go):"),
            );
            for line in words.lines() {
                push(text, LINE, &format!("- {}", visible(line)));
            }
        }
        (
            Some(TextChange::Difference {
                parts,
                words_in,
                words_out,
            }),
            _,
        ) => {
            push(
                text,
                FIELD,
                &format!("{label} ({words_out} words go, {words_in} come){fit}:"),
            );
            difference(text, parts);
        }
        (None, _) if !field.items.is_empty() => {
            let note = if field.change == FieldChange::Cleared {
                " (cleared)"
            } else {
                ""
            };
            push(text, FIELD, &format!("{label}{note}{fit}:"));
            item_lines(text, &field.items);
        }
        (None, FieldChange::Removed) => {
            let before = field.before.as_ref().map(|before| inline(before, unit));
            push(
                text,
                FIELD,
                &format!("{label}: {}", before.unwrap_or_default()),
            );
        }
        (None, FieldChange::Set) => {
            push(
                text,
                FIELD,
                &format!("{label}: {}{fit}", inline(&field.after, unit)),
            );
        }
        (None, FieldChange::Changed | FieldChange::Cleared) => {
            // On lines of their own: a value may hold any arrow.
            push(text, FIELD, &format!("{label}{fit}:"));
            if let Some(before) = &field.before {
                push(text, LINE, &format!("- {}", inline(before, unit)));
            }
            push(text, LINE, &format!("+ {}", inline(&field.after, unit)));
        }
    }
    if let Some(now) = &field.now {
        push(
            text,
            LINE,
            &format!(
                "Changed since this was proposed. Now: {}",
                inline(now, unit)
            ),
        );
    }
    for link in &field.links {
        push(
            text,
            LINE,
            &format!(
                "Link \"{}\" leads to {}{}",
                visible(&link.text),
                visible(&link.address),
                host_note(&link.address)
            ),
        );
    }
}

fn item_lines(text: &mut String, items: &[CardItem]) {
    for item in items {
        let (before, after) = (item.before.as_deref(), item.after.as_deref());
        let sign = match item.change {
            ItemChange::Same => ' ',
            ItemChange::Added | ItemChange::Changed => '+',
            ItemChange::Removed => '-',
        };
        if item.change == ItemChange::Changed {
            push(
                text,
                LINE,
                &format!("- {}", visible(before.unwrap_or_default())),
            );
        }
        let item = after.or(before).unwrap_or_default();
        push(text, LINE, &format!("{sign} {}", visible(item)));
    }
}

/// How a value that is not of its field's kind really stands.
fn fit_note(value: &CardValue) -> String {
    match value.fit {
        Fit::Fits => String::new(),
        Fit::Coerced => format!(" (stands there as {})", visible(&value.raw.to_string())),
        Fit::Unfit => " (does not fit this field)".to_owned(),
    }
}

/// A value as one line.
fn inline(value: &CardValue, unit: Option<&CardUnit>) -> String {
    match &value.shown {
        ShownValue::Empty => "(nothing)".to_owned(),
        ShownValue::Text { text } => visible(text),
        ShownValue::Number { digits, .. } => match unit {
            None => digits.clone(),
            Some(CardUnit::Seconds) => format!("{digits} s"),
            Some(CardUnit::Minutes) => format!("{digits} min"),
            Some(CardUnit::Hours) => format!("{digits} h"),
            Some(CardUnit::Days) => format!("{digits} days"),
            Some(CardUnit::Named { name }) => format!("{digits} {}", visible(name)),
        },
        ShownValue::Boolean { value: true } => "yes".to_owned(),
        ShownValue::Boolean { value: false } => "no".to_owned(),
        ShownValue::Date { date } => day(date),
        ShownValue::Datetime { at } => {
            let at = at.to_string();
            // Both are always there: `2026-04-08T15:30:00.000000Z`.
            let (date, time) = at.split_once('T').unwrap_or((&at, ""));
            let time = time.trim_end_matches('Z').trim_end_matches(".000000");
            let time = time.strip_suffix(":00").unwrap_or(time);
            format!("{}, {time} UTC", day(date))
        }
        ShownValue::Time { time } => time.clone(),
        ShownValue::Recurrence { words, rule } => format!("{} ({})", words.en(), visible(rule)),
        ShownValue::Choice { label, .. } => visible(label.en()),
        ShownValue::Reference {
            title: Some(title),
            apart,
            ..
        } => match apart {
            Some(apart) => format!("{} ({})", visible(title), apart_text(apart)),
            None => visible(title),
        },
        ShownValue::Reference { id, .. } => format!("{} (not on this device)", visible(id)),
        ShownValue::List => visible(&value.raw.to_string()),
        ShownValue::Address { address } => format!("{}{}", visible(address), host_note(address)),
        ShownValue::Json { json } => visible(json),
        ShownValue::WriteTime => "the time of the approval".to_owned(),
    }
}

/// What tells a record from others of its title.
fn apart_text(apart: &Apart) -> String {
    match apart {
        Apart::Field { label, value } => {
            format!("{}: {}", visible(label.en()), inline(value, None))
        }
        Apart::Id { id } => visible(id),
    }
}

/// The host that an address leads to, as browsers read it, where the address does not say it plainly.
fn host_note(address: &str) -> String {
    let here = Url::parse(HERE).ok();
    let Ok(url) = Url::options().base_url(here.as_ref()).parse(address) else {
        return String::new();
    };
    match url.host_str() {
        Some(host) if ["http", "https"].contains(&url.scheme()) => {
            let plain = address.split_once("://").map_or("", |(_, after)| after);
            let plain = plain.split([':', '/', '?', '#']).next().unwrap_or_default();
            let is_told = says_its_host(address) && plain.eq_ignore_ascii_case(host);
            match is_told || format!("https://{host}/") == HERE {
                true => String::new(),
                false => format!(" (host {})", visible(host)),
            }
        }
        _ => String::new(),
    }
}

/// A day with its year: `Tue 1 Dec 2026`.
fn day(date: &str) -> String {
    let parsed: Result<civil::Date, _> = date.parse();
    parsed.map_or_else(
        |_| visible(date),
        |date| date.strftime("%a %-d %b %Y").to_string(),
    )
}

/// The parts of a difference: every changed line, with the lines around it.
fn difference(text: &mut String, parts: &[TextPart]) {
    for (index, part) in parts.iter().enumerate() {
        match part {
            TextPart::Unchanged { lines, words, .. } => {
                let count = if *lines > 0 {
                    format!("{lines} lines")
                } else {
                    format!("{words} words")
                };
                push(text, LINE, &format!("… {count} unchanged"));
            }
            TextPart::Hunk { heading, runs } => {
                if let Some(heading) = heading {
                    push(text, LINE, &format!("@ {}", visible(heading)));
                }
                let cut = |part: Option<&TextPart>| match part {
                    Some(TextPart::Unchanged { text, .. }) => !text.ends_with('\n'),
                    _ => false,
                };
                let before = index.checked_sub(1).and_then(|index| parts.get(index));
                let last = runs.last().is_some_and(|run| !run.text.ends_with('\n'));
                let mut lines = HunkLines::default();
                if cut(before) {
                    lines.same("…");
                }
                lines.runs(runs);
                if last && parts.get(index + 1).is_some() {
                    lines.same("…");
                }
                lines.flush();
                for line in lines.printed {
                    push(text, LINE, &line);
                }
            }
        }
    }
}

/// A hunk's runs as whole lines before and after.
#[derive(Default)]
struct HunkLines {
    printed: Vec<String>,
    removed: Vec<String>,
    added: Vec<String>,
    old: String,
    new: String,
}

impl HunkLines {
    fn runs(&mut self, runs: &[TextRun]) {
        for run in runs {
            match run.kind {
                RunKind::Same => self.same(&run.text),
                RunKind::Removed => whole_lines(&run.text, &mut self.old, &mut self.removed),
                RunKind::Added => whole_lines(&run.text, &mut self.new, &mut self.added),
            }
        }
    }

    fn same(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.old.push_str(piece);
            self.new.push_str(piece);
            if piece.ends_with('\n') {
                self.flush();
            }
        }
    }

    /// Prints the lines that are complete: unchanged ones once, the others before and after.
    fn flush(&mut self) {
        let mut removed = std::mem::take(&mut self.removed);
        let mut added = std::mem::take(&mut self.added);
        removed.extend(Some(std::mem::take(&mut self.old)).filter(|line| !line.is_empty()));
        added.extend(Some(std::mem::take(&mut self.new)).filter(|line| !line.is_empty()));
        let mut after = Vec::new();
        while let (Some(old), Some(new)) = (removed.last(), added.last())
            && old == new
        {
            after.extend(removed.pop());
            added.pop();
        }
        // Where only a line break comes or goes, it is drawn.
        let broken = |lines: &[String]| {
            lines
                .last()
                .map(|line| line.trim_end_matches('\n').to_owned())
        };
        let drawn = broken(&removed).is_some() && broken(&removed) == broken(&added);
        let line = |sign: char, line: &String| {
            let words = line.trim_end_matches('\n');
            // A terminal shows a tab as it shows spaces.
            let words = &words.replace('\t', "⇥");
            let bare = words.trim_end_matches(' ');
            let end = if drawn && line.ends_with('\n') {
                "⏎"
            } else {
                ""
            };
            format!(
                "{sign} {}{}{end}",
                visible(bare),
                "·".repeat(words.len() - bare.len())
            )
        };
        self.printed
            .extend(removed.iter().map(|text| line('-', text)));
        self.printed
            .extend(added.iter().map(|text| line('+', text)));
        let same = after
            .iter()
            .rev()
            .map(|line| format!("  {}", visible(line.trim_end_matches('\n'))));
        self.printed.extend(same);
    }
}

/// Adds text to a line, and the line to the others once it is complete.
fn whole_lines(text: &str, line: &mut String, lines: &mut Vec<String>) {
    for piece in text.split_inclusive('\n') {
        line.push_str(piece);
        if piece.ends_with('\n') {
            lines.push(std::mem::take(line));
        }
    }
}

#[cfg(test)]
mod tests;
