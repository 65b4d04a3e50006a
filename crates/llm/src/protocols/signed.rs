//! Fields that a provider alone can read and wants back with the history: signatures of thoughts. A caller's protocol
//! has no place for them, so they travel sealed, in its thoughts or in the ids of its calls, and go back to the
//! provider that gave them and to no other.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::wire::{Extra, Message};

/// The fields: OpenRouter's for a message, Google's for a call or a message.
const FIELDS: [&str; 2] = ["reasoning_details", "extra_content"];
/// The field of a message or a call that holds them until a provider is chosen.
const KEPT_AS: &str = "mana_signed";
/// The mark in an id between a provider's own part and the sealed one.
const IN_ID: &str = "_mana1_";

/// The fields of one provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Signed {
    /// The provider's name.
    #[serde(default)]
    by: String,
    #[serde(default)]
    fields: Extra,
}

/// The fields that the id of a call carries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct InId {
    /// The call's own.
    #[serde(default, skip_serializing_if = "Signed::is_empty")]
    call: Signed,
    /// The message's, where no thoughts carry them.
    #[serde(default, skip_serializing_if = "Signed::is_empty")]
    message: Signed,
}

/// Returns the fields in a message, a call, or a piece of either.
pub(super) fn signed_fields(said: &Value) -> Extra {
    let told = FIELDS
        .iter()
        .filter_map(|field| Some((*field, said.get(*field)?)));
    let told = told.filter(|(_, value)| match value {
        Value::Array(items) => !items.is_empty(),
        value => value.is_object(),
    });
    told.map(|(field, value)| (field.to_owned(), value.clone()))
        .collect()
}

/// The words in OpenRouter's details.
pub(super) fn words_of_details(fields: &Extra) -> String {
    let details = fields.get("reasoning_details").and_then(Value::as_array);
    let details = details.into_iter().flatten();
    let words = details.filter_map(|detail| detail["text"].as_str().or(detail["summary"].as_str()));
    words.collect()
}

impl Signed {
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Names the provider.
    pub fn is_by(&mut self, provider: &str) {
        provider.clone_into(&mut self.by);
    }

    /// Returns the fields so far, and begins anew for the same provider.
    pub fn take(&mut self) -> Self {
        Self {
            by: self.by.clone(),
            fields: std::mem::take(&mut self.fields),
        }
    }

    /// The fields of a call by the same provider.
    pub fn of_call(&self, fields: Extra) -> Self {
        Self {
            by: self.by.clone(),
            fields,
        }
    }

    /// Adds the fields of another piece.
    pub fn add(&mut self, fields: Extra) {
        for (field, value) in fields {
            match (self.fields.get_mut(&field), value) {
                (Some(Value::Array(details)), Value::Array(more)) => {
                    more.into_iter().for_each(|one| add_detail(details, one));
                }
                (_, value) => drop(self.fields.insert(field, value)),
            }
        }
    }

    /// The same without what no provider gives.
    pub fn checked(mut self) -> Option<Self> {
        self.fields = signed_fields(&Value::Object(self.fields));
        (!self.is_empty()).then_some(self)
    }

    /// Puts the fields into a message or a call, to be given back.
    fn keep_in(self, extra: &mut Map<String, Value>) {
        if self.is_empty() {
            return;
        }
        let kept = extra.entry(KEPT_AS).or_insert(json!([]));
        if let Some(kept) = kept.as_array_mut() {
            kept.push(json!(self));
        }
    }

    /// Puts the fields into a message, to be given back.
    pub fn keep_in_message(self, message: &mut Message) {
        self.keep_in(&mut message.extra);
    }
}

/// Adds a detail. Words are streamed in pieces, each with the place of the detail that it goes on with.
fn add_detail(details: &mut Vec<Value>, mut detail: Value) {
    let is_words = |detail: &Value| {
        matches!(
            detail["type"].as_str(),
            Some("reasoning.text" | "reasoning.summary")
        )
    };
    let before = details.last_mut().filter(|before| {
        let same = |field: &str| before[field] == detail[field];
        // A signature is the end of its detail.
        is_words(&detail) && same("type") && same("index") && before["signature"].is_null()
    });
    let (Some(Value::Object(before)), Some(more)) = (before, detail.as_object_mut()) else {
        details.push(detail);
        return;
    };
    for (field, value) in std::mem::take(more) {
        match (before.get_mut(&field), value) {
            (_, Value::Null) => {}
            (Some(Value::String(said)), Value::String(more))
                if field == "text" || field == "summary" =>
            {
                said.push_str(&more);
            }
            (_, value) => drop(before.insert(field, value)),
        }
    }
}

/// The id of a call for its caller, with what its provider wants back.
pub(super) fn sealed_id(id: String, call: Signed, message: Signed) -> String {
    let carried = InId { call, message };
    if carried.call.is_empty() && carried.message.is_empty() {
        return id;
    }
    let sealed = BASE64_URL_SAFE_NO_PAD.encode(json!(carried).to_string());
    format!("{id}{IN_ID}{sealed}")
}

/// The id that the provider gave.
pub(super) fn plain_id(id: &str) -> &str {
    id.split_once(IN_ID).map_or(id, |(plain, _)| plain)
}

