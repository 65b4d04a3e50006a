//! Writes answers in the shape of Responses. Items follow each other; calls that a server streams side by side stay
//! open until the end.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};

use super::echo::Echo;
use super::item::{Call, Item, ItemKind, summary_part, text_part, usage};
use super::tools::Tools;
use crate::error::{GatewayError, Result};
use crate::protocols::chunk::{CallPart, Chunk};
use crate::protocols::signed::{Signed, sealed_id};
use crate::protocols::thoughts::Thoughts;
use crate::protocols::writer::{AnswerWriter, KeptBytes, push_event};
use crate::wire::{ChatCompletion, Usage, json_text, new_id};

/// Writes an answer as a response.
pub(crate) struct ResponsesWriter {
    echo: Echo,
    tools: Tools,
    /// The caller wants thoughts that it can hand back.
    seals: bool,
    id: String,
    created_at: u64,
    model: String,
    items: Vec<Item>,
    /// The fields that the provider wants back and nothing carries yet.
    signed: Signed,
    /// The places of items that are still open.
    open: Vec<usize>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    has_begun: bool,
    is_whole: bool,
    kept: KeptBytes,
    sequence_number: u64,
    events: Vec<u8>,
}

impl ResponsesWriter {
    pub(super) fn new(echo: Echo, tools: Tools, seals: bool) -> Self {
        Self {
            echo,
            tools,
            seals,
            id: new_id("resp_"),
            created_at: now_s(),
            model: String::new(),
            items: Vec::new(),
            signed: Signed::default(),
            open: Vec::new(),
            finish_reason: None,
            usage: None,
            has_begun: false,
            is_whole: false,
            kept: KeptBytes::default(),
            sequence_number: 0,
            events: Vec::new(),
        }
    }

    fn sent(&mut self) -> Bytes {
        std::mem::take(&mut self.events).into()
    }

    fn event(&mut self, kind: &str, mut event: Value) {
        if self.is_whole {
            return;
        }
        event["type"] = kind.into();
        event["sequence_number"] = self.sequence_number.into();
        self.sequence_number += 1;
        push_event(&mut self.events, kind, event.to_string().as_bytes());
    }

    /// An event with the response as it is now.
    fn response_event(&mut self, kind: &str, status: &str, error: &Value) {
        let event = format!(
            r#"{{"type":"{kind}","sequence_number":{},"response":{}}}"#,
            self.sequence_number,
            self.response(status, error)
        );
        self.sequence_number += 1;
        push_event(&mut self.events, kind, event.as_bytes());
    }

    fn response(&self, status: &str, error: &Value) -> String {
        let details = match (status, self.finish_reason.as_deref()) {
            ("incomplete", Some("content_filter")) => json!({"reason": "content_filter"}),
            ("incomplete", _) => json!({"reason": "max_output_tokens"}),
            _ => Value::Null,
        };
        let is_over = status != "in_progress";
        let items: Vec<String> = match is_over {
            true => {
                let of_items = if status == "failed" {
                    "incomplete"
                } else {
                    status
                };
                let items = self.items.iter();
                items
                    .map(|item| item.json(of_items, self.seals).to_string())
                    .collect()
            }
            false => Vec::new(),
        };
        let completed_at = (status == "completed").then(now_s);
        let usage = self.usage.as_ref().filter(|_| is_over).map(usage);
        format!(
            concat!(
                r#"{{"id":{},"object":"response","created_at":{},"completed_at":{},"status":"{}","error":{},"#,
                r#""incomplete_details":{},"model":{},"output":[{}],"usage":{},{}}}"#,
            ),
            json_text(&self.id),
            self.created_at,
            json!(completed_at),
            status,
            error,
            details,
            json_text(&self.model),
            items.join(","),
            json!(usage),
            self.echo.json(),
        )
    }

