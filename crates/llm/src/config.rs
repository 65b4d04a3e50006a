//! Which providers there are: from the environment first, then from the `[llm]`
//! table of `mana.toml`. Nothing is ignored in silence: an unknown key or an
//! address that can't be right is an error that says what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::extra::{Extra, ExtraSettings};
use crate::fallback::FallbackSettings;
use crate::models::ModelSettings;
use crate::provider_config::{ConfigError, DEFAULT, ProviderConfig, base_url_of};
use crate::providers::PROVIDERS;
use crate::providers::known::{self, RESERVED, USUAL_PROTOCOL};
use crate::providers::known_provider::CONCURRENCY;
use crate::secret::Secret;

/// The configuration of the gateway.
#[derive(Clone, Debug)]
pub struct LlmConfig {
    /// The providers, in the order in which an alias looks for one.
    pub providers: Vec<ProviderConfig>,
    /// Where Ollama is looked for when nobody named it; `None` looks nowhere.
    pub probe: Option<ProviderConfig>,
    /// Chains of model names by alias.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// The model of every alias without a chain of its own.
    pub model: Option<String>,
    /// For one whole call to a provider.
    pub timeout: Duration,
    /// For the silence between two pieces of a stream.
    pub idle: Duration,
    /// For the wait until a provider with a limit has a free place.
    pub queue: Duration,
    /// The largest answer that is read.
    pub max_answer_bytes: usize,
    /// The largest batch of embeddings that is read.
    pub max_embeddings_bytes: usize,
    /// How often a whole chain is asked again where its failures may pass.
    pub retries: u32,
    /// Which refusals of a provider send a call on to the next entry of its chain.
    pub fallback: FallbackSettings,
    /// The owner's word about models, by `provider/model`.
    pub models: BTreeMap<String, ModelSettings>,
    /// Answers that are kept for the same question again; `None` keeps none.
    pub cache: Option<CacheSettings>,
}

/// `[llm.cache]`: answers cached in the process for the same caller's same question, where nothing about it is left to
/// chance (`temperature` 0).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "CacheTable")]
pub struct CacheSettings {
    /// The most that all cached answers take together, in MB.
    pub megabytes: usize,
    /// How long a cached answer is valid, in seconds.
    pub seconds: u64,
}

/// The table `[llm.cache]` as a file may hold it, with the key of earlier versions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheTable {
    #[serde(default = "megabytes")]
    megabytes: usize,
    seconds: u64,
    redis: Option<IgnoredAny>,
}

impl TryFrom<CacheTable> for CacheSettings {
    type Error = &'static str;

    fn try_from(table: CacheTable) -> Result<Self, Self::Error> {
        if table.redis.is_some() {
            return Err(
                "`redis` in [llm.cache] is gone: each process caches answers in its own memory; remove the line",
            );
        }
        Ok(Self {
            megabytes: table.megabytes,
            seconds: table.seconds,
        })
    }
}

fn megabytes() -> usize {
    16
}

/// The `[llm]` table of `mana.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LlmSettings {
    /// The model of every alias without a chain of its own.
    pub model: Option<String>,
    /// For one whole call to a provider, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Whether Ollama is looked for on this machine; yes unless it says no.
    pub find_ollama: Option<bool>,
    /// How often a whole chain is asked again where its failures may pass; 2 unless it says another number.
    pub retries: Option<u32>,
    /// The largest answer that is read, in MB; 8 unless it says another number. Pictures that a model makes may need
    /// more.
    pub max_answer_mb: Option<usize>,
    /// The largest batch of embeddings that is read, in MB; 64 unless it says another number.
    pub max_embeddings_mb: Option<usize>,
    /// `[llm.fallback]`: which refusals send a call on to the next entry of its chain.
    pub fallback: FallbackSettings,
    /// `[llm.models."openai/gpt-5"]`: prices, and what a model can do.
    pub models: BTreeMap<String, ModelSettings>,
    /// `[llm.extra.NAME]` and `[llm.extra."provider/model"]`: headers and fields that are added to requests.
    pub extra: BTreeMap<String, ExtraSettings>,
    /// `[llm.cache]`; nothing is kept without it.
    pub cache: Option<CacheSettings>,
    /// `"mana/reasoning" = ["openai/…", "ollama/…"]`.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// `[llm.providers.NAME]`.
    pub providers: BTreeMap<String, ProviderSettings>,
}

