//! How a text changes: whole where it is new, else every word that goes and comes, with the lines around it.

use serde::Serialize;
use similar::{
    DiffOp,
    algorithms::{Capture, histogram},
};

/// A text that is wholly new folds where it has more lines than this.
const LINES_BEFORE_FOLD: usize = 6;

/// A text that is wholly new folds where it has more characters than this.
const CHARACTERS_BEFORE_FOLD: usize = 600;

/// Lines of unchanged text on each side of a changed place.
const CONTEXT_LINES: usize = 2;

/// Characters of unchanged text on each side of a changed place, where its lines are long.
const CONTEXT_CHARACTERS: usize = 240;

/// A stretch that stays is folded where it has this many lines or more …
const LINES_WORTH_FOLDING: usize = 2;

/// … or this many words.
const WORDS_WORTH_FOLDING: usize = 20;

/// The change of a text, complete: nothing of what goes or comes is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum TextChange {
    /// The text is wholly new: the field had none.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Whole {
        /// The text.
        text: String,
        /// The number of its lines.
        lines: usize,
        /// The number of its words.
        words_in: usize,
        /// Whether a card may fold the text. Approving waits then until it has been opened.
        folds: bool,
    },
    /// The text goes, and nothing takes its place.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Removed {
        /// The text that goes.
        text: String,
        /// The number of its lines.
        lines: usize,
        /// The number of its words.
        words_out: usize,
    },
    /// The text becomes another one.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Difference {
        /// The parts, in their order. Their texts without the added runs are the whole text before, without the
        /// removed runs the whole text after.
        parts: Vec<TextPart>,
        /// The number of words that come.
        words_in: usize,
        /// The number of words that go.
        words_out: usize,
    },
}

/// A part of a difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum TextPart {
    /// A changed place with the lines around it.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Hunk {
        /// The Markdown heading that the place stands under, where the hunk itself does not show it.
        #[serde(skip_serializing_if = "Option::is_none")]
        heading: Option<String>,
        /// The words, in their order.
        runs: Vec<TextRun>,
    },
    /// A stretch that stays as it is. A card may fold it.
    #[cfg_attr(feature = "openapi", schema(rename_all = "camelCase"))]
    Unchanged {
        /// The text.
        text: String,
        /// The number of its whole lines; 0 where it lies within a line.
        lines: usize,
        /// The number of its words.
        words: usize,
        /// Always true: a card may fold it, and Approve does not wait for it.
        folds: bool,
    },
}

/// Words in a row that share their fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextRun {
    /// The fate of the words.
    pub kind: RunKind,
    /// The words, with the spaces and line breaks between them.
    pub text: String,
}

/// The fate of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum RunKind {
    /// The words stay.
    Same,
    /// The words go.
    Removed,
    /// The words come.
    Added,
}

impl TextChange {
    /// The change of a text that was `before` and will be `after`; none where both are the same or both are empty.
    pub fn between(before: &str, after: &str) -> Option<TextChange> {
        if before == after {
            return None;
        }
        if before.is_empty() {
            let lines = line_count(after);
            return Some(TextChange::Whole {
                lines,
                words_in: word_count(after),
                folds: lines > LINES_BEFORE_FOLD || after.chars().count() > CHARACTERS_BEFORE_FOLD,
                text: after.to_owned(),
            });
        }
        if after.is_empty() {
            return Some(TextChange::Removed {
                lines: line_count(before),
                words_out: word_count(before),
                text: before.to_owned(),
            });
        }
        let edits = edits(before, after);
        let count = |text: fn(&Edit<'_>) -> String| {
            let changed = edits.iter().filter(|edit| !edit.is_same());
            changed.map(|edit| word_count(&text(edit))).sum()
        };
        Some(TextChange::Difference {
            words_in: count(|edit| edit.added.concat()),
            words_out: count(|edit| edit.removed.concat()),
            parts: parts(&edits),
        })
    }

    /// Whether a card may fold words that nobody has seen yet.
    pub fn folds(&self) -> bool {
        matches!(self, TextChange::Whole { folds: true, .. })
    }
}

