//! JSON as models write it: JSON5 and Python literals, curly quotes, quotes that nobody escaped, raw control
//! characters, commas and brackets that are missing, a text that is cut off.
//!
//! The crates that read JSON5 (`json5`) recurse without a bound, and those that repair JSON (`jsonrepair-rs`) close
//! what is cut off, so that nobody can tell a whole step from a half one. Hence a parser of Mana's own: its depth and
//! its work are bounded, and it marks what was cut.

use serde_json::Value;

use super::literals;
use super::quotes::{
    LOOKAHEAD, begins_with_key, closes, ends_before_key, is_blank, is_joined, is_quote,
};
use crate::Map;

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 64;

/// The work that a value costs which is nested too deep. Many of them end the reading.
const DEEP_WORK: usize = 4_000;

/// The key that marks an object of which the end is missing. No answer can spell it by accident.
const CUT: &str = "\u{0}cut";

/// Whether the end of an object is missing in a value.
pub(super) fn is_cut(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(CUT) || fields.values().any(is_cut),
        Value::Array(items) => items.iter().any(is_cut),
        _ => false,
    }
}

/// The object without the mark of a missing end.
pub(super) fn unmarked(fields: &mut Map) {
    fields.remove(CUT);
}

/// A value found in a text.
pub(super) struct Found {
    /// The value. Elements of a list that were cut are not in it.
    pub value: Value,
    /// The place behind it.
    pub end: usize,
    /// Whether it was there to its end.
    pub whole: bool,
    /// Whether a bracket was missing, so that something may be missing too.
    pub mended: bool,
}

/// Reads the one value that begins at a bracket. None where the text there is no value. `fuel` bounds the work of all
/// readings of a text together.
pub(super) fn read_at(text: &str, start: usize, fuel: &mut usize) -> Option<Found> {
    let mut strict = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    if let Some(Ok(value)) = strict.next() {
        let end = start + strict.byte_offset();
        *fuel = fuel.saturating_sub(end - start);
        return Some(Found {
            value,
            end,
            whole: true,
            mended: false,
        });
    }
    // The strict parser has come no further than the lenient one will, but for its nesting.
    *fuel = fuel.saturating_sub(MAX_DEPTH / 4);
    let mut parser = Parser::new(text, start, fuel);
    let part = parser.value(Place::Alone);
    if parser.too_deep {
        parser.spend(DEEP_WORK);
    }
    let Part { value, whole } = part?;
    Some(Found {
        value,
        end: parser.at,
        whole,
        mended: parser.mended,
    })
}

/// Reads a text that should be one value: a bracket may have words around it.
pub(super) fn read(text: &str, fuel: &mut usize) -> Option<Found> {
    let start = text.find(['{', '['])?;
    read_at(text, start, fuel)
}

/// Reads the value after a name, such as `title="Milk"` in a call written as Python, up to a comma or a bracket.
pub(super) fn read_argument(text: &str, start: usize, fuel: &mut usize) -> Option<Found> {
    let mut parser = Parser::new(text, start, fuel);
    let Part { value, whole } = parser.value(Place::Argument)?;
    Some(Found {
        value,
        end: parser.at,
        whole,
        mended: parser.mended,
    })
}

/// The surroundings of a value, which decide where a text in quotes ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    Key,
    Member,
    Item,
    Argument,
}

/// A value, and whether its end is there.
struct Part {
    value: Value,
    whole: bool,
}

impl Part {
    fn whole(value: impl Into<Value>) -> Option<Part> {
        Some(Part {
            value: value.into(),
            whole: true,
        })
    }
}

struct Parser<'t, 'f> {
    text: &'t str,
    at: usize,
    depth: usize,
    lists: usize,
    mended: bool,
    too_deep: bool,
    fuel: &'f mut usize,
}

