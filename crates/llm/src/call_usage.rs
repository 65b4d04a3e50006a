//! The use of a call: the estimate before it, what is set aside for it, and what it took.

use serde_json::Value;

use crate::cost::SEARCH_MICROS_USD;
use crate::wire::{ChatRequest, Content, EmbeddingsRequest, RawJson, texts};

/// Bytes of text that make a token, rather too few than too many, so that what
/// is reserved is rather too much: English has about 4, code and other scripts 3.
pub(crate) const BYTES_PER_TOKEN: u64 = 3;
/// The bytes that a model reads around each message.
const MESSAGE_BYTES: usize = 30;
/// The tokens that a picture is taken for; upstreams count by its size, which isn't known here.
const TOKENS_PER_PICTURE: u64 = 1500;
/// The tokens that a file is taken for: a few pages, each as text and as a picture.
const TOKENS_PER_FILE: u64 = 8000;
/// The tokens that a recording is taken for: a few minutes.
const TOKENS_PER_SOUND: u64 = 6000;
/// The tokens that a film is taken for.
const TOKENS_PER_FILM: u64 = 16_000;
/// The tokens that a page from the web is taken for, which the provider itself looks up and the model reads.
const TOKENS_PER_LOOKUP: u64 = 10_000;
/// The pages that a request is taken to look up for each tool whose uses it doesn't bound.
const LOOKUPS: u64 = 10;
/// The shortest text without white space that is taken for the bytes of a file.
const SHORTEST_FILE_BYTES: usize = 256;

/// The most that a call may take, estimated before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallEstimate {
    /// The model as it was asked for: an alias or `provider/model`.
    pub model: String,
    /// Everything that may answer, as `provider/model`.
    pub chain: Vec<String>,
    /// Tokens of the request, estimated from its size.
    pub prompt_tokens: u64,
    /// Tokens of each answer at most, as the request says; `None` if it doesn't.
    pub completion_tokens: Option<u64>,
    /// How many answers are asked for.
    pub choices: u64,
    /// The most that the request may cost, in percent of the model's list price: a faster tier and writing to the
    /// provider's cache cost more.
    pub price_percent: u64,
    /// The most that it costs on top of its tokens, in millionths of a US dollar: searches of the web.
    pub fees_micros_usd: u64,
}

impl CallEstimate {
    pub(crate) fn of_chat(request: &ChatRequest) -> Self {
        let mut prompt = PromptSize::default();
        for message in &request.messages {
            prompt.bytes += MESSAGE_BYTES;
            match &message.content {
                Some(Content::Text(text)) => prompt.bytes += text.len(),
                Some(Content::Parts(parts)) => {
                    for part in parts {
                        prompt.part(&part.kind, part.extra.values());
                    }
                }
                Some(Content::Other(other)) => prompt.part("", [other]),
                None => {}
            }
            for (name, value) in &message.extra {
                prompt.part(name, [value]);
            }
        }
        for given in [&request.tools, &request.response_format] {
            prompt.bytes += given.as_ref().map_or(0, RawJson::bytes);
        }
        for value in request.extra.values() {
            prompt.part("", [value]);
        }
        let (searches, fetches) = lookups(request);
        let lookups = searches.saturating_add(fetches);
        prompt.tokens = lookups
            .saturating_mul(TOKENS_PER_LOOKUP)
            .saturating_add(prompt.tokens);
        Self {
            model: request.model.clone(),
            chain: Vec::new(),
            prompt_tokens: prompt.tokens(),
            completion_tokens: request.max_tokens(),
            choices: request.choices(),
            price_percent: price_percent(request),
            fees_micros_usd: searches.saturating_mul(SEARCH_MICROS_USD),
        }
    }

    pub(crate) fn of_embeddings(request: &EmbeddingsRequest) -> Self {
        Self {
            model: request.model.clone(),
            chain: Vec::new(),
            prompt_tokens: tokens(size(&request.input)).max(numbers(&request.input)),
            completion_tokens: Some(0),
            choices: 1,
            price_percent: 100,
            fees_micros_usd: 0,
        }
    }
}

