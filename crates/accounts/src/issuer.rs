//! Tokens of a foreign issuer: EdDSA JWTs, checked with the keys that the issuer publishes.
//!
//! The keys are fetched when the first token comes, kept, and fetched again when a token names an unknown key or the
//! keys are old. A token whose key is known doesn't wait for the network.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mana_core::Micros;
use mana_store::{Role, User, UserId};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::clock::Clock;
use crate::error::{AccountError, Result};
use crate::outgoing;
use crate::profile_checks::{is_locale, is_name, is_timezone};
use crate::settings::IssuerConfig;
use crate::tokens::Claims;

/// Least time between two fetches, whatever tokens come.
const FETCH_EVERY: Duration = Duration::from_secs(60);
/// A withdrawn key is accepted no longer than this, as long as the issuer answers.
const KEYS_FRESH_FOR: Duration = Duration::from_secs(60 * 60);
const KEYS_MAX: usize = 32;
/// How far the issuer's clock may be from this server's, in seconds.
const LEEWAY_S: i64 = 30;
const SUBJECT_MAX_BYTES: usize = 128;

/// A foreign issuer whose tokens are accepted here.
pub struct Issuer {
    config: IssuerConfig,
    clock: Clock,
    http: outgoing::Http,
    keys: RwLock<Arc<Keys>>,
    /// When the keys were last fetched; the holder of the lock fetches.
    last_fetch: Mutex<Option<Instant>>,
}

/// The keys that the issuer published.
#[derive(Default)]
struct Keys {
    /// By key id; a key without one has the empty id.
    by_id: BTreeMap<String, DecodingKey>,
    fetched: Option<Instant>,
}

/// Claims of a foreign token. Time zone and language are for the account that the first token makes.
#[derive(Deserialize)]
struct ForeignClaims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: i64,
    #[serde(default)]
    iat: i64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, alias = "timezone")]
    zoneinfo: Option<String>,
    #[serde(default)]
    locale: Option<String>,
}

impl Issuer {
    /// Makes the issuer. Nothing is fetched before the first token comes.
    pub fn new(config: IssuerConfig, clock: Clock) -> Issuer {
        Issuer {
            config,
            clock,
            http: outgoing::Http::default(),
            keys: RwLock::default(),
            last_fetch: Mutex::new(None),
        }
    }

    /// Returns the claims of a valid token, and the account that the token would have here.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] for any other token, [`AccountError::IssuerUnavailable`] where no keys are known
    /// and the issuer doesn't answer.
    pub async fn check(&self, token: &str) -> Result<(Claims, User)> {
        let header = decode_header(token).map_err(|_| AccountError::Unauthorized)?;
        if header.alg != Algorithm::EdDSA {
            return Err(AccountError::Unauthorized);
        }
        let keys = self.keys_for(header.kid.as_deref(), Instant::now()).await?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would read the machine's clock.
        validation.validate_exp = false;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        let decoded = keys
            .matching(header.kid.as_deref())
            .find_map(|key| decode::<ForeignClaims>(token, key, &validation).ok());
        let claims = decoded.ok_or_else(|| AccountError::Unauthorized)?.claims;
        let now = (self.clock)().0.div_euclid(1_000_000);
        if claims.exp.saturating_add(LEEWAY_S) < now || claims.nbf > now.saturating_add(LEEWAY_S) {
            return Err(AccountError::Unauthorized);
        }
        let is_plain = claims.sub.len() <= SUBJECT_MAX_BYTES
            && !claims.sub.is_empty()
            && claims.sub.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain {
            return Err(AccountError::Unauthorized);
        }
        Ok((
            Claims {
                sub: claims.sub.clone(),
                sid: String::new(),
                iat: claims.iat,
                exp: claims.exp,
            },
            account(claims, (self.clock)()),
        ))
    }

    /// Returns keys among which a token's key is, if the issuer has it.
    async fn keys_for(&self, id: Option<&str>, now: Instant) -> Result<Arc<Keys>> {
        let known = |keys: &Keys| keys.matching(id).next().is_some() && keys.is_fresh(now);
        let keys = self.current();
        if known(&keys) {
            return Ok(keys);
        }
        let mut last_fetch = self.last_fetch.lock().await;
        // Another request may have fetched them meanwhile.
        let keys = self.current();
        if known(&keys)
            || last_fetch.is_some_and(|at| now.saturating_duration_since(at) < FETCH_EVERY)
        {
            return fetched_or_unavailable(keys);
        }
        *last_fetch = Some(now);
        match self.fetch().await {
            Ok(by_id) => {
                let keys = Arc::new(Keys {
                    by_id,
                    fetched: Some(now),
                });
                *self
                    .keys
                    .write()
                    .unwrap_or_else(|broken| broken.into_inner()) = keys.clone();
                Ok(keys)
            }
            Err(reason) => {
                tracing::warn!(
                    error = %reason,
                    "The keys of MANA_JWKS_URL could not be fetched; the earlier ones stay in use: {reason}"
                );
                fetched_or_unavailable(keys)
            }
        }
    }

