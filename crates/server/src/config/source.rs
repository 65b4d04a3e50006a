//! Sources of values: the environment, then `mana.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use mana_llm::{LlmConfig, LlmSettings};

use super::table::{Variable, variable_table};

/// A value that can't be used: the variable, the problem and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{what} {message}")]
pub struct ConfigError {
    what: String,
    message: String,
    /// The variable with the value, where it is known.
    variable: Option<String>,
    /// The gateway's own error, where the value is one of its settings.
    of_gateway: Option<Box<mana_llm::ConfigError>>,
}

impl ConfigError {
    /// Makes the error of a variable.
    pub fn new(variable: &str, message: impl Into<String>) -> ConfigError {
        ConfigError {
            what: format!("{variable}:"),
            message: message.into(),
            variable: Some(variable.to_owned()),
            of_gateway: None,
        }
    }

    /// Makes the error of a configuration file.
    pub fn file(path: &Path, message: impl Into<String>) -> ConfigError {
        ConfigError {
            what: path.display().to_string(),
            message: message.into(),
            variable: None,
            of_gateway: None,
        }
    }

    /// Returns the gateway's own error, where the value is one of its settings.
    pub fn of_gateway(&self) -> Option<&mana_llm::ConfigError> {
        self.of_gateway.as_deref()
    }
}

impl From<mana_llm::ConfigError> for ConfigError {
    fn from(error: mana_llm::ConfigError) -> ConfigError {
        ConfigError {
            what: format!("{}:", error.setting),
            message: error.problem.clone(),
            variable: None,
            of_gateway: Some(Box::new(error)),
        }
    }
}

/// Source in which a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The environment.
    Environment,
    /// The configuration file.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Environment => f.write_str("environment"),
            Origin::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The values that were set, by the variable's name, and the file's `[llm]` table.
#[derive(Clone, Default)]
pub struct Source {
    values: BTreeMap<&'static str, (String, Origin)>,
    llm: LlmSettings,
    /// The lines of the file's keys, counted from 1.
    lines: BTreeMap<String, usize>,
}

impl fmt::Debug for Source {
    /// Shows names only: the values hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Source {
    /// Reads every known variable; `text` is the configuration file's content.
    pub fn new(
        env: &dyn Fn(&str) -> Option<String>,
        file: &Path,
        text: &str,
    ) -> Result<Source, ConfigError> {
        let mut values = BTreeMap::new();
        let (set, llm) = from_file(file, text)?;
        for (variable, value) in set {
            values.insert(variable.name, (value, Origin::File(file.to_owned())));
        }
        for variable in variable_table() {
            if let Some(value) = of_environment(env, &variable)? {
                values.insert(variable.name, (value, Origin::Environment));
            }
        }
        let lines = lines_of_keys(text);
        Ok(Source { values, llm, lines })
    }

    /// Returns the error of a value with the place where the value stands: the file, its line and its key, where the
    /// variable was not set in the environment.
    pub fn placed(&self, mut error: ConfigError) -> ConfigError {
        let variable = error.variable.as_deref();
        let key = variable_table()
            .find(|known| Some(known.name) == variable)
            .and_then(|known| known.key);
        let origin = variable.and_then(|variable| self.values.get(variable));
        if let (Some(key), Some((_, Origin::File(path)))) = (key, origin) {
            error.what = match self.lines.get(key) {
                Some(line) => format!("{}, line {line}, key '{key}':", path.display()),
                None => format!("{}, key '{key}':", path.display()),
            };
        }
        error
    }

    /// Returns the gateway's part: the environment over the file's `[llm]` table.
    pub fn llm(&self) -> Result<LlmConfig, ConfigError> {
        self.llm_under(LlmSettings::default())
    }

    /// Returns the gateway's part with other settings over the file's, entry by entry.
    pub fn llm_under(&self, over: LlmSettings) -> Result<LlmConfig, ConfigError> {
        let mut settings = self.llm.clone();
        for (name, mut provider) in over.providers {
            // A key of the environment goes to the address of the environment or the file, never to a saved one.
            let key = format!("{}_API_KEY", name.to_ascii_uppercase());
            if self.find(&key).is_some() {
                let file = settings.providers.get(&name);
                provider.base_url = file.and_then(|file| file.base_url.clone());
            }
            settings.providers.insert(name, provider);
        }
        settings.aliases.extend(over.aliases);
        settings.models.extend(over.models);
        settings.extra.extend(over.extra);
        let lookup = |name: &str| {
            let (value, origin) = self.find(name)?;
            // The gateway reads these two from the file itself, where they mean something else beside a URL.
            let own = matches!(name, "MANA_LLM_MODEL" | "MANA_LLM_TIMEOUT_MS")
                && origin != Origin::Environment;
            (!own).then_some(value)
        };
        Ok(LlmConfig::load(settings, lookup)?)
    }

