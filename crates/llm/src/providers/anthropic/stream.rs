//! A streamed message, piece by piece in OpenAI's shape.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::answer;
use crate::error::{ErrorKind, Result};
use crate::events::{Events, LAST_WORDS};
use crate::providers::provider::{EventStream, StreamEvent};
use crate::sse::Frame;
use crate::wire::mended;

/// The chunks of a streamed message; with `tells_native` the events themselves beside them.
pub(super) fn chunks(events: Events, by_schema: Option<String>, tells_native: bool) -> EventStream {
    let max_bytes = events.limits.max_bytes;
    let reading = Reading {
        events,
        decoder: StreamDecoder::new(by_schema, max_bytes),
        tells_native,
        over: false,
    };
    Box::pin(stream::unfold(reading, |mut reading| async move {
        if reading.over {
            return None;
        }
        let event = reading.next().await;
        reading.over = !matches!(event, Ok(Some(_)));
        Some((event.transpose()?, reading))
    }))
}

/// The model has thought more than an answer may hold.
#[derive(Debug, PartialEq, Eq)]
struct TooMuchThinking;

struct Reading {
    events: Events,
    decoder: StreamDecoder,
    tells_native: bool,
    over: bool,
}

impl Reading {
    /// The next piece; `None` once the message is complete.
    async fn next(&mut self) -> Result<Option<StreamEvent>> {
        loop {
            if let Some(event) = self.decoder.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.decoder.stopped {
                return Ok(None);
            }
            if self.decoder.finished {
                self.events.limits.idle = self.events.limits.idle.min(LAST_WORDS);
            }
            let frame = match self.events.next().await {
                // The message is there; what breaks after it breaks nothing.
                Err(error)
                    if self.decoder.finished
                        && matches!(error.kind, ErrorKind::CutOff | ErrorKind::Timeout) =>
                {
                    None
                }
                frame => frame?,
            };
            let upstream = &self.events.upstream;
            match frame {
                Some(Frame::Comment) => return Ok(Some(StreamEvent::KeepAlive)),
                Some(Frame::Data(data) | Frame::Error(data)) => {
                    let (event, data): (Value, Bytes) = match serde_json::from_slice(&data) {
                        Ok(event) => (event, data),
                        Err(_) => {
                            let mended = Bytes::from(mended(&data));
                            let event = serde_json::from_slice(&mended);
                            let bad = |_| upstream.bad_json("a piece of a message", &data);
                            (event.map_err(bad)?, mended)
                        }
                    };
                    if event["type"] == "error" || event["error"].is_object() {
                        return Err(upstream.reported(&event["error"]));
                    }
                    let kind = event["type"].as_str().unwrap_or_default();
                    if self.tells_native && kind != "ping" {
                        self.decoder.ready.push_back(StreamEvent::Native(data));
                    }
                    if kind.starts_with("content_block") || kind == "message_delta" {
                        self.events.goes_on();
                    }
                    self.decoder
                        .event(event)
                        .map_err(|TooMuchThinking| self.events.too_large())?;
                }
                // The reason why it stopped is said before the very end.
                None if self.decoder.finished => {
                    let stop = json!({"type": "message_stop"});
                    if self.tells_native {
                        let native = StreamEvent::Native(Bytes::from(stop.to_string()));
                        self.decoder.ready.push_back(native);
                    }
                    self.decoder
                        .event(stop)
                        .map_err(|TooMuchThinking| self.events.too_large())?;
                }
                None => {
                    return Err(upstream.error(
                        ErrorKind::CutOff,
                        format!("{} ended its answer in the middle", upstream.label()),
                    ));
                }
            }
        }
    }
}

/// Reads events, each as JSON, until there is too much of them.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn decode(events: impl Iterator<Item = Value>, most: usize) -> Vec<StreamEvent> {
    let mut decoder = StreamDecoder::new(None, most);
    for event in events {
        if decoder.event(event).is_err() {
            break;
        }
    }
    decoder.ready.into()
}

