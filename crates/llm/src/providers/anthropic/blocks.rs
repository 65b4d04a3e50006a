//! The blocks of a content in Anthropic's shape: text, pictures and files.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD;
use serde_json::{Value, json};

use crate::error::{GatewayError, Result};
use crate::wire::{Content, ContentPart};

/// The longest text that is taken for a media type.
const MEDIA_TYPE_CHARS: usize = 100;

/// The blocks of a content, without those that say nothing.
pub(super) fn blocks(content: Option<Content>) -> Result<Vec<Value>> {
    let blocks: Vec<Value> = match content {
        Some(Content::Text(text)) => vec![json!({"type": "text", "text": text})],
        Some(Content::Parts(parts)) => parts.into_iter().map(block).collect::<Result<_>>()?,
        _ => Vec::new(),
    };
    // A block without a word is refused.
    let is_blank = |block: &Value| {
        let text = block["text"].as_str().unwrap_or_default();
        block["type"] == "text" && text.trim().is_empty()
    };
    Ok(blocks
        .into_iter()
        .filter(|block| !is_blank(block))
        .collect())
}

fn block(mut part: ContentPart) -> Result<Value> {
    let kind = part.kind.as_str();
    let block = match kind {
        "image_url" | "input_image" => {
            let image = part.extra.remove("image_url").unwrap_or_default();
            let url = image.as_str().or(image["url"].as_str()).unwrap_or_default();
            part.extra.remove("detail");
            file_block(&data_source(url, "picture")?)?
        }
        "file" | "input_file" => {
            let file = part.extra.remove("file").unwrap_or_default();
            let said = |name: &str| {
                let text = file.get(name).or(part.extra.get(name))?.as_str();
                text.map(str::to_owned)
            };
            let block = file_of(&said)?;
            for name in ["file_data", "file_id", "file_url", "filename"] {
                part.extra.remove(name);
            }
            block
        }
        "input_text" | "output_text" => json!({"type": "text"}),
        "refusal" => {
            let text = part.extra.remove("refusal").unwrap_or_default();
            json!({"type": "text", "text": text})
        }
        "input_audio" | "audio_url" | "video_url" | "input_video" => {
            return Err(GatewayError::invalid(
                Some("messages"),
                format!(
                    "Anthropic takes no content of the type {kind}; send it as text, or ask another model"
                ),
            ));
        }
        kind => json!({ "type": kind }),
    };
    if let Value::Object(fields) = block {
        part.extra.extend(fields);
    }
    Ok(part.extra.into())
}

/// A file, by the fields that say where it is.
fn file_of(said: &dyn Fn(&str) -> Option<String>) -> Result<Value> {
    if let Some(id) = said("file_id") {
        return Ok(json!({"type": "document", "source": {"type": "file", "file_id": id}}));
    }
    if let Some(url) = said("file_url") {
        return Ok(json!({"type": "document", "source": {"type": "url", "url": url}}));
    }
    let data = said("file_data").ok_or_else(|| {
        GatewayError::invalid(
            Some("messages"),
            "A file needs `file_data`, as data:application/pdf;base64,…",
        )
    })?;
    if data.starts_with("http") {
        return Ok(json!({"type": "document", "source": {"type": "url", "url": data}}));
    }
    let source = match data.starts_with("data:") {
        true => data_source(&data, "file")?,
        // Bytes alone: the most usual kind of a file.
        false => json!({"type": "base64", "media_type": "application/pdf", "data": data}),
    };
    let mut block = file_block(&source)?;
    if let Some(name) = said("filename").filter(|_| block["type"] == "document") {
        block["title"] = name.into();
    }
    Ok(block)
}

/// The block of a source, by its media type.
fn file_block(source: &Value) -> Result<Value> {
    let media_type = source["media_type"].as_str().unwrap_or("image");
    match media_type {
        "application/pdf" | "text/plain" => Ok(json!({"type": "document", "source": source})),
        kind if kind.starts_with("image") => Ok(json!({"type": "image", "source": source})),
        kind => Err(GatewayError::invalid(
            Some("messages"),
            format!("Anthropic takes no file of the type {kind}; send it as PDF or as text"),
        )),
    }
}

