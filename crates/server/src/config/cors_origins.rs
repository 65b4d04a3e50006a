//! `MANA_CORS_ORIGINS` and `MANA_API_CORS_ORIGINS`: the origins that browsers may call from.

use axum::http::{HeaderValue, Uri};

use super::source::{ConfigError, Source};

/// Origins, each as a browser sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsOrigins(Vec<String>);

impl CorsOrigins {
    /// Reads a list with commas between the origins.
    ///
    /// # Errors
    ///
    /// An entry is no origin; it is returned.
    pub fn parse(text: &str) -> Result<CorsOrigins, String> {
        let entries = text.split(',').map(str::trim);
        let origins = entries.filter(|entry| !entry.is_empty()).map(|entry| {
            let origin = entry.trim_end_matches('/').to_ascii_lowercase();
            match is_origin(&origin) {
                true => Ok(origin),
                false => Err(entry.to_owned()),
            }
        });
        Ok(CorsOrigins(origins.collect::<Result<_, _>>()?))
    }

    /// Reads a list for programs with a bearer, which may also be extensions and apps: `*`, `null`, and origins of any
    /// scheme.
    ///
    /// # Errors
    ///
    /// An entry is no origin; it is returned.
    pub fn parse_of_programs(text: &str) -> Result<CorsOrigins, String> {
        let entries = text.split(',').map(str::trim);
        let origins = entries.filter(|entry| !entry.is_empty()).map(|entry| {
            let origin = entry.trim_end_matches('/').to_ascii_lowercase();
            match matches!(entry, ANY | "null") || is_bare(&origin) {
                true => Ok(origin),
                false => Err(entry.to_owned()),
            }
        });
        Ok(CorsOrigins(origins.collect::<Result<_, _>>()?))
    }

    /// Whether every origin may call.
    pub fn has_any(&self) -> bool {
        self.iter().any(|origin| origin == ANY)
    }

    /// Whether no other origin may call.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The origins.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The origins as header values.
    pub fn headers(&self) -> Vec<HeaderValue> {
        let values = self.0.iter();
        values
            .filter_map(|origin| HeaderValue::from_str(origin).ok())
            .collect()
    }
}

/// The origins of `MANA_CORS_ORIGINS`.
pub(super) fn of_pages(source: &Source) -> Result<CorsOrigins, ConfigError> {
    let text = source.get("MANA_CORS_ORIGINS").unwrap_or_default();
    CorsOrigins::parse(&text).map_err(|entry| {
        ConfigError::new(
            "MANA_CORS_ORIGINS",
            format!(
                "'{entry}' is no origin; use a list of schemes with hosts, such as https://app.example.org"
            ),
        )
    })
}

/// The origins of `MANA_API_CORS_ORIGINS`, else those of pages.
pub(super) fn of_programs(source: &Source) -> Result<CorsOrigins, ConfigError> {
    let Some(text) = source.get("MANA_API_CORS_ORIGINS") else {
        return of_pages(source);
    };
    CorsOrigins::parse_of_programs(&text).map_err(|entry| {
        ConfigError::new(
            "MANA_API_CORS_ORIGINS",
            format!(
                "'{entry}' is no origin; use *, or a list such as https://app.example.org,capacitor://localhost"
            ),
        )
    })
}

/// The entry for every origin.
const ANY: &str = "*";

fn is_origin(text: &str) -> bool {
    is_bare(text) && (text.starts_with("http://") || text.starts_with("https://"))
}

/// Whether a text is a scheme and a host, and nothing else.
fn is_bare(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let ends_there = uri.path() == "/" && uri.query().is_none() && !text.contains('@');
    uri.scheme().is_some() && has_host && ends_there
}
