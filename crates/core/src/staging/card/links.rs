//! The links of a Markdown text, each with its true address (rule MODULES C6).

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use crate::{Gather, Map};

use super::link_address::{address, decoded, says_its_host};

/// The attributes of HTML that hold an address.
const ADDRESS_ATTRIBUTES: [&str; 2] = ["href", "src"];

/// The schemes of an address that stands in a text by itself.
const SCHEMES: [&str; 2] = ["http", "https"];

/// A link in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardLink {
    /// The words that are shown for the link.
    pub text: String,
    /// The address that it leads to.
    pub address: String,
}

/// The links of a text that the text before did not have, by words and address, each once.
pub(super) fn new_links(before: Option<&str>, after: Option<&str>) -> Vec<CardLink> {
    let key = |link: &CardLink| format!("{}\n{}", link.text, link.address);
    let had = links(before.unwrap_or_default());
    let mut told: BTreeSet<String> = had.iter().map(key).gather();
    let mut new = links(after.unwrap_or_default());
    new.retain(|link| told.insert(key(link)));
    new
}

/// The links of a text and its pictures: `[words](address)`, `[words][label]` with `[label]: address`,
/// `<https://…>` and HTML's `<a href>` and `<img src>`; an address that stands in the text by itself, where it does not
/// say plainly to which host it leads. More is found than Markdown draws, in code for instance.
fn links(text: &str) -> Vec<CardLink> {
    let mut found = Links::default();
    found.scan(text);
    // A label may stand before its address.
    if !found.addresses.is_empty() {
        found.links.clear();
        found.bare_until = 0;
        found.scan(text);
    }
    found.links
}

#[derive(Default)]
struct Links {
    links: Vec<CardLink>,
    /// The addresses of labels; the first of a label counts.
    addresses: Map,
    /// The end of the last address that stands by itself.
    bare_until: usize,
}

impl Links {
    /// Reads every character once or twice, whatever the text is.
    fn scan(&mut self, text: &str) {
        // Where the words of each open bracket begin, and whether they hold other brackets.
        let mut open: Vec<(usize, bool)> = Vec::new();
        let mut at = 0;
        for (place, byte) in text.bytes().enumerate() {
            if place < at || !matches!(byte, b'[' | b']' | b'<' | b':') {
                continue;
            }
            let (said, rest) = (&text[..place], &text[place + 1..]);
            at = place + 1;
            if byte == b':' {
                self.bare(said, rest);
                continue;
            }
            let slashes = said.len() - said.trim_end_matches('\\').len();
            if slashes % 2 == 1 {
                continue;
            }
            match byte {
                b'[' => open.push((at, false)),
                b'<' => self.tag(rest),
                _ => {
                    let Some((begin, holds_others)) = open.pop() else {
                        continue;
                    };
                    if let Some(outer) = open.last_mut() {
                        outer.1 = true;
                    }
                    at += self.after_words(&text[begin..place], holds_others, rest);
                }
            }
        }
    }

    /// Reads an address that stands in the text by itself, at its colon. Others within it are part of it.
    fn bare(&mut self, said: &str, rest: &str) {
        let scheme = SCHEMES.iter().find_map(|scheme| {
            let from = said.len().checked_sub(scheme.len())?;
            let written = said.get(from..)?;
            written.eq_ignore_ascii_case(scheme).then_some(written)
        });
        let Some(scheme) = scheme.filter(|_| said.len() >= self.bare_until) else {
            return;
        };
        let end = rest.find(|c: char| c.is_whitespace() || "<>\"()[]".contains(c));
        let end = end.unwrap_or(rest.len());
        self.bare_until = said.len() + end;
        let bare = rest[..end].trim_end_matches(|c: char| !c.is_alphanumeric());
        if bare.starts_with(['/', '\\']) && !says_its_host(&format!("{scheme}:{bare}")) {
            let bare = format!("{scheme}:{bare}");
            self.push(&bare, bare.clone());
        }
    }

