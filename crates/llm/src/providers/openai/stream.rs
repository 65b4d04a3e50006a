//! A streamed answer: its pieces pass as they are, and are put right where clients would stumble.

use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;

use super::reported::{reported, says_nothing};
use crate::error::{ErrorKind, GatewayError, Result};
use crate::events::{Events, LAST_WORDS};
use crate::providers::provider::{EventStream, StreamEvent};
use crate::sse::Frame;
use crate::wire::{Delta, Object, Told, Usage, json_text, lenient_usage, mended};

/// The pieces of so many answers of a model.
pub(super) fn pieces(events: Events, model: String, answers: u64) -> EventStream {
    let reading = Reading {
        events,
        model,
        id: None,
        unfinished: answers,
        calls: Vec::new(),
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
    /// Calls that came without their place, each with the place of its choice.
    calls: Vec<(usize, String)>,
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
    index: Told,
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
            let has_ended = matches!(choice.finish_reason, Told::Text | Told::Error);
            has_ended || (choice.delta.as_ref()).is_none_or(|delta| delta.says_something)
        })
    }

    /// Whether a client would stumble over the chunk as it is.
    fn is_odd(&self) -> bool {
        let is_none = |told: Told| matches!(told, Told::Absent | Told::Null);
        let is_null = |told: Told| told == Told::Null;
        let odd_call = |choice: &PeekChoice| {
            let places = choice.delta.iter().flat_map(|delta| &delta.call_places);
            places.into_iter().any(|place| is_none(*place))
        };
        [self.id, self.object, self.model].into_iter().any(is_null)
            || self
                .choices()
                .any(|choice| is_none(choice.index) || odd_call(choice))
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
        self.begun = true;
        if peek.says_something() {
            self.events.goes_on();
        }
        let ends = peek
            .choices()
            .filter(|choice| matches!(choice.finish_reason, Told::Text | Told::Error));
        self.unfinished = self.unfinished.saturating_sub(ends.count() as u64);
        let data = match peek.is_odd() {
            true => self.put_right(&data).map_or(data, Bytes::from),
            false => data,
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

    /// The same chunk with what every client needs: ids that are texts, and places of choices and calls.
    fn put_right(&mut self, data: &[u8]) -> Option<String> {
        let mut object = Object::of_bytes(data)?;
        if object.value("id") == Some(Told::Null) {
            let new = || format!("chatcmpl-{}", uuid::Uuid::now_v7().simple());
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
            put_place(&mut choice, || place);
            if let Some(delta) = choice.get("delta").map(str::to_owned)
                && let Some(mut delta) = Object::read(&delta)
                && let Some(calls) = delta.items("tool_calls")
            {
                let calls = calls.iter().map(|call| {
                    let Some(mut call) = Object::read(call.get()) else {
                        return call.get().to_owned();
                    };
                    let id: Option<String> = call.value("id");
                    put_place(&mut call, || place_of_call(&mut self.calls, place, id));
                    call.text()
                });
                let calls = format!("[{}]", calls.collect::<Vec<_>>().join(","));
                delta.set("tool_calls", calls);
                choice.set("delta", delta.text());
            }
            choice.text()
        });
        let choices = format!("[{}]", choices.collect::<Vec<_>>().join(","));
        if object
            .get("choices")
            .is_some_and(|choices| choices.starts_with('['))
        {
            object.set("choices", choices);
        }
        Some(object.text())
    }
}

fn put_place(object: &mut Object<'_>, place: impl FnOnce() -> usize) {
    if !matches!(object.value("index"), Some(Told::Other | Told::Text)) {
        object.set("index", place().to_string());
    }
}

/// The place of a call among those of its choice: a new id begins a new call, and what has none goes on with the last.
fn place_of_call(calls: &mut Vec<(usize, String)>, choice: usize, id: Option<String>) -> usize {
    let of_choice = calls.iter().filter(|(of, _)| *of == choice);
    let count = of_choice.clone().count();
    let id = id.filter(|id| !id.is_empty());
    let Some(id) = id else {
        return count.saturating_sub(1);
    };
    let known = of_choice.map(|(_, id)| id).position(|known| *known == id);
    known.unwrap_or_else(|| {
        calls.push((choice, id));
        count
    })
}

/// Whether an error is one of the connection: it broke off, or fell silent.
fn is_of_connection(error: &GatewayError) -> bool {
    matches!(error.kind, ErrorKind::CutOff | ErrorKind::Timeout)
}