impl<'t, 'f> Parser<'t, 'f> {
    fn new(text: &'t str, at: usize, fuel: &'f mut usize) -> Parser<'t, 'f> {
        Parser {
            text,
            at,
            depth: 0,
            lists: 0,
            mended: false,
            too_deep: false,
            fuel,
        }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Moves on by a character; false where the work allowed is done.
    fn step(&mut self, c: char) -> bool {
        self.at += c.len_utf8();
        self.spend(1)
    }

    fn spend(&mut self, work: usize) -> bool {
        match self.fuel.checked_sub(work) {
            Some(left) => {
                *self.fuel = left;
                true
            }
            None => {
                *self.fuel = 0;
                self.at = self.text.len();
                false
            }
        }
    }

    /// Skips blanks, comments and dots that stand for more of the same.
    fn skip(&mut self) {
        while let Some(c) = self.peek() {
            let rest = self.rest();
            if c.is_whitespace() || is_blank(c) || c == '…' {
                if !self.step(c) {
                    return;
                }
            } else if rest.starts_with("//") || c == '#' {
                let line = rest.find('\n').unwrap_or(rest.len());
                self.at += line;
                self.spend(line);
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").map_or(rest.len(), |end| end + 2);
                self.at += end;
                self.spend(end);
            } else if rest.starts_with("...") {
                self.at += 3;
            } else {
                return;
            }
        }
    }

    /// Whether nothing more of the value comes. A fence outside of a text ends it.
    fn ended(&self) -> bool {
        self.at >= self.text.len() || self.rest().starts_with("```")
    }

    fn value(&mut self, place: Place) -> Option<Part> {
        self.skip();
        match self.peek()? {
            '{' => self.nested(Self::object),
            '[' => self.nested(Self::list),
            _ if self.ended() => None,
            c if is_quote(c) => self.joined(place),
            c if c.is_ascii_digit() || matches!(c, '-' | '+' | '.') => {
                self.number().or_else(|| self.word(place))
            }
            _ => self.word(place),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<Part>) -> Option<Part> {
        if self.depth >= MAX_DEPTH || !self.spend(1) {
            self.too_deep = true;
            return None;
        }
        self.at += 1;
        self.depth += 1;
        let part = read(self);
        self.depth -= 1;
        part
    }

    fn object(&mut self) -> Option<Part> {
        let mut fields = Map::new();
        loop {
            self.skip();
            if self.ended() {
                return Some(cut_object(fields));
            }
            match self.peek()? {
                '}' => {
                    self.at += 1;
                    return Part::whole(fields);
                }
                c @ (',' | ';' | '，' | '、') => {
                    self.at += c.len_utf8();
                    continue;
                }
                // A brace was forgotten.
                ']' if self.lists > 0 => {
                    self.mended = true;
                    return Part::whole(fields);
                }
                _ => {}
            }
            let key = match self.key() {
                Ok(key) => key,
                Err(cut) => return cut.then(|| cut_object(fields)),
            };
            self.skip();
            if self.ended() {
                return Some(cut_object(fields));
            }
            let rest = self.rest();
            let separator = ["=>", ":", "：", "="]
                .into_iter()
                .find(|sign| rest.starts_with(sign))?;
            self.at += separator.len();
            self.skip();
            if matches!(self.peek(), Some(',' | '，' | '}')) {
                fields.insert(key, Value::Null);
                continue;
            }
            let Some(part) = self.value(Place::Member) else {
                return self.ended().then(|| cut_object(fields));
            };
            if part.whole || part.value.is_object() || part.value.is_array() {
                fields.insert(key, part.value);
            }
            if !part.whole {
                return Some(cut_object(fields));
            }
        }
    }

    /// The key of a member; else whether the text ends in the middle of it.
    fn key(&mut self) -> Result<String, bool> {
        let first = self.peek().ok_or(true)?;
        if is_quote(first) {
            let part = self.quoted(Place::Key).ok_or(false)?;
            return match part.value {
                Value::String(key) if part.whole => Ok(key),
                Value::String(key) => {
                    Err(key.len() < LOOKAHEAD && !key.contains(['"', '{', '}', '\n']))
                }
                _ => Err(false),
            };
        }
        let rest = self.rest();
        let len = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.')))
            .unwrap_or(rest.len());
        if len == 0 || !self.spend(len) {
            return Err(false);
        }
        self.at += len;
        Ok(rest[..len].to_owned())
    }

    fn list(&mut self) -> Option<Part> {
        self.lists += 1;
        let part = self.items();
        self.lists -= 1;
        part
    }

    fn items(&mut self) -> Option<Part> {
        let mut items = Vec::new();
        loop {
            self.skip();
            if self.ended() {
                return Some(Part {
                    value: items.into(),
                    whole: false,
                });
            }
            match self.peek()? {
                ']' => {
                    self.at += 1;
                    return Part::whole(items);
                }
                c @ (',' | ';' | '，' | '、') => {
                    self.at += c.len_utf8();
                    continue;
                }
                // A bracket was forgotten.
                '}' if self.depth > 1 => {
                    self.mended = true;
                    return Part::whole(items);
                }
                _ => {}
            }
            let Some(part) = self.value(Place::Item) else {
                let value = items.into();
                return self.ended().then_some(Part {
                    value,
                    whole: false,
                });
            };
            match part.whole {
                true => items.push(part.value),
                false => {
                    return Some(Part {
                        value: items.into(),
                        whole: false,
                    });
                }
            }
        }
    }

    /// A text in quotes, or several that a plus puts together.
    fn joined(&mut self, place: Place) -> Option<Part> {
        let mut part = self.quoted(place)?;
        while let (true, Value::String(text)) = (part.whole, &mut part.value) {
            let before = self.at;
            self.skip();
            if !is_joined(self.rest()) {
                self.at = before;
                break;
            }
            self.at += 1;
            self.skip();
            let next = self.quoted(place)?;
            text.push_str(next.value.as_str()?);
            part.whole = next.whole;
        }
        Some(part)
    }

    /// A text in quotes. A quote within it that nobody escaped is told from its end by what follows.
    fn quoted(&mut self, place: Place) -> Option<Part> {
        let open = self.peek()?;
        let triple = ["\"\"\"", "'''"]
            .into_iter()
            .find(|mark| self.rest().starts_with(mark));
        if let Some(mark) = triple {
            let inside = &self.rest()[mark.len()..];
            let (text, whole) = match inside.find(mark) {
                Some(end) => (&inside[..end], true),
                None => (inside, false),
            };
            let used = (text.len() + 2 * mark.len()).min(self.rest().len());
            self.at += used;
            self.spend(used);
            return Some(Part {
                value: text.into(),
                whole,
            });
        }
        self.at += open.len_utf8();
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if c == '\\' {
                self.escape(&mut text);
                continue;
            }
            if closes(open, c) && self.is_end(self.at + c.len_utf8(), place) {
                self.step(c);
                return Part::whole(text);
            }
            if c == '\n' && place == Place::Member && self.spend(LOOKAHEAD / 8) {
                // Its last quote was forgotten.
                if let Some(text) = ends_before_key(&text, self.rest()) {
                    return Part::whole(text);
                }
            }
            text.push(c);
            if !self.step(c) {
                break;
            }
        }
        Some(Part {
            value: text.into(),
            whole: false,
        })
    }

    /// Whether a text ends at the quote before `at`: something follows that can follow a text in this place.
    fn is_end(&mut self, at: usize, place: Place) -> bool {
        self.spend(LOOKAHEAD / 8);
        let rest = self.text[at..].trim_start_matches(|c: char| c.is_whitespace() || is_blank(c));
        let Some(next) = rest.chars().next() else {
            return true;
        };
        match (place, next) {
            (Place::Key, _) => matches!(next, ':' | '：' | '='),
            (Place::Alone, _) => true,
            (Place::Member, ',' | '，') => {
                let after = rest[next.len_utf8()..].trim_start();
                after.is_empty()
                    || after.starts_with(['}', ']', '/', '#', '{', '.', '…'])
                    || begins_with_key(after)
            }
            (Place::Item | Place::Argument, ',' | '，' | '、') => {
                let after = rest[next.len_utf8()..].trim_start();
                !after.starts_with(|c: char| c.is_alphabetic() && c != 't' && c != 'f' && c != 'n')
                    || place == Place::Argument && begins_with_key(after)
            }
            (_, '}' | ']' | ';') => true,
            (_, '+') if is_joined(rest) => true,
            (Place::Argument, ')') => true,
            (Place::Member, _) => {
                begins_with_key(rest) || rest.starts_with("```") || rest.starts_with("//")
            }
            (Place::Item, c) => is_quote(c) && self.text[at..].starts_with('\n'),
            (Place::Argument, _) => false,
        }
    }

    fn escape(&mut self, text: &mut String) {
        self.at += 1;
        self.spend(1);
        let Some(c) = self.peek() else { return };
        self.at += c.len_utf8();
        let plain = match c {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '0' => '\0',
            '\n' => return,
            'u' | 'x' => return self.code_point(c, text),
            '"' | '\'' | '\\' | '/' | '`' => c,
            // Markdown's own escapes stay as they are.
            other => {
                text.push('\\');
                other
            }
        };
        text.push(plain);
    }

    fn code_point(&mut self, kind: char, text: &mut String) {
        let digits = if kind == 'u' { 4 } else { 2 };
        let Some(unit) = self.hex(digits) else {
            text.push('\\');
            text.push(kind);
            return;
        };
        let high = (0xD800..0xDC00).contains(&unit);
        if high && self.rest().starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            if let Some(low) = self.hex(4).filter(|low| (0xDC00..0xE000).contains(low)) {
                let joined = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                text.push(char::from_u32(joined).unwrap_or('\u{FFFD}'));
                return;
            }
            self.at = before;
        }
        text.push(char::from_u32(unit).unwrap_or('\u{FFFD}'));
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let code = self.rest().get(..digits)?;
        let unit = u32::from_str_radix(code, 16).ok()?;
        self.at += digits;
        self.spend(digits);
        Some(unit)
    }

