//! How a provider's words differ from those that most providers understand who speak OpenAI's protocol.

use serde_json::json;

use crate::wire::{Extra, Model};

/// A dialect of OpenAI's protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The field that bounds an answer of a model. Servers pass over the other name of it in silence.
    pub bound_field: fn(&str) -> &'static str,
    /// Whether a stream is asked to end with its usage.
    pub asks_for_usage: bool,
    /// Whether any model is held to a JSON schema; elsewhere it depends on the model.
    pub holds_any_model_to_schema: bool,
    /// The path beside `/v1` at which earlier versions list their models.
    pub earlier_list: Option<&'static str>,
    /// Whether a model can be told how freely to vary its words. A model that thinks may refuse the request for it.
    pub takes_temperature: fn(&str) -> bool,
    /// Whether instructions may have OpenAI's newer role for them; elsewhere templates stumble over it.
    pub knows_developer: bool,
    /// Whether the models are OpenAI's own, with the fields that only they know.
    pub is_openais: bool,
    /// Whether a model can be told how much to think. Where it can't think, the server refuses the request for it.
    pub takes_effort: fn(&str) -> bool,
    /// Whether a message may hold what the model thought before it; strict servers refuse it.
    pub takes_thoughts: bool,
    /// Whether a model refuses calls in a history that it has not signed.
    pub signs_calls: fn(&str) -> bool,
    /// Whether a part of a content may carry a mark for the provider's cache.
    pub keeps_cache_marks: bool,
    /// The server has a protocol of its own beside OpenAI's, which says more.
    pub own: Option<OwnProtocol>,
}

/// A server's own protocol, beside `/v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnProtocol {
    /// Ollama's `/api`, in which a request names the window that it needs.
    Ollama,
    /// The `/props` of llama.cpp, which name the window.
    LlamaCpp,
}

impl OwnProtocol {
    /// The protocol of a server, by the owner that its list of models names.
    pub fn of_list(models: &[Model]) -> Option<Self> {
        models
            .iter()
            .find_map(|model| match model.owned_by.as_str() {
                "library" => Some(Self::Ollama),
                "llamacpp" => Some(Self::LlamaCpp),
                _ => None,
            })
    }
}

impl Dialect {
    /// The words that most providers understand.
    pub const USUAL: Self = Self {
        bound_field: |model| match thinks(model) {
            // Wherever they run, they refuse the older name.
            true => "max_completion_tokens",
            false => "max_tokens",
        },
        asks_for_usage: true,
        holds_any_model_to_schema: false,
        earlier_list: None,
        takes_temperature: |_| true,
        knows_developer: false,
        is_openais: false,
        takes_effort: |model| thinks(model) || model.contains("gpt-oss"),
        takes_thoughts: true,
        signs_calls: |_| false,
        keeps_cache_marks: false,
        own: None,
    };

    /// Deployments at Azure have names of their own, so nothing is known of their models.
    pub const AZURE: Self = Self {
        bound_field: |_| "max_completion_tokens",
        knows_developer: true,
        is_openais: true,
        takes_thoughts: false,
        ..Self::USUAL
    };
}

impl Dialect {
    /// Asks for the usage of a stream, whatever the caller says of it, unless the server tells it unasked and takes no
    /// such field.
    pub fn ask_for_usage(&self, extra: &mut Extra) {
        if !self.asks_for_usage {
            extra.remove("stream_options");
            return;
        }
        let options = extra.entry("stream_options").or_insert(json!({}));
        if !options.is_object() {
            *options = json!({});
        }
        options["include_usage"] = true.into();
    }
}

/// Whether a model of OpenAI's thinks before it answers.
pub(crate) fn thinks(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or_default();
    let starts = ["gpt-5", "o1", "o3", "o4"];
    starts.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_knows_no_stream_options_gets_none() {
        let mistral = Dialect {
            asks_for_usage: false,
            ..Dialect::USUAL
        };
        let options = || Extra::from_iter([("stream_options".to_owned(), json!({"x": 1}))]);
        let (mut told, mut usual) = (options(), options());
        mistral.ask_for_usage(&mut told);
        Dialect::USUAL.ask_for_usage(&mut usual);
        assert!(told.is_empty());
        assert_eq!(
            usual["stream_options"],
            json!({"x": 1, "include_usage": true})
        );
    }

    #[test]
    fn the_bound_of_an_answer_has_the_name_that_the_model_knows() {
        for (dialect, model, name) in [
            (Dialect::USUAL, "qwen3", "max_tokens"),
            (Dialect::USUAL, "openai/gpt-5-mini", "max_completion_tokens"),
            (Dialect::USUAL, "openai/gpt-oss-20b", "max_tokens"),
            (Dialect::AZURE, "prod", "max_completion_tokens"),
        ] {
            assert_eq!((dialect.bound_field)(model), name, "{model}");
        }
    }
}
