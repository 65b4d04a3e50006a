//! Rust source without comments and literals, in tokens.

/// Identifiers, `::`, and every other sign by itself. A literal becomes `"`.
pub fn tokens(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        at += match rest[0] {
            c if c.is_whitespace() => 1,
            '/' if rest.starts_with(&['/', '/']) => length_until(rest, |c| c == '\n'),
            '/' if rest.starts_with(&['/', '*']) => block_comment(rest),
            '"' => literal(&mut tokens, string(rest)),
            '\'' => match rest {
                [_, '\\', ..] => literal(&mut tokens, 2 + quote(&rest[2..])),
                [_, _, '\'', ..] => literal(&mut tokens, 3),
                _ => 1,
            },
            c if c.is_alphanumeric() || c == '_' => {
                let length = length_until(rest, |c| !(c.is_alphanumeric() || c == '_'));
                let word: String = rest[..length].iter().collect();
                match (word.as_str(), rest.get(length)) {
                    ("r" | "br", Some('"' | '#')) if is_raw(&rest[length..]) => {
                        literal(&mut tokens, length + raw_string(&rest[length..]))
                    }
                    ("b" | "c", Some('"')) => {
                        literal(&mut tokens, length + string(&rest[length..]))
                    }
                    _ => {
                        tokens.push(word);
                        length
                    }
                }
            }
            ':' if rest.starts_with(&[':', ':']) => {
                tokens.push("::".to_owned());
                2
            }
            c => {
                tokens.push(c.to_string());
                1
            }
        };
    }
    without_tests(tokens)
}

fn literal(tokens: &mut Vec<String>, length: usize) -> usize {
    tokens.push("\"".to_owned());
    length
}

fn length_until(text: &[char], end: impl Fn(char) -> bool) -> usize {
    text.iter().position(|c| end(*c)).unwrap_or(text.len())
}

fn block_comment(text: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(text: &[char]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Up to the quote that ends a character literal, after its escaped sign.
fn quote(text: &[char]) -> usize {
    1 + length_until(&text[1..], |c| c == '\'') + 1
}

fn is_raw(text: &[char]) -> bool {
    text.iter().find(|c| **c != '#') == Some(&'"')
}

fn raw_string(text: &[char]) -> usize {
    let hashes = length_until(text, |c| c != '#');
    let mut at = hashes + 1;
    while at < text.len() {
        let end = text[at..].iter().skip(1).take_while(|c| **c == '#').count();
        if text[at] == '"' && end >= hashes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    at
}

/// Cuts out `#[cfg(test)] mod NAME { … }`: tests may look at everything.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    const CFG_TEST: [&str; 8] = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_tests = tokens[at..]
            .iter()
            .zip(CFG_TEST)
            .filter(|(a, b)| a == b)
            .count()
            == 8
            && tokens.get(at + 9).is_some_and(|token| token == "{");
        if !is_tests {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        at += 9;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_literals_and_tests_are_no_tokens() {
        let source = r##"use a::b; // c::d
            /* e /* f */ g */ let x: &'a str = r#"h"i"#; '\'' '"' "j\"k";
            #[cfg(test)] mod tests { use l::m; { } } n"##;
        let text = tokens(source).join(" ");
        assert_eq!(text, "use a :: b ; let x : & a str = \" ; \" \" \" ; n");
    }
}
