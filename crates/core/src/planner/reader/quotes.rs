//! Quotes and blanks as models write them, and what follows a text in quotes.

/// How far the parser looks ahead for the key that would follow a quote.
pub(super) const LOOKAHEAD: usize = 120;

/// Characters that show nothing, and that models put between tokens.
pub(super) fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{FEFF}' | '\u{200B}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{AD}'
    )
}

fn is_double(c: char) -> bool {
    matches!(c, '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '″' | '＂')
}

fn is_single(c: char) -> bool {
    matches!(c, '\'' | '‘' | '’' | '‚' | '‛' | '′')
}

pub(super) fn is_quote(c: char) -> bool {
    is_double(c) || is_single(c) || c == '`'
}

/// Whether a quote can close a text that another one opened. A straight quote is closed by the same one.
pub(super) fn closes(open: char, c: char) -> bool {
    match open {
        '"' | '\'' | '`' => c == open,
        open if is_double(open) => is_double(c),
        _ => is_single(c),
    }
}

/// Whether a text begins with a key and its colon.
pub(super) fn begins_with_key(text: &str) -> bool {
    let near = match text.char_indices().nth(LOOKAHEAD) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    let mut chars = near.char_indices();
    let Some((_, first)) = chars.next() else {
        return false;
    };
    let behind = if is_quote(first) {
        let close = chars.find(|(_, c)| closes(first, *c) || *c == '\n');
        close.map(|(at, c)| &near[at + c.len_utf8()..])
    } else {
        let end = near.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
        end.filter(|end| *end > 0).map(|end| &near[end..])
    };
    behind.is_some_and(|behind| {
        let behind = behind.trim_start();
        behind.starts_with([':', '：', '='])
    })
}

/// Whether a text in quotes goes on behind a plus.
pub(super) fn is_joined(rest: &str) -> bool {
    let behind = rest.strip_prefix('+').map(str::trim_start);
    behind.is_some_and(|behind| behind.starts_with(is_quote))
}

/// The text that ends at the end of a line, though no quote closes it: a comma ends the line, and the next one begins
/// with a key in quotes.
pub(super) fn ends_before_key(text: &str, rest: &str) -> Option<String> {
    let text = text.strip_suffix('\r').unwrap_or(text).strip_suffix(',')?;
    let next = rest.trim_start();
    (next.starts_with('"') && begins_with_key(next)).then(|| text.to_owned())
}
