//! Other people's text on a terminal.

use mana_core::text;

/// The most characters of a text that only names something.
const NAME_CHARACTERS: usize = 200;

/// Begins and ends a text whose direction is its own (Unicode's FSI and PDI).
const ISOLATE: (char, char) = ('\u{2068}', '\u{2069}');

/// Returns a text as one line that can neither steer the terminal nor rearrange the text around it: line breaks and
/// tabs become spaces, hidden characters are written out and letters that pass for others marked (rules MISSIONS X1
/// and X4), and what runs from right to left is isolated.
pub(crate) fn visible(text: &str) -> String {
    isolated(one_line(text))
}

/// The same of a text that only names something, cut where it is long.
pub(crate) fn short(text: &str) -> String {
    let text = one_line(text);
    isolated(match text.char_indices().nth(NAME_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}

/// Returns an error's text, which may quote others: hidden characters are written out, but for the isolates in which
/// this command line puts what runs from right to left.
pub fn error_text(error: &str) -> String {
    let pieces = error.split_inclusive([ISOLATE.0, ISOLATE.1]);
    let shown = pieces.map(|piece| {
        let words = piece.trim_end_matches([ISOLATE.0, ISOLATE.1]);
        format!("{}{}", text::legible(words), &piece[words.len()..])
    });
    shown.collect()
}

fn one_line(text: &str) -> String {
    text::legible(&text.replace("\r\n", "\n")).replace(['\n', '\t'], " ")
}

fn isolated(text: String) -> String {
    match text.contains(runs_from_right) {
        true => format!("{}{text}{}", ISOLATE.0, ISOLATE.1),
        false => text,
    }
}

/// Whether a character is of a script that is written from right to left, by Unicode's blocks.
fn runs_from_right(c: char) -> bool {
    matches!(
        u32::from(c),
        0x590..=0x8FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x1_0800..=0x1_0FFF | 0x1_E800..=0x1_EFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missions_x1_no_text_steers_the_terminal() {
        assert_eq!(
            visible("Transfer \u{202e}0001\u{202c} EUR\u{1b}[2K\r\nto\tBob\u{200b}"),
            "Transfer [U+202E]0001[U+202C] EUR[U+001B][2K to Bob[U+200B]"
        );
        for text in ["👩‍👩‍👧 ❤️", "e\u{301}", "Łódź", "牛乳"] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn missions_x1_no_error_steers_the_terminal() {
        let said = format!("{}\n  \u{1b}[2Jgone \u{202e}x", visible("חלב"));
        let shown = "\u{2068}חלב\u{2069}\n  [U+001B][2Jgone [U+202E]x";
        assert_eq!(error_text(&said), shown);
    }

    #[test]
    fn missions_x1_what_runs_from_right_to_left_is_isolated() {
        for text in ["می‌خواهم", "חלב 1000", "Pay לא 10", "١٠٠", "ܐܒ", "ߒ", "𞤀𞤣"]
        {
            assert_eq!(visible(text), format!("\u{2068}{text}\u{2069}"));
        }
        // Nobody else's isolate ends ours, and a text that is cut ends its own.
        assert_eq!(visible("א\u{2069}ב"), "\u{2068}א[U+2069]ב\u{2069}");
        let long = short(&"א".repeat(300));
        assert_eq!(long.chars().count(), 203);
        assert!(long.ends_with("א…\u{2069}"), "{long}");
        assert_eq!(short(&"a".repeat(300)), format!("{}…", "a".repeat(200)));
    }
}