    /// The status of the answer at its end.
    fn status(&self) -> &'static str {
        match self.finish_reason.as_deref() {
            Some("length" | "content_filter") => "incomplete",
            _ => "completed",
        }
    }

    fn begin(&mut self, model: &str) {
        if std::mem::replace(&mut self.has_begun, true) || self.is_whole {
            if self.model.is_empty() {
                model.clone_into(&mut self.model);
            }
            return;
        }
        model.clone_into(&mut self.model);
        self.response_event("response.created", "in_progress", &Value::Null);
        self.response_event("response.in_progress", "in_progress", &Value::Null);
    }

    /// Begins an item, and returns its place.
    fn open(&mut self, kind: ItemKind) -> usize {
        let place = self.items.len();
        let item = Item::new(kind);
        let begun = item.begun();
        let id = item.id.clone();
        // A call without a text to stream is told when it is whole.
        let is_late = matches!(&item.kind, ItemKind::Call(call) if call.tool.kind.fixed.is_some());
        let part = match &item.kind {
            ItemKind::Reasoning(_) => Some((
                "response.reasoning_summary_part.added",
                json!({"summary_index": 0, "part": summary_part("")}),
            )),
            ItemKind::Message(_) => Some((
                "response.content_part.added",
                json!({"content_index": 0, "part": text_part("")}),
            )),
            ItemKind::Call(_) => None,
        };
        self.items.push(item);
        self.open.push(place);
        if !is_late {
            self.event(
                "response.output_item.added",
                json!({"output_index": place, "item": begun}),
            );
        }
        if let Some((kind, fields)) = part {
            self.of_item(place, &id, kind, fields);
        }
        place
    }

    /// An event about an item.
    fn of_item(&mut self, place: usize, id: &str, kind: &str, mut fields: Value) {
        fields["item_id"] = id.into();
        fields["output_index"] = place.into();
        self.event(kind, fields);
    }

    /// Ends the open items, but for calls where more of them may come.
    fn close(&mut self, also_calls: bool) {
        let places = std::mem::take(&mut self.open);
        for place in places {
            let item = &mut self.items[place];
            if let ItemKind::Reasoning(thoughts) = &mut item.kind
                && self.seals
                && !self.signed.is_empty()
            {
                thoughts.signed.push(self.signed.take());
            }
            let item = &self.items[place];
            let id = item.id.clone();
            let whole = item.json(self.status(), self.seals);
            let events: Vec<(String, Value)> = match &item.kind {
                ItemKind::Call(_) if !also_calls => {
                    self.open.push(place);
                    continue;
                }
                ItemKind::Reasoning(thoughts) => vec![
                    (
                        "response.reasoning_summary_text.done".to_owned(),
                        json!({"summary_index": 0, "text": thoughts.text}),
                    ),
                    (
                        "response.reasoning_summary_part.done".to_owned(),
                        json!({"summary_index": 0, "part": summary_part(&thoughts.text)}),
                    ),
                ],
                ItemKind::Message(text) => vec![
                    (
                        "response.output_text.done".to_owned(),
                        json!({"content_index": 0, "text": text, "logprobs": []}),
                    ),
                    (
                        "response.content_part.done".to_owned(),
                        json!({"content_index": 0, "part": text_part(text)}),
                    ),
                ],
                ItemKind::Call(call) => {
                    let said = &whole[call.tool.kind.field];
                    match call.tool.kind.kind {
                        "function" => {
                            let mut events = Vec::new();
                            if call.arguments.trim().is_empty() {
                                let delta = json!({"delta": said});
                                events.push((
                                    "response.function_call_arguments.delta".to_owned(),
                                    delta,
                                ));
                            }
                            let done = json!({"arguments": said, "name": call.tool.name});
                            events.push(("response.function_call_arguments.done".to_owned(), done));
                            events
                        }
                        "custom" => vec![
                            (
                                "response.custom_tool_call_input.delta".to_owned(),
                                json!({"delta": said}),
                            ),
                            (
                                "response.custom_tool_call_input.done".to_owned(),
                                json!({"input": said}),
                            ),
                        ],
                        _ => {
                            let added = json!({"item": whole});
                            vec![("response.output_item.added".to_owned(), added)]
                        }
                    }
                }
            };
            for (kind, fields) in events {
                self.of_item(place, &id, &kind, fields);
            }
            self.event(
                "response.output_item.done",
                json!({"output_index": place, "item": whole}),
            );
        }
    }

    /// The open item that is not a call.
    fn last_open(&mut self) -> Option<(usize, &mut Item)> {
        let place = *self.open.last()?;
        let item = &mut self.items[place];
        (!matches!(item.kind, ItemKind::Call(_))).then_some((place, item))
    }

    fn take(&mut self, chunk: Chunk) -> Result<()> {
        self.begin(&chunk.model);
        self.kept.keep_fields(&chunk.signed)?;
        self.signed.add(chunk.signed);
        self.think(&chunk.thoughts, chunk.thinking_blocks)?;
        for text in [&chunk.text, &chunk.refusal] {
            self.say(text)?;
        }
        for part in chunk.calls {
            self.call(part)?;
        }
        self.finish_reason = chunk.finish_reason.or(self.finish_reason.take());
        Ok(())
    }

    fn think(&mut self, text: &str, signed: Vec<Value>) -> Result<()> {
        if text.is_empty() && signed.is_empty() {
            return Ok(());
        }
        let signed_bytes = signed.iter().map(|block| block.to_string().len());
        self.kept.keep(text.len() + signed_bytes.sum::<usize>())?;
        let known = match self.last_open() {
            Some((place, item)) if matches!(item.kind, ItemKind::Reasoning(_)) => Some(place),
            _ => None,
        };
        let place = match known {
            Some(place) => place,
            None => {
                self.close(false);
                self.open(ItemKind::Reasoning(Thoughts::default()))
            }
        };
        let item = &mut self.items[place];
        let id = item.id.clone();
        if let ItemKind::Reasoning(thoughts) = &mut item.kind {
            thoughts.text.push_str(text);
            signed
                .into_iter()
                .for_each(|block| thoughts.keep_signed(block));
        }
        if !text.is_empty() {
            let delta = json!({"summary_index": 0, "delta": text});
            self.of_item(place, &id, "response.reasoning_summary_text.delta", delta);
        }
        Ok(())
    }

    fn say(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.kept.keep(text.len())?;
        let known = match self.last_open() {
            Some((
                place,
                Item {
                    id,
                    kind: ItemKind::Message(said),
                },
            )) => {
                said.push_str(text);
                Some((place, id.clone()))
            }
            _ => None,
        };
        let (place, id) = match known {
            Some(known) => known,
            None => {
                self.close(false);
                self.carry_signed();
                let place = self.open(ItemKind::Message(text.to_owned()));
                (place, self.items[place].id.clone())
            }
        };
        let delta = json!({"content_index": 0, "delta": text, "logprobs": []});
        self.of_item(place, &id, "response.output_text.delta", delta);
        Ok(())
    }

    /// Gives thoughts without words to a caller that hands thoughts back, where there is something that they have to
    /// carry.
    fn carry_signed(&mut self) {
        if self.seals && !self.signed.is_empty() {
            self.open(ItemKind::Reasoning(Thoughts::default()));
            self.close(false);
        }
    }

    fn call(&mut self, part: CallPart) -> Result<()> {
        self.kept.keep(part.arguments.len())?;
        self.kept.keep_fields(&part.signed)?;
        let known = self.items.iter().position(
            |item| matches!(&item.kind, ItemKind::Call(call) if call.place == part.place),
        );
        let place = match known {
            Some(place) => place,
            // A part with neither a name nor arguments is no call yet.
            None if part.name.is_empty() && part.arguments.is_empty() => return Ok(()),
            None => {
                self.close(false);
                let call_id = match part.id.is_empty() {
                    true => new_id("call_"),
                    false => part.id,
                };
                let own = self.signed.of_call(part.signed);
                let call_id = sealed_id(call_id, own, self.signed.take());
                self.open(ItemKind::Call(Call {
                    place: part.place,
                    call_id,
                    tool: self.tools.known(&part.name),
                    arguments: String::new(),
                }))
            }
        };
        let item = &mut self.items[place];
        let id = item.id.clone();
        let ItemKind::Call(call) = &mut item.kind else {
            return Ok(());
        };
        call.arguments.push_str(&part.arguments);
        if call.tool.kind.kind == "function" && !part.arguments.is_empty() {
            let delta = json!({"delta": part.arguments});
            self.of_item(place, &id, "response.function_call_arguments.delta", delta);
        }
        Ok(())
    }
}