    /// Reads what follows the words in brackets. Returns how much of it was read.
    fn after_words(&mut self, words: &str, holds_others: bool, rest: &str) -> usize {
        if let Some(after) = rest.strip_prefix(['(', ':']) {
            let (written, end) = address(after);
            let address = decoded(written, true);
            if rest.starts_with(':') && !address.is_empty() {
                let label = label(words);
                if !self.addresses.contains_key(&label) {
                    self.addresses.insert(label, Value::from(address.as_str()));
                }
            }
            self.push(words, address);
            return 1 + end;
        }
        let named = rest
            .strip_prefix('[')
            .and_then(|named| named.split_once(']'));
        let named = named
            .map(|(named, _)| named)
            .filter(|named| !named.contains('['));
        let read = named.map_or(0, |named| named.len() + 2);
        let named = named.filter(|named| !named.is_empty());
        if self.addresses.is_empty() || named.is_none() && holds_others {
            return read;
        }
        let known = self.addresses.get(&label(named.unwrap_or(words)));
        if let Some(address) = known.and_then(Value::as_str).map(str::to_owned) {
            self.push(words, address);
        }
        read
    }

    /// Reads what follows `<`: an address by itself, or a tag of HTML with one.
    fn tag(&mut self, rest: &str) {
        let tag = &rest[..rest.find('<').unwrap_or(rest.len())];
        let (inner, _) = tag.split_once('>').unwrap_or_default();
        if inner.contains([':', '@']) && !inner.contains(char::is_whitespace) {
            self.push(inner, inner.to_owned());
            return;
        }
        let names = tag.to_ascii_lowercase();
        for attribute in ADDRESS_ATTRIBUTES {
            let mut at = 0;
            while let Some(begin) = names[at..].find(attribute) {
                at += begin + attribute.len();
                let value = tag[at..].trim_start();
                let Some(value) = value.strip_prefix('=') else {
                    continue;
                };
                let value = value.trim_start();
                let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
                let value = &value[quote.map_or(0, |_| 1)..];
                let ends = |c: char| match quote {
                    Some(quote) => c == quote,
                    None => c == '>' || c.is_whitespace(),
                };
                let (address, after) = value.split_at(value.find(ends).unwrap_or(value.len()));
                let (_, words) = after.split_once('>').unwrap_or_default();
                self.push(words.trim(), decoded(address, false));
                at = tag.len() - after.len();
            }
        }
    }

    fn push(&mut self, words: &str, address: String) {
        if !address.is_empty() {
            self.links.push(CardLink {
                text: words.to_owned(),
                address,
            });
        }
    }
}

