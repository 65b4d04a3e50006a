//! Merging two texts of people by paragraph, where they don't touch (X5).

use similar::{
    DiffOp,
    algorithms::{Capture, histogram},
};

/// A paragraph with the blank lines that follow it.
#[derive(Debug, Clone, Copy)]
struct Paragraph<'t> {
    text: &'t str,
    gap: &'t str,
}

/// A changed place: paragraphs of the common text, and what stands there instead.
#[derive(Debug, Clone)]
struct Edit<'t> {
    from: usize,
    to: usize,
    new: Vec<Paragraph<'t>>,
}

/// Between two paragraphs where neither text says.
const GAP: &str = "\n\n";

/// The text with the changes of both; none where both changed the same paragraph, or added at the same place.
pub fn merge_texts(common: &str, ours: &str, theirs: &str) -> Option<String> {
    let common = paragraphs(common);
    let (ours, theirs) = (paragraphs(ours), paragraphs(theirs));
    let mut edits = edits(&common, &ours);
    for edit in self::edits(&common, &theirs) {
        match edits.iter().find(|other| touch(other, &edit)) {
            None => edits.push(edit),
            Some(other) if same(other, &edit) => {}
            Some(_) => return None,
        }
    }
    edits.sort_by_key(|edit| (edit.from, edit.to));
    let mut merged: Vec<Paragraph<'_>> = Vec::new();
    let mut at = 0;
    for edit in edits {
        merged.extend(&common[at.min(edit.from)..edit.from]);
        merged.extend(edit.new);
        at = edit.to;
    }
    merged.extend(&common[at..]);
    let mut text = String::new();
    let last = merged.len().saturating_sub(1);
    for (index, paragraph) in merged.iter().enumerate() {
        text.push_str(paragraph.text);
        let lines = paragraph.gap.matches('\n').count();
        text.push_str(match (index < last, lines) {
            (true, 0 | 1) => GAP,
            (false, 1..) => "\n",
            _ => paragraph.gap,
        });
    }
    Some(text)
}

fn edits<'t>(common: &[Paragraph<'t>], new: &[Paragraph<'t>]) -> Vec<Edit<'t>> {
    let texts = |of: &[Paragraph<'t>]| -> Vec<&'t str> { of.iter().map(|one| one.text).collect() };
    let (old_texts, new_texts) = (texts(common), texts(new));
    let mut found = Capture::new();
    let Ok(()) = histogram::diff(
        &mut found,
        &old_texts[..],
        0..old_texts.len(),
        &new_texts[..],
        0..new_texts.len(),
    );
    let ops = found.into_ops().into_iter();
    let changed = ops.filter(|op| !matches!(op, DiffOp::Equal { .. }));
    let mut edits: Vec<Edit<'t>> = Vec::new();
    for op in changed {
        let (old, added) = (op.old_range(), new[op.new_range()].to_vec());
        match edits.last_mut().filter(|last| last.to == old.start) {
            Some(last) => {
                last.to = old.end;
                last.new.extend(added);
            }
            None => edits.push(Edit {
                from: old.start,
                to: old.end,
                new: added,
            }),
        }
    }
    edits
}

/// Whether two edits meet: in a paragraph, or at a place where both only add.
fn touch(a: &Edit<'_>, b: &Edit<'_>) -> bool {
    if a.from == a.to && b.from == b.to {
        return a.from == b.from;
    }
    a.from < b.to && b.from < a.to
}

fn same(a: &Edit<'_>, b: &Edit<'_>) -> bool {
    let texts = |edit: &Edit<'_>| {
        edit.new
            .iter()
            .map(|one| one.text.to_owned())
            .collect::<Vec<_>>()
    };
    (a.from, a.to) == (b.from, b.to) && texts(a) == texts(b)
}

/// Splits a text at blank lines.
fn paragraphs(text: &str) -> Vec<Paragraph<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = blank_lines(rest);
        let (here, after) = rest.split_at(end);
        let paragraph = here.trim_end_matches(['\n', '\r', ' ', '\t']);
        // A text that begins with blank lines keeps them as a paragraph of their own.
        found.push(Paragraph {
            text: paragraph,
            gap: &here[paragraph.len()..],
        });
        rest = after;
    }
    found
}

/// The end of the first paragraph with the blank lines that follow it.
fn blank_lines(text: &str) -> usize {
    let mut end = 0;
    let mut blank = false;
    for line in text.split_inclusive('\n') {
        let is_blank = line.trim().is_empty();
        if blank && !is_blank {
            return end;
        }
        blank = is_blank;
        end += line.len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::merge_texts;

    const COMMON: &str = "One.\n\nTwo.\n\nThree.";

    #[test]
    fn sync_x5_changes_of_different_paragraphs_both_stay() {
        let merged = |ours, theirs| merge_texts(COMMON, ours, theirs);
        assert_eq!(
            merged("One!\n\nTwo.\n\nThree.", "One.\n\nTwo.\n\nThree!").as_deref(),
            Some("One!\n\nTwo.\n\nThree!")
        );
        assert_eq!(
            merged(
                "One.\n\nTwo.\n\nThree.\n\nFour.",
                "Zero.\n\nOne.\n\nTwo.\n\nThree."
            )
            .as_deref(),
            Some("Zero.\n\nOne.\n\nTwo.\n\nThree.\n\nFour.")
        );
        assert_eq!(
            merged("One.\n\nThree.", "One.\n\nTwo.\n\nThree.\n\nFour.").as_deref(),
            Some("One.\n\nThree.\n\nFour.")
        );
        assert_eq!(
            merged("One!\n\nTwo.\n\nThree.", "One.\n\nTwo!\n\nThree.").as_deref(),
            Some("One!\n\nTwo!\n\nThree.")
        );
    }

    #[test]
    fn sync_x5_changes_of_one_paragraph_touch() {
        for (ours, theirs) in [
            ("One!\n\nTwo.\n\nThree.", "One?\n\nTwo.\n\nThree."),
            (
                "One.\n\nTwo.\n\nThree.\n\nMine.",
                "One.\n\nTwo.\n\nThree.\n\nYours.",
            ),
            ("One.\n\nThree.", "One.\n\nTwo!\n\nThree."),
        ] {
            assert_eq!(merge_texts(COMMON, ours, theirs), None, "{ours:?}");
        }
    }

    #[test]
    fn sync_x5_the_same_change_counts_once() {
        let both = "One.\n\nTwo!\n\nThree.";
        assert_eq!(merge_texts(COMMON, both, both).as_deref(), Some(both));
        assert_eq!(merge_texts("", "Mine.", "Mine.").as_deref(), Some("Mine."));
        assert_eq!(merge_texts("", "Mine.", "Yours."), None);
    }
}