    fn current(&self) -> Arc<Keys> {
        self.keys
            .read()
            .unwrap_or_else(|broken| broken.into_inner())
            .clone()
    }

    async fn fetch(&self) -> Result<BTreeMap<String, DecodingKey>, String> {
        let request = self.http.client()?.get(&self.config.jwks_url);
        parse(&outgoing::read(request).await?)
    }
}

/// Returns the keys if any were ever fetched. Without keys nobody can tell whether a token is wrong.
fn fetched_or_unavailable(keys: Arc<Keys>) -> Result<Arc<Keys>> {
    match keys.fetched {
        Some(_) => Ok(keys),
        None => Err(AccountError::IssuerUnavailable),
    }
}

impl Keys {
    /// Returns the key of this id, or all of them for a token that names none.
    fn matching(&self, id: Option<&str>) -> impl Iterator<Item = &DecodingKey> {
        let matches = move |known: &str| id.is_none_or(|id| id == known);
        self.by_id
            .iter()
            .filter(move |(known, _)| matches(known))
            .map(|(_, key)| key)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fetched
            .is_some_and(|at| now.saturating_duration_since(at) < KEYS_FRESH_FOR)
    }
}

/// Returns the Ed25519 keys of a set. Keys of other kinds are left out.
fn parse(text: &[u8]) -> Result<BTreeMap<String, DecodingKey>, String> {
    let set: Value =
        serde_json::from_slice(text).map_err(|_| "the answer is no JSON".to_owned())?;
    let keys = set["keys"]
        .as_array()
        .ok_or("the answer is no JSON Web Key Set")?;
    let ed25519 = keys.iter().filter(|key| {
        key["kty"] == "OKP"
            && key["crv"] == "Ed25519"
            && (key["use"].is_null() || key["use"] == "sig")
            && (key["alg"].is_null() || key["alg"] == "EdDSA" || key["alg"] == "Ed25519")
    });
    let read = ed25519.filter_map(|key| {
        let public = URL_SAFE_NO_PAD.decode(key["x"].as_str()?).ok()?;
        let id = key["kid"].as_str().unwrap_or_default().to_owned();
        (public.len() == 32).then(|| (id, DecodingKey::from_ed_der(&public)))
    });
    Ok(read.take(KEYS_MAX).collect())
}

/// Returns the account that a first token makes: without a password, and with an address that nobody can enter.
fn account(claims: ForeignClaims, now: Micros) -> User {
    let valid_or = |text: Option<String>, known: fn(&str) -> bool, default: &str| {
        text.filter(|text| known(text))
            .unwrap_or_else(|| default.to_owned())
    };
    User {
        email: format!("issuer {}", claims.sub),
        id: UserId(claims.sub),
        name: valid_or(claims.name, is_name, ""),
        password_hash: String::new(),
        timezone: valid_or(claims.zoneinfo, is_timezone, "UTC"),
        locale: valid_or(claims.locale, is_locale, "en"),
        role: Role::Member,
        created_at: now,
        locked_at: None,
        limits: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

    use super::*;

    async fn publish(server: &MockServer, ids: &[&str]) {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        let keys = ids
            .iter()
            .map(|id| json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x }));
        let set = json!({ "keys": keys.collect::<Vec<_>>() });
        answer(server, ResponseTemplate::new(200).set_body_json(set)).await;
    }

    async fn answer(server: &MockServer, answer: ResponseTemplate) {
        server.reset().await;
        Mock::given(any()).respond_with(answer).mount(server).await;
    }

    #[tokio::test]
    async fn keys_are_fetched_again_for_an_unknown_id_and_when_they_are_old() {
        let server = MockServer::start().await;
        let issuer = Issuer::new(
            IssuerConfig {
                jwks_url: server.uri(),
                issuer: "i".to_owned(),
                audience: "a".to_owned(),
            },
            Arc::new(|| Micros(0)),
        );
        let start = Instant::now();
        let has = async |id: &'static str, after_s: u64| {
            let keys = issuer.keys_for(Some(id), start + Duration::from_secs(after_s));
            keys.await.unwrap().matching(Some(id)).next().is_some()
        };
        publish(&server, &["first"]).await;
        assert!(has("first", 0).await);
        publish(&server, &["first", "second"]).await;
        assert!(!has("second", 59).await, "too soon to ask again");
        assert!(has("second", 60).await);

        publish(&server, &["second"]).await;
        assert!(has("first", 3600).await, "no hour since");
        assert!(!has("first", 3660).await, "it was withdrawn");
        answer(&server, ResponseTemplate::new(500)).await;
        assert!(
            has("second", 9000).await,
            "an issuer that fails takes no known key away"
        );
    }
}