/// A label as labels are compared: without case, blanks as one.
fn label(words: &str) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    words.join(" ").to_lowercase().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_c6_a_link_is_told_with_its_true_address() {
        let after = "See [bank](https://bank.example.org \"Bank\") and [shop]: <https://shop.example>, [a](b), \
                     [x](javascript:f(1)).";
        let new = new_links(Some("[a](b)"), Some(after));
        let told: Vec<_> = new
            .iter()
            .map(|l| (l.text.as_str(), l.address.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("bank", "https://bank.example.org"),
                ("shop", "https://shop.example"),
                ("x", "javascript:f(1)")
            ]
        );
    }

    /// The links of a text, as `words -> address`.
    fn told(text: &str) -> Vec<String> {
        let links = links(text).into_iter();
        links
            .map(|link| format!("{} -> {}", link.text, link.address))
            .collect()
    }

    #[test]
    fn modules_c6_every_form_of_a_link_is_told_with_its_address() {
        for (text, links) in [
            (
                "[bank][b] is here.\n\n[B]: https://evil.example",
                &["bank -> https://evil.example", "B -> https://evil.example"][..],
            ),
            (
                "[b]: <https://a.example>\n[b]: https://second.example\n[b][] and [b]",
                &[
                    "b -> https://a.example",
                    "b -> https://second.example",
                    "b -> https://a.example",
                    "b -> https://a.example",
                ],
            ),
            (
                "[the  Bank]\n\n[THE bank]:\n https://a.example",
                &[
                    "the  Bank -> https://a.example",
                    "THE bank -> https://a.example",
                ],
            ),
            (
                "![cat](https://a.example/c.png \"A cat\")",
                &["cat -> https://a.example/c.png"],
            ),
            (
                "![cat][c]\n\n[c]: /c.png",
                &["cat -> /c.png", "c -> /c.png"],
            ),
            (
                "[![pay](p.png)](https://evil.example)",
                &["pay -> p.png", "![pay](p.png) -> https://evil.example"],
            ),
            ("[a [b](https://x.example)", &["b -> https://x.example"]),
            (
                "[a\\]b](https://x.example)",
                &["a\\]b -> https://x.example"],
            ),
            (
                "[a\\\\](https://x.example)",
                &["a\\\\ -> https://x.example"],
            ),
            (
                "[a](<https://x.example/b c>)",
                &["a -> https://x.example/b c"],
            ),
            ("[a](\n  https://x.example)", &["a -> https://x.example"]),
            (
                "[a](https://x.example/(b)c)",
                &["a -> https://x.example/(b)c"],
            ),
            (
                "<https://x.example/a_b> or <me@x.example>",
                &[
                    "https://x.example/a_b -> https://x.example/a_b",
                    "me@x.example -> me@x.example",
                ],
            ),
            (
                "<a href=\"https://evil.example\">bank</a>",
                &["bank -> https://evil.example"],
            ),
            (
                "<A class=x HREF = 'https://evil.example' >bank<b>!</b></a>",
                &["bank -> https://evil.example"],
            ),
            (
                "<a title=\">\" href=https://evil.example>bank</a>",
                &["bank -> https://evil.example"],
            ),
            (
                "<img alt=x src=https://evil.example/?d=1>",
                &[" -> https://evil.example/?d=1"],
            ),
            (
                "[a](https://bank.example\\@evil.example) [b](https&colon;//evil.example) [c](<//evil\\>x>)",
                &[
                    "a -> https://bank.example@evil.example",
                    "b -> https://evil.example",
                    "c -> //evil>x",
                ],
            ),
            (
                "[a](https://bank.example\\)@evil.example)",
                &["a -> https://bank.example)@evil.example"],
            ),
            (
                "[x]\n\n[x]: https://bank.example&commat;evil.example",
                &[
                    "x -> https://bank.example@evil.example",
                    "x -> https://bank.example@evil.example",
                ],
            ),
            ("[ẞ]\n\n[SS]: /url", &["ẞ -> /url", "SS -> /url"]),
            (
                "<a data-href='https://bank.example' href=https&#58;//evil.example>bank</a>",
                &[
                    "bank -> https://bank.example",
                    "bank -> https://evil.example",
                ],
            ),
            (
                "See https://bank.example@evil.example, HTTPS:\\\\evil.example or (https://раypal.example/x).",
                &[
                    "https://bank.example@evil.example -> https://bank.example@evil.example",
                    "HTTPS:\\\\evil.example -> HTTPS:\\\\evil.example",
                    "https://раypal.example/x -> https://раypal.example/x",
                ],
            ),
            (
                "[https://bank.example@x](https://evil.example)",
                &[
                    "https://bank.example@x -> https://bank.example@x",
                    "https://bank.example@x -> https://evil.example",
                ],
            ),
            (
                "https://a.example, https://a.example/b@c. \"http://a.example:80\" https:// is no link, http: neither",
                &[],
            ),
            (
                "a[0] < b[1], [ ] open, [x] done, 1 < 2 > 0, <b>bold</b>",
                &[],
            ),
            ("[a][nobody] and [nobody]", &[]),
        ] {
            assert_eq!(told(text), links, "{text}");
        }
    }

    #[test]
    fn modules_c6_links_are_told_once_and_only_new_ones() {
        let text = |count: usize| -> String {
            (0..count)
                .map(|n| format!("[a{n}](https://x.example/{n}) "))
                .collect()
        };
        let new = new_links(Some(&text(20_000)), Some(&text(20_002).repeat(2)));
        let addresses: Vec<&str> = new.iter().map(|link| link.address.as_str()).collect();
        assert_eq!(
            addresses,
            ["https://x.example/20000", "https://x.example/20001"]
        );
        // The same words, led elsewhere by another definition.
        let new = new_links(Some("[a][b]\n[b]: /x"), Some("[a][b]\n[b]: /y"));
        assert!(
            new.iter()
                .any(|link| link.text == "a" && link.address == "/y")
        );
        // Brackets that nothing closes.
        for open in [
            "[",
            "]",
            "[]",
            "[](",
            "](",
            "[a][",
            "[a]: ",
            "<",
            "<a href=",
            "\\[",
            "[a](<",
            "<a href=x>",
            "<a href href",
            "http:/",
            "http://x@",
            "&colon;",
            "[a](\\",
        ] {
            let many = open.repeat(100_000);
            let defined = format!("[a]: /x\n{many}");
            let closed = format!("{many}{}", "]".repeat(100_000));
            for text in [&many, &defined, &closed] {
                links(text);
            }
        }
    }
}
