//! A streamed message, piece by piece in OpenAI's words.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};

use super::{ANSWER, answer};
use crate::error::{ErrorKind, Result};
use crate::events::Events;
use crate::providers::{EventStream, StreamEvent};
use crate::sse::Frame;

/// The chunks of a streamed message.
pub(super) fn chunks(events: Events, schema: bool) -> EventStream {
    let reading = Reading {
        events,
        told: Told::new(schema),
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

struct Reading {
    events: Events,
    told: Told,
    over: bool,
}

impl Reading {
    /// The next piece; `None` once the message is complete.
    async fn next(&mut self) -> Result<Option<StreamEvent>> {
        loop {
            if let Some(event) = self.told.ready.pop_front() {
                return Ok(Some(event));
            }
            if self.told.stopped {
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
                    self.told.event(&event);
                }
                // The reason why it stopped is said before the very end.
                None if self.told.finished => self.told.stopped = true,
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

/// What has been told of the message so far.
struct Told {
    schema: bool,
    id: Value,
    model: Value,
    created: u64,
    /// What the message said of its tokens, at its start and at its end.
    usage: Value,
    /// Blocks by their index: the place among the calls, if it is one.
    calls: Vec<(u64, usize)>,
    /// The block that holds an answer by schema.
    answer: Option<u64>,
    /// The block that is thought now, whole, to be told at its end.
    thought: Option<Value>,
    ready: VecDeque<StreamEvent>,
    finished: bool,
    stopped: bool,
}

impl Told {
    fn new(schema: bool) -> Self {
        Self {
            schema,
            id: Value::Null,
            model: Value::Null,
            created: answer::now_s(),
            usage: json!({}),
            calls: Vec::new(),
            answer: None,
            thought: None,
            ready: VecDeque::new(),
            finished: false,
            stopped: false,
        }
    }

    fn event(&mut self, event: &Value) {
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                let message = &event["message"];
                self.id = message["id"].clone();
                self.model = message["model"].clone();
                self.count(&message["usage"]);
                self.piece(json!({"role": "assistant", "content": ""}), None);
            }
            "content_block_start" => self.begin(index, &event["content_block"]),
            "content_block_delta" => self.delta(index, &event["delta"]),
            "content_block_stop" => {
                if let Some(thought) = self.thought.take() {
                    self.piece(json!({"thinking_blocks": [thought]}), None);
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
    }

    fn begin(&mut self, index: u64, block: &Value) {
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
            "thinking" | "redacted_thinking" => self.thought = Some(block.clone()),
            _ => {}
        }
    }

    fn delta(&mut self, index: u64, delta: &Value) {
        match delta["type"].as_str().unwrap_or_default() {
            "text_delta" => self.text(&delta["text"]),
            "thinking_delta" => {
                let text = delta["thinking"].as_str().unwrap_or_default();
                if let Some(thought) = &mut self.thought {
                    append(thought, "thinking", text);
                }
                self.piece(json!({"reasoning_content": text}), None);
            }
            "signature_delta" => {
                if let Some(thought) = &mut self.thought {
                    append(
                        thought,
                        "signature",
                        delta["signature"].as_str().unwrap_or_default(),
                    );
                }
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

fn append(block: &mut Value, field: &str, text: &str) {
    let whole = block[field].as_str().unwrap_or_default().to_owned() + text;
    block[field] = whole.into();
}
