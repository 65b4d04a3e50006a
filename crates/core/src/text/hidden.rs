//! Characters that show nothing, turn the direction of a text or cover the lines around them: found by their place,
//! then written out or left out.
//!
//! Unicode's property `Default_Ignorable_Code_Point` names them (UAX #44); the directional controls are those of
//! UAX #9. Joiners, selectors, fillers and the tags of a flag stay where a script or an emoji needs them.

use std::borrow::Cow;

use serde_json::Value;

/// The fewest blanks beside each other that are written out; fewer are spacing.
const BLANKS: usize = 3;

/// The most marks on one character that are drawn. More would grow over the lines above and below.
const MARKS: usize = 4;

/// The most tags of a flag, such as England's: a region and a subdivision.
const FLAG_TAGS: usize = 6;

/// Returns the text with each hidden character written out as `[U+202E]`, and as `[U+200B ×60]` where it is repeated.
///
/// A text without a hidden character is returned as it is.
pub fn visible(text: &str) -> Cow<'_, str> {
    changed(text, |out, characters, hidden| {
        let mut at = 0;
        while at < characters.len() {
            let c = characters[at];
            if !hidden[at] {
                out.push(c);
                at += 1;
                continue;
            }
            let repeated = (at..characters.len())
                .take_while(|i| hidden[*i] && characters[*i] == c)
                .count();
            out.push_str(&match repeated {
                1 => format!("[U+{:04X}]", u32::from(c)),
                _ => format!("[U+{:04X} ×{repeated}]", u32::from(c)),
            });
            at += repeated;
        }
    })
}

/// Writes the lines that have a hidden character anew. No character is hidden by what stands in another line, and
/// nearly every line is plain.
fn changed(text: &str, write: impl Fn(&mut String, &[char], &[bool])) -> Cow<'_, str> {
    // A text of nothing but blanks would look like none.
    let is_empty = text.chars().all(|c| is_blank(c) || c.is_whitespace());
    let fewest = if is_empty { 1 } else { BLANKS };
    let mut out = String::new();
    let mut written = 0;
    let mut begin = 0;
    for line in text.split_inclusive('\n') {
        let end = begin + line.len();
        if !is_plain(line) {
            let characters: Vec<char> = line.chars().collect();
            let hidden = hidden(&characters, fewest);
            if hidden.contains(&true) {
                out.push_str(&text[written..begin]);
                write(&mut out, &characters, &hidden);
                written = end;
            }
        }
        begin = end;
    }
    if written == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[written..]);
    Cow::Owned(out)
}

/// Whether a line has ASCII alone, and no control but its end.
fn is_plain(line: &str) -> bool {
    let is_control = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t');
    line.is_ascii() && !line.bytes().any(is_control)
}

/// Makes every text within a JSON value [`visible`]; names of fields stay as they are.
pub fn visible_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(visible(text)),
        Value::Array(items) => items.iter().map(visible_value).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), visible_value(value)))
            .collect(),
        other => other.clone(),
    }
}

/// Returns the text without its hidden characters, for a reader that would take them for text: a model.
pub fn without_hidden(text: &str) -> String {
    let shown = changed(text, |out, characters, hidden| {
        let all = characters.iter().zip(hidden);
        let shown = all.filter(|(c, hidden)| !**hidden || is_blank(**c));
        out.extend(shown.map(|(c, _)| *c));
    });
    shown.into_owned()
}

/// Says of each character of a line whether it is hidden at its place. So many blanks in a row are hidden.
fn hidden(characters: &[char], fewest: usize) -> Vec<bool> {
    let mut hidden = vec![false; characters.len()];
    let mut at = 0;
    let mut marks = 0;
    while at < characters.len() {
        let run = blanks(&characters[at..]);
        if run > 0 {
            let blank = &characters[at..at + run];
            if blank.iter().filter(|c| is_blank(**c)).count() >= fewest {
                for (hidden, c) in hidden[at..].iter_mut().zip(blank) {
                    *hidden = is_blank(*c);
                }
            }
            at += run;
            continue;
        }
        let flag = flag_tags(&characters[at..]);
        if flag > 0 {
            at += 1 + flag;
            continue;
        }
        let before = match at {
            0 => None,
            _ => (!hidden[at - 1]).then(|| characters[at - 1]),
        };
        let after = characters.get(at + 1).copied();
        marks = if stacks(characters[at]) { marks + 1 } else { 0 };
        hidden[at] = marks > MARKS || is_hidden(characters[at], before, after);
        at += 1;
    }
    hidden
}