/// A `[llm.providers.NAME]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderSettings {
    /// The name of the protocol that it speaks; the provider's own where it is left out.
    pub api: Option<String>,
    /// Its address; may be left out for a known provider.
    pub base_url: Option<String>,
    /// Its key.
    pub key: Option<Secret>,
    /// The models to use, best first; all of them when left out.
    pub models: Vec<String>,
    /// For one whole call, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Calls at the same time at most.
    pub concurrency: Option<usize>,
}

const TIMEOUT: Duration = Duration::from_secs(300);
const IDLE: Duration = Duration::from_secs(120);
const QUEUE: Duration = Duration::from_secs(1800);
const MAX_ANSWER_BYTES: usize = 8 << 20;
/// Room for a batch of OpenAI's 2,048 inputs.
const MAX_EMBEDDINGS_BYTES: usize = 64 << 20;
const RETRIES: u32 = 2;

impl Default for LlmConfig {
    /// No providers at all, none looked for, and each asked once.
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            probe: None,
            aliases: BTreeMap::new(),
            model: None,
            timeout: TIMEOUT,
            idle: IDLE,
            queue: QUEUE,
            max_answer_bytes: MAX_ANSWER_BYTES,
            max_embeddings_bytes: MAX_EMBEDDINGS_BYTES,
            retries: 0,
            fallback: FallbackSettings::default(),
            models: BTreeMap::new(),
            cache: None,
        }
    }
}

impl ProviderConfig {
    /// A provider at this address, with the defaults of the one that Mana knows by the name, or the usual ones.
    /// `setting` names the address in errors.
    pub fn new(name: &str, base_url: &str, setting: &str) -> Result<Self, ConfigError> {
        let known = known::find(name);
        let protocol = known.map_or(USUAL_PROTOCOL, |known| known.protocol);
        Ok(Self {
            name: name.to_owned(),
            api: protocol.api(),
            base_url: base_url_of(base_url, setting)?,
            key: None,
            timeout: None,
            concurrency: known.map_or(CONCURRENCY, |known| known.concurrency),
            models: Vec::new(),
            extra: Extra::default(),
        })
    }
}