/// Puts the fields in the id of a call where they belong: its own into the call, the message's into the message.
pub(super) fn unseal_id(id: &str, call: &mut Value, message: &mut Extra) {
    let Some((_, sealed)) = id.split_once(IN_ID) else {
        return;
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok();
    let carried = bytes.and_then(|bytes| serde_json::from_slice::<InId>(&bytes).ok());
    let carried = carried.unwrap_or_default();
    if let (Some(signed), Some(call)) = (carried.call.checked(), call.as_object_mut()) {
        signed.keep_in(call);
    }
    if let Some(signed) = carried.message.checked() {
        signed.keep_in(message);
    }
}

/// Gives the fields in a message and its calls back to the provider that is asked, and drops those of others.
pub(crate) fn give_back(message: &mut Message, provider: &str) {
    restore(&mut message.extra, provider);
    let calls = message.extra.get_mut("tool_calls");
    let calls = calls.and_then(Value::as_array_mut).into_iter().flatten();
    for call in calls.filter_map(Value::as_object_mut) {
        restore(call, provider);
    }
}

fn restore(extra: &mut Map<String, Value>, provider: &str) {
    let Some(kept) = extra.remove(KEPT_AS) else {
        return;
    };
    let kept: Vec<Signed> = serde_json::from_value(kept).unwrap_or_default();
    let mut own = Signed::default();
    let given = kept.into_iter().filter(|signed| signed.by == provider);
    given.for_each(|signed| own.add(signed.fields));
    extra.extend(own.fields);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(by: &str, fields: Value) -> Signed {
        serde_json::from_value(json!({"by": by, "fields": fields})).unwrap()
    }

    #[test]
    fn details_that_come_in_pieces_are_put_together_and_sealed_ones_stay_apart() {
        let mut all = Signed::default();
        for detail in [
            json!({"type": "reasoning.text", "index": 0, "text": "Let ", "signature": null, "format": "f"}),
            json!({"type": "reasoning.text", "index": 0, "text": "me."}),
            json!({"type": "reasoning.text", "index": 0, "text": null, "signature": "s"}),
            json!({"type": "reasoning.summary", "index": 0, "summary": "x"}),
            json!({"type": "reasoning.encrypted", "index": 0, "id": "a", "data": "A"}),
            json!({"type": "reasoning.encrypted", "index": 0, "id": "b", "data": "B"}),
            json!(7),
        ] {
            all.add(signed_fields(&json!({ "reasoning_details": [detail] })));
        }
        assert_eq!(
            all.fields["reasoning_details"],
            json!([
                {"type": "reasoning.text", "index": 0, "text": "Let me.", "signature": "s", "format": "f"},
                {"type": "reasoning.summary", "index": 0, "summary": "x"},
                {"type": "reasoning.encrypted", "index": 0, "id": "a", "data": "A"},
                {"type": "reasoning.encrypted", "index": 0, "id": "b", "data": "B"}, 7])
        );
        assert_eq!(words_of_details(&all.fields), "Let me.x");
    }

    #[test]
    fn an_id_brings_back_what_it_carried_to_the_provider_that_gave_it() {
        let call = signed(
            "gemini",
            json!({"extra_content": {"google": {"thought_signature": "s+/="}}}),
        );
        let details = json!([{"type": "reasoning.encrypted", "data": "x"}]);
        let message = signed("gemini", json!({ "reasoning_details": details }));
        let id = sealed_id("call_1".to_owned(), call.clone(), message);
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        assert!(id.chars().all(is_plain), "{id}");
        assert_eq!(plain_id(&id), "call_1");
        for (provider, comes) in [("gemini", true), ("openrouter", false)] {
            let mut history = Message::text("assistant", "");
            let mut given = json!({"id": plain_id(&id)});
            unseal_id(&id, &mut given, &mut history.extra);
            history
                .extra
                .insert("tool_calls".to_owned(), json!([given]));
            give_back(&mut history, provider);
            let expected = match comes {
                true => {
                    json!([{"id": "call_1", "extra_content": {"google": {"thought_signature": "s+/="}}}])
                }
                false => json!([{"id": "call_1"}]),
            };
            assert_eq!(history.extra["tool_calls"], expected);
            let told = history.extra.get("reasoning_details");
            assert_eq!(told, comes.then_some(&details));
        }
        assert_eq!(
            sealed_id("a".to_owned(), Signed::default(), Signed::default()),
            "a"
        );
    }

    #[test]
    fn a_foreign_id_carries_nothing_and_no_other_field_comes_in() {
        let mut call = json!({});
        let mut message = Extra::new();
        let forged =
            json!({"call": {"by": "up", "fields": {"model": "dear", "extra_content": "x"}}});
        let forged = BASE64_URL_SAFE_NO_PAD.encode(forged.to_string());
        for id in [
            "",
            "a",
            "_mana1_",
            "a_mana1_%",
            &format!("a_mana1_{forged}"),
        ] {
            unseal_id(id, &mut call, &mut message);
            assert_eq!((&call, message.len()), (&json!({}), 0), "{id}");
        }
    }
}