/// A block of thinking, gathered from its pieces.
struct Thought {
    block: Value,
    thinking: String,
    signature: String,
}

impl Thought {
    fn begun(mut block: Value) -> Self {
        let is_thinking = block["type"] == "thinking";
        let mut take = |field: &str| match block.get_mut(field).map(Value::take) {
            Some(Value::String(text)) if is_thinking => text,
            _ => String::new(),
        };
        let (thinking, signature) = (take("thinking"), take("signature"));
        Self {
            block,
            thinking,
            signature,
        }
    }

    fn len(&self) -> usize {
        self.thinking.len() + self.signature.len()
    }

    fn whole(mut self) -> Value {
        if self.block["type"] == "thinking" {
            self.block["thinking"] = self.thinking.into();
            self.block["signature"] = self.signature.into();
        }
        self.block
    }
}

/// The state of a stream that is put into OpenAI's words.
struct StreamDecoder {
    /// The name of the tool through which an answer by schema comes.
    by_schema: Option<String>,
    /// Words beside an answer by schema, which are the answer only if that doesn't come.
    words: String,
    id: Value,
    model: Value,
    created: u64,
    /// The message's counts of tokens, at its start and at its end.
    usage: Value,
    /// Blocks by their index: the place among the calls, if it is one.
    calls: Vec<(u64, usize)>,
    /// The call under way whose arguments have not come yet, and what its beginning says of them.
    without_arguments: Option<(usize, Value)>,
    /// The block that holds an answer by schema.
    answer: Option<u64>,
    /// The block of thinking that is under way; it is passed on whole at its end.
    thought: Option<Thought>,
    /// The most bytes of thinking that are kept.
    max_bytes: usize,
    ready: VecDeque<StreamEvent>,
    finished: bool,
    stopped: bool,
}

impl StreamDecoder {
    fn new(by_schema: Option<String>, max_bytes: usize) -> Self {
        Self {
            by_schema,
            words: String::new(),
            id: Value::Null,
            model: Value::Null,
            created: answer::now_s(),
            usage: json!({}),
            calls: Vec::new(),
            without_arguments: None,
            answer: None,
            thought: None,
            max_bytes,
            ready: VecDeque::new(),
            finished: false,
            stopped: false,
        }
    }

