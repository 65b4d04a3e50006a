//! A provider as it is configured, and the error of a setting that can't be right.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::extra::Extra;
use crate::secret::Secret;

/// The name of the provider of `MANA_LLM_URL`.
pub(crate) const DEFAULT: &str = "default";

/// The protocol that a provider speaks, by its name in settings. Only a protocol that a folder of
/// [`providers`](crate::providers) speaks has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api(&'static str);

impl Api {
    /// The protocol of this name.
    pub(crate) const fn of(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name in settings, such as `openai`.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// A provider.
#[derive(Clone, PartialEq)]
pub struct ProviderConfig {
    /// Its name in `provider/model`.
    pub name: String,
    /// The protocol that it speaks.
    pub api: Api,
    /// Its address, `/v1` included.
    pub base_url: Url,
    /// Its key, if it wants one.
    pub key: Option<Secret>,
    /// For one whole call, where it differs from the gateway's.
    pub timeout: Option<Duration>,
    /// Calls at the same time at most; the others wait.
    pub concurrency: usize,
    /// Models that the owner named: taken first, and known without asking.
    pub models: Vec<String>,
    /// Headers and fields that the owner adds to requests.
    pub extra: Extra,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig")
            .field("name", &self.name)
            .field("api", &self.api)
            .field("base_url", &self.base_url.as_str())
            .field("key", &self.key)
            .field("timeout", &self.timeout)
            .field("concurrency", &self.concurrency)
            .field("models", &self.models)
            .field("extra", &self.extra)
            .finish()
    }
}

/// A setting that can't be right. Says which one and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    /// The variable or the key in `mana.toml`.
    pub setting: String,
    /// The fault and its remedy.
    pub problem: String,
    /// The fault for programs, such as `invalid_url`.
    pub code: &'static str,
    /// The field of a provider that the fault is in, as the API names it; `None` where it is in no provider.
    pub field: Option<&'static str>,
}

impl ConfigError {
    /// The fault of a setting that belongs to no provider.
    pub(crate) fn new(setting: &str, code: &'static str, problem: impl Into<String>) -> Self {
        Self {
            setting: setting.to_owned(),
            problem: problem.into(),
            code,
            field: None,
        }
    }

    /// The same fault in a field of a provider.
    pub(crate) fn of_field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }
}

/// Reads a provider's address. `setting` names it in errors.
pub(crate) fn base_url_of(text: &str, setting: &str) -> Result<Url, ConfigError> {
    let wrong = |code, problem: &str| ConfigError::new(setting, code, problem).of_field("baseUrl");
    let url = Url::parse(text.trim()).map_err(|_| {
        wrong(
            "invalid_url",
            "is no address; write it like https://host/v1 or http://127.0.0.1:11434/v1",
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("invalid_url", "must start with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "url_with_password",
            "has a name or password in it; put the key where keys belong (MANA_LLM_KEY, or key in mana.toml)",
        ));
    }
    Ok(url)
}
