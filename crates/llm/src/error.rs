//! Failures of a call, in words for a person and in OpenAI's shape
//! for a program.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::secret::Scrubber;

/// The result of a gateway call.
pub type Result<T, E = GatewayError> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection to the provider.
    Connect,
    /// The provider took longer than allowed, or fell silent.
    Timeout,
    /// The provider answered with this status.
    Http(u16),
    /// The provider wants fewer calls, and maybe says when to come back.
    RateLimited {
        /// How long to wait.
        retry_after: Option<Duration>,
    },
    /// The answer is larger than allowed.
    TooLarge,
    /// The answer is not the JSON that it should be.
    BadJson,
    /// The answer broke off before its end.
    CutOff,
    /// The gateway is closing, or the reader of a stream stopped reading.
    Cancelled,
    /// The request itself is wrong; the field at fault, if it is one.
    InvalidRequest {
        /// The field at fault.
        param: Option<&'static str>,
    },
    /// The provider failed too often or asked to be left alone, and was not asked.
    Paused {
        /// When it is asked again.
        retry_after: Duration,
    },
    /// No provider has this model.
    UnknownModel,
    /// The caller may not use this model.
    Forbidden,
    /// The caller's budget does not hold the call.
    OverBudget,
    /// The caller makes more calls than it may.
    TooManyCalls {
        /// When it may again.
        retry_after: Duration,
    },
    /// The caller showed no valid bearer.
    Unauthorized,
}

/// An entry of a chain that did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The model that was asked, as `provider/model`.
    pub model: String,
    /// The failure's stable name.
    pub code: &'static str,
    /// The reason, in plain words.
    pub message: String,
    /// How long it took to fail, in milliseconds.
    pub duration_ms: u64,
    /// Whether the model had read the prompt by then, so that its tokens are paid for.
    #[serde(skip)]
    pub prompt_read: bool,
}

/// A failed call. Its text is fit for a person: it says what went wrong and,
/// where Mana knows, what to do; no key is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct GatewayError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// The reason, in plain words.
    pub message: String,
    /// The provider that was asked.
    pub provider: Option<String>,
    /// The fields of the upstream's own error (`type`, `code`, `param`).
    pub upstream: Option<Box<Value>>,
    /// Every attempt that failed, this last one included; empty where nobody was asked.
    pub attempts: Vec<Attempt>,
    /// How many milliseconds the provider asks to wait, where its status alone does not say so: `Retry-After` of a 503.
    pub wait_millis: Option<u32>,
    /// Whether the call may be made again, where the provider says so (`x-should-retry`).
    pub said_retry: Option<bool>,
    /// The gateway has made the call again as often as that helps; whoever called must not.
    pub is_final: bool,
    /// The failure answers the form that this request asked for, tools or a schema, and says nothing about the health
    /// of the provider: servers of models answer 500 where they can't read a call that the model wrote.
    pub is_about_form: bool,
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GatewayError {}