/// The number of lines of a text that isn't empty.
fn line_count(text: &str) -> usize {
    text.lines().count().max(1)
}

/// The number of words: what stands between spaces and has a letter, a digit or a sign of its own script.
fn word_count(text: &str) -> usize {
    text.split_whitespace()
        .filter(|word| word.chars().any(is_content))
        .count()
}

fn is_content(c: char) -> bool {
    c.is_alphanumeric() || (!c.is_ascii() && !is_punctuation(c) && !c.is_whitespace())
}

/// Tokens that stay (`same`), or tokens that go and tokens that come in their place.
#[derive(Debug, Default, Clone)]
struct Edit<'t> {
    same: Vec<&'t str>,
    removed: Vec<&'t str>,
    added: Vec<&'t str>,
}

impl Edit<'_> {
    fn is_same(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// The edits between two texts: lines and sentences first, then the words of those that changed.
fn edits<'t>(before: &'t str, after: &'t str) -> Vec<Edit<'t>> {
    let words = |lines: &[&'t str]| -> Vec<&'t str> {
        lines.iter().flat_map(|line| tokens(line)).collect()
    };
    let mut edits = Vec::new();
    for edit in compare(&lines(before), &lines(after)) {
        let (removed, added) = (words(&edit.removed), words(&edit.added));
        if !removed.is_empty() && !added.is_empty() {
            let edited = readable(compare(&removed, &added));
            edited.into_iter().for_each(|edit| push(&mut edits, edit));
            continue;
        }
        let same = words(&edit.same);
        push(
            &mut edits,
            Edit {
                same,
                removed,
                added,
            },
        );
    }
    edits
}

/// Compares two lists of lines or words. The algorithm is named here and not chosen by the crate's enum, so that the
/// others are not part of the WebAssembly.
fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Edit<'t>> {
    let mut found = Capture::new();
    let Ok(()) = histogram::diff(&mut found, old, 0..old.len(), new, 0..new.len());
    let mut edits = Vec::new();
    for op in found.into_ops() {
        let (old, new) = (old[op.old_range()].to_vec(), new[op.new_range()].to_vec());
        let edit = match op {
            DiffOp::Equal { .. } => Edit {
                same: old,
                ..Edit::default()
            },
            _ => Edit {
                removed: old,
                added: new,
                ..Edit::default()
            },
        };
        push(&mut edits, edit);
    }
    edits
}

/// Adds an edit, to the last one where both stay or both change.
fn push<'t>(edits: &mut Vec<Edit<'t>>, edit: Edit<'t>) {
    match edits.last_mut() {
        Some(last) if last.is_same() == edit.is_same() => {
            last.same.extend(edit.same);
            last.removed.extend(edit.removed);
            last.added.extend(edit.added);
        }
        _ => edits.push(edit),
    }
}

