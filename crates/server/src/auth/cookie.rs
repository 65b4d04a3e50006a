//! The session cookie, and the cookie by which a device that has signed in before is known.

use axum::http::{HeaderMap, HeaderValue, header};
use mana_accounts::{DEVICE_LIFETIME_S, SESSION_LIFETIME_S, TRUST_LIFETIME_S};

const NAME: &str = "mana_session";
/// Over HTTPS: a browser takes a cookie of this name from this host alone, and from no other port or subdomain (RFC
/// 6265bis, 4.1.3.2).
const NAME_OVER_HTTPS: &str = "__Host-mana_session";
/// Outlives the session: signing out does not make a device a stranger.
const DEVICE: &str = "mana_device";
/// The device is not asked for a second step.
const TRUSTED: &str = "mana_trusted";
/// A sign-in by an OpenID provider is under way.
const OIDC: &str = "mana_oidc";
/// How long such a sign-in may take, in seconds.
pub const OIDC_LIFETIME_S: i64 = 10 * 60;

/// Returns the session's secret as the browser sent it. Without HTTPS another port of the machine can set a cookie of
/// the same name beside it: of two secrets neither counts.
pub fn read(headers: &HeaderMap) -> Option<&str> {
    find(headers, NAME_OVER_HTTPS).or_else(|| {
        let mut found = all(headers, NAME);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    })
}

/// Returns the device's token as the browser sent it.
pub fn read_device(headers: &HeaderMap) -> Option<&str> {
    find(headers, DEVICE)
}

/// Returns the token of a trusted device as the browser sent it.
pub fn read_trusted(headers: &HeaderMap) -> Option<&str> {
    find(headers, TRUSTED)
}

/// Returns the state of a sign-in by a provider as the browser sent it.
pub fn read_oidc(headers: &HeaderMap) -> Option<&str> {
    find(headers, OIDC)
}

fn find<'h>(headers: &'h HeaderMap, wanted: &'h str) -> Option<&'h str> {
    all(headers, wanted).next()
}

fn all<'h>(headers: &'h HeaderMap, wanted: &'h str) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(name, value)| *name == wanted && !value.is_empty())
        .map(|(_, value)| value)
}

/// The name of the session's cookie.
fn name(secure: bool) -> &'static str {
    match secure {
        true => NAME_OVER_HTTPS,
        false => NAME,
    }
}

/// Returns the `Set-Cookie` that keeps a session's secret.
pub fn keep(secret: &str, secure: bool) -> HeaderValue {
    set(name(secure), secret, "/", SESSION_LIFETIME_S, secure)
}

/// Returns the `Set-Cookie` that keeps a device's token, for the routes of accounts alone.
pub fn keep_device(token: &str, secure: bool) -> HeaderValue {
    set(DEVICE, token, "/auth", DEVICE_LIFETIME_S, secure)
}

/// Returns the `Set-Cookie` that keeps a trusted device's token, for the routes of accounts alone.
pub fn keep_trusted(token: &str, secure: bool) -> HeaderValue {
    set(TRUSTED, token, "/auth", TRUST_LIFETIME_S, secure)
}

/// Returns the `Set-Cookie` that keeps the state of a sign-in by a provider.
pub fn keep_oidc(token: &str, secure: bool) -> HeaderValue {
    set(OIDC, token, "/auth/oidc", OIDC_LIFETIME_S, secure)
}

/// Returns the `Set-Cookie` that removes the state of a sign-in by a provider.
pub fn remove_oidc(secure: bool) -> HeaderValue {
    set(OIDC, "", "/auth/oidc", 0, secure)
}

/// Returns the `Set-Cookie` that removes the session's secret.
pub fn remove(secure: bool) -> HeaderValue {
    set(name(secure), "", "/", 0, secure)
}

fn set(name: &str, value: &str, path: &str, max_age_s: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    HeaderValue::from_str(&text).expect("a secret is base64, and a token is too, with dots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            "a=1; mana_session=s3cret; b=2".parse().unwrap(),
        );
        assert_eq!(read(&headers), Some("s3cret"));
        headers.insert(
            header::COOKIE,
            "not_mana_session=x; mana_session=".parse().unwrap(),
        );
        assert_eq!(read(&headers), None);
    }

    #[test]
    fn of_two_session_cookies_the_one_of_this_host_counts_or_neither() {
        let cookies = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, text.parse().unwrap());
            read(&headers).map(str::to_owned)
        };
        assert_eq!(cookies("mana_session=attacker; mana_session=victim"), None);
        assert_eq!(
            cookies("mana_session=same; mana_session=same").as_deref(),
            Some("same")
        );
        assert_eq!(
            cookies("mana_session=attacker; __Host-mana_session=victim").as_deref(),
            Some("victim")
        );
    }

    #[test]
    fn cookie_is_out_of_reach_of_scripts_and_other_sites() {
        assert_eq!(
            keep("s", true),
            "__Host-mana_session=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure"
        );
        assert_eq!(
            remove(false),
            "mana_session=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }
}
