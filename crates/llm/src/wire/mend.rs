//! Answers that are nearly JSON: what servers write that no reader of JSON takes, and what they mean by it.

use std::borrow::Cow;

/// The UTF-8 mark that some servers put before their text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The letters that may follow a backslash.
const ESCAPED: &str = "\"\\/bfnrtu";

/// The same as JSON where it can be made so: without a byte order mark, comments before it and commas without an item
/// after them; with `null` for a number that JSON doesn't have (`NaN`, `Infinity`, beyond a float); with JSON's words
/// for Python's constants; with escapes for control characters in texts and none that JSON doesn't have; and in UTF-8.
pub(crate) fn mended(json: &[u8]) -> Vec<u8> {
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    let json: Cow<'_, str> = String::from_utf8_lossy(json);
    let mut text = String::with_capacity(json.len());
    let mut rest = after_comments(&json);
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => string(rest, &mut text),
            '-' | '+' | '.' | '0'..='9' | 'A'..='Z' | 'a'..='z' => word(rest, &mut text),
            other => {
                if matches!(other, '}' | ']') {
                    drop_comma(&mut text);
                }
                text.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    text.into_bytes()
}

/// The text after lines that are comments of a stream: some servers send them to show that they are still there, also
/// where they don't stream.
fn after_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with(':') {
        let end = rest.find(['\n', '\r']).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    rest
}

/// Takes away the comma after the last item of a list or an object.
fn drop_comma(text: &mut String) {
    let end = text.trim_end().len();
    if text[..end].ends_with(',') {
        text.truncate(end - 1);
    }
}

/// Takes over a string, and returns its length.
fn string(rest: &str, text: &mut String) -> usize {
    text.push('"');
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            letter if letter < ' ' => {
                // A backslash before it would escape the escape.
                if escaped {
                    text.pop();
                }
                text.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            // Python and JavaScript escape it, JSON doesn't.
            '\'' if escaped => {
                text.pop();
                text.push(letter);
            }
            letter => {
                if escaped && !ESCAPED.contains(letter) {
                    text.push('\\');
                }
                text.push(letter);
            }
        }
        match letter {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Takes over a number or a name, and returns its length.
fn word(rest: &str, text: &mut String) -> usize {
    let is_of_word =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | '.');
    let end = rest
        .find(|letter| !is_of_word(letter))
        .unwrap_or(rest.len());
    let word = &rest[..end];
    let is_no_number = word.parse::<f64>().is_ok_and(|number| !number.is_finite());
    text.push_str(match word {
        "None" | "undefined" => "null",
        "True" => "true",
        "False" => "false",
        _ if is_no_number => "null",
        word => word,
    });
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_json_becomes_json() {
        for (json, expected) in [
            (&b"\xEF\xBB\xBF{\"a\": 1}"[..], r#"{"a": 1}"#),
            (
                b"[NaN, -Infinity,Infinity, 1e999, -1.5e3, true]",
                "[null, null,null, null, -1.5e3, true]",
            ),
            (
                b"{\"NaN\": \"say \\\"NaN\\\" NaN\"}",
                r#"{"NaN": "say \"NaN\" NaN"}"#,
            ),
            (b"\"a\nb\tc\\\\\n\"", r#""a\u000ab\u0009c\\\u000a""#),
            (b"\"caf\xE9\"", "\"caf\u{fffd}\""),
            (b"{\"half", "{\"half"),
            (
                b"{\"a\": [1, 2,\n ], \"b\": \",}\", }",
                "{\"a\": [1, 2], \"b\": \",}\"}",
            ),
            (
                b"{\"a\": None, \"b\": [True,False], \"c\": \"None\"}",
                r#"{"a": null, "b": [true,false], "c": "None"}"#,
            ),
            (
                br#""\d \x \' \\' \" \u0041""#,
                r#""\\d \\x ' \\' \" \u0041""#,
            ),
            (b": WAIT\n\n: WAIT\r\n\n{\n \"a\": 1}", "{\n \"a\": 1}"),
            (b"", ""),
        ] {
            let said = String::from_utf8(mended(json)).unwrap();
            assert_eq!(said, expected);
        }
    }
}