/// The size of a prompt, gathered from its parts.
#[derive(Default)]
struct PromptSize {
    /// The bytes of texts.
    bytes: usize,
    /// The tokens of pictures, sounds and files, each estimated as a whole.
    tokens: u64,
}

impl PromptSize {
    fn tokens(&self) -> u64 {
        tokens(self.bytes).saturating_add(self.tokens)
    }

    /// Counts a part of a content, or a field, with its texts. `kind` is its type or its name.
    fn part<'a>(&mut self, kind: &str, values: impl IntoIterator<Item = &'a Value>) {
        let texts = values.into_iter().flat_map(texts);
        let Some(tokens_each) = tokens_per_file(kind) else {
            self.bytes += texts.map(str::len).sum::<usize>();
            return;
        };
        let mut files = 0;
        for text in texts {
            match file(text) {
                Some(FileText::Text(bytes)) => {
                    files += 1;
                    self.bytes += bytes;
                }
                Some(FileText::Bytes(media_type)) => {
                    files += 1;
                    let by_type = media_type.and_then(tokens_per_file);
                    self.tokens += by_type.unwrap_or(tokens_each);
                }
                None => self.bytes += text.len(),
            }
        }
        // The file itself may be elsewhere, at an address or under an id.
        if files == 0 {
            self.tokens += tokens_each;
        }
    }
}

/// The tokens of a file, by the type of its part or by its media type; none for everything else.
fn tokens_per_file(kind: &str) -> Option<u64> {
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word));
    if has(&["image"]) {
        return Some(TOKENS_PER_PICTURE);
    }
    if has(&["audio"]) {
        return Some(TOKENS_PER_SOUND);
    }
    if has(&["video"]) {
        return Some(TOKENS_PER_FILM);
    }
    has(&["file", "document", "application/"]).then_some(TOKENS_PER_FILE)
}

/// A text that stands for a file.
enum FileText<'a> {
    /// A file of text, with its size.
    Text(usize),
    /// Other bytes, with their media type where it is known.
    Bytes(Option<&'a str>),
}

/// The file that a text stands for: a `data:` address, or base64 alone.
fn file(text: &str) -> Option<FileText<'_>> {
    if let Some(rest) = text.strip_prefix("data:") {
        let (media_type, bytes) = rest.split_once(',')?;
        let readable = ["text/", "application/json", "application/xml"];
        let is_text = readable.iter().any(|start| media_type.starts_with(start));
        return Some(match is_text {
            true => FileText::Text(bytes.len() / 4 * 3),
            false => FileText::Bytes(Some(media_type)),
        });
    }
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&byte);
    let is_file = text.len() >= SHORTEST_FILE_BYTES && text.bytes().all(is_base64);
    is_file.then_some(FileText::Bytes(None))
}

/// The most that a request may cost, in percent of the list price.
fn price_percent(request: &ChatRequest) -> u64 {
    let says = |field: &str, word: &str| {
        let said = request.extra.get(field).and_then(Value::as_str);
        said == Some(word)
    };
    let tier = match () {
        () if says("speed", "fast") => 600,
        () if says("service_tier", "priority") => 250,
        () => 100,
    };
    let caches = |value: &Value| texts(value).any(|text| text == "cache_control");
    let in_messages = request.messages.iter().any(|message| {
        let in_parts = match &message.content {
            Some(Content::Parts(parts)) => parts
                .iter()
                .any(|part| part.extra.contains_key("cache_control")),
            _ => false,
        };
        in_parts || message.extra.contains_key("cache_control")
    });
    let in_tools = || {
        let tools = request.tools.as_ref();
        tools.is_some_and(|tools| tools.text().contains("\"cache_control\""))
    };
    let in_extra = || {
        let system = request.extra.get("system");
        request.extra.contains_key("cache_control") || system.is_some_and(caches)
    };
    // A cache that is kept for an hour is written at twice the price.
    match in_messages || in_tools() || in_extra() {
        true => tier * 2,
        false => tier,
    }
}