impl AnswerWriter for ResponsesWriter {
    fn answered_by(&mut self, provider: &str) {
        self.signed.is_by(provider);
    }

    fn whole(&mut self, answer: &ChatCompletion) -> Result<Bytes> {
        self.is_whole = true;
        self.take(Chunk::of(&answer.clone().into_chunk()))?;
        self.close(true);
        self.usage.clone_from(&answer.usage);
        Ok(self.response(self.status(), &Value::Null).into())
    }

    fn piece(&mut self, chunk: &Bytes) -> Result<Bytes> {
        self.take(Chunk::read(chunk))?;
        Ok(self.sent())
    }

    fn usage(&mut self, usage: &Usage, _: Option<Bytes>) -> Bytes {
        self.usage = Some(usage.clone());
        Bytes::new()
    }

    fn end(&mut self) -> Bytes {
        self.begin("");
        let mut items = self.items.iter();
        if items.any(|item| matches!(item.kind, ItemKind::Call(_))) {
            self.carry_signed();
        }
        self.close(true);
        let status = self.status();
        self.response_event(&format!("response.{status}"), status, &Value::Null);
        self.sent()
    }

    fn failure(&mut self, error: &GatewayError) -> Bytes {
        self.begin("");
        let mut body = error.body()["error"].take();
        let code = match error.context_limit() {
            Some(_) => "context_length_exceeded".into(),
            None => body["code"].take(),
        };
        let said = json!({"code": code, "message": error.message});
        self.response_event("response.failed", "failed", &said);
        self.sent()
    }
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
