//! Other people's text on a terminal.

use mana_core::text;

/// Returns a text as one line that can neither steer the terminal nor rearrange the text around it: line breaks and
/// tabs become spaces, hidden characters are written out (rule MISSIONS X1).
pub(crate) fn visible(text: &str) -> String {
    text::visible(&text.replace("\r\n", "\n")).replace(['\n', '\t'], " ")
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
        for text in ["👩‍👩‍👧 ❤️", "می‌خواهم", "e\u{301}"] {
            assert_eq!(visible(text), text);
        }
    }
}