    /// Returns a value with its origin, if it was set.
    pub fn find(&self, name: &str) -> Option<(String, Origin)> {
        self.values.get(name).cloned()
    }

    /// Returns a value, if it was set.
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|(value, _)| value.clone())
    }

    /// Returns a value or the table's default.
    pub fn effective(&self, name: &str) -> String {
        self.get(name).unwrap_or_else(|| {
            variable_table()
                .find(|variable| variable.name == name)
                .and_then(|variable| variable.default)
                .unwrap_or_default()
                .to_owned()
        })
    }
}

/// Returns the value of a variable, or the content of the file that its `_FILE` variant names: how container managers
/// pass secrets.
fn of_environment(
    env: &dyn Fn(&str) -> Option<String>,
    variable: &Variable,
) -> Result<Option<String>, ConfigError> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let value = set(variable.name);
    let file_variable = format!("{}_FILE", variable.name);
    let Some(path) = set(&file_variable).filter(|_| variable.secret) else {
        return Ok(value.map(|value| value.trim().to_owned()));
    };
    if value.is_some() {
        return Err(ConfigError::new(
            &file_variable,
            format!("{} is set as well; set one of them", variable.name),
        ));
    }
    let text = std::fs::read_to_string(path.trim()).map_err(|error| {
        let problem = format!(
            "the file {} can't be read ({error}); let the user that runs Mana read it",
            path.trim()
        );
        ConfigError::new(&file_variable, problem)
    })?;
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Returns the lines on which the keys of a TOML file stand, by their dotted names.
fn lines_of_keys(text: &str) -> BTreeMap<String, usize> {
    let mut table = String::new();
    let mut lines = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let name = header.split(']').next().unwrap_or_default();
            table = format!("{}.", name.trim());
        } else if let Some((key, _)) = line.split_once('=') {
            let key = key.trim().trim_matches('"');
            lines.entry(format!("{table}{key}")).or_insert(index + 1);
        }
    }
    lines
}

/// Returns the known name that is most like this one, if any is.
pub fn most_like<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

type FromFile = (Vec<(Variable, String)>, LlmSettings);

fn from_file(path: &Path, text: &str) -> Result<FromFile, ConfigError> {
    let mut table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        ConfigError::file(
            path,
            format!(
                "line {line}: {}; correct it, or remove the line",
                error.message()
            ),
        )
    })?;
    let llm = llm_settings(path, &mut table)?;
    let mut values = Vec::new();
    for (key, value) in flatten("", &table) {
        let variable = variable_table()
            .find(|variable| variable.key == Some(key.as_str()))
            .ok_or_else(|| {
                let known: Vec<_> = variable_table()
                    .filter_map(|variable| variable.key)
                    .collect();
                let line = lines_of_keys(text).get(&key).copied().unwrap_or(1);
                let remedy = match most_like(&key, known.iter().copied()) {
                    Some(known) => format!("did you mean '{known}'?"),
                    None => format!("known are {}", known.join(", ")),
                };
                ConfigError::file(
                    path,
                    format!("line {line} has the unknown key '{key}'; {remedy}"),
                )
            })?;
        let value = text_of(value).ok_or_else(|| {
            ConfigError::file(
                path,
                format!("key '{key}': use a text, a number, true, false or a list of texts"),
            )
        })?;
        if !value.trim().is_empty() {
            values.push((variable, value.trim().to_owned()));
        }
    }
    Ok((values, llm))
}

/// Takes the gateway's settings out of the `[llm]` table. Keys with a variable of their own stay in it.
fn llm_settings(path: &Path, table: &mut toml::Table) -> Result<LlmSettings, ConfigError> {
    let Some(toml::Value::Table(mut llm)) = table.remove("llm") else {
        return Ok(LlmSettings::default());
    };
    let mut variables = toml::Table::new();
    for name in ["url", "key"] {
        variables.extend(llm.remove(name).map(|value| (name.to_owned(), value)));
    }
    for name in ["model", "timeout_ms"] {
        variables.extend(llm.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    table.insert("llm".to_owned(), variables.into());
    toml::Value::Table(llm).try_into().map_err(|error| {
        ConfigError::file(
            path,
            format!("table [llm]: {}", error.to_string().trim_end()),
        )
    })
}

/// Returns the table as dotted keys with their values.
fn flatten<'t>(prefix: &str, table: &'t toml::Table) -> Vec<(String, &'t toml::Value)> {
    table
        .iter()
        .flat_map(|(key, value)| match value {
            toml::Value::Table(inner) => flatten(&format!("{prefix}{key}."), inner),
            value => vec![(format!("{prefix}{key}"), value)],
        })
        .collect()
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| item.as_str()).collect();
            Some(items?.join(","))
        }
        _ => None,
    }
}
