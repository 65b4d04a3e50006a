//! A content that is no text, in the words that every client of OpenAI's understands.

use serde_json::Value;

/// The text of a content, and the thoughts in it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PlainContent {
    /// The model's words.
    pub text: String,
    /// The thoughts before them.
    pub thoughts: String,
}

/// A content in plain words; none where it is a text already, or holds what has no words, such as a picture. Mistral's
/// models that think answer in parts, and some servers wrap a text into an object.
pub(crate) fn plain_content(content: &Value) -> Option<PlainContent> {
    let mut plain = PlainContent::default();
    match content {
        Value::Array(parts) => {
            for part in parts {
                take_part(&mut plain, part)?;
            }
        }
        Value::Object(_) => take_part(&mut plain, content)?,
        Value::Number(_) | Value::Bool(_) => plain.text = content.to_string(),
        Value::String(_) | Value::Null => return None,
    }
    Some(plain)
}

fn take_part(plain: &mut PlainContent, part: &Value) -> Option<()> {
    match (part["type"].as_str(), part) {
        (Some("thinking" | "reasoning"), _) => {
            let thoughts = [&part["thinking"], &part["text"]];
            let inner = part["thinking"].as_array().into_iter().flatten();
            let inner = inner.map(|part| &part["text"]).chain(thoughts);
            plain.thoughts.extend(inner.filter_map(Value::as_str));
        }
        (Some("text" | "output_text") | None, Value::Object(fields)) => {
            plain.text += fields.get("text")?.as_str()?;
        }
        (None, Value::String(text)) => plain.text += text,
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_content_in_parts_becomes_words_and_thoughts() {
        let text = |text: &str| Some((text.to_owned(), String::new()));
        for (content, expected) in [
            (
                json!([{"type": "text", "text": "a"}, {"type": "output_text", "text": "b"}]),
                text("ab"),
            ),
            (json!([{"text": "a"}, "b"]), text("ab")),
            (json!([]), text("")),
            (json!({"text": "a"}), text("a")),
            (json!(42), text("42")),
            (json!(true), text("true")),
            (
                json!([{"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "text", "text": "m"}]},
                    {"type": "text", "text": "a"}]),
                Some(("a".to_owned(), "hm".to_owned())),
            ),
            (
                json!([{"type": "thinking", "thinking": "hm"}, {"type": "reasoning", "text": "!"}]),
                Some((String::new(), "hm!".to_owned())),
            ),
            (json!("a"), None),
            (json!(null), None),
            (json!({"parts": []}), None),
            (
                json!([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}}]),
                None,
            ),
            (json!([7]), None),
        ] {
            let plain = plain_content(&content).map(|plain| (plain.text, plain.thoughts));
            assert_eq!(plain, expected, "{content}");
        }
    }
}
