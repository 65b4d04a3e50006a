//! How a provider's words differ from those that most providers understand who speak OpenAI's protocol.

/// A dialect of OpenAI's protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The field that bounds an answer.
    pub bound_field: &'static str,
    /// Whether a stream is asked to end with its usage.
    pub asks_for_usage: bool,
    /// Whether any model is held to a JSON schema; elsewhere it depends on the model.
    pub holds_any_model_to_schema: bool,
    /// The path beside `/v1` at which earlier versions list their models.
    pub earlier_list: Option<&'static str>,
}

impl Dialect {
    /// The words that most providers understand.
    pub const USUAL: Self = Self {
        bound_field: "max_tokens",
        asks_for_usage: true,
        holds_any_model_to_schema: false,
        earlier_list: None,
    };
}