    fn event(&mut self, mut event: Value) -> Result<(), TooMuchThinking> {
        let index = event["index"].as_u64().unwrap_or(0);
        let mut take = |field: &str| event.get_mut(field).map(Value::take).unwrap_or_default();
        let kind = take("type");
        match kind.as_str().unwrap_or_default() {
            "message_start" => {
                let message = &event["message"];
                self.id = message["id"].clone();
                self.model = message["model"].clone();
                self.count(&message["usage"]);
                self.piece(json!({"role": "assistant", "content": ""}), None);
            }
            "content_block_start" => self.begin(index, take("content_block"))?,
            "content_block_delta" => self.delta(index, &event["delta"])?,
            "content_block_stop" => {
                self.end_call();
                if let Some(thought) = self.thought.take() {
                    self.piece(json!({"thinking_blocks": [thought.whole()]}), None);
                }
            }
            "message_delta" => {
                self.count(&event["usage"]);
                let answered = self.answer.is_some() && self.calls.is_empty();
                let reason =
                    answer::finish_reason(event["delta"]["stop_reason"].as_str(), answered);
                if let Some(reason) = reason {
                    self.end_call();
                    self.tell_words();
                    self.finished = true;
                    self.piece(json!({}), Some(reason));
                }
            }
            "message_stop" => {
                let usage = answer::usage(&self.usage);
                let mut chunk = self.chunk(json!([]));
                chunk["usage"] = json!(usage);
                self.ready.push_back(StreamEvent::Usage {
                    usage,
                    chunk: Some(Bytes::from(chunk.to_string())),
                });
                self.stopped = true;
            }
            "ping" => self.ready.push_back(StreamEvent::KeepAlive),
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, index: u64, block: Value) -> Result<(), TooMuchThinking> {
        match block["type"].as_str().unwrap_or_default() {
            "text" => self.text(&block["text"])?,
            "tool_use"
                if self
                    .by_schema
                    .as_deref()
                    .is_some_and(|name| block["name"] == name) =>
            {
                self.answer = Some(index);
                self.without_arguments = None;
                let input = &block["input"];
                if input.as_object().is_some_and(|input| !input.is_empty()) {
                    self.piece(json!({"content": input.to_string()}), None);
                }
            }
            "tool_use" => {
                let place = self.calls.len();
                self.calls.push((index, place));
                let call = json!({"index": place, "id": block["id"], "type": "function",
                    "function": {"name": block["name"], "arguments": ""}});
                self.piece(json!({"tool_calls": [call]}), None);
                self.without_arguments = Some((place, block["input"].clone()));
            }
            "thinking" | "redacted_thinking" => {
                self.thought = Some(Thought::begun(block));
                self.check_thought()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn check_thought(&self) -> Result<(), TooMuchThinking> {
        let length = self.thought.as_ref().map_or(0, Thought::len);
        if length > self.max_bytes {
            return Err(TooMuchThinking);
        }
        Ok(())
    }

    fn delta(&mut self, index: u64, delta: &Value) -> Result<(), TooMuchThinking> {
        match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => self.text(&delta["text"])?,
            "thinking_delta" => {
                let text = delta["thinking"].as_str().unwrap_or_default();
                if let Some(thought) = &mut self.thought {
                    thought.thinking.push_str(text);
                }
                self.check_thought()?;
                self.piece(json!({"reasoning_content": text}), None);
            }
            "signature_delta" => {
                if let Some(thought) = &mut self.thought {
                    let signature = delta["signature"].as_str().unwrap_or_default();
                    thought.signature.push_str(signature);
                }
                self.check_thought()?;
            }
            "input_json_delta" if self.answer == Some(index) => {
                let json = delta["partial_json"].as_str().unwrap_or_default();
                if !json.is_empty() {
                    self.piece(json!({"content": json}), None);
                }
            }
            "input_json_delta" => {
                let place = self.calls.iter().find(|(block, _)| *block == index);
                let json = delta["partial_json"].as_str().unwrap_or_default();
                if let Some((_, place)) = place
                    && !json.is_empty()
                {
                    let call = json!({"index": place, "function": {"arguments": json}});
                    self.without_arguments = None;
                    self.piece(json!({"tool_calls": [call]}), None);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &Value) -> Result<(), TooMuchThinking> {
        let Some(text) = text.as_str().filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        if self.by_schema.is_some() {
            if self.words.len() + text.len() > self.max_bytes {
                return Err(TooMuchThinking);
            }
            self.words.push_str(text);
            return Ok(());
        }
        self.piece(json!({"content": text}), None);
        Ok(())
    }

    /// Tells the words beside an answer by schema, where that has not come.
    fn tell_words(&mut self) {
        let words = std::mem::take(&mut self.words);
        if self.answer.is_none() && !words.is_empty() {
            self.piece(json!({"content": words}), None);
        }
    }

    /// Ends a call. Its arguments are never empty: clients read them as JSON.
    fn end_call(&mut self) {
        let Some((place, input)) = self.without_arguments.take() else {
            return;
        };
        let call = json!({"index": place, "function": {"arguments": answer::arguments(&input)}});
        self.piece(json!({"tool_calls": [call]}), None);
    }

    fn piece(&mut self, delta: Value, reason: Option<&str>) {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        let chunk = self.chunk(choices).to_string();
        self.ready.push_back(StreamEvent::Data(Bytes::from(chunk)));
    }

    fn chunk(&self, choices: Value) -> Value {
        json!({"id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": choices})
    }

    /// The end knows some of it better than the start, and not all of it.
    fn count(&mut self, usage: &Value) {
        if let (Some(kept), Some(said)) = (self.usage.as_object_mut(), usage.as_object()) {
            let told = said.iter().filter(|(_, value)| !value.is_null());
            kept.extend(told.map(|(field, value)| (field.clone(), value.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn think(decoder: &mut StreamDecoder, kind: &str, text: &str) -> Result<(), TooMuchThinking> {
        decoder.event(json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": format!("{kind}_delta"), kind: text}}))
    }

    fn thinking(max_bytes: usize) -> StreamDecoder {
        let mut decoder = StreamDecoder::new(None, max_bytes);
        let begin = json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": "", "extra": 1}});
        decoder.event(begin).unwrap();
        decoder
    }

    #[test]
    fn a_block_of_thinking_is_gathered_and_bounded() {
        let mut decoder = thinking(8);
        think(&mut decoder, "thinking", "ab").unwrap();
        think(&mut decoder, "thinking", "cd").unwrap();
        think(&mut decoder, "signature", "ef").unwrap();
        decoder
            .event(json!({"type": "content_block_stop", "index": 0}))
            .unwrap();
        let Some(StreamEvent::Data(chunk)) = decoder.ready.pop_back() else {
            panic!("no piece");
        };
        let chunk: Value = serde_json::from_slice(&chunk).unwrap();
        assert_eq!(
            chunk["choices"][0]["delta"]["thinking_blocks"],
            json!([{"type": "thinking", "thinking": "abcd", "signature": "ef", "extra": 1}])
        );

        for kind in ["thinking", "signature"] {
            let mut decoder = thinking(8);
            think(&mut decoder, kind, "12345678").unwrap();
            assert_eq!(
                think(&mut decoder, kind, "9"),
                Err(TooMuchThinking),
                "{kind}"
            );
        }
    }

    fn told(by_schema: Option<&str>, events: &[Value]) -> Vec<Value> {
        let mut decoder = StreamDecoder::new(by_schema.map(str::to_owned), 1000);
        for event in events {
            decoder.event(event.clone()).unwrap();
        }
        let deltas = decoder.ready.iter().filter_map(|event| match event {
            StreamEvent::Data(chunk) => {
                let chunk: Value = serde_json::from_slice(chunk).unwrap();
                Some(chunk["choices"][0]["delta"].clone())
            }
            _ => None,
        });
        deltas.filter(|delta| *delta != json!({})).collect()
    }

    fn begins(block: Value) -> Value {
        json!({"type": "content_block_start", "index": 1, "content_block": block})
    }

    #[test]
    fn the_arguments_of_a_call_are_never_empty() {
        let ends = json!({"type": "content_block_stop", "index": 1});
        for (input, expected) in [
            (json!({}), "{}"),
            (json!(null), "{}"),
            (json!({"a": 1}), "{\"a\":1}"),
        ] {
            let call = begins(json!({"type": "tool_use", "id": "t", "name": "f", "input": input}));
            let deltas = told(None, &[call, ends.clone()]);
            let arguments = deltas.iter().map(|delta| {
                delta["tool_calls"][0]["function"]["arguments"]
                    .as_str()
                    .unwrap()
            });
            assert_eq!(arguments.collect::<String>(), expected);
        }
    }

    #[test]
    fn words_beside_an_answer_by_schema_are_told_only_without_it() {
        let words = begins(json!({"type": "text", "text": "Sure! "}));
        let call = begins(json!({"type": "tool_use", "id": "t", "name": "answer", "input": {}}));
        let json = json!({"type": "content_block_delta", "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}"}});
        let end = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}});
        let both = told(Some("answer"), &[words.clone(), call, json, end.clone()]);
        assert_eq!(both, [json!({"content": "{\"a\":1}"})]);
        assert_eq!(
            told(Some("answer"), &[words, end]),
            [json!({"content": "Sure! "})]
        );
    }

    #[test]
    fn a_piece_of_thinking_does_not_copy_what_came_before() {
        let mut decoder = thinking(usize::MAX);
        think(&mut decoder, "thinking", &"x".repeat(16 << 20)).unwrap();
        let begun = std::time::Instant::now();
        // Copied at each piece, the 16 MB would be 16 GB.
        for _ in 0..1000 {
            think(&mut decoder, "thinking", "y").unwrap();
        }
        assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
    }
}
