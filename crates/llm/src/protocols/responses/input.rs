//! The items of a request as the messages of a conversation.

use serde_json::{Value, json};

use super::tool_kind::{TOLD, ToolKind};
use super::tools::{Tools, function_name};
use crate::error::{GatewayError, Result};
use crate::protocols::signed::{plain_id, unseal_id};
use crate::protocols::thoughts::Thoughts;
use crate::wire::{Content, ContentPart, Extra, Message, Object, RawJson};

fn wrong(message: String) -> GatewayError {
    GatewayError::invalid(Some("input"), message)
}

/// A conversation under construction.
pub(super) struct Conversation<'t> {
    pub messages: Vec<Message>,
    tools: &'t mut Tools,
    /// Thoughts whose message has not come yet.
    thoughts: Thoughts,
}

impl<'t> Conversation<'t> {
    /// A conversation that begins with instructions.
    pub fn new(instructions: Option<String>, tools: &'t mut Tools) -> Self {
        let instructions = instructions.filter(|text| !text.is_empty());
        Self {
            messages: instructions.map(Message::system).into_iter().collect(),
            tools,
            thoughts: Thoughts::default(),
        }
    }

    /// Adds the input: a text, or items.
    pub fn add(&mut self, input: &RawJson) -> Result<()> {
        if let Some(text) = input.read::<String>() {
            self.messages.push(Message::user(text));
            return Ok(());
        }
        let items: Option<Vec<RawJson>> = input.read();
        let items =
            items.ok_or_else(|| wrong("`input` has to be a text or a list of items".to_owned()))?;
        for (place, item) in items.iter().enumerate() {
            let place = format!("input[{place}]");
            let item = Object::read(item.text());
            let item = item.ok_or_else(|| wrong(format!("`{place}` has to be an object")))?;
            self.item(&item, &place)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &Object<'_>, place: &str) -> Result<()> {
        let said = |field: &str| item.value::<Option<String>>(field).flatten();
        let kind = said("type").unwrap_or_else(|| "message".to_owned());
        if let Some(tool) = ToolKind::of_call(&kind) {
            return self.call(tool, item, place);
        }
        if let Some(tool) = ToolKind::of_output(&kind) {
            return self.output(tool, item, place);
        }
        match kind.as_str() {
            "message" => self.message(item, place),
            "reasoning" => {
                self.think(item);
                Ok(())
            }
            "additional_tools" => self.add_tools(item),
            told if TOLD.contains(&told) => Ok(()),
            "item_reference" => Err(wrong(format!(
                "`{place}` refers to a stored item, and nothing is stored here; send the item itself"
            ))),
            "compaction" | "compaction_summary" | "compaction_trigger" | "context_compaction" => {
                Err(wrong(format!(
                    "`{place}` is of the type {kind}, which OpenAI alone can read; send the conversation itself"
                )))
            }
            other => Err(wrong(format!(
                "`{place}` is of the type {other}, which is not known here; leave it out"
            ))),
        }
    }

    fn message(&mut self, item: &Object<'_>, place: &str) -> Result<()> {
        let role: String = item
            .value("role")
            .ok_or_else(|| wrong(format!("`{place}` needs a `role`")))?;
        let content: Value = item.value("content").unwrap_or_default();
        let content = content_of(content, place)?;
        match role.as_str() {
            "assistant" => {
                let message = self.assistant();
                match (&mut message.content, content) {
                    (Some(Content::Parts(before)), Content::Parts(parts)) => before.extend(parts),
                    (before, content) => *before = Some(content),
                }
            }
            "user" | "system" | "developer" => {
                self.thoughts = Thoughts::default();
                self.messages.push(Message {
                    role,
                    content: Some(content),
                    extra: Extra::new(),
                });
            }
            other => {
                return Err(wrong(format!(
                    "`{place}.role` is {other}; it has to be user, assistant, system or developer"
                )));
            }
        }
        Ok(())
    }

    /// The message of the assistant that is under way, or a new one, with what was thought before.
    fn assistant(&mut self) -> &mut Message {
        let is_under_way = self
            .messages
            .last()
            .is_some_and(|last| last.role == "assistant");
        if !is_under_way {
            self.messages.push(Message {
                role: "assistant".to_owned(),
                content: None,
                extra: Extra::new(),
            });
        }
        let thoughts = std::mem::take(&mut self.thoughts);
        let last = self.messages.len() - 1;
        let message = &mut self.messages[last];
        thoughts.put_into(message);
        message
    }

    /// Gives thoughts that came after a call to the message of the call.
    fn end_thoughts(&mut self) {
        let last = self.messages.last_mut();
        if let Some(last) = last.filter(|last| last.role == "assistant") {
            std::mem::take(&mut self.thoughts).put_into(last);
        }
    }

    /// Takes what the model thought: sealed by this gateway, else the text that anybody can read.
    fn think(&mut self, item: &Object<'_>) {
        let sealed: Option<Option<String>> = item.value("encrypted_content");
        if let Some(thoughts) = sealed.flatten().and_then(|text| Thoughts::unsealed(&text)) {
            self.thoughts.text.push_str(&thoughts.text);
            self.thoughts.blocks.extend(thoughts.blocks);
            self.thoughts.signed.extend(thoughts.signed);
            return;
        }
        for field in ["content", "summary"] {
            let parts: Value = item.value(field).unwrap_or_default();
            let parts = parts.as_array().into_iter().flatten();
            let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
            if !texts.is_empty() {
                self.thoughts.text.push_str(&texts.join("\n\n"));
                return;
            }
        }
    }

    fn call(&mut self, tool: &ToolKind, item: &Object<'_>, place: &str) -> Result<()> {
        let said = |field: &str| item.value::<Option<String>>(field).flatten();
        let name = match tool.fixed {
            Some((name, ..)) => Some(name.to_owned()),
            None => said("name"),
        };
        // Codex's older calls of a shell have an `id` alone.
        let id = said("call_id").or_else(|| said("id"));
        let (Some(id), Some(name)) = (id, name) else {
            return Err(wrong(format!("`{place}` needs a `call_id` and a `name`")));
        };
        let name = function_name(said("namespace").as_deref(), &name);
        let arguments = tool.to_arguments(item.get(tool.field).unwrap_or("null"));
        let mut call = json!({"id": plain_id(&id), "type": "function",
            "function": {"name": name, "arguments": arguments}});
        let message = self.assistant();
        unseal_id(&id, &mut call, &mut message.extra);
        let calls = message.extra.entry("tool_calls").or_insert(json!([]));
        if let Some(calls) = calls.as_array_mut() {
            calls.push(call);
        }
        Ok(())
    }

    fn output(&mut self, tool: &ToolKind, item: &Object<'_>, place: &str) -> Result<()> {
        let said = |field: &str| item.value::<Option<String>>(field).flatten();
        let id = said("call_id").or_else(|| said("id"));
        let id = id.ok_or_else(|| wrong(format!("`{place}` needs a `call_id`")))?;
        self.end_thoughts();
        let content = match tool.kind {
            "tool_search" => {
                self.add_tools(item)?;
                Content::Text("The tools that were found can be called now.".to_owned())
            }
            _ => match item.value("output").unwrap_or_default() {
                Value::Array(parts) if tool.kind != "shell" => {
                    content_of(Value::Array(parts), place)?
                }
                Value::String(text) => Content::Text(text),
                Value::Null => Content::Text(said("status").unwrap_or_default()),
                other => Content::Text(other.to_string()),
            },
        };
        self.messages.push(Message {
            role: "tool".to_owned(),
            content: Some(content),
            extra: Extra::from_iter([("tool_call_id".to_owned(), plain_id(&id).into())]),
        });
        Ok(())
    }

    fn add_tools(&mut self, item: &Object<'_>) -> Result<()> {
        let tools: Vec<RawJson> = item.value("tools").unwrap_or_default();
        tools.iter().try_for_each(|tool| self.tools.add(tool, None))
    }
}

/// A content in the words of Chat Completions.
fn content_of(content: Value, place: &str) -> Result<Content> {
    match content {
        Value::String(text) => Ok(Content::Text(text)),
        Value::Array(parts) => {
            let parts = parts.into_iter().map(|part| part_of(part, place));
            Ok(Content::Parts(parts.collect::<Result<_>>()?))
        }
        _ => Err(wrong(format!(
            "`{place}.content` has to be a text or a list of parts"
        ))),
    }
}

fn part_of(part: Value, place: &str) -> Result<ContentPart> {
    let (kind, fields) = match part["type"].as_str().unwrap_or_default() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            ("text", json!({"text": part["text"]}))
        }
        "refusal" => ("text", json!({"text": part["refusal"]})),
        "input_image" => {
            if part["image_url"].as_str().is_none() {
                return Err(wrong(format!(
                    "A picture of `{place}` needs an `image_url`, as an address or as data:image/png;base64,…"
                )));
            }
            let mut image = json!({"url": part["image_url"]});
            // Models elsewhere know none of OpenAI's newer details.
            if matches!(part["detail"].as_str(), Some("low" | "high")) {
                image["detail"] = part["detail"].clone();
            }
            ("image_url", json!({ "image_url": image }))
        }
        "input_file" => {
            let mut file = Extra::new();
            for field in ["filename", "file_data", "file_id", "file_url"] {
                let value = part.get(field).filter(|value| value.is_string());
                file.extend(value.map(|value| (field.to_owned(), value.clone())));
            }
            ("file", json!({ "file": file }))
        }
        "input_audio" => ("input_audio", json!({"input_audio": part["input_audio"]})),
        other => {
            return Err(wrong(format!(
                "A part of `{place}` is of the type {other}; send it as input_text, input_image or input_file"
            )));
        }
    };
    let extra = match fields {
        Value::Object(fields) => fields,
        _ => Extra::new(),
    };
    Ok(ContentPart {
        kind: kind.to_owned(),
        extra,
    })
}
