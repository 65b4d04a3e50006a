//! Which failures send a call on to the next entry of its chain, and which may pass by themselves.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{ErrorKind, GatewayError};

/// `[llm.fallback]`: which refusals of a provider send a call on to the next entry of its chain; all of them unless it
/// says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FallbackSettings {
    /// The provider refuses its key (401, 403).
    pub refused_key: bool,
    /// The account at the provider has nothing left (402).
    pub empty_account: bool,
    /// The provider has no such model (404).
    pub unknown_model: bool,
    /// The request is too long for the model's window.
    pub small_window: bool,
}

impl Default for FallbackSettings {
    fn default() -> Self {
        Self {
            refused_key: true,
            empty_account: true,
            unknown_model: true,
            small_window: true,
        }
    }
}

/// How providers name an account without means.
const EMPTY_ACCOUNT_CODES: [&str; 4] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
];
const EMPTY_ACCOUNT: [&str; 6] = [
    "credit balance is too low",
    "exceeded your current quota",
    "insufficient balance",
    "insufficient credits",
    "insufficient_quota",
    "used all available credits",
];

/// How providers name a model that they don't have.
const UNKNOWN_MODEL_CODES: [&str; 2] = ["model_not_found", "invalid_model"];
const UNKNOWN_MODEL: [&str; 6] = [
    "invalid model:",
    "model does not exist",
    "model not exist",
    "no such model",
    "not a valid model",
    "unknown model",
];

impl GatewayError {
    /// Whether another entry of a chain may do better: the provider is out of reach, too slow, broken or busy, or has
    /// no use for this key or this model. A request that is wrong here is wrong elsewhere too.
    pub(crate) fn falls_back(&self, rules: &FallbackSettings) -> bool {
        if self.is_of_empty_account() {
            return rules.empty_account;
        }
        if self.context_limit().is_some() {
            return rules.small_window;
        }
        if self.is_of_unknown_model() {
            return rules.unknown_model;
        }
        match self.kind {
            ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Paused { .. }
            | ErrorKind::BadJson
            | ErrorKind::CutOff => true,
            ErrorKind::Http(401 | 403 | 407) => rules.refused_key,
            ErrorKind::Http(408 | 425) => true,
            ErrorKind::Http(status) => status >= 500 || self.said_retry == Some(true),
            _ => false,
        }
    }

    /// Whether the same entry may do better in a moment: not after a
    /// timeout, which would be waited for twice, nor after nonsense, which would come again.
    pub(crate) fn may_pass(&self) -> bool {
        if let Some(said) = self.said_retry {
            return said;
        }
        if self.is_of_empty_account() || self.context_limit().is_some() {
            return false;
        }
        match self.kind {
            ErrorKind::Connect
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Paused { .. }
            | ErrorKind::CutOff => true,
            ErrorKind::Http(status) => status >= 500 || matches!(status, 408 | 425),
            _ => false,
        }
    }

    /// Whether the account at the provider has nothing left: more calls don't help, however long they wait.
    fn is_of_empty_account(&self) -> bool {
        match self.kind {
            ErrorKind::Http(402) => true,
            ErrorKind::Http(400 | 403) | ErrorKind::RateLimited { .. } => {
                self.says(&EMPTY_ACCOUNT_CODES, &EMPTY_ACCOUNT)
            }
            _ => false,
        }
    }

    /// Whether the provider has no such model, or nothing at all at the address of its calls.
    fn is_of_unknown_model(&self) -> bool {
        match self.kind {
            ErrorKind::Http(404 | 405) => true,
            ErrorKind::Http(400 | 422) => self.says(&UNKNOWN_MODEL_CODES, &UNKNOWN_MODEL),
            _ => false,
        }
    }

    /// Whether the provider names one of these codes, or says it in one of these words.
    fn says(&self, codes: &[&str], words: &[&str]) -> bool {
        let Some(upstream) = self.upstream.as_deref() else {
            return false;
        };
        let named = ["code", "type"].iter().any(|field| {
            let name = upstream.get(field).and_then(Value::as_str);
            name.is_some_and(|name| codes.contains(&name))
        });
        let text = || self.message.to_lowercase();
        named || words.iter().any(|words| text().contains(words))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(status: u16, upstream: Value) -> GatewayError {
        let kind = match status {
            429 => ErrorKind::RateLimited { retry_after: None },
            status => ErrorKind::Http(status),
        };
        let reason = upstream["message"].as_str().unwrap_or_default();
        let mut error = GatewayError::new(kind, format!("up answered {status}: {reason}"));
        error.upstream = Some(Box::new(upstream));
        error
    }

    #[test]
    fn each_reason_to_ask_the_next_entry_can_be_switched_off() {
        let on = FallbackSettings::default();
        let without = |change: fn(&mut FallbackSettings)| {
            let mut rules = FallbackSettings::default();
            change(&mut rules);
            rules
        };
        let key = without(|rules| rules.refused_key = false);
        let account = without(|rules| rules.empty_account = false);
        let model = without(|rules| rules.unknown_model = false);
        let window = without(|rules| rules.small_window = false);
        for (off, status, upstream) in [
            (&key, 401, json!({"message": "Incorrect API key provided"})),
            (&key, 403, json!({"message": "forbidden"})),
            (&account, 402, json!({"message": "Payment Required"})),
            (
                &account,
                429,
                json!({"message": "no", "code": "insufficient_quota"}),
            ),
            (
                &account,
                429,
                json!({"message": "no", "type": "insufficient_quota"}),
            ),
            (
                &account,
                400,
                json!({"message": "Your credit balance is too low to access the Anthropic API."}),
            ),
            (
                &account,
                403,
                json!({"message": "Your team has used all available credits"}),
            ),
            (&model, 404, json!({"message": "no such page"})),
            (
                &model,
                400,
                json!({"message": "foo/bar is not a valid model ID"}),
            ),
            (&model, 400, json!({"message": "Invalid model: x"})),
            (
                &window,
                400,
                json!({"message": "too long", "code": "context_length_exceeded"}),
            ),
            (
                &window,
                413,
                json!({"message": "prompt is too long: 210000 tokens > 200000 maximum"}),
            ),
            (
                &window,
                500,
                json!({"message": "the input length exceeds the context length"}),
            ),
        ] {
            let error = said(status, upstream);
            assert!(error.falls_back(&on), "{error}");
            assert!(!error.falls_back(off), "{error}");
            assert!(!error.may_pass(), "{error}");
        }
        for status in [400, 409, 413, 415, 422] {
            let error = said(status, json!({"message": "temperature is out of range"}));
            assert!(!error.falls_back(&on) && !error.may_pass(), "{error}");
        }
        for status in [408, 425, 429, 500, 502, 503, 529] {
            let error = said(status, json!({"message": "later"}));
            assert!(error.falls_back(&on) && error.may_pass(), "{error}");
        }
    }

    #[test]
    fn the_provider_says_whether_a_call_may_be_made_again() {
        let mut never = said(500, json!({"message": "broken"}));
        never.said_retry = Some(false);
        assert!(never.falls_back(&FallbackSettings::default()) && !never.may_pass());
        let mut again = said(409, json!({"message": "locked"}));
        again.said_retry = Some(true);
        assert!(again.falls_back(&FallbackSettings::default()) && again.may_pass());
    }
}