/// Joins changed places between which too little stays to be read: two sentences that share a few words are told as
/// two sentences, not as a riddle of single words. The rule is that of the semantic clean-up of
/// <https://neil.fraser.name/writing/diff/>: what stays is shorter than what changes on both sides of it.
fn readable(edits: Vec<Edit<'_>>) -> Vec<Edit<'_>> {
    let mut joined: Vec<Edit<'_>> = Vec::new();
    // Of the last edit, what goes and what comes: counted along, since it may grow to the whole text.
    let (mut goes, mut comes) = (0, 0);
    let mut rest = edits.into_iter().peekable();
    while let Some(mut edit) = rest.next() {
        if !edit.is_same() {
            goes += weight(&edit.removed);
            comes += weight(&edit.added);
            push(&mut joined, edit);
            continue;
        }
        if let Some(last) = joined.last_mut() {
            let stays = weight(&edit.same);
            let absorbed = match rest.peek() {
                Some(next) => {
                    let next = weight(&next.removed).max(weight(&next.added));
                    if stays <= goes.max(comes) && stays <= next {
                        edit.same.len()
                    } else {
                        0
                    }
                }
                // The full stop of a sentence that was replaced belongs to the sentence.
                None if stays == 0 && goes > 0 && comes > 0 => edit
                    .same
                    .iter()
                    .take_while(|token| !token.trim().is_empty())
                    .count(),
                None => 0,
            };
            for token in edit.same.drain(..absorbed) {
                last.removed.push(token);
                last.added.push(token);
            }
            if absorbed > 0 {
                goes += stays;
                comes += stays;
            }
        }
        if !edit.same.is_empty() {
            (goes, comes) = (0, 0);
            push(&mut joined, edit);
        }
    }
    joined
}

/// The number of characters that say something.
fn weight(tokens: &[&str]) -> usize {
    let content = tokens.iter().flat_map(|token| token.chars());
    content.filter(|c| is_content(*c)).count()
}

/// The lines of a text, each with its line break; of a paragraph that is one long line, its sentences.
fn lines(text: &str) -> Vec<&str> {
    let sentences = |line| str::split_inclusive(line, ". ");
    text.split_inclusive('\n').flat_map(sentences).collect()
}

/// The words of a text and what stands between them, in their order: joined they are the text.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last: Option<CharKind> = None;
    for (at, c) in text.char_indices() {
        let kind = CharKind::of(c);
        let continues = match (last, kind) {
            (None, _) => true,
            // A mark, a joiner or a selector never stands apart from the character that it belongs to.
            (_, CharKind::Attached) => true,
            (Some(CharKind::Letter), CharKind::Letter) => true,
            (Some(CharKind::Space), CharKind::Space) => true,
            _ => false,
        };
        if !continues {
            tokens.push(&text[start..at]);
            start = at;
        }
        if kind != CharKind::Attached || last.is_none() {
            last = Some(kind);
        }
    }
    if start < text.len() {
        tokens.push(&text[start..]);
    }
    tokens
}

/// The part that a character has in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CharKind {
    /// Of a word that is written without gaps.
    Letter,
    /// A word of its own: scripts that put no spaces between words.
    Sign,
    /// Belongs to the character before it.
    Attached,
    Space,
    LineBreak,
    Punctuation,
}

impl CharKind {
    fn of(c: char) -> CharKind {
        match c {
            '\n' => CharKind::LineBreak,
            c if c.is_whitespace() => CharKind::Space,
            c if is_unspaced(c) => CharKind::Sign,
            c if c.is_alphanumeric() || c == '_' => CharKind::Letter,
            c if is_punctuation(c) => CharKind::Punctuation,
            _ => CharKind::Attached,
        }
    }
}

/// Scripts in which words follow each other without a space: Thai to Myanmar, Khmer, kana, Han.
fn is_unspaced(c: char) -> bool {
    matches!(
        u32::from(c),
        0x0E01..=0x0E30 | 0x0E40..=0x0E46 | 0x0E80..=0x0EDF | 0x1000..=0x102A | 0x1780..=0x17B3
            | 0x3005..=0x3007 | 0x3041..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF
    )
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation()
        || c.is_control()
        || matches!(
            u32::from(c),
            0xA1..=0xBF | 0x2010..=0x2027 | 0x2030..=0x205E | 0x3000..=0x3003 | 0x3008..=0x301F | 0xFF01..=0xFF0F
        )
}

