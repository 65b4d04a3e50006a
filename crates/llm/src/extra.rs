//! `[llm.extra]`: headers and fields that an owner adds to the requests for a provider or one of its models. A caller
//! can neither set nor see them.

use std::collections::{BTreeMap, HashSet};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::secret::Secret;
use crate::wire::Object;

/// Headers that belong to the connection or to the form of a request.
const OWN_HEADERS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

/// Fields by which a request says what it is, and on which budgets rely.
const OWN_FIELDS: [&str; 12] = [
    "best_of",
    "input",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "num_predict",
    "stream",
    "stream_options",
    "thinking",
];

/// The additions to requests, as a file has them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtraSettings {
    /// Headers by name. Their values are secrets.
    pub headers: BTreeMap<String, Secret>,
    /// Fields of the body of a chat or, of a single model, of embeddings. Objects are joined with those of the request,
    /// and where both say something the owner's word counts.
    pub body: Map<String, Value>,
}

impl ExtraSettings {
    /// The first name of what can't be added, and why not.
    pub(crate) fn wrong(&self) -> Option<(&str, &'static str)> {
        for (name, value) in &self.headers {
            let is_own = OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            if is_own || HeaderName::try_from(name).is_err() {
                return Some((name, "is no header that can be added; remove it"));
            }
            if HeaderValue::try_from(value.expose()).is_err() {
                let problem = "has characters that a header can't have; copy its value again";
                return Some((name, problem));
            }
        }
        let mut names = self.body.keys();
        let own = names.find(|name| OWN_FIELDS.contains(&name.as_str()))?;
        Some((own, "is said by each request and can't be added; remove it"))
    }

    /// Puts the headers among others, in the place of those of the same name.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name);
            let value = HeaderValue::try_from(value.expose());
            if let (Ok(name), Ok(mut value)) = (name, value) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
    }

    /// The body of a request with the fields, in its own order.
    pub(crate) fn add_fields(&self, body: Vec<u8>) -> Vec<u8> {
        if self.body.is_empty() {
            return body;
        }
        let text = str::from_utf8(&body).ok();
        let joined = text.and_then(|text| joined(text, &self.body));
        joined.map_or(body, String::into_bytes)
    }
}

/// The text of an object with these fields; none where it is no object.
fn joined(text: &str, fields: &Map<String, Value>) -> Option<String> {
    let mut object = Object::read(text)?;
    for (name, value) in fields {
        let inner = value
            .as_object()
            .and_then(|inner| joined(object.get(name)?, inner));
        object.set(name.clone(), inner.unwrap_or_else(|| value.to_string()));
    }
    Some(object.text())
}

/// The additions to the requests for a provider, and for each of its models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra {
    own: ExtraSettings,
    models: BTreeMap<String, ExtraSettings>,
}

impl Extra {
    /// The part of a table, by provider and `provider/model`, that is about a provider.
    pub(crate) fn of(table: &BTreeMap<String, ExtraSettings>, provider: &str) -> Self {
        let models = table.iter().filter_map(|(name, settings)| {
            let model = name.strip_prefix(provider)?.strip_prefix('/')?;
            Some((model.to_owned(), settings.clone()))
        });
        Self {
            own: table.get(provider).cloned().unwrap_or_default(),
            models: models.collect(),
        }
    }

    /// The additions for the provider itself.
    pub(crate) fn own(&self) -> &ExtraSettings {
        &self.own
    }

    /// Returns the additions for a model.
    pub(crate) fn of_model(&self, model: &str) -> Option<&ExtraSettings> {
        self.models.get(model)
    }

    /// The values of all headers.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let all = self.models.values().chain([&self.own]);
        all.flat_map(|settings| settings.headers.values())
    }
}

/// Adds names to a header that lists names, each once.
pub(crate) fn add_names(headers: &mut HeaderMap, header: HeaderName, names: &[String]) {
    if names.is_empty() {
        return;
    }
    let given = headers.get(&header).map(|given| given.to_str());
    let given = given.and_then(Result::ok).unwrap_or_default().to_owned();
    let mut all: Vec<&str> = given.split(',').map(str::trim).collect();
    all.extend(names.iter().map(String::as_str));
    let mut seen = HashSet::new();
    all.retain(|name| !name.is_empty() && seen.insert(*name));
    if let Ok(value) = HeaderValue::try_from(all.join(",")) {
        headers.insert(header, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(text: Value) -> ExtraSettings {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn fields_are_added_in_order_and_the_owners_word_counts() {
        let extra = settings(json!({"body": {
            "keep_alive": -1, "top_k": 5, "chat_template_kwargs": {"enable_thinking": false}}}));
        let body = r#"{"model":"m","top_k":9,"chat_template_kwargs":{"z":1,"enable_thinking":true,"a":2},"zz":1}"#;
        let added = String::from_utf8(extra.add_fields(body.into())).unwrap();
        assert_eq!(
            added,
            body.replace("9", "5")
                .replace("true", "false")
                .replace(":1}", r#":1,"keep_alive":-1}"#)
        );
        assert_eq!(extra.add_fields(b"[]".into()), b"[]");
    }

    #[test]
    fn what_can_not_be_added_is_refused_by_name() {
        for wrong in [
            json!({"headers": {"host": "x"}}),
            json!({"headers": {"Content-Length": "1"}}),
            json!({"headers": {"a b": "x"}}),
            json!({"headers": {"x-a": "a\nb"}}),
            json!({"body": {"max_tokens": 1}}),
            json!({"body": {"n": 9}}),
            json!({"body": {"stream_options": null}}),
            json!({"body": {"messages": []}}),
        ] {
            assert!(settings(wrong.clone()).wrong().is_some(), "{wrong}");
        }
        let fine = json!({"headers": {"authorization": "Basic x", "CF-Access-Client-Id": "x"}, "body": {"a": 1}});
        assert_eq!(settings(fine).wrong(), None);
        let unknown: Result<ExtraSettings, _> = serde_json::from_value(json!({"header": {}}));
        assert!(unknown.is_err());
    }

    #[test]
    fn a_value_of_a_header_is_never_printed() {
        let extra = settings(json!({"headers": {"x-secret": "hush-hush-hush"}}));
        assert!(!format!("{extra:?}").contains("hush-hush"));
    }
}
