//! The thoughts of a model on their way to a caller and back: models that think need them with the results of their
//! calls, and the gateway keeps nothing between two requests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::signed::Signed;
use crate::wire::Message;

/// The signature of thoughts that no provider has signed.
pub(super) const UNSIGNED: &str = "mana";
/// The beginning of sealed thoughts.
const SEALED: &str = "mana1.";

/// The thoughts of one message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Thoughts {
    /// The text.
    pub text: String,
    /// Blocks that Anthropic has signed.
    pub blocks: Vec<Value>,
    /// The fields that other providers want back.
    pub signed: Vec<Signed>,
}

impl Thoughts {
    /// Thoughts that say nothing and carry what a provider wants back, sealed.
    pub fn sealing(signed: Signed) -> String {
        let thoughts = Self {
            signed: vec![signed],
            ..Self::default()
        };
        thoughts.sealed()
    }

    /// The thoughts as a text that a caller hands back unread.
    pub fn sealed(&self) -> String {
        format!(
            "{SEALED}{}",
            BASE64_STANDARD.encode(json!(self).to_string())
        )
    }

    /// The thoughts in such a text; none in a text of anybody else's.
    pub fn unsealed(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(SEALED)?).ok()?;
        let mut thoughts: Self = serde_json::from_slice(&bytes).ok()?;
        let signed = thoughts.signed.into_iter();
        thoughts.signed = signed.filter_map(Signed::checked).collect();
        Some(thoughts)
    }

    /// Takes a block in Anthropic's shape.
    pub fn take_block(&mut self, block: Value) {
        let text = block["thinking"].as_str().unwrap_or_default();
        self.text.push_str(text);
        let sealed = block["signature"].as_str().or(block["data"].as_str());
        match sealed.and_then(Self::unsealed) {
            Some(thoughts) => self.signed.extend(thoughts.signed),
            None => self.keep_signed(block),
        }
    }

    /// Keeps a block whose text has come by itself, where its provider wants it back.
    pub fn keep_signed(&mut self, block: Value) {
        let signature = block["signature"].as_str().unwrap_or_default();
        let is_signed = !signature.is_empty() && signature != UNSIGNED;
        if is_signed || block["type"] == "redacted_thinking" {
            self.blocks.push(block);
        }
    }

    /// Puts the thoughts into a message.
    pub fn put_into(self, message: &mut Message) {
        if !self.text.is_empty() {
            let before = message.extra.remove("reasoning_content");
            let before = before.as_ref().and_then(Value::as_str).unwrap_or_default();
            let text = format!("{before}{}", self.text);
            message
                .extra
                .insert("reasoning_content".to_owned(), text.into());
        }
        if !self.blocks.is_empty() {
            let blocks = message.extra.entry("thinking_blocks").or_insert(json!([]));
            if let Some(blocks) = blocks.as_array_mut() {
                blocks.extend(self.blocks);
            }
        }
        for signed in self.signed {
            signed.keep_in_message(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_come_back_as_they_went() {
        let mut thoughts = Thoughts::default();
        thoughts.take_block(json!({"type": "thinking", "thinking": "hm", "signature": "s"}));
        thoughts.take_block(json!({"type": "thinking", "thinking": " so", "signature": UNSIGNED}));
        thoughts.take_block(json!({"type": "redacted_thinking", "data": "x"}));
        assert_eq!((&*thoughts.text, thoughts.blocks.len()), ("hm so", 2));
        assert_eq!(Thoughts::unsealed(&thoughts.sealed()), Some(thoughts));
        for other in [
            "",
            "gAAAAB",
            "mana1.",
            "mana1.%",
            "mana1.W10x",
            "mana1.W10=",
            "mana1.Nw==",
        ] {
            assert!(
                Thoughts::unsealed(other).is_none_or(|thoughts| thoughts == Thoughts::default()),
                "{other}"
            );
        }
    }
}