/// The source at an address, or in it.
fn data_source(url: &str, what: &str) -> Result<Value> {
    let Some(data) = url.strip_prefix("data:") else {
        return Ok(json!({"type": "url", "url": url}));
    };
    let (kind, data) = data.split_once(";base64,").ok_or_else(|| {
        GatewayError::invalid(
            Some("messages"),
            format!("A {what}'s data: address has to be base64, such as data:image/png;base64,…"),
        )
    })?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let media_type = match kind.to_ascii_lowercase().as_str() {
        "image/jpg" | "image/pjpeg" => "image/jpeg".to_owned(),
        "image/x-png" => "image/png".to_owned(),
        "application/x-pdf" => "application/pdf".to_owned(),
        other => other.chars().take(MEDIA_TYPE_CHARS).collect(),
    };
    let is_text = media_type.starts_with("text/") || media_type == "application/json";
    if !is_text {
        return Ok(json!({"type": "base64", "media_type": media_type, "data": data}));
    }
    let text = decoded(data).ok_or_else(|| {
        let message = format!("The base64 of a {what} can't be read");
        GatewayError::invalid(Some("messages"), message)
    })?;
    Ok(json!({"type": "text", "media_type": "text/plain", "data": text}))
}

/// The text in base64, of either alphabet.
fn decoded(base64: &str) -> Option<String> {
    let letters = base64
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '=');
    let letters = letters.map(|letter| match letter {
        '-' => '+',
        '_' => '/',
        letter => letter,
    });
    let bytes = STANDARD_NO_PAD.decode(letters.collect::<String>()).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        json!({"type": "text", "text": text})
    }

    #[test]
    fn files_and_pictures_of_every_kind_find_their_block() {
        let file =
            |data: &str| json!({"type": "file", "file": {"filename": "a", "file_data": data}});
        let document = |source: Value| json!({"type": "document", "source": source, "title": "a"});
        let base64 = |kind: &str| json!({"type": "base64", "media_type": kind, "data": "QQ=="});
        let image = |source: Value| json!({"type": "image", "source": source});
        let pictured =
            |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}});
        for (part, expected) in [
            (
                file("data:application/pdf;base64,QQ=="),
                document(base64("application/pdf")),
            ),
            (file("QQ=="), document(base64("application/pdf"))),
            (
                json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "https://x/a.pdf"}}),
                json!({"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}}),
            ),
            (
                file("data:text/csv;charset=utf-8;base64,YSxiCg=="),
                document(json!({"type": "text", "media_type": "text/plain", "data": "a,b\n"})),
            ),
            (
                file("data:image/png;base64,QQ=="),
                image(base64("image/png")),
            ),
            (
                json!({"type": "file", "file": {"file_id": "f1"}}),
                json!({"type": "document", "source": {"type": "file", "file_id": "f1"}}),
            ),
            (
                pictured("data:image/jpg;base64,QQ=="),
                image(base64("image/jpeg")),
            ),
            (
                pictured("data:IMAGE/PNG;base64,QQ=="),
                image(base64("image/png")),
            ),
            (
                json!({"type": "input_image", "image_url": "https://x/y.png"}),
                image(json!({"type": "url", "url": "https://x/y.png"})),
            ),
            (json!({"type": "input_text", "text": "x"}), text("x")),
            (json!({"type": "refusal", "refusal": "no"}), text("no")),
            (
                json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
                json!({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
            ),
        ] {
            let part: ContentPart = serde_json::from_value(part).unwrap();
            assert_eq!(block(part).unwrap(), expected);
        }
        for (part, named) in [
            (
                json!({"type": "input_audio", "input_audio": {"data": "QQ=="}}),
                "input_audio",
            ),
            (
                file("data:application/msword;base64,QQ=="),
                "application/msword",
            ),
        ] {
            let refused = block(serde_json::from_value(part).unwrap()).unwrap_err();
            assert!(refused.message.contains(named), "{refused}");
        }
    }
}