impl LlmConfig {
    /// Reads the settings and the environment over them. `env` looks up one
    /// variable; an empty one counts as unset.
    pub fn load(
        settings: LlmSettings,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let mut tables = settings.providers;
        let mut providers = Vec::new();
        let mut model = settings.model;

        if let Some(url) = env("MANA_LLM_URL") {
            let mut provider = ProviderConfig::new(DEFAULT, &url, "MANA_LLM_URL")?;
            provider.key = env("MANA_LLM_KEY").map(Secret::new);
            if let Some(named) = env("MANA_LLM_MODEL") {
                model = Some(format!("{DEFAULT}/{}", named.trim()));
                provider.models = vec![named.trim().to_owned()];
            } else {
                // What the file names is a model of another provider.
                model = None;
            }
            providers.push(provider);
        } else if let Some(named) = env("MANA_LLM_MODEL") {
            model = Some(named.trim().to_owned());
        }

        for known in PROVIDERS.iter().filter(|known| known.key.is_none()) {
            let Some(variable) = &known.address else {
                continue;
            };
            if let Some(text) = env(variable.name) {
                let table = tables.remove(known.name).unwrap_or_default();
                let base = (variable.read)(&text);
                providers.push(provider(known.name, &base, variable.name, table, None)?);
            }
        }
        // The file's own order is lost in parsing; names in order are the next best.
        let named: Vec<String> = tables.keys().cloned().collect();
        for name in named {
            let known = known::find(&name);
            let key = known.and_then(|known| known.key);
            if key.is_some_and(|key| env(key).is_some()) {
                continue;
            }
            let mut table = tables.remove(&name).unwrap_or_default();
            let setting = format!("llm.providers.{name}.base_url");
            check_name(&name)?;
            let base = table.base_url.take();
            let Some(base) = base.or_else(|| Some(known?.base_url.to_owned())) else {
                let problem = "missing; give the provider's OpenAI-compatible address, such as https://host/v1";
                return Err(ConfigError::new(&setting, "required", problem).of_field("baseUrl"));
            };
            providers.push(provider(&name, &base, &setting, table, None)?);
        }
        for known in PROVIDERS {
            let Some(key) = known.key.and_then(&env) else {
                continue;
            };
            let mut table = tables.remove(known.name).unwrap_or_default();
            let replaced = known.address.as_ref().and_then(|variable| {
                let text = env(variable.name)?;
                Some(((variable.read)(&text), variable.name))
            });
            let (base, setting) = replaced.unwrap_or_else(|| {
                let base = table.base_url.take();
                (
                    base.unwrap_or_else(|| known.base_url.to_owned()),
                    known.name,
                )
            });
            let key = Some(Secret::new(key));
            providers.push(provider(known.name, &base, setting, table, key)?);
        }

        for (name, extra) in &settings.extra {
            if let Some((field, problem)) = extra.wrong() {
                let setting = format!("llm.extra.{name:?}: {field}");
                let problem = format!("`{field}` {problem}");
                return Err(ConfigError::new(&setting, "invalid_extra", problem));
            }
        }
        for provider in &mut providers {
            provider.extra = Extra::of(&settings.extra, &provider.name);
        }
        let is_configured = |name| providers.iter().any(|provider| provider.name == name);
        let mut probe = PROVIDERS
            .iter()
            .filter(|known| settings.find_ollama != Some(false) && known.is_local)
            .find(|known| !is_configured(known.name))
            .map(|known| ProviderConfig::new(known.name, known.base_url, known.name))
            .transpose()?;
        if let Some(probe) = &mut probe {
            probe.extra = Extra::of(&settings.extra, &probe.name);
        }
        for (alias, chain) in &settings.aliases {
            let of_models = chain.iter().all(|model| !model.starts_with("mana/"));
            if !alias.starts_with("mana/") || chain.is_empty() || !of_models {
                return Err(ConfigError::new(
                    &format!("llm.aliases.{alias:?}"),
                    "invalid_alias",
                    "an alias starts with mana/ and stands for at least one provider/model, not for another alias",
                ));
            }
        }
        for (name, model) in &settings.models {
            let wrong = [model.input, model.output]
                .into_iter()
                .flatten()
                .any(|price| !price.is_finite() || price < 0.0);
            if !name.contains('/') || wrong || model.input.is_some() != model.output.is_some() {
                return Err(ConfigError::new(
                    &format!("llm.models.{name:?}"),
                    "invalid_model",
                    "a model is named provider/model, and its price has both halves, \
                     input and output, in US dollars per million tokens",
                ));
            }
        }
        let megabytes = |setting: &str, megabytes: Option<usize>, usual: usize| match megabytes {
            Some(0) => {
                let problem = "must be 1 or more";
                Err(ConfigError::new(setting, "range", problem))
            }
            Some(megabytes) => Ok(megabytes.saturating_mul(1 << 20)),
            None => Ok(usual),
        };
        let (answer, embeddings) = (settings.max_answer_mb, settings.max_embeddings_mb);
        Ok(Self {
            max_answer_bytes: megabytes("llm.max_answer_mb", answer, MAX_ANSWER_BYTES)?,
            max_embeddings_bytes: megabytes(
                "llm.max_embeddings_mb",
                embeddings,
                MAX_EMBEDDINGS_BYTES,
            )?,
            providers,
            probe,
            aliases: settings.aliases,
            retries: settings.retries.unwrap_or(RETRIES).min(10),
            fallback: settings.fallback,
            models: settings.models,
            cache: settings.cache,
            model,
            timeout: timeout(env("MANA_LLM_TIMEOUT_MS"), settings.timeout_ms)?,
            ..Self::default()
        })
    }

