//! The OpenID provider by which people sign in, and the server that mails them links.

use mana_accounts::OidcConfig;
use mana_llm::Secret;

use super::source::{ConfigError, Source};

/// A server that sends mail.
#[derive(Debug, Clone)]
pub struct SmtpConfig {
    /// The address, which may hold a password: `smtps://…`, or `smtp://…?tls=required`.
    pub url: Secret,
    /// The sender.
    pub from: lettre::message::Mailbox,
}

/// Reads the OpenID provider. Issuer and client id belong together; a public client has no secret.
pub fn oidc(source: &Source) -> Result<Option<OidcConfig>, ConfigError> {
    let names = ["MANA_OIDC_ISSUER", "MANA_OIDC_CLIENT_ID"];
    let set = names.map(|name| source.get(name));
    let (issuer, client_id) = match set {
        [None, None] => return Ok(None),
        [Some(issuer), Some(client_id)] => (issuer, client_id),
        [issuer, _] => {
            let missing = if issuer.is_none() { names[0] } else { names[1] };
            return Err(ConfigError::new(
                missing,
                "is missing; sign-in by an OpenID provider needs MANA_OIDC_ISSUER and MANA_OIDC_CLIENT_ID: \
                 use both, or none",
            ));
        }
    };
    let host = issuer.parse().ok().and_then(|uri: axum::http::Uri| {
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        uri.host().filter(|_| is_http).map(str::to_owned)
    });
    let Some(host) = host else {
        return Err(ConfigError::new(
            names[0],
            format!(
                "'{issuer}' is no address; use the provider's issuer, such as https://id.example.org"
            ),
        ));
    };
    Ok(Some(OidcConfig {
        client_id,
        client_secret: source.get("MANA_OIDC_CLIENT_SECRET"),
        name: source.get("MANA_OIDC_NAME").unwrap_or(host),
        issuer,
    }))
}

/// Reads the mail server. Address and sender belong together.
pub fn smtp(source: &Source) -> Result<Option<SmtpConfig>, ConfigError> {
    let (url, from) = match (source.get("MANA_SMTP_URL"), source.get("MANA_SMTP_FROM")) {
        (None, None) => return Ok(None),
        (Some(url), Some(from)) => (url, from),
        (url, _) => {
            let missing = if url.is_none() {
                "MANA_SMTP_URL"
            } else {
                "MANA_SMTP_FROM"
            };
            return Err(ConfigError::new(
                missing,
                "is missing; mail needs MANA_SMTP_URL and MANA_SMTP_FROM: use both, or none",
            ));
        }
    };
    if lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::from_url(&url).is_err() {
        return Err(ConfigError::new(
            "MANA_SMTP_URL",
            "is no address of a mail server; use smtps://user:password@mail.example.org, or \
             smtp://user:password@mail.example.org:587?tls=required",
        ));
    }
    let from = from.parse().map_err(|_| {
        ConfigError::new(
            "MANA_SMTP_FROM",
            format!("'{from}' is no sender; use an address, such as Mana <mana@example.org>"),
        )
    })?;
    Ok(Some(SmtpConfig {
        url: Secret::new(url),
        from,
    }))
}