/// Whether a character is hidden beside its neighbours. `before` is the character before it, if that is shown.
fn is_hidden(c: char, before: Option<char>, after: Option<char>) -> bool {
    let base = before.filter(|c| !c.is_whitespace() && !is_joiner(*c));
    match c {
        '\n' | '\t' => false,
        '\r' => after != Some('\n'),
        c if c.is_control() => true,
        // The directional controls.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        '\u{200c}' | '\u{200d}' => base.is_none_or(|c| !takes_joiner(c)),
        // A selector changes the character before it, once: text or emoji, or a form of a symbol or an ideograph.
        '\u{fe0e}' | '\u{fe0f}' => {
            base.is_none_or(|c| !matches!(c, '0'..='9' | '#' | '*' | '©' | '®') && !has_forms(c))
        }
        '\u{fe00}'..='\u{fe0d}' => base.is_none_or(|c| !has_forms(c)),
        '\u{e0100}'..='\u{e01ef}' => base.is_none_or(|c| is_selector(c) || c < '\u{2e80}'),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => {
            base.is_none_or(|c| !matches!(c, '\u{1820}'..='\u{18af}'))
        }
        // Keeps marks on a letter apart.
        '\u{34f}' => {
            let is_mark = matches!(after, Some('\u{300}'..='\u{36f}' | '\u{591}'..='\u{5c7}'));
            !is_mark || base.is_none_or(|c| c == '\u{34f}')
        }
        // The fillers of a Hangul syllable that lacks a part.
        '\u{115f}' | '\u{1160}' => {
            let is_part = |c: Option<char>| {
                matches!(c, Some('\u{1100}'..='\u{115e}' | '\u{1161}'..='\u{11ff}'))
            };
            !is_part(before) && !is_part(after)
        }
        // Signs that stand above or join others of their own script alone.
        '\u{70f}' => after.is_none_or(|c| !matches!(c, '\u{700}'..='\u{74f}')),
        '\u{13430}'..='\u{1343f}' => base.is_none_or(|c| !matches!(c, '\u{13000}'..='\u{143ff}')),
        // Everything else that shows nothing, with the two separators, the marks of an annotation and the sign of an
        // object that isn't there.
        '\u{ad}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffc}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d159}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// Whether a character is a mark that is drawn above or below the one before it, however many there are.
fn stacks(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5c7}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{6d6}'..='\u{6ed}'
        | '\u{e31}'
        | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}'
        | '\u{eb1}'
        | '\u{eb4}'..='\u{ebc}'
        | '\u{ec8}'..='\u{ece}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// Whether a joiner changes the form of a character: in Arabic and its relatives, in the scripts of India and of its
/// neighbours, in Mongolian, and in emoji.
fn takes_joiner(c: char) -> bool {
    matches!(c,
        '\u{600}'..='\u{8ff}'
        | '\u{900}'..='\u{109f}'
        | '\u{1700}'..='\u{18af}'
        | '\u{1900}'..='\u{1cff}'
        | '\u{200c}'
        | '\u{a800}'..='\u{abff}'
        | '\u{fb50}'..='\u{fdff}'
        | '\u{fe0f}'
        | '\u{fe70}'..='\u{fefc}'
        | '\u{10a00}'..='\u{11fff}')
        || is_symbol(c)
}

/// Whether a selector chooses among the forms of a character.
fn has_forms(c: char) -> bool {
    is_symbol(c)
        || matches!(c,
            '\u{1000}'..='\u{109f}'
            | '\u{2e80}'..='\u{9fff}'
            | '\u{a840}'..='\u{a87f}'
            | '\u{f900}'..='\u{faff}'
            | '\u{ff00}'..='\u{ffef}'
            | '\u{20000}'..='\u{3ffff}')
}

/// Punctuation, arrows, signs and emoji.
fn is_symbol(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{20a0}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// A space that isn't ASCII's, or the empty braille pattern: a screen shows a gap, and doesn't fold many into one.
fn is_blank(c: char) -> bool {
    c == '\u{2800}'
        || c.is_whitespace() && !c.is_ascii() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// How many blanks and ASCII spaces a text begins with.
fn blanks(characters: &[char]) -> usize {
    characters
        .iter()
        .take_while(|c| **c == ' ' || is_blank(**c))
        .count()
}

/// How many tags follow a black flag that they make the flag of a region; 0 where they don't.
fn flag_tags(characters: &[char]) -> usize {
    if characters.first() != Some(&'\u{1f3f4}') {
        return 0;
    }
    let tags = characters[1..]
        .iter()
        .take_while(|c| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}'))
        .count();
    match characters.get(1 + tags) {
        Some('\u{e007f}') if (1..=FLAG_TAGS).contains(&tags) => tags + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missions_x1_directional_controls_are_written_out() {
        assert_eq!(
            visible("Transfer \u{202e}0001\u{202c} EUR"),
            "Transfer [U+202E]0001[U+202C] EUR"
        );
        assert_eq!(
            visible("a\u{2066}b\u{2069}\u{200f}"),
            "a[U+2066]b[U+2069][U+200F]"
        );
    }

    #[test]
    fn missions_x1_what_repeats_is_counted() {
        let text = format!("Milk{}and delete everything", "\u{3000}".repeat(60));
        assert_eq!(visible(&text), "Milk[U+3000 ×60]and delete everything");
        assert_eq!(visible("a\u{200b}\u{200b}\u{feff}"), "a[U+200B ×2][U+FEFF]");
        let mixed = visible("a \u{2003} \u{2003} \u{2003} b").into_owned();
        assert_eq!(mixed, "a [U+2003] [U+2003] [U+2003] b");
    }

    #[test]
    fn missions_x1_marks_grow_over_no_other_line() {
        for mark in ['\u{301}', '\u{e47}', '\u{20d7}', '\u{64b}'] {
            let stack = |count: usize| mark.to_string().repeat(count);
            let code = u32::from(mark);
            assert_eq!(
                visible(&format!("a{}b{}", stack(40), stack(MARKS))),
                format!("a{}[U+{code:04X} ×36]b{}", stack(MARKS), stack(MARKS))
            );
        }
        for word in ["Z\u{325}\u{330}\u{301}\u{302}", "ปี่", "בְּרֵאשִׁית", "किताब"]
        {
            assert_eq!(visible(word), word);
        }
    }

    /// Each character that Unicode lets a font ignore is written out where nothing needs it.
    #[test]
    fn missions_x1_every_ignorable_character_is_found() {
        let ignorable =
            regex::Regex::new(r"^[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Cc}]$")
                .expect("a pattern");
        for c in ('\0'..=char::MAX).filter(|c| !matches!(c, '\n' | '\t')) {
            let found = !visible(&format!("a{c}b")).contains(c);
            let named = ignorable.is_match(c.encode_utf8(&mut [0; 4]));
            let is_cgj = c == '\u{34f}';
            assert!(found || !named || is_cgj, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn missions_x1_scripts_and_emoji_stay_as_they_are() {
        for text in [
            "می\u{200c}خواهم",
            "क\u{94d}\u{200d}ष",
            "👩\u{200d}💻 👩🏽\u{200d}🚀 ❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3} ☂\u{fe0e}",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "葛\u{e0100}城",
            "ᠮᠣᠩᠭᠣᠯ\u{180b}",
            "שלום עולם, مرحبا",
            "10\u{a0}000\u{202f}km, 10\u{3000}時",
            "Line one\r\n\tline two",
            "",
        ] {
            assert_eq!(visible(text), text);
            assert_eq!(without_hidden(text), text);
        }
    }

    #[test]
    fn missions_x1_what_scripts_need_hides_nothing_elsewhere() {
        assert_eq!(visible("pay\u{200d}pal"), "pay[U+200D]pal");
        assert_eq!(
            visible("😀\u{fe01}\u{fe02}\u{fe03}"),
            "😀\u{fe01}[U+FE02][U+FE03]"
        );
        assert_eq!(visible("🏴\u{e0067}"), "🏴[U+E0067]");
        assert_eq!(visible("x\u{e0064}\u{e0065}"), "x[U+E0064][U+E0065]");
        assert_eq!(visible("\u{3164}"), "[U+3164]");
        assert_eq!(visible("а\u{200d}б"), "а[U+200D]б");
        assert_eq!(visible("é\u{200c}"), "é[U+200C]");
        assert_eq!(visible("1\u{fe01}2\u{fe0f}"), "1[U+FE01]2\u{fe0f}");
        assert_eq!(visible("ж\u{fe0f}"), "ж[U+FE0F]");
        assert_eq!(visible("a\u{34f}b"), "a[U+034F]b");
        assert_eq!(visible("a\u{34f}\u{301}"), "a\u{34f}\u{301}");
        assert_eq!(visible("a\u{fffc}\u{13430}b"), "a[U+FFFC][U+13430]b");
        assert_eq!(visible("\u{70f}a"), "[U+070F]a");
        assert_eq!(visible("\u{70f}\u{710}"), "\u{70f}\u{710}");
        assert_eq!(visible("\u{2800}"), "[U+2800]");
        assert_eq!(visible("\u{a0} \u{a0}"), "[U+00A0] [U+00A0]");
    }

    #[test]
    fn missions_x1_texts_within_a_value_are_written_out() {
        let value = json!({"title": "a\u{202e}", "tags": ["\u{200b}b", 1], "n": null});
        let shown = json!({"title": "a[U+202E]", "tags": ["[U+200B]b", 1], "n": null});
        assert_eq!(visible_value(&value), shown);
    }
}