impl GatewayError {
    /// An error of this kind. A sentence may begin with "the model’s server"; its capital is made here.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.starts_with("the ") {
            message.replace_range(..1, "T");
        }
        Self {
            kind,
            message,
            provider: None,
            upstream: None,
            attempts: Vec::new(),
            wait_millis: None,
            said_retry: None,
            is_final: false,
            is_about_form: false,
        }
    }

    /// A request that can't be right.
    pub fn invalid(param: Option<&'static str>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest { param }, message)
    }

    /// The end of every call once the gateway closes.
    pub(crate) fn closed() -> Self {
        Self::new(
            ErrorKind::Cancelled,
            "The call was cancelled because Mana is shutting down",
        )
    }

    /// The same, naming the provider that was asked.
    pub fn from_provider(mut self, provider: &str) -> Self {
        self.provider.get_or_insert_with(|| provider.to_owned());
        self
    }

    /// The same as the failure of a request that asks for more than text: for calls, JSON of a schema, or a look at
    /// pictures.
    pub(crate) fn of_formed_request(mut self) -> Self {
        self.is_about_form = self.kind == ErrorKind::Http(500);
        self
    }

    /// The same without secrets.
    pub(crate) fn scrubbed(mut self, scrub: &Scrubber) -> Self {
        self.message = scrub.text(&self.message);
        self.upstream = self
            .upstream
            .and_then(|said| serde_json::from_str(&scrub.text(&said.to_string())).ok());
        self
    }

    /// The failure without a word of the caller's or the provider's: for the log, and for people who made other calls.
    /// `label` is the provider's name for people.
    pub(crate) fn without_content(&self, label: &str) -> Cow<'_, str> {
        let status = match self.kind {
            // Said in Mana's own words alone.
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Paused { .. } => {
                return Cow::Borrowed(&self.message);
            }
            ErrorKind::Http(status) => status,
            ErrorKind::RateLimited { .. } => 429,
            ErrorKind::TooLarge => return format!("{label} sent too large an answer").into(),
            ErrorKind::BadJson => return format!("{label} sent no answer that can be read").into(),
            ErrorKind::CutOff => return format!("{label} broke off its answer").into(),
            _ => return self.code().into(),
        };
        match status {
            401 | 403 => format!("{label} answered {status}; check the key of {label}").into(),
            status => format!("{label} answered {status}").into(),
        }
    }

    /// Whether a provider that was asked and failed so had read the prompt: an answer that was cut off or took too
    /// long is paid for, a refused or unreachable one is not. The one rule for what a failed call costs.
    pub(crate) fn reads_prompt(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Timeout | ErrorKind::CutOff | ErrorKind::TooLarge
        )
    }

    /// The attempts whose prompt is paid for although none of them answered.
    pub fn prompts_read(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.prompt_read)
    }

    /// How long the provider, or the gateway, asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimited { retry_after } => retry_after,
            ErrorKind::Paused { retry_after } | ErrorKind::TooManyCalls { retry_after } => {
                Some(retry_after)
            }
            _ => self
                .wait_millis
                .map(|millis| Duration::from_millis(millis.into())),
        }
    }

    /// Whether a client that makes failed calls again by itself must not do so.
    pub(crate) fn must_not_be_retried(&self) -> bool {
        self.is_final || matches!(self.kind, ErrorKind::OverBudget | ErrorKind::Forbidden)
    }

    /// The error's stable name.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Connect => "provider_unreachable",
            ErrorKind::Timeout => "provider_timeout",
            ErrorKind::Http(401 | 403) => "provider_refused_key",
            ErrorKind::Http(_) => "provider_error",
            ErrorKind::RateLimited { .. } => "rate_limit_exceeded",
            ErrorKind::TooLarge => "answer_too_large",
            ErrorKind::BadJson => "bad_answer",
            ErrorKind::CutOff => "answer_cut_off",
            ErrorKind::Cancelled => "cancelled",
            ErrorKind::InvalidRequest { .. } => "invalid_request",
            ErrorKind::Paused { .. } => "provider_paused",
            ErrorKind::UnknownModel => "model_not_found",
            ErrorKind::Forbidden => "model_not_allowed",
            ErrorKind::OverBudget => "insufficient_quota",
            ErrorKind::TooManyCalls { .. } => "rate_limit_exceeded",
            ErrorKind::Unauthorized => "unauthorized",
        }
    }

    /// The status to answer a caller with. An upstream's refusal of *our* key
    /// is not the caller's 401.
    pub fn status(&self) -> u16 {
        match self.kind {
            ErrorKind::Timeout => 504,
            ErrorKind::Http(status) => match status {
                401 | 403 | 407 => 502,
                400..=599 => status,
                _ => 502,
            },
            ErrorKind::RateLimited { .. }
            | ErrorKind::OverBudget
            | ErrorKind::TooManyCalls { .. } => 429,
            ErrorKind::Forbidden => 403,
            ErrorKind::Connect | ErrorKind::TooLarge | ErrorKind::BadJson | ErrorKind::CutOff => {
                502
            }
            ErrorKind::Cancelled | ErrorKind::Paused { .. } => 503,
            ErrorKind::InvalidRequest { .. } => 400,
            ErrorKind::UnknownModel => 404,
            ErrorKind::Unauthorized => 401,
        }
    }

    /// `{"error": …}` in OpenAI's shape, which is Mana's with `type` and
    /// `param`. The upstream's own type, code and param win.
    pub fn body(&self) -> Value {
        let said = |field: &str| {
            self.upstream
                .as_ref()
                .and_then(|upstream| upstream.get(field))
                .filter(|value| !value.is_null())
                .cloned()
        };
        let param = match self.kind {
            ErrorKind::InvalidRequest { param } => param.into(),
            ErrorKind::UnknownModel | ErrorKind::Forbidden => "model".into(),
            _ => Value::Null,
        };
        let mut details = json!({ "kind": self.code() });
        if let Some(provider) = &self.provider {
            details["provider"] = provider.as_str().into();
        }
        if !self.attempts.is_empty() {
            details["attempts"] = json!(self.attempts);
        }
        json!({ "error": {
            "message": self.message,
            "type": said("type").unwrap_or_else(|| self.openai_type().into()),
            "param": said("param").unwrap_or(param),
            "code": said("code").unwrap_or_else(|| self.code().into()),
            "details": details,
        }})
    }

    fn openai_type(&self) -> &'static str {
        match self.kind {
            ErrorKind::OverBudget => "insufficient_quota",
            _ => openai_type(self.status()),
        }
    }
}

/// OpenAI's name for failures of a status.
pub(crate) fn openai_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_openais_shape_and_the_upstreams_reason() {
        let mut error = GatewayError::new(ErrorKind::Http(400), "too long").from_provider("openai");
        error.upstream = Some(Box::new(
            json!({"type": "invalid_request_error", "code": "context_length_exceeded", "param": null}),
        ));
        assert_eq!(
            error.body(),
            json!({"error": {"message": "too long", "type": "invalid_request_error", "param": null,
                "code": "context_length_exceeded",
                "details": {"kind": "provider_error", "provider": "openai"}}})
        );
    }

    #[test]
    fn a_refused_key_is_not_the_callers_401() {
        assert_eq!(GatewayError::new(ErrorKind::Http(401), "").status(), 502);
        assert_eq!(GatewayError::new(ErrorKind::Unauthorized, "").status(), 401);
    }
}