/// Cuts the edits into hunks, and the stretches between them that stay.
fn parts(edits: &[Edit<'_>]) -> Vec<TextPart> {
    let mut parts = Vec::new();
    let mut hunk: Vec<TextRun> = Vec::new();
    // The text after the change, up to the hunk's first word.
    let mut above = String::new();
    for (index, edit) in edits.iter().enumerate() {
        if !edit.is_same() {
            add_run(&mut hunk, RunKind::Removed, &edit.removed.concat());
            add_run(&mut hunk, RunKind::Added, &edit.added.concat());
            continue;
        }
        let text = edit.same.concat();
        let (first, last) = (index == 0, index + 1 == edits.len());
        let at_line_start = hunk.last().is_none_or(|run| run.text.ends_with('\n'));
        let head = if first {
            0
        } else {
            context_after(&text, at_line_start)
        };
        let tail = if last {
            text.len()
        } else {
            context_before(&text)
        };
        let middle = text.get(head..tail).unwrap_or_default();
        let lines = whole_lines(middle, head == 0 || text[..head].ends_with('\n'), last);
        let words = word_count(middle);
        if lines < LINES_WORTH_FOLDING && words < WORDS_WORTH_FOLDING {
            add_run(&mut hunk, RunKind::Same, &text);
            continue;
        }
        add_run(&mut hunk, RunKind::Same, &text[..head]);
        close(&mut parts, &mut hunk, &mut above);
        above.push_str(middle);
        parts.push(TextPart::Unchanged {
            text: middle.to_owned(),
            lines,
            words,
            folds: true,
        });
        add_run(&mut hunk, RunKind::Same, &text[tail..]);
    }
    close(&mut parts, &mut hunk, &mut above);
    parts
}

/// The number of lines that lie wholly in a stretch.
fn whole_lines(stretch: &str, from_line_start: bool, to_end: bool) -> usize {
    let breaks = stretch.matches('\n').count();
    let last = usize::from(to_end && !stretch.is_empty() && !stretch.ends_with('\n'));
    (breaks + last).saturating_sub(usize::from(!from_line_start))
}

/// Ends a hunk, under the heading that stands above its first changed word and not in it.
fn close(parts: &mut Vec<TextPart>, hunk: &mut Vec<TextRun>, above: &mut String) {
    if hunk.is_empty() {
        return;
    }
    let runs = std::mem::take(hunk);
    let shown = runs.first().filter(|run| run.kind == RunKind::Same);
    let heading = match shown {
        Some(run) if last_heading(&run.text).is_some() => None,
        _ => last_heading(above),
    };
    let after = runs.iter().filter(|run| run.kind != RunKind::Removed);
    above.extend(after.map(|run| run.text.as_str()));
    parts.push(TextPart::Hunk { heading, runs });
}

fn add_run(hunk: &mut Vec<TextRun>, kind: RunKind, text: &str) {
    match hunk.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.kind == kind => last.text.push_str(text),
        _ => hunk.push(TextRun {
            kind,
            text: text.to_owned(),
        }),
    }
}

/// Where the lines end that are shown after a changed place.
fn context_after(text: &str, at_line_start: bool) -> usize {
    // The rest of the changed line itself comes before the lines of context.
    let lines = CONTEXT_LINES + usize::from(!at_line_start);
    let end = text.match_indices('\n').nth(lines - 1);
    let end = end.map_or(text.len(), |(at, _)| at + 1);
    match text.char_indices().nth(CONTEXT_CHARACTERS) {
        Some((limit, _)) if limit < end => {
            let cut = text[..limit].rfind(char::is_whitespace);
            cut.map_or(limit, |at| {
                at + text[at..].chars().next().map_or(0, char::len_utf8)
            })
        }
        _ => end,
    }
}

/// Where the lines begin that are shown before a changed place.
fn context_before(text: &str) -> usize {
    let start = text.rmatch_indices('\n').nth(CONTEXT_LINES);
    let start = start.map_or(0, |(at, _)| at + 1);
    match text.char_indices().rev().nth(CONTEXT_CHARACTERS - 1) {
        Some((limit, _)) if limit > start => {
            let cut = text[limit..].find(char::is_whitespace);
            cut.map_or(limit, |at| limit + at)
        }
        _ => start,
    }
}

/// The last Markdown heading of a text.
fn last_heading(text: &str) -> Option<String> {
    let headings = text.lines().rev().filter_map(|line| {
        let marks = line.bytes().take_while(|byte| *byte == b'#').count();
        let title = line.get(marks..)?.strip_prefix(' ')?.trim();
        ((1..=6).contains(&marks) && !title.is_empty()).then(|| title.to_owned())
    });
    headings.into_iter().next()
}
