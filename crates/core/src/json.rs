//! Reading types from JSON.
//!
//! The code that serde derives for a type exists once more for each format that the type is read from: for text, and
//! for a [`Value`] with its maps and its arrays. The browser reads everything from a [`Json`], which took 12 kB off its
//! module. The server and devices read the same types from text as well.

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
};
use serde_json::{Error, Number, Value};

/// Reads a type from a value. An object is never read from an array of its fields.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Json::from(value))
}

/// Reads a type from text, as [`from_value`]; the fields of objects stay in their order.
pub fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(serde_json::from_str::<Json>(text)?)
}

/// JSON with the fields of objects in their order.
#[derive(Debug)]
enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl From<Value> for Json {
    fn from(value: Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(value),
            Value::Number(number) => Json::Number(number),
            Value::String(text) => Json::Text(text),
            Value::Array(items) => Json::List(items.into_iter().map(Json::from).collect()),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                Json::Object(fields.map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

impl Json {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Json::Null => Unexpected::Unit,
            Json::Bool(value) => Unexpected::Bool(*value),
            Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => Unexpected::Unsigned(number),
                (_, Some(number), _) => Unexpected::Signed(number),
                (.., number) => Unexpected::Float(number.unwrap_or_default()),
            },
            Json::Text(text) => Unexpected::Str(text),
            Json::List(_) => Unexpected::Seq,
            Json::Object(_) => Unexpected::Map,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}

impl IntoDeserializer<'_, Error> for Json {
    type Deserializer = Json;

    fn into_deserializer(self) -> Json {
        self
    }
}

impl<'de> Deserializer<'de> for Json {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Json::Null => visitor.visit_unit(),
            Json::Bool(value) => visitor.visit_bool(value),
            Json::Number(number) => number.deserialize_any(visitor),
            Json::Text(text) => visitor.visit_string(text),
            Json::List(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Json::Object(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Json::Null => visitor.visit_none(),
            value => visitor.visit_some(value),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Json::Object(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
            other => Err(de::Error::invalid_type(other.unexpected(), &visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Json::Text(variant) => visitor.visit_enum(variant.into_deserializer()),
            Json::Object(fields) if fields.len() == 1 => {
                let fields = MapDeserializer::new(fields.into_iter());
                visitor.visit_enum(MapAccessDeserializer::new(fields))
            }
            Json::Object(_) => Err(de::Error::invalid_value(
                Unexpected::Map,
                &"map with a single key",
            )),
            other => Err(de::Error::invalid_type(
                other.unexpected(),
                &"string or map",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use indexmap::IndexMap;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Shape {
        Point,
        Circle { radius: f64 },
        Named(String),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Drawing {
        shapes: Vec<Shape>,
        place: Option<(i64, u8)>,
        #[serde(default)]
        visible: bool,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    #[test]
    fn a_type_is_read_as_serde_json_reads_it() {
        let list = json!(["point", {"circle": {"radius": 2}}, {"named": "a"}]);
        for value in [
            json!({"shapes": list, "place": [-3, 4], "visible": true, "more": {"deep": [1.5, null]}}),
            json!({"shapes": [], "place": null}),
            json!({"shapes": [{"circle": {"radius": 1}, "named": "b"}]}),
            json!({"shapes": [{"square": {}}]}),
            json!({"shapes": ["circle"]}),
            json!({"shapes": [7]}),
            json!({"shapes": {}}),
            json!({"place": [1, 2]}),
            json!({"shapes": [], "place": [1, 300]}),
            json!({"shapes": [], "place": [1]}),
            json!({"shapes": [], "visible": null}),
            json!("text"),
        ] {
            let said = |read: Result<Drawing, Error>| read.map_err(|error| error.to_string());
            let expected = said(serde_json::from_value(value.clone()));
            assert_eq!(said(from_text(&value.to_string())), expected);
            assert_eq!(said(from_value(value)), expected);
        }
    }

    #[test]
    fn the_fields_of_an_object_stay_in_their_order() {
        let read: IndexMap<String, u8> = from_text(r#"{"b": 1, "a": 2, "c": 3}"#).expect("numbers");
        assert_eq!(read.keys().collect::<Vec<_>>(), ["b", "a", "c"]);
    }

    #[test]
    fn an_object_is_not_read_from_an_array() {
        #[derive(Debug, Deserialize)]
        struct Pair {
            #[expect(dead_code, reason = "only whether it can be read matters")]
            one: u8,
        }
        assert!(from_text::<Pair>(r#"{"one": 1}"#).is_ok());
        assert!(from_text::<Pair>("[1]").is_err());
        assert!(from_text::<(u8, u8)>("[1, 2, 3]").is_err());
    }
}
