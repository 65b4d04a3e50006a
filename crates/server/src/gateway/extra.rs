//! Headers and fields that the owner adds to the requests for a provider or a model, as they are stored: the values of
//! headers sealed, as they are secrets.

use std::collections::BTreeMap;

use mana_llm::{ConfigError, ExtraSettings, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{ApiError, ApiResult};
use crate::vault::Vault;

/// The additions for a provider or a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SavedExtra {
    /// The sealed values of headers, by name.
    pub sealed_headers: BTreeMap<String, String>,
    /// Fields of the body.
    pub body: Map<String, Value>,
}

/// The name under which the value of a header is sealed.
fn seal_name(of: &str, header: &str) -> String {
    format!("extra {of} {}", header.to_ascii_lowercase())
}

impl SavedExtra {
    /// Additions as the owner writes them. A header without a value keeps the one that is saved.
    pub fn of(
        vault: &Vault,
        name: &str,
        headers: &BTreeMap<String, Option<String>>,
        body: &Map<String, Value>,
        before: Option<&Self>,
    ) -> ApiResult<Self> {
        let mut sealed_headers = BTreeMap::new();
        for (header, value) in headers {
            let sealed = match value {
                Some(value) => vault
                    .seal(&seal_name(name, header), value.trim())
                    .map_err(ApiError::internal)?,
                None => before
                    .and_then(|before| before.sealed_headers.get(header).cloned())
                    .ok_or_else(|| {
                        ApiError::invalid(format!(
                            "No value of the header {header} is saved for {name}; write its value."
                        ))
                    })?,
            };
            sealed_headers.insert(header.clone(), sealed);
        }
        Ok(Self {
            sealed_headers,
            body: body.clone(),
        })
    }

    /// The additions as the gateway takes them.
    pub fn opened(&self, vault: &Vault, name: &str) -> Result<ExtraSettings, ConfigError> {
        let headers = self.sealed_headers.iter().map(|(header, sealed)| {
            let value = vault.unseal(&seal_name(name, header), sealed);
            let value = value.map_err(|error| ConfigError {
                setting: format!("the header {header} for {name}"),
                problem: error.to_string(),
                code: "sealed_key",
                field: None,
            })?;
            Ok((header.clone(), Secret::new(value)))
        });
        Ok(ExtraSettings {
            headers: headers.collect::<Result<_, ConfigError>>()?,
            body: self.body.clone(),
        })
    }
}

/// Forgets the headers for a provider and its models: a header with a key is its address's, as the provider's key is.
pub fn forget_headers(extra: &mut BTreeMap<String, SavedExtra>, provider: &str) {
    for (name, saved) in extra.iter_mut() {
        let model = name.strip_prefix(provider);
        if model.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            saved.sealed_headers.clear();
        }
    }
    extra.retain(|_, saved| *saved != SavedExtra::default());
}