    /// [`LlmConfig::load`] without a file.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::load(LlmSettings::default(), env)
    }
}

fn provider(
    name: &str,
    base: &str,
    setting: &str,
    table: ProviderSettings,
    key: Option<Secret>,
) -> Result<ProviderConfig, ConfigError> {
    let mut provider = ProviderConfig::new(name, base, setting)?;
    provider.key = key.or(table.key);
    provider.models = table.models;
    if let Some(api) = table.api {
        provider.api = known::api(&api).ok_or_else(|| {
            let names: Vec<_> = known::protocols().iter().map(|known| known.name).collect();
            let problem = format!("is no protocol; use one of {}", names.join(", "));
            ConfigError::new(&format!("llm.providers.{name}.api"), "unknown", problem)
                .of_field("api")
        })?;
    }
    provider.timeout = table.timeout_ms.map(Duration::from_millis);
    if let Some(concurrency) = table.concurrency {
        if concurrency == 0 {
            let setting = format!("llm.providers.{name}.concurrency");
            let problem = "must be 1 or more";
            return Err(ConfigError::new(&setting, "range", problem).of_field("concurrency"));
        }
        provider.concurrency = concurrency;
    }
    Ok(provider)
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let fits = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if fits && !RESERVED.contains(&name) {
        return Ok(());
    }
    let problem = "a provider's name is made of letters, digits, dots and dashes, and is not mana, builtin or default; \
                   rename it";
    let setting = format!("llm.providers.{name}");
    Err(ConfigError::new(&setting, "invalid_name", problem).of_field("name"))
}

