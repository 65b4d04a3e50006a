//! A JSON object whose fields keep their order and their text: what Mana passes on is changed in the fields that have
//! to change, and nowhere else.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Extra;

/// An object: names, and values as JSON text.
pub(crate) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    changed: bool,
}

#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            fields.push((name, Cow::Borrowed(value.get())));
        }
        Ok(Object {
            fields,
            changed: false,
        })
    }
}

impl<'a> Object<'a> {
    /// The object that a text is; none where it is something else.
    pub fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The object that bytes are; none where they are something else.
    pub fn of_bytes(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The text of a field; the last one where there are several of its name, as every reader takes it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().rev();
        let (_, text) = fields.find(|(field, _)| field == name)?;
        Some(text)
    }

    /// A field as a value of a type; none where it is absent or something else.
    pub fn value<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// The items of a field, each as its text; none where it is no list.
    pub fn items(&self, name: &str) -> Option<Vec<&RawValue>> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Puts JSON into a field, at its place or at the end.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, json: String) {
        let name = name.into();
        self.changed = true;
        let mut fields = self.fields.iter_mut().rev();
        match fields.find(|(field, _)| *field == name) {
            Some((_, text)) => *text = json.into(),
            None => self.fields.push((name, json.into())),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) {
        let before = self.fields.len();
        self.fields.retain(|(field, _)| field != name);
        self.changed |= self.fields.len() != before;
    }

    /// The names of the fields, each with its text.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, text)| (&**name, &**text))
    }

    /// The fields that are not among these.
    pub fn rest(&self, known: &[&str]) -> Extra {
        let others = self.fields.iter();
        let others = others.filter(|(name, _)| !known.contains(&&**name));
        others
            .map(|(name, text)| {
                let value = serde_json::from_str(text).unwrap_or_default();
                (name.clone().into_owned(), value)
            })
            .collect()
    }

    /// The text of the object, where a field of it was changed.
    pub fn changed_text(&self) -> Option<String> {
        self.changed.then(|| self.text())
    }

    /// The text of the object.
    pub fn text(&self) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.fields {
            push_field(&mut text, name, value);
        }
        text.push('}');
        text
    }
}

fn push_field(text: &mut String, name: &str, value: &str) {
    if text.len() > 1 {
        text.push(',');
    }
    text.push_str(&json_text(name));
    text.push(':');
    text.push_str(value);
}

/// A text as JSON.
pub(crate) fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

/// A value of a field of a request that goes up.
pub(crate) enum Field<'v> {
    /// As it was written.
    AsWritten,
    /// A text.
    Text(&'v str),
    /// Yes or no.
    Flag(bool),
    /// A value, as it was written where it is still the same.
    Value(&'v Value),
}

/// The text of a request with these fields and no others, in the order and in the words in which it was written. None
/// where it is no object.
pub(crate) fn rewritten(written: &[u8], now: &BTreeMap<&str, Field<'_>>) -> Option<Vec<u8>> {
    let object = Object::of_bytes(written)?;
    // The last field of a name counts, and is the only one that goes up.
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, (name, _)) in object.fields.iter().enumerate() {
        last.insert(name, place);
    }
    let mut text = String::with_capacity(written.len() + 64);
    text.push('{');
    for (place, (name, was)) in object.fields.iter().enumerate() {
        let Some(field) = now.get(&**name).filter(|_| last[&**name] == place) else {
            continue;
        };
        match field {
            Field::AsWritten => push_field(&mut text, name, was),
            Field::Value(value)
                if serde_json::from_str::<Value>(was).ok().as_ref() == Some(value) =>
            {
                push_field(&mut text, name, was);
            }
            field => push_field(&mut text, name, &field.json()),
        }
    }
    let added = now.iter().filter(|(name, _)| !last.contains_key(*name));
    for (name, field) in added {
        if !matches!(field, Field::AsWritten) {
            push_field(&mut text, name, &field.json());
        }
    }
    text.push('}');
    Some(text.into_bytes())
}

impl Field<'_> {
    fn json(&self) -> String {
        match self {
            Self::AsWritten => "null".to_owned(),
            Self::Text(text) => json_text(text),
            Self::Flag(flag) => flag.to_string(),
            Self::Value(value) => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changes_is_written_anew() {
        let written = r#"{"z": 1.0, "model": "a/m", "b" : {"y":1, "x":2.50},"n":7,"n":9, "gone":1,
            "big":12345678901234567890123}"#;
        let extra: Value = serde_json::from_str(written).unwrap();
        let added = json!(3);
        let eight = json!(8);
        let now = BTreeMap::from([
            ("model", Field::Text("m")),
            ("z", Field::Value(&extra["z"])),
            ("b", Field::Value(&extra["b"])),
            ("big", Field::Value(&extra["big"])),
            ("n", Field::Value(&eight)),
            ("new", Field::Value(&added)),
            ("stream", Field::Flag(true)),
            ("tools", Field::AsWritten),
        ]);
        let text = String::from_utf8(rewritten(written.as_bytes(), &now).unwrap()).unwrap();
        assert_eq!(
            text,
            r#"{"z":1.0,"model":"m","b":{"y":1, "x":2.50},"n":8,"big":12345678901234567890123,"new":3,"stream":true}"#
        );
        assert!(rewritten(b"[]", &now).is_none());
    }
}
