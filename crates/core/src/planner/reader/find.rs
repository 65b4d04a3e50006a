//! The values and the calls in a model's text, in their order.

use serde_json::Value;

use super::lenient_json;
use super::markers::token;
use super::tool_name::{ToolNames, bare};
use crate::Map;

/// Something in a text that may be a plan, a step or a call.
#[derive(Debug)]
pub(super) struct Piece {
    /// The name of a tool that stands before the value, or that the call has.
    pub name: Option<String>,
    /// The value: that of a plan or a step, or the arguments of the named tool.
    pub value: Value,
    /// The place behind it.
    pub end: usize,
    /// The place where it begins.
    pub start: usize,
    /// Whether it was there to its end.
    pub whole: bool,
    /// Whether a bracket of it was missing.
    pub mended: bool,
}

/// How much text before a value is searched for the name of a tool.
const NAME_REACH: usize = 200;

/// The most pieces that are kept of a text, the last.
const MAX_PIECES: usize = 2_000;

/// Finds the values and calls of a text. The work is bounded by its length.
pub(super) fn pieces(text: &str, names: ToolNames<'_>) -> Vec<Piece> {
    let mut fuel = 12 * text.len() + 10_000;
    let mut found: Vec<Piece> = Vec::new();
    let mut at = 0;
    while fuel > 0 && found.len() < MAX_PIECES {
        let Some(offset) = text[at..].find(['{', '[', '<', '(']) else {
            break;
        };
        let start = at + offset;
        // `[TOOL_CALLS]create_task[ARGS]{…}`: a token in brackets is no list.
        let in_brackets = match text.as_bytes()[start] {
            b'[' => token(&text[start..]),
            _ => 0,
        };
        if in_brackets > 0 {
            at = start + in_brackets;
            continue;
        }
        let before = found.last().map_or(0, |piece| piece.end);
        let piece = match text.as_bytes()[start] {
            b'<' => element(text, start, names, &mut fuel),
            b'(' => python(text, before, start, names, &mut fuel),
            _ => lenient_json::read_at(text, start, &mut fuel).map(|value| Piece {
                name: name_before(&text[before..start], names),
                value: value.value,
                end: value.end,
                start,
                whole: value.whole,
                mended: value.mended,
            }),
        };
        fuel = fuel.saturating_sub(1);
        match piece {
            Some(piece) => {
                at = piece.end.max(start + 1);
                found.push(piece);
            }
            None => at = start + 1,
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    found
}

/// Words that may stand between the name of a tool and its arguments.
const BETWEEN: &[&str] = &[
    "json",
    "json5",
    "function",
    "functions",
    "tool",
    "call",
    "calls",
    "args",
    "arguments",
    "argument",
    "action",
    "input",
    "parameters",
    "params",
    "param",
    "constrain",
    "message",
    "commentary",
    "with",
    "and",
    "the",
    "following",
];

/// The tool whose arguments begin behind a text: the last word of it that is no token and none of [`BETWEEN`], if it
/// names a tool.
fn name_before(text: &str, names: ToolNames<'_>) -> Option<String> {
    let mut from = text.len().saturating_sub(NAME_REACH);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let mut last = None;
    let mut rest = &text[from..];
    while let Some(first) = rest.chars().next() {
        let is_tag = matches!(first, '<' | '[');
        let skipped = if is_tag { token(rest) } else { 0 };
        if skipped > 0 {
            if rest.starts_with("[CALL_ID]") {
                let id = rest[skipped..].find(|c: char| !c.is_alphanumeric());
                rest = &rest[skipped + id.unwrap_or(rest.len() - skipped)..];
            } else {
                rest = &rest[skipped..];
            }
            continue;
        }
        let len = rest.find(|c: char| !is_of_name(c)).unwrap_or(rest.len());
        if len == 0 {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..len];
        let plain = word.trim_end_matches([':', '.', '-']).to_lowercase();
        let says_nothing = plain.is_empty()
            || BETWEEN.contains(&plain.as_str())
            || plain.bytes().all(|b| b.is_ascii_digit());
        if !says_nothing {
            last = Some(word);
        }
        rest = &rest[len..];
    }
    let last = last?.trim_end_matches([':', '.']);
    names.is_known(last).then(|| bare(last).to_owned())
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/')
}

/// A call as elements: `<function=NAME><parameter=P>…`, `<invoke name="NAME"><parameter name="P">…`,
/// `<tool_call>NAME<arg_key>P</arg_key><arg_value>…`, `<NAME><P>…</P></NAME>`.
fn element(text: &str, start: usize, names: ToolNames<'_>, fuel: &mut usize) -> Option<Piece> {
    let tag = Tag::at(text, start)?;
    if tag.closes {
        return None;
    }
    let label = tag.label.to_lowercase();
    let label = unprefixed(&label);
    let inside = &text[tag.end..];
    let (name, closing) = match label {
        "function" | "invoke" | "tool" | "call" => (tag.name()?.to_owned(), label.to_owned()),
        "tool_use" | "tool_call" | "toolcall" | "function_call" => {
            if inside.trim_start().starts_with("<name>") {
                return named_within(inside, label, tag.end, start, names, fuel);
            }
            let head = inside
                .trim_start()
                .split(['<', '\n', '{'])
                .next()
                .unwrap_or_default()
                .trim();
            if !names.is_known(head) {
                return None;
            }
            (head.to_owned(), label.to_owned())
        }
        _ if names.is_known(tag.label) => (tag.label.to_owned(), tag.label.to_lowercase()),
        _ => return None,
    };
    let end = find_close(inside, &closing);
    let body = &inside[..end.map_or(inside.len(), |(end, _)| end)];
    *fuel = fuel.saturating_sub(2 * body.len());
    // The arguments are JSON, also in a fence behind the name, which is read with the name before it.
    let behind = body.trim_start();
    let behind = behind.strip_prefix(name.as_str()).unwrap_or(behind);
    let behind = behind.trim_start();
    let inside = match behind.strip_prefix("```") {
        Some(inside) => inside.trim_start_matches(char::is_alphanumeric),
        None => behind,
    };
    if inside.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let (value, whole) = children(body, 0, fuel);
    Some(Piece {
        name: Some(bare(&name).to_owned()),
        value: value.into(),
        end: tag.end + end.map_or(inside.len(), |(_, behind)| behind),
        start,
        whole: whole
            && (end.is_some() || !body.trim_end().is_empty() && body.trim_end().ends_with('>')),
        mended: false,
    })
}

/// A call whose name is an element within it: `<tool_use><name>NAME</name><input>{…}</input></tool_use>`.
fn named_within(
    inside: &str,
    label: &str,
    behind: usize,
    start: usize,
    names: ToolNames<'_>,
    fuel: &mut usize,
) -> Option<Piece> {
    let (end, close) = find_close(inside, label)?;
    *fuel = fuel.saturating_sub(2 * end);
    let (mut fields, whole) = children(&inside[..end], 0, fuel);
    let name = fields.remove("name")?.as_str()?.to_owned();
    names.is_known(&name).then(|| Piece {
        name: Some(bare(&name).to_owned()),
        value: fields.into(),
        end: behind + close,
        start,
        whole,
        mended: false,
    })
}

/// A tag: its label, its attributes and where it ends.
struct Tag<'t> {
    label: &'t str,
    rest: &'t str,
    closes: bool,
    end: usize,
}

impl<'t> Tag<'t> {
    fn at(text: &'t str, start: usize) -> Option<Tag<'t>> {
        let inner = text[start..].strip_prefix('<')?;
        let (inner, closes) = match inner.strip_prefix('/') {
            Some(inner) => (inner, true),
            None => (inner, false),
        };
        let close = inner
            .char_indices()
            .take(NAME_REACH)
            .find(|(_, c)| matches!(c, '>' | '<'))?;
        if close.1 != '>' {
            return None;
        }
        let content = inner[..close.0].trim_end_matches('/');
        let label = content
            .find(|c: char| c.is_whitespace() || c == '=')
            .unwrap_or(content.len());
        let end = text.len() - inner.len() + close.0 + 1;
        let tag = Tag {
            label: content[..label].trim(),
            rest: content[label..].trim(),
            closes,
            end,
        };
        (!tag.label.is_empty()).then_some(tag)
    }

    /// The value behind `=`, or of the attribute `name`.
    fn name(&self) -> Option<&'t str> {
        let value = match self.rest.strip_prefix('=') {
            Some(value) => value,
            None => self.rest.split_once("name=")?.1,
        };
        let value = value.trim();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = match quote {
            Some(quote) => value[1..].split(quote).next()?,
            None => value.split_whitespace().next()?,
        };
        let value = value.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// The label of a tag without the prefix of a family of models: `seed:`, `｜DSML｜`, `longcat_`.
fn unprefixed(label: &str) -> &str {
    let own = label.rsplit(['｜', '|', ':']).next().unwrap_or_default();
    own.strip_prefix("longcat_").unwrap_or(own)
}

/// Where an element's end tag begins and ends.
fn find_close(text: &str, label: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    while let Some(at) = text[from..].find("</") {
        let start = from + at;
        if let Some(tag) = Tag::at(text, start)
            && unprefixed(&tag.label.to_lowercase()) == label
        {
            return Some((start, tag.end));
        }
        from = start + 2;
    }
    None
}

/// The parameters in the body of a call, and whether every one of them is closed.
fn children(body: &str, depth: usize, fuel: &mut usize) -> (Map, bool) {
    let mut params = Map::new();
    let mut key: Option<String> = None;
    let mut whole = true;
    let mut from = 0;
    while let Some(at) = body[from..].find('<').filter(|_| *fuel > 0) {
        let start = from + at;
        let Some(tag) = Tag::at(body, start).filter(|tag| !tag.closes) else {
            from = start + 1;
            continue;
        };
        let label = tag.label.to_lowercase();
        let label = unprefixed(&label).to_owned();
        let inside = &body[tag.end..];
        let close = find_close(inside, &label);
        *fuel = fuel.saturating_sub(close.map_or(inside.len(), |(_, behind)| behind));
        // Where the end is missing, the next parameter begins one.
        let next = || inside.find("\n<").map(|end| (end, end));
        let (end, behind) = close.or_else(next).unwrap_or_else(|| {
            whole = false;
            (inside.len(), inside.len())
        });
        let text = unescaped(inside[..end].trim_matches(['\n', '\r']));
        match label.as_str() {
            "arg_key" | "key" => key = Some(text.trim().to_owned()),
            "arg_value" => {
                if let Some(key) = key.take() {
                    params.insert(key, text.into());
                }
            }
            "parameters" | "params" | "arguments" | "args" | "input"
                if depth < 2 && text.trim_start().starts_with('<') =>
            {
                let (inner, closed) = children(&text, depth + 1, fuel);
                whole &= closed;
                params.insert("params".to_owned(), inner.into());
            }
            _ => {
                let name = match label.as_str() {
                    "parameter" | "param" | "arg" => tag.name().unwrap_or_default(),
                    _ => tag.label,
                };
                if !name.is_empty() {
                    params.insert(name.to_owned(), text.trim().into());
                }
            }
        }
        from = tag.end + behind;
    }
    (params, whole)
}

fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (entity, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        if plain.contains(entity) {
            plain = plain.replace(entity, c);
        }
    }
    plain
}

/// A call as Python: `create_task(title="Milk", done=False)`, with any module before the name. `open` is the place of
/// its bracket.
fn python(
    text: &str,
    from: usize,
    open: usize,
    names: ToolNames<'_>,
    fuel: &mut usize,
) -> Option<Piece> {
    let head = &text[from..open];
    let start = from
        + head.rfind(|c: char| !is_of_name(c)).map_or(0, |at| {
            at + head[at..].chars().next().map_or(1, char::len_utf8)
        });
    let name = text[start..open]
        .strip_suffix(".call")
        .unwrap_or(&text[start..open]);
    if name.is_empty() || !names.is_known(name) {
        return None;
    }
    let mut arguments = Map::new();
    let mut at = open + 1;
    let mut whole = false;
    loop {
        let rest = text[at..].trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        at = text.len() - rest.len();
        if rest.starts_with(')') {
            at += 1;
            whole = true;
            break;
        }
        let len = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let behind = rest[len..].trim_start();
        let Some(value) = behind
            .strip_prefix('=')
            .or_else(|| behind.strip_prefix(':'))
            .filter(|_| len > 0)
        else {
            break;
        };
        let key = rest[..len].to_owned();
        let Some(found) = lenient_json::read_argument(text, text.len() - value.len(), fuel) else {
            break;
        };
        at = found.end.max(at + 1);
        if !found.whole {
            break;
        }
        arguments.insert(key, found.value);
    }
    // `create_task({…})` is an object with a name before it.
    if !whole && arguments.is_empty() {
        return None;
    }
    Some(Piece {
        name: Some(bare(name).to_owned()),
        value: arguments.into(),
        end: at,
        start,
        whole,
        mended: false,
    })
}