/// How often the provider itself may search the web for a request, and how many pages it may fetch.
fn lookups(request: &ChatRequest) -> (u64, u64) {
    let tools = request.tools.as_ref().map(RawJson::value);
    let tools = tools.as_ref().and_then(Value::as_array);
    let (mut searches, mut fetches) = (0_u64, 0_u64);
    for tool in tools.into_iter().flatten() {
        let kind = tool["type"].as_str().unwrap_or_default();
        let uses = tool["max_uses"].as_u64().unwrap_or(LOOKUPS);
        if kind.starts_with("web_search") {
            searches = searches.saturating_add(uses);
        } else if kind.starts_with("web_fetch") {
            fetches = fetches.saturating_add(uses);
        }
    }
    (searches, fetches)
}

/// The numbers in an input, each of which is a token.
fn numbers(input: &Value) -> u64 {
    match input {
        Value::Number(_) => 1,
        Value::Array(items) => items.iter().map(numbers).sum(),
        _ => 0,
    }
}

fn size(value: &impl serde::Serialize) -> usize {
    serde_json::to_string(value).map_or(0, |text| text.len())
}

fn tokens(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

/// The reservation of a call, settled when the call ends.
pub struct MeterGuard {
    /// Tokens of each answer that were set aside. An answer that the request
    /// leaves unbounded is bounded to this where `bounds` says so.
    pub completion_tokens: u64,
    /// Whether the caller has a budget that an unbounded answer could break.
    pub bounds: bool,
    /// Replaces what was set aside by what was used; doesn't wait for anything.
    pub settle: Box<dyn FnOnce(Used) + Send + Sync>,
}

/// The use of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The model that answered, as `provider/model`; empty where none did.
    pub model: String,
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// The cost in millionths of a US dollar, where the provider's own count tells more than the tokens: what it took
    /// itself, or tokens from its cache. None: the tokens at their list price.
    pub micros_usd: Option<u64>,
    /// How it ended.
    pub ending: Ending,
    /// The models that had read the request before they failed, each as `provider/model`: what they read is paid for
    /// on top of the tokens above.
    pub also_read: Vec<String>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With its answer.
    Answered,
    /// With a failure.
    Failed,
    /// The caller went away.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_estimated_by_its_text_and_its_pictures() {
        let request: ChatRequest = serde_json::from_value(json!({
            "max_tokens": 7, "model": "a/m",
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "x".repeat(3000)},
                {"type": "image_url",
                    "image_url": {"url": format!("data:image/png;base64,{}", "A".repeat(100_000))}}]}],
        }))
        .unwrap();
        let ask = CallEstimate::of_chat(&request);
        assert!((2500..2600).contains(&ask.prompt_tokens), "{ask:?}");
        assert_eq!(ask.completion_tokens, Some(7));
    }

    #[test]
    fn a_file_is_estimated_as_a_whole_and_a_text_by_its_length() {
        let tokens = |part: Value| {
            let messages = json!([{"role": "user", "content": [part]}]);
            let request = serde_json::from_value(json!({"messages": messages})).unwrap();
            CallEstimate::of_chat(&request).prompt_tokens
        };
        let base64 = "QUJD".repeat(250_000);
        let pdf = format!("data:application/pdf;base64,{base64}");
        let picture = format!("data:image/png;base64,{base64}");
        let text = format!("data:text/csv;base64,{base64}");
        let around = 100;
        for (part, expected) in [
            (
                json!({"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}}),
                TOKENS_PER_FILE,
            ),
            (
                json!({"type": "file", "file": {"filename": "a.pdf", "file_data": base64}}),
                TOKENS_PER_FILE,
            ),
            (
                json!({"type": "file", "file": {"file_id": "file-1"}}),
                TOKENS_PER_FILE,
            ),
            (
                json!({"type": "file", "file": {"file_data": text}}),
                250_000,
            ),
            (
                json!({"type": "input_file", "file_data": picture}),
                TOKENS_PER_PICTURE,
            ),
            (
                json!({"type": "input_audio", "input_audio": {"data": base64, "format": "wav"}}),
                TOKENS_PER_SOUND,
            ),
            (
                json!({"type": "audio_url", "audio_url": {"url": "https://x/y.mp3"}}),
                TOKENS_PER_SOUND,
            ),
            (
                json!({"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}),
                TOKENS_PER_FILM,
            ),
            (
                json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}}),
                TOKENS_PER_PICTURE,
            ),
            (
                json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf",
                    "data": base64}}),
                TOKENS_PER_FILE,
            ),
            (
                json!({"type": "document", "source": {"type": "text", "data": "words ".repeat(3000)}}),
                6000 + TOKENS_PER_FILE,
            ),
            (json!({"text": "no type ".repeat(3000)}), 8000),
            (json!("x ".repeat(3000)), 2000),
        ] {
            let estimated = tokens(part.clone());
            let named: String = part.to_string().chars().take(80).collect();
            assert!(
                (expected..expected + around).contains(&estimated),
                "{named}: {estimated}"
            );
        }
    }

    #[test]
    fn everything_that_goes_up_is_counted() {
        let long = "word ".repeat(3000);
        for more in [
            json!({"system": long}),
            json!({"functions": [{"description": long}]}),
            json!({"prediction": {"type": "content", "content": long}}),
            json!({"tools": [{"type": "function", "function": {"name": "f", "description": long}}]}),
        ] {
            let mut request = json!({"messages": [{"role": "user", "content": "x"}]});
            request
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let request = serde_json::from_value(request).unwrap();
            let estimated = CallEstimate::of_chat(&request).prompt_tokens;
            assert!((5000..5100).contains(&estimated), "{estimated}");
        }
    }

    #[test]
    fn what_a_provider_looks_up_itself_is_counted() {
        let estimate = |tools: Value| {
            let messages = json!([{"role": "user", "content": "x"}]);
            let request = serde_json::from_value(json!({"messages": messages, "tools": tools}));
            let ask = CallEstimate::of_chat(&request.unwrap());
            (ask.prompt_tokens / 1000, ask.fees_micros_usd)
        };
        let function = json!({"type": "function", "function": {"name": "web_search"}});
        let search = json!({"type": "web_search_20250305", "name": "web_search"});
        let three = json!({"type": "web_search_20260209", "name": "web_search", "max_uses": 3});
        let fetch = json!({"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 2});
        assert_eq!(estimate(json!([function])), (0, 0));
        assert_eq!(estimate(json!([search])), (100, 100_000));
        assert_eq!(estimate(json!([three, fetch])), (50, 30_000));
        let many = json!({"type": "web_search_20260209", "max_uses": u64::MAX});
        assert_eq!(estimate(json!([many, many])).1, u64::MAX);
    }

    #[test]
    fn lists_of_tokens_are_counted_by_their_numbers() {
        let estimate = |input: Value| {
            let ask = CallEstimate::of_embeddings(&EmbeddingsRequest::new("a/m", input));
            ask.prompt_tokens
        };
        assert_eq!(estimate(json!(vec![1; 3000])), 3000);
        assert_eq!(estimate(json!([vec![1; 1000], vec![2; 500]])), 1500);
        assert!(estimate(json!(vec![100_277; 3000])) >= 3000);
        assert!(estimate(json!("word ".repeat(3000))) >= 5000);
    }

    #[test]
    fn a_dearer_call_is_seen_before_it() {
        for (more, percent) in [
            (json!({}), 100),
            (json!({"service_tier": "priority"}), 250),
            (json!({"service_tier": "flex"}), 100),
            (json!({"speed": "fast"}), 600),
            (
                json!({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}),
                200,
            ),
            (
                json!({"tools": [{"type": "function", "cache_control": {}, "function": {"name": "f"}}]}),
                200,
            ),
        ] {
            let mut request = json!({"messages": [{"role": "user", "content": "x"}]});
            request
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let request = serde_json::from_value(request).unwrap();
            assert_eq!(
                CallEstimate::of_chat(&request).price_percent,
                percent,
                "{more}"
            );
        }
    }
}
