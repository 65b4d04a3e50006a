//! Writes answers in Anthropic's shape. Blocks follow each other; calls that a server streams side by side stay open
//! until the end.

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Block, Call, stop_reason, usage};
use super::refusal::refusal;
use crate::error::{GatewayError, Result};
use crate::protocols::chunk::{CallPart, Chunk};
use crate::protocols::signed::{Signed, sealed_id};
use crate::protocols::thoughts::{Thoughts, UNSIGNED};
use crate::protocols::writer::{AnswerWriter, KeptBytes, push_event};
use crate::wire::{ChatCompletion, Usage, json_text, new_id};

/// Writes an answer as a message.
pub(crate) struct MessagesWriter {
    /// The caller asked for the model's thoughts.
    thinks: bool,
    /// The texts at which the caller wants the answer to stop.
    stops: Vec<String>,
    /// The tokens of the request, estimated: servers count them only at the end.
    prompt_tokens: u64,
    id: String,
    model: String,
    blocks: Vec<Block>,
    /// The fields that the provider wants back and nothing carries yet.
    signed: Signed,
    /// The places of blocks that are still open.
    open: Vec<usize>,
    finish_reason: Option<String>,
    stopped_at: Option<String>,
    usage: Option<Usage>,
    has_begun: bool,
    /// The upstream's own events are passed on.
    is_native: bool,
    /// The answer is wanted as a whole, so that its words are kept.
    is_whole: bool,
    kept: KeptBytes,
    events: Vec<u8>,
}

impl MessagesWriter {
    pub(super) fn new(thinks: bool, stops: Vec<String>, prompt_tokens: u64) -> Self {
        Self {
            thinks,
            stops,
            prompt_tokens,
            id: String::new(),
            model: String::new(),
            blocks: Vec::new(),
            signed: Signed::default(),
            open: Vec::new(),
            finish_reason: None,
            stopped_at: None,
            usage: None,
            has_begun: false,
            is_native: false,
            is_whole: false,
            kept: KeptBytes::default(),
            events: Vec::new(),
        }
    }

    fn sent(&mut self) -> Bytes {
        std::mem::take(&mut self.events).into()
    }

    fn event(&mut self, kind: &str, mut event: Value) {
        if !self.is_whole {
            event["type"] = kind.into();
            push_event(&mut self.events, kind, event.to_string().as_bytes());
        }
    }

    fn begin(&mut self, id: &str, model: &str) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        self.id = match id.strip_prefix("msg_") {
            Some(_) => id.to_owned(),
            None if id.is_empty() => new_id("msg_"),
            None => format!("msg_{id}"),
        };
        model.clone_into(&mut self.model);
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": self.prompt_tokens, "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0, "output_tokens": 0},
        });
        self.event("message_start", json!({ "message": message }));
    }

    /// Begins a block, and returns its place.
    fn open(&mut self, block: Block) -> usize {
        let place = self.blocks.len();
        let begun = block.begun();
        self.blocks.push(block);
        self.open.push(place);
        self.event(
            "content_block_start",
            json!({"index": place, "content_block": begun}),
        );
        place
    }

    fn delta(&mut self, place: usize, kind: &str, field: &str, text: &str) {
        let delta = json!({"type": kind, field: text});
        self.event(
            "content_block_delta",
            json!({"index": place, "delta": delta}),
        );
    }

    /// Ends the open blocks, but for calls where more of them may come.
    fn close(&mut self, also_calls: bool) {
        let (closing, open) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|place| also_calls || !matches!(self.blocks[*place], Block::Call(_)));
        self.open = open;
        let closing: Vec<usize> = closing;
        for place in closing {
            match &mut self.blocks[place] {
                Block::Thinking { signature, .. } => {
                    if signature.is_empty() {
                        *signature = match self.signed.is_empty() {
                            true => UNSIGNED.to_owned(),
                            false => Thoughts::sealing(self.signed.take()),
                        };
                    }
                    let signature = signature.clone();
                    self.delta(place, "signature_delta", "signature", &signature);
                }
                Block::Call(call) if call.arguments.trim().is_empty() => {
                    self.delta(place, "input_json_delta", "partial_json", "{}");
                }
                _ => {}
            }
            self.event("content_block_stop", json!({ "index": place }));
        }
    }

    /// The open block that is not a call.
    fn last_open(&mut self) -> Option<(usize, &mut Block)> {
        let place = *self.open.last()?;
        let block = &mut self.blocks[place];
        (!matches!(block, Block::Call(_))).then_some((place, block))
    }

    fn take(&mut self, chunk: Chunk) -> Result<()> {
        self.begin(&chunk.id, &chunk.model);
        self.kept.keep_fields(&chunk.signed)?;
        self.signed.add(chunk.signed);
        if self.thinks {
            self.think(&chunk.thoughts, chunk.thinking_blocks)?;
        }
        // A refusal is said like any other words, and told apart by the reason of the end.
        for text in [&chunk.text, &chunk.refusal] {
            self.say(text);
        }
        for part in chunk.calls {
            self.call(part)?;
        }
        self.finish_reason = chunk.finish_reason.or(self.finish_reason.take());
        let stops = &self.stops;
        let known = chunk.stop_sequence.filter(|stop| stops.contains(stop));
        self.stopped_at = known.or(self.stopped_at.take());
        Ok(())
    }

    fn think(&mut self, thoughts: &str, signed: Vec<Value>) -> Result<()> {
        let is_streamed = matches!(self.last_open(), Some((_, Block::Thinking { .. })));
        // A whole answer says its thoughts twice; the blocks are signed.
        if !thoughts.is_empty() && (is_streamed || signed.is_empty()) {
            self.kept.keep(thoughts.len())?;
            let place = match self.last_open() {
                Some((place, Block::Thinking { text, .. })) => {
                    text.push_str(thoughts);
                    place
                }
                _ => {
                    self.close(false);
                    self.open(Block::Thinking {
                        text: thoughts.to_owned(),
                        signature: String::new(),
                    })
                }
            };
            self.delta(place, "thinking_delta", "thinking", thoughts);
        }
        for block in signed {
            let said = |field: &str| block[field].as_str().unwrap_or_default().to_owned();
            let (thinking, signed) = (said("thinking"), said("signature"));
            self.kept.keep(thinking.len() + signed.len())?;
            if block["type"] != "thinking" {
                self.close(false);
                self.open(Block::Redacted(block));
            } else if let Some((_, Block::Thinking { signature, .. })) = self.last_open() {
                *signature = signed;
            } else {
                self.close(false);
                let place = self.open(Block::Thinking {
                    text: thinking.clone(),
                    signature: signed,
                });
                self.delta(place, "thinking_delta", "thinking", &thinking);
            }
            self.close(false);
        }
        Ok(())
    }

    fn say(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let is_whole = self.is_whole;
        let place = match self.last_open() {
            Some((place, Block::Text(said))) => {
                if is_whole {
                    said.push_str(text);
                }
                place
            }
            _ => {
                self.close(false);
                self.carry_signed();
                self.open(Block::Text(text.to_owned()))
            }
        };
        self.delta(place, "text_delta", "text", text);
    }

    /// Gives thoughts without words to a caller that reads thoughts, where there is something that they have to carry.
    fn carry_signed(&mut self) {
        if self.thinks && !self.signed.is_empty() {
            self.open(Block::Thinking {
                text: String::new(),
                signature: String::new(),
            });
            self.close(false);
        }
    }

    fn has_called(&self) -> bool {
        let mut blocks = self.blocks.iter();
        blocks.any(|block| matches!(block, Block::Call(_)))
    }

    fn call(&mut self, part: CallPart) -> Result<()> {
        self.kept.keep(part.arguments.len())?;
        self.kept.keep_fields(&part.signed)?;
        let known = self
            .blocks
            .iter()
            .position(|block| matches!(block, Block::Call(call) if call.place == part.place));
        let place = match known {
            Some(place) => place,
            // A part with neither a name nor arguments is no call yet.
            None if part.name.is_empty() && part.arguments.is_empty() => return Ok(()),
            None => {
                self.close(false);
                let id = match part.id.is_empty() {
                    true => new_id("toolu_"),
                    false => part.id,
                };
                let own = self.signed.of_call(part.signed);
                let id = sealed_id(id, own, self.signed.take());
                self.open(Block::Call(Call {
                    place: part.place,
                    id,
                    name: part.name,
                    arguments: String::new(),
                }))
            }
        };
        if let Block::Call(call) = &mut self.blocks[place] {
            call.arguments.push_str(&part.arguments);
        }
        if !part.arguments.is_empty() {
            self.delta(place, "input_json_delta", "partial_json", &part.arguments);
        }
        Ok(())
    }

    fn reason(&self) -> (&'static str, Value) {
        let called = self.has_called();
        let stopped_at = self.stopped_at.as_deref();
        stop_reason(self.finish_reason.as_deref(), called, stopped_at)
    }
}

