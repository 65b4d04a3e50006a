//! Values without quotes: the literals of several languages, and dates that are made by a call. Letters that were
//! escaped twice.

use serde_json::Value;

use super::quotes::{closes, is_quote};

/// How much of a text is searched for the end of a call.
const REACH: usize = 100;

/// The value of a word that is a literal.
pub(super) fn literal(word: &str) -> Option<Value> {
    match word {
        "true" | "True" | "TRUE" => Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => Some(Value::Bool(false)),
        "null" | "None" | "undefined" | "NaN" | "nil" | "NULL" | "Null" => Some(Value::Null),
        _ => None,
    }
}

/// The value that a text begins with as a call, and its length: `ISODate("2026-11-26")`, `new Date("2026-11-25")`,
/// `datetime.date(2026, 11, 24)`. Numbers are read where months count from one, which they don't in JavaScript.
pub(super) fn constructed(text: &str) -> Option<(Value, usize)> {
    let reach = text
        .char_indices()
        .nth(REACH)
        .map_or(text, |(end, _)| &text[..end]);
    let open =
        reach.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ' ')))?;
    let name = &reach[..open];
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let inside = reach[open..].strip_prefix('(')?.trim_start();
    let begin = reach.len() - inside.len();
    let first = inside.chars().next()?;
    if is_quote(first) {
        let inside = &inside[first.len_utf8()..];
        let (end, quote) = inside.char_indices().find(|(_, c)| closes(first, *c))?;
        let behind = inside[end + quote.len_utf8()..]
            .trim_start()
            .strip_prefix(')')?;
        return Some((inside[..end].into(), reach.len() - behind.len()));
    }
    let is_date = [
        "date",
        "datetime",
        "datetime.date",
        "datetime.datetime",
        "dt.date",
    ]
    .contains(&name.trim());
    let (numbers, behind) = reach[begin..].split_once(')').filter(|_| is_date)?;
    let numbers: Vec<u16> = numbers
        .split(',')
        .map(|number| number.trim().parse().ok())
        .collect::<Option<_>>()?;
    let text = match numbers.as_slice() {
        [year, month, day] => format!("{year:04}-{month:02}-{day:02}"),
        [year, month, day, hour, minute, ..] => {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")
        }
        _ => return None,
    };
    Some((text.into(), reach.len() - behind.len()))
}

/// A text with the letters that were escaped twice, `M\u00fcll`. An escape that touches no other letter stays: a text
/// may speak of it.
pub(super) fn letters(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        let (before, behind) = (&rest[..at], &rest[at + 2..]);
        plain.push_str(before);
        let touches = |next: Option<char>| next.is_some_and(char::is_alphabetic);
        let letter = behind
            .get(..4)
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32)
            .filter(|letter| letter.is_alphabetic() && !letter.is_ascii());
        match letter {
            Some(letter)
                if touches(plain.chars().next_back()) || touches(behind[4..].chars().next()) =>
            {
                plain.push(letter);
                rest = &behind[4..];
            }
            _ => {
                plain.push_str("\\u");
                rest = behind;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missions_a2_dates_that_are_made_by_a_call() {
        for (text, value) in [
            (
                "ISODate(\"2026-11-26\"), …",
                Some((json!("2026-11-26"), 21)),
            ),
            ("new Date('2026-11-25')}", Some((json!("2026-11-25"), 22))),
            (
                "datetime.date(2026, 11, 4)",
                Some((json!("2026-11-04"), 26)),
            ),
            (
                "datetime(2026, 11, 4, 9, 5)",
                Some((json!("2026-11-04T09:05"), 27)),
            ),
            // Months count from nought there.
            ("new Date(2026, 10, 25)", None),
            ("Call (Anna)", None),
            ("true", None),
        ] {
            assert_eq!(constructed(text), value, "{text}");
        }
    }

    #[test]
    fn missions_a6_letters_that_were_escaped_twice() {
        for (text, plain) in [
            ("M\\u00fcll", "Müll"),
            ("\\u00dcben", "Üben"),
            ("Gr\\u00f6\\u00dfe", "Größe"),
            ("Explain \\u00fc to Anna", "Explain \\u00fc to Anna"),
            ("C:\\users\\u0041nna", "C:\\users\\u0041nna"),
            ("\\u12", "\\u12"),
        ] {
            assert_eq!(letters(text), plain, "{text}");
        }
    }
}