    fn number(&mut self) -> Option<Part> {
        let rest = self.rest();
        let len = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')))
            .unwrap_or(rest.len());
        let digits = rest[..len].replace('_', "");
        let digits = digits.strip_prefix('+').unwrap_or(&digits);
        let (sign, unsigned) = match digits.strip_prefix('-') {
            Some(unsigned) => (-1, unsigned),
            None => (1, digits),
        };
        let hex = unsigned
            .strip_prefix("0x")
            .or_else(|| unsigned.strip_prefix("0X"));
        let value = match hex {
            Some(hex) => Value::from(sign * i64::from_str_radix(hex, 16).ok()?),
            None => match digits.parse::<i64>() {
                Ok(whole) => Value::from(whole),
                Err(_) => {
                    let number = digits.parse::<f64>().ok().filter(|n| n.is_finite())?;
                    Value::from(number)
                }
            },
        };
        let after = rest[len..].trim_start_matches([' ', '\t']);
        let follows = after.is_empty()
            || after.starts_with([',', '}', ']', ')', '\n', '\r', '/', '#', '`', ';'])
            || after.starts_with(is_blank);
        if !follows || !self.spend(len) {
            return None;
        }
        self.at += len;
        Part::whole(value)
    }

    /// A literal, or words without quotes.
    fn word(&mut self, place: Place) -> Option<Part> {
        let rest = self.rest();
        if let Some((value, len)) = literals::constructed(rest)
            && self.spend(len)
        {
            self.at += len;
            return Part::whole(value);
        }
        let len = rest
            .find([',', '}', ']', '\n', '{', '[', '"', '`', ')'])
            .unwrap_or(rest.len());
        let word = rest[..len].trim_end();
        let word = word.split(" //").next().unwrap_or(word).trim_end();
        if word.is_empty() || !self.spend(len) {
            return None;
        }
        let value = match (literals::literal(word), word) {
            (Some(value), _) => value,
            (None, words) if place == Place::Member && !words.contains(':') => words.into(),
            (None, words) if place == Place::Item && words.chars().all(char::is_alphanumeric) => {
                words.into()
            }
            _ => return None,
        };
        self.at += len;
        // Words at the end of a text may go on.
        let whole = !(value.is_string() && self.at >= self.text.len());
        Some(Part { value, whole })
    }
}

fn cut_object(mut fields: Map) -> Part {
    fields.insert(CUT.to_owned(), Value::Bool(true));
    Part {
        value: fields.into(),
        whole: false,
    }
}
