//! The address of a link in Markdown: where it ends, and what is read of how it is written.

/// The names that HTML has for characters of ASCII, which Markdown takes over.
const NAMED: [(&str, &str); 42] = [
    ("AMP", "&"),
    ("DiacriticalGrave", "`"),
    ("GT", ">"),
    ("Hat", "^"),
    ("LT", "<"),
    ("NewLine", "\n"),
    ("QUOT", "\""),
    ("Tab", "\t"),
    ("UnderBar", "_"),
    ("VerticalLine", "|"),
    ("amp", "&"),
    ("apos", "'"),
    ("ast", "*"),
    ("bsol", "\\"),
    ("colon", ":"),
    ("comma", ","),
    ("commat", "@"),
    ("dollar", "$"),
    ("equals", "="),
    ("excl", "!"),
    ("fjlig", "fj"),
    ("grave", "`"),
    ("gt", ">"),
    ("lbrace", "{"),
    ("lbrack", "["),
    ("lcub", "{"),
    ("lowbar", "_"),
    ("lpar", "("),
    ("lsqb", "["),
    ("lt", "<"),
    ("midast", "*"),
    ("num", "#"),
    ("percnt", "%"),
    ("period", "."),
    ("plus", "+"),
    ("quest", "?"),
    ("quot", "\""),
    ("rbrace", "}"),
    ("rpar", ")"),
    ("semi", ";"),
    ("sol", "/"),
    ("vert", "|"),
];

/// The address at the beginning of a text as it is written, and where it ends.
pub(super) fn address(text: &str) -> (&str, usize) {
    let blanks = text.len() - text.trim_start().len();
    let text = &text[blanks..];
    let mut escaped = false;
    let mut is_escaped = move |c: char| {
        let was = escaped;
        escaped = c == '\\' && !was;
        was && c.is_ascii_punctuation()
    };
    if let Some(inner) = text.strip_prefix('<') {
        let end = inner.find(|c| !is_escaped(c) && c == '>');
        let end = end.unwrap_or(inner.len());
        return (&inner[..end], blanks + 1 + end);
    }
    // As in Markdown, an address holds brackets that are closed in it.
    let mut open = 0_usize;
    let ends = |c: char| match c {
        _ if is_escaped(c) => false,
        '(' => {
            open += 1;
            false
        }
        ')' if open > 0 => {
            open -= 1;
            false
        }
        c => c == ')' || c.is_whitespace(),
    };
    let end = text.find(ends).unwrap_or(text.len());
    (&text[..end], blanks + end)
}

/// An address as it is read: characters that are written as entities, and with `escapes` those behind a backslash.
/// Names of characters beyond ASCII stay as they are written.
pub(super) fn decoded(written: &str, escapes: bool) -> String {
    let mut out = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find(['\\', '&']) {
        out.push_str(&rest[..at]);
        let (sign, after) = rest[at..].split_at(1);
        rest = after;
        if sign == "&" {
            match entity(after) {
                Some((character, read)) => {
                    out.push_str(&character);
                    rest = &after[read..];
                }
                None => out.push('&'),
            }
        } else if escapes && after.starts_with(|c: char| c.is_ascii_punctuation()) {
            out.push_str(&after[..1]);
            rest = &after[1..];
        } else {
            out.push_str(sign);
        }
    }
    out.push_str(rest);
    out
}

/// The character of an entity behind its `&`, and the length of the entity.
fn entity(after: &str) -> Option<(String, usize)> {
    // As in Markdown, a number has at most seven digits; the longest name is shorter than this.
    let name = after.get(..after.bytes().take(20).position(|byte| byte == b';')?)?;
    let character = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            String::from(char::from_u32(code.ok()?).filter(|c| *c != '\0')?)
        }
        None => NAMED.iter().find(|(known, _)| *known == name)?.1.to_owned(),
    };
    Some((character, name.len() + 1))
}

/// Whether an address says plainly to which host it leads: `https://`, a name of ASCII, perhaps a port, then its path.
pub fn says_its_host(address: &str) -> bool {
    let Some((_, after)) = address.split_once("://") else {
        return false;
    };
    let host = &after[..after.find(['/', '?', '#']).unwrap_or(after.len())];
    let host = match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => host,
    };
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_c6_an_address_is_read_as_markdown_reads_it() {
        for (written, read) in [
            ("https://a.example/x)y", "https://a.example/x"),
            (
                "https://a.example\\)@evil.example) x",
                "https://a.example)@evil.example",
            ),
            (
                "<https://a.example\\>@evil.example>",
                "https://a.example>@evil.example",
            ),
            (
                "https://a.example\\@evil.example",
                "https://a.example@evil.example",
            ),
            (
                "https://a.example&commat;evil.example",
                "https://a.example@evil.example",
            ),
            ("https&#58;&#x2F;&sol;evil.example", "https://evil.example"),
            ("https:\\/\\/evil.example\\\\x", "https://evil.example\\x"),
            ("&fjlig;ord.example", "fjord.example"),
            (
                "/a?b=1&c=2&copy;&#0;&#x110000;&",
                "/a?b=1&c=2&copy;&#0;&#x110000;&",
            ),
            ("c:\\temp", "c:\\temp"),
        ] {
            assert_eq!(decoded(address(written).0, true), read, "{written}");
        }
        assert_eq!(decoded("https:\\/&sol;x", false), "https:\\//x");
    }

    #[test]
    fn modules_c6_an_address_says_its_host_or_not() {
        for plain in [
            "https://a.example",
            "http://A.example:8080/x?y#z",
            "https://xn--bcher-kva.example/",
            "https://a.example?u=b@c",
        ] {
            assert!(says_its_host(plain), "{plain}");
        }
        for unclear in [
            "https://a.example@evil.example",
            "https://a.example:80@evil.example",
            "https://a.example\\@evil.example",
            "https:\\\\evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "https://%65vil.example",
            "https://раypal.example",
            "https://evil。example",
            "https://a\tb.example",
            "//evil.example",
        ] {
            assert!(!says_its_host(unclear), "{unclear}");
        }
    }
}