impl AnswerWriter for MessagesWriter {
    fn answered_by(&mut self, provider: &str) {
        self.signed.is_by(provider);
    }

    fn whole(&mut self, answer: &ChatCompletion) -> Result<Bytes> {
        if let Some(native) = &answer.native {
            return Ok(native.clone());
        }
        self.is_whole = true;
        self.take(Chunk::of(&answer.clone().into_chunk()))?;
        self.close(true);
        let blocks: Vec<String> = self.blocks.iter().map(Block::whole).collect();
        let (reason, stopped_at) = self.reason();
        let usage = usage(answer.usage.as_ref());
        let message = format!(
            concat!(
                r#"{{"id":{},"type":"message","role":"assistant","model":{},"content":[{}],"#,
                r#""stop_reason":"{}","stop_sequence":{},"usage":{}}}"#,
            ),
            json_text(&self.id),
            json_text(&self.model),
            blocks.join(","),
            reason,
            stopped_at,
            usage,
        );
        Ok(message.into())
    }

    fn piece(&mut self, chunk: &Bytes) -> Result<Bytes> {
        if !self.is_native {
            self.take(Chunk::read(chunk))?;
        }
        Ok(self.sent())
    }

    fn native(&mut self, event: &Bytes) -> Bytes {
        self.is_native = true;
        let said: Value = serde_json::from_slice(event).unwrap_or_default();
        let kind = said["type"].as_str().unwrap_or("ping");
        push_event(&mut self.events, kind, event);
        self.sent()
    }

    fn usage(&mut self, usage: &Usage, _: Option<Bytes>) -> Bytes {
        self.usage = Some(usage.clone());
        Bytes::new()
    }

    fn end(&mut self) -> Bytes {
        if !self.is_native {
            self.begin("", "");
            if self.has_called() {
                self.carry_signed();
            }
            self.close(true);
            let (reason, stopped_at) = self.reason();
            let usage = match &self.usage {
                Some(told) => usage(Some(told)),
                None => json!({"input_tokens": self.prompt_tokens, "output_tokens": 0}),
            };
            self.event(
                "message_delta",
                json!({"delta": {"stop_reason": reason, "stop_sequence": stopped_at}, "usage": usage}),
            );
            self.event("message_stop", json!({}));
        }
        self.sent()
    }

    fn failure(&mut self, error: &GatewayError) -> Bytes {
        let refusal = refusal(error).to_string();
        push_event(&mut self.events, "error", refusal.as_bytes());
        self.sent()
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
