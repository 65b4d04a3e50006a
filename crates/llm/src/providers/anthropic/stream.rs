//! A streamed message, piece by piece in OpenAI's shape.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::answer;
use super::schema_tool::ANSWER;
use crate::error::{ErrorKind, Result};
use crate::events::Events;
use crate::providers::provider::{EventStream, StreamEvent};
use crate::sse::Frame;

/// The chunks of a streamed message.
pub(super) fn chunks(events: Events, schema: bool) -> EventStream {
    let max_bytes = events.limits.max_bytes;
    let reading = Reading {
        events,
        decoder: StreamDecoder::new(schema, max_bytes),
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
            let frame = self.events.next().await?;
            let upstream = &self.events.upstream;
            match frame {
                Some(Frame::Comment) => return Ok(Some(StreamEvent::KeepAlive)),
                Some(Frame::Data(data)) => {
                    let event: Value = serde_json::from_slice(&data)
                        .map_err(|_| upstream.bad_json("a piece of a message", &data))?;
                    if event["type"] == "error" {
                        return Err(upstream.reported(&event["error"]));
                    }
                    self.decoder
                        .event(event)
                        .map_err(|TooMuchThinking| upstream.too_large(&self.events.limits))?;
                }
                // The reason why it stopped is said before the very end.
                None if self.decoder.finished => self.decoder.stopped = true,
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
    schema: bool,
    id: Value,
    model: Value,
    created: u64,
    /// The message's counts of tokens, at its start and at its end.
    usage: Value,
    /// Blocks by their index: the place among the calls, if it is one.
    calls: Vec<(u64, usize)>,
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
    fn new(schema: bool, max_bytes: usize) -> Self {
        Self {
            schema,
            id: Value::Null,
            model: Value::Null,
            created: answer::now_s(),
            usage: json!({}),
            calls: Vec::new(),
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
            "text" => self.text(&block["text"]),
            "tool_use" if self.schema && block["name"] == ANSWER => self.answer = Some(index),
            "tool_use" => {
                let place = self.calls.len();
                self.calls.push((index, place));
                let call = json!({"index": place, "id": block["id"], "type": "function",
                    "function": {"name": block["name"], "arguments": ""}});
                self.piece(json!({"tool_calls": [call]}), None);
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
            "text_delta" => self.text(&delta["text"]),
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
            "input_json_delta" if self.answer == Some(index) => self.text(&delta["partial_json"]),
            "input_json_delta" => {
                let place = self.calls.iter().find(|(block, _)| *block == index);
                let json = delta["partial_json"].as_str().unwrap_or_default();
                if let Some((_, place)) = place
                    && !json.is_empty()
                {
                    let call = json!({"index": place, "function": {"arguments": json}});
                    self.piece(json!({"tool_calls": [call]}), None);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &Value) {
        if text.as_str().is_some_and(|text| !text.is_empty()) {
            self.piece(json!({"content": text}), None);
        }
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
            let numbers = said.iter().filter(|(_, value)| value.is_number());
            kept.extend(numbers.map(|(field, value)| (field.clone(), value.clone())));
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
        let mut decoder = StreamDecoder::new(false, max_bytes);
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