fn timeout(variable: Option<String>, setting: Option<u64>) -> Result<Duration, ConfigError> {
    let ms = match variable {
        Some(text) => text.trim().parse().ok(),
        None => Some(setting.unwrap_or(TIMEOUT.as_millis() as u64)),
    };
    match ms {
        Some(ms) if ms > 0 => Ok(Duration::from_millis(ms)),
        _ => Err(ConfigError::new(
            "MANA_LLM_TIMEOUT_MS",
            "range",
            "must be a whole number of milliseconds above 0, such as 300000",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            let pair = pairs.iter().find(|(key, _)| *key == name)?;
            Some(pair.1.to_owned())
        }
    }

    fn names(config: &LlmConfig) -> Vec<&str> {
        config.providers.iter().map(|p| p.name.as_str()).collect()
    }

    #[test]
    fn nothing_set_looks_for_ollama_on_this_machine() {
        let config = LlmConfig::from_env(env(&[("OPENAI_API_KEY", "  ")])).unwrap();
        assert!(config.providers.is_empty());
        let probe = config.probe.unwrap();
        assert_eq!(probe.base_url.as_str(), "http://127.0.0.1:11434/v1");
        assert_eq!(probe.concurrency, 1);
        assert_eq!(config.timeout, Duration::from_secs(300));
    }

    #[test]
    fn providers_are_found_in_their_usual_variables() {
        let config = LlmConfig::from_env(env(&[
            ("GROQ_API_KEY", "g"),
            ("OPENAI_API_KEY", "o"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/"),
            ("OLLAMA_HOST", "box"),
            ("MANA_LLM_URL", "http://127.0.0.1:8/v1"),
            ("MANA_LLM_KEY", "k"),
            ("MANA_LLM_MODEL", "org/model"),
            ("MANA_LLM_TIMEOUT_MS", "1500"),
        ]))
        .unwrap();
        assert_eq!(names(&config), ["default", "ollama", "openai", "groq"]);
        assert_eq!(config.providers[1].base_url.as_str(), "http://box:11434/v1");
        assert_eq!(config.providers[2].concurrency, 64);
        assert_eq!(config.model.as_deref(), Some("default/org/model"));
        assert_eq!(config.timeout, Duration::from_millis(1500));
        assert!(config.probe.is_none());
        assert!(!format!("{config:?}").contains("\"k\""));
    }

    #[test]
    fn a_setting_that_cannot_be_right_is_named() {
        for (pairs, setting) in [
            (&[("MANA_LLM_URL", "localhost:11434")][..], "MANA_LLM_URL"),
            (&[("MANA_LLM_URL", "http://me:pw@host/v1")], "MANA_LLM_URL"),
            (&[("MANA_LLM_TIMEOUT_MS", "5m")], "MANA_LLM_TIMEOUT_MS"),
            (
                &[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "x")],
                "OPENAI_BASE_URL",
            ),
        ] {
            let lookup = |name: &str| pairs.iter().find(|p| p.0 == name).map(|p| p.1.to_owned());
            assert_eq!(LlmConfig::from_env(lookup).unwrap_err().setting, setting);
        }
        let mut settings = LlmSettings::default();
        settings
            .providers
            .insert("box".into(), ProviderSettings::default());
        let problem = LlmConfig::load(settings, |_| None).unwrap_err();
        assert_eq!(problem.setting, "llm.providers.box.base_url");
        let unknown = serde_json::from_str::<LlmSettings>(r#"{"modle": "x"}"#);
        assert!(unknown.unwrap_err().to_string().contains("modle"));
    }

    #[test]
    fn a_cache_in_redis_is_refused_with_what_to_do_and_without_its_password() {
        let parse = |cache| {
            let table = serde_json::json!({"cache": cache});
            serde_json::from_value::<LlmSettings>(table).map(|settings| settings.cache)
        };
        let settings = parse(serde_json::json!({"seconds": 5})).unwrap();
        let expected = CacheSettings {
            megabytes: 16,
            seconds: 5,
        };
        assert_eq!(settings, Some(expected));
        for url in [serde_json::json!("redis://:hunter2@box/"), 7.into()] {
            let error = parse(serde_json::json!({"seconds": 5, "redis": url})).unwrap_err();
            let error = error.to_string();
            for word in ["redis", "[llm.cache]", "gone", "remove the line"] {
                assert!(error.contains(word), "{error}");
            }
            assert!(!error.contains("hunter2"), "{error}");
        }
        let unknown = parse(serde_json::json!({"seconds": 5, "memcached": "x"})).unwrap_err();
        assert!(unknown.to_string().contains("memcached"), "{unknown}");
    }

    #[test]
    fn the_owner_bounds_answers_and_batches() {
        let load = |settings: serde_json::Value| {
            let settings: LlmSettings = serde_json::from_value(settings).unwrap();
            let config = LlmConfig::load(settings, |_| None);
            config.map(|config| {
                (
                    config.max_answer_bytes >> 20,
                    config.max_embeddings_bytes >> 20,
                )
            })
        };
        assert_eq!(load(serde_json::json!({})).unwrap(), (8, 64));
        let set = serde_json::json!({"max_answer_mb": 9, "max_embeddings_mb": 200});
        assert_eq!(load(set).unwrap(), (9, 200));
        let problem = load(serde_json::json!({"max_embeddings_mb": 0})).unwrap_err();
        assert_eq!(problem.setting, "llm.max_embeddings_mb");
    }

    #[test]
    fn the_file_names_providers_and_the_environment_wins() {
        let settings: LlmSettings = serde_json::from_value(serde_json::json!({
            "model": "box/m", "find_ollama": false,
            "providers": {
                "box": {"base_url": "http://box/v1", "concurrency": 2, "timeout_ms": 5, "models": ["m"]},
                "openai": {"key": "from the file", "models": ["gpt-x"]},
            }
        }))
        .unwrap();
        let config = LlmConfig::load(settings, env(&[("OPENAI_API_KEY", "from the env")])).unwrap();
        assert_eq!(names(&config), ["box", "openai"]);
        assert_eq!(config.providers[0].concurrency, 2);
        assert_eq!(config.providers[1].key, Some(Secret::new("from the env")));
        assert_eq!(config.providers[1].models, ["gpt-x"]);
        assert!(config.probe.is_none());
    }
}
