//! A streamed answer: its pieces pass as they are, and are put right where clients would stumble.

use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;

use super::calls::{Calls, has_words, number};
use super::reported::{reported, says_nothing};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::events::{Events, LAST_WORDS};
use crate::providers::provider::{EventStream, StreamEvent};
use crate::sse::Frame;
use crate::wire::{
    Delta, Object, Told, Usage, json_text, lenient_usage, mended, new_id, odd_usage as usage,
    plain_content, put_plain,
};

/// The pieces of so many answers of a model.
pub(super) fn pieces(events: Events, model: String, answers: u64) -> EventStream {
    let reading = Reading {
        events,
        model,
        id: None,
        unfinished: answers,
        calls: Calls::default(),
        begun: false,
        over: false,
        usage: None,
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

/// A stream that is being read.
struct Reading {
    events: Events,
    /// The model that was asked.
    model: String,
    /// The id of chunks that come without one.
    id: Option<String>,
    /// Answers that have not said why they stopped. Without one, a missing `[DONE]` is forgiven, and nothing that
    /// happens to the connection makes the answer incomplete.
    unfinished: u64,
    /// The calls of which pieces have come.
    calls: Calls,
    /// A chunk has come.
    begun: bool,
    over: bool,
    /// The usage that the last chunk carried beside its piece of the answer.
    usage: Option<Usage>,
}

/// The fields of a chunk that the gateway reads; the bytes go on as they are.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Peek {
    id: Told,
    object: Told,
    model: Told,
    #[serde(rename = "type")]
    kind: Told,
    error: Told,
    choices: Option<Vec<PeekChoice>>,
    #[serde(deserialize_with = "lenient_usage")]
    usage: Option<Usage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PeekChoice {
    index: Value,
    finish_reason: Told,
    delta: Option<Delta>,
}

impl Peek {
    fn choices(&self) -> impl Iterator<Item = &PeekChoice> {
        self.choices.iter().flatten()
    }

    /// Whether a part of the answer is in the chunk, or its end.
    fn says_something(&self) -> bool {
        self.choices().any(|choice| {
            choice.ends() || (choice.delta.as_ref()).is_none_or(|delta| delta.says_something)
        })
    }

    /// Whether a client would stumble over the chunk as it is, after the calls that have come.
    fn is_odd(&self, calls: &Calls) -> bool {
        let odd_delta = |of: u64, ends: bool, delta: &Delta| {
            delta.content == Told::Other
                || delta.calls.iter().any(|call| {
                    let is_bare = ends && !has_words(&call.function["arguments"]);
                    is_bare || calls.is_odd(of, call)
                })
                || (ends && calls.lack_arguments(of))
        };
        let odd_choice = |choice: &PeekChoice| match (choice.index.as_u64(), &choice.delta) {
            (Some(of), Some(delta)) => odd_delta(of, choice.ends(), delta),
            _ => true,
        };
        [self.id, self.object, self.model].contains(&Told::Null)
            || self.choices.is_none()
            || self.choices().any(odd_choice)
    }
}

impl PeekChoice {
    /// Whether the answer has said why it stopped.
    fn ends(&self) -> bool {
        matches!(self.finish_reason, Told::Text | Told::Error)
    }
}

impl Reading {
    /// The next event; `None` once the answer is complete.
    async fn next(&mut self) -> Result<Option<StreamEvent>> {
        if let Some(usage) = self.usage.take() {
            return Ok(Some(StreamEvent::Usage { usage, chunk: None }));
        }
        let is_finished = self.begun && self.unfinished == 0;
        if is_finished {
            self.events.limits.idle = self.events.limits.idle.min(LAST_WORDS);
        }
        let frame = match self.events.next().await {
            // The answer is there; what breaks after it breaks nothing.
            Err(error) if is_finished && is_of_connection(&error) => return Ok(None),
            frame => frame?,
        };
        match frame {
            Some(Frame::Comment) => Ok(Some(StreamEvent::KeepAlive)),
            Some(Frame::Data(data)) if data.trim_ascii() == b"[DONE]" => Ok(None),
            Some(Frame::Data(data)) => self.event(data).map(Some),
            Some(Frame::Error(data)) => {
                let said: Value = serde_json::from_slice(&mended(&data))
                    .unwrap_or_else(|_| String::from_utf8_lossy(&data).into_owned().into());
                let error = said.get("error").filter(|error| !says_nothing(error));
                Err(self.events.upstream.reported(error.unwrap_or(&said)))
            }
            None if is_finished => Ok(None),
            None => Err(self.cut_off()),
        }
    }

    fn cut_off(&self) -> GatewayError {
        let upstream = &self.events.upstream;
        upstream.error(
            ErrorKind::CutOff,
            format!("{} ended its answer in the middle", upstream.label()),
        )
    }

    fn event(&mut self, data: Bytes) -> Result<StreamEvent> {
        match serde_json::from_slice(&data) {
            Ok(peek) => self.chunk(peek, data),
            Err(_) => {
                let mended = Bytes::from(mended(&data));
                let peek = serde_json::from_slice(&mended);
                let upstream = &self.events.upstream;
                let peek =
                    peek.map_err(|_| upstream.bad_json("a piece of a chat completion", &data))?;
                self.chunk(peek, mended)
            }
        }
    }

    fn chunk(&mut self, peek: Peek, data: Bytes) -> Result<StreamEvent> {
        let may_be_error = !matches!(peek.error, Told::Absent | Told::Null)
            || [peek.object, peek.kind].contains(&Told::Error);
        if may_be_error && let Some(error) = reported(&data) {
            return Err(self.events.upstream.reported(&error));
        }
        if peek.choices.is_none() && peek.usage.is_none() {
            // Neither a piece nor a count: some servers send other JSON to show that they are still there.
            return Ok(StreamEvent::KeepAlive);
        }
        self.begun = true;
        if peek.says_something() {
            self.events.goes_on();
        }
        let ends = peek.choices().filter(|choice| choice.ends());
        self.unfinished = self.unfinished.saturating_sub(ends.count() as u64);
        let data = match peek.is_odd(&self.calls) {
            true => self.put_right(&data).map_or(data, Bytes::from),
            false => {
                self.note_calls(&peek);
                match peek.usage {
                    Some(_) => with_plain_usage(&data).map_or(data, Bytes::from),
                    None => data,
                }
            }
        };
        match peek.usage {
            Some(usage) if peek.choices.iter().flatten().next().is_none() => {
                Ok(StreamEvent::Usage {
                    usage,
                    chunk: Some(data),
                })
            }
            usage => {
                self.usage = usage;
                Ok(StreamEvent::Data(data))
            }
        }
    }

    /// Takes note of the calls in a chunk that is as it should be.
    fn note_calls(&mut self, peek: &Peek) {
        for choice in peek.choices() {
            let of = choice.index.as_u64().unwrap_or(0);
            let calls = choice.delta.iter().flat_map(|delta| &delta.calls);
            calls.for_each(|call| self.calls.note(of, call));
        }
    }

    /// The same chunk with what every client needs: ids that are texts, changes of a message, and in them words that
    /// are a text, and calls with their places, ids and arguments.
    fn put_right(&mut self, data: &[u8]) -> Option<String> {
        let mut object = Object::of_bytes(data)?;
        if object.value("id") == Some(Told::Null) {
            let new = || new_id("chatcmpl-");
            let id = self.id.get_or_insert_with(new);
            object.set("id", json_text(id));
        }
        if object.value("object") == Some(Told::Null) {
            object.set("object", json_text("chat.completion.chunk"));
        }
        if object.value("model") == Some(Told::Null) {
            object.set("model", json_text(&self.model));
        }
        let choices = object.items("choices").unwrap_or_default();
        let choices = choices.iter().enumerate().map(|(place, choice)| {
            let Some(mut choice) = Object::read(choice.get()) else {
                return choice.get().to_owned();
            };
            self.put_choice_right(&mut choice, place as u64);
            choice.text()
        });
        let choices = format!("[{}]", choices.collect::<Vec<_>>().join(","));
        object.set("choices", choices);
        usage(&mut object);
        Some(object.text())
    }

    fn put_choice_right(&mut self, choice: &mut Object<'_>, place: u64) {
        let said: Option<Value> = choice.value("index");
        let of = said.as_ref().and_then(number).unwrap_or(place);
        if said.is_none_or(|said| !said.is_u64()) {
            choice.set("index", of.to_string());
        }
        let given = ["delta", "message"]
            .iter()
            .filter_map(|name| choice.get(name));
        let given = given.map(str::to_owned).find(|text| text.starts_with('{'));
        let text: Option<String> = choice.value("text");
        let given = given.or(text.map(|text| format!(r#"{{"content":{}}}"#, json_text(&text))));
        let given = given.unwrap_or_else(|| "{}".to_owned());
        let Some(mut delta) = Object::read(&given) else {
            return;
        };
        let content: Option<Value> = delta.value("content");
        if let Some(plain) = content.as_ref().and_then(plain_content) {
            put_plain(&mut delta, &plain);
        }
        let calls = delta.items("tool_calls");
        let calls = calls.into_iter().flatten().map(|call| {
            let Some(mut call) = Object::read(call.get()) else {
                return call.get().to_owned();
            };
            self.calls.put_right(of, &mut call);
            call.text()
        });
        let mut calls: Vec<String> = calls.collect();
        if matches!(
            choice.value("finish_reason"),
            Some(Told::Text | Told::Error)
        ) {
            calls.extend(self.calls.last_pieces(of));
        }
        if !calls.is_empty() {
            delta.set("tool_calls", format!("[{}]", calls.join(",")));
        }
        choice.set("delta", delta.text());
    }
}

/// The same chunk with counts that are whole numbers, where its usage has others.
fn with_plain_usage(data: &[u8]) -> Option<String> {
    let mut object = Object::of_bytes(data)?;
    usage(&mut object);
    object.changed_text()
}

/// Whether an error is one of the connection: it broke off, or fell silent.
fn is_of_connection(error: &GatewayError) -> bool {
    matches!(error.kind, ErrorKind::CutOff | ErrorKind::Timeout)
}
