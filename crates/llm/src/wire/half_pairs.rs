//! Halves of surrogate pairs in JSON, such as half an emoji that a model was cut in: no Rust text can hold one, and no
//! reader of this gateway should lose an answer to it.

/// The same JSON with the replacement character in the place of each half of a pair.
pub(crate) fn mend_half_pairs(mut json: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &json[at..]) {
        at += found;
        match (
            unit(&json[at..]),
            unit(json.get(at + 6..).unwrap_or_default()),
        ) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                json[at + 2..at + 6].copy_from_slice(b"fffd");
                at += 6;
            }
            // An escaped backslash is not the beginning of an escape.
            _ => at = (at + 2).min(json.len()),
        }
    }
    json
}

/// The UTF-16 unit of an escape `\uXXXX`.
fn unit(escape: &[u8]) -> Option<u16> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::mend_half_pairs;

    #[test]
    fn half_a_pair_becomes_a_replacement_character_and_all_else_stays() {
        for (json, mended) in [
            (r#"{"a": "\ud83d"}"#, r#"{"a": "\ufffd"}"#),
            (r#"{"a": "\uDF89 \ud83d"}"#, r#"{"a": "\ufffd \ufffd"}"#),
            (r#""\ud83d\ud83c\udf89""#, r#""\ufffd\ud83c\udf89""#),
            (r#""\ud83dabc""#, r#""\ufffdabc""#),
            (r#""\ud83c\udf89""#, r#""\ud83c\udf89""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\ufffd""#),
            (r#""\u00e9 \n \ud8"#, r#""\u00e9 \n \ud8"#),
            (r"\", r"\"),
        ] {
            let said = mend_half_pairs(json.as_bytes().to_vec());
            assert_eq!(String::from_utf8(said).unwrap(), mended, "{json}");
        }
    }
}
