//! Tokens of another issuer: EdDSA JWTs, checked with the keys that it publishes.
//!
//! Its keys are fetched when they are first needed, kept, and fetched again where a token names an unknown one or they
//! have got old. A token whose key is known waits for nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mana_store::{Role, User, UserId};
use reqwest::redirect;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::routes::{known_locale, known_timezone};
use super::token::Claims;
use crate::clock;
use crate::config::IssuerConfig;
use crate::error::{ApiError, ApiResult};

/// How long the issuer may take to give its keys.
const FETCH_WITHIN: Duration = Duration::from_secs(5);
/// The issuer is asked no more often than this, whatever tokens come.
const FETCH_EVERY: Duration = Duration::from_secs(60);
/// A key that the issuer withdraws is believed no longer than this, as long as the issuer answers.
const KEYS_GOOD_FOR: Duration = Duration::from_secs(60 * 60);
/// A set of keys is a few hundred bytes each.
const SET_MAX_BYTES: usize = 64 * 1024;
const KEYS_MAX: usize = 32;
/// How far the issuer's clock may be from ours.
const LEEWAY_S: i64 = 30;
const SUBJECT_MAX_BYTES: usize = 128;

/// Another issuer whose tokens are good here.
pub struct Issuer {
    config: IssuerConfig,
    http: OnceLock<reqwest::Client>,
    keys: RwLock<Arc<Keys>>,
    /// When the keys were last asked for; whoever holds it asks.
    asked: Mutex<Option<Instant>>,
}

/// What the issuer published.
#[derive(Default)]
struct Keys {
    /// By key id; a key without one has the empty id.
    by_id: BTreeMap<String, DecodingKey>,
    fetched: Option<Instant>,
}

/// What such a token says. Time zone and language are for the account that is made when it first comes.
#[derive(Deserialize)]
struct Foreign {
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
    /// Nothing is asked before the first token comes.
    pub fn new(config: IssuerConfig) -> Issuer {
        Issuer {
            config,
            http: OnceLock::new(),
            keys: RwLock::default(),
            asked: Mutex::new(None),
        }
    }

    /// What a good token says, and the account that it would have here. Anything else is 401; 503 where the issuer
    /// can't be asked for a key that is needed.
    pub async fn check(&self, token: &str) -> ApiResult<(Claims, User)> {
        let header = decode_header(token).map_err(|_| ApiError::unauthorized())?;
        if header.alg != Algorithm::EdDSA {
            return Err(ApiError::unauthorized());
        }
        let keys = self.keys_for(header.kid.as_deref(), Instant::now()).await?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The library would ask the machine's clock.
        validation.validate_exp = false;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        let good = keys
            .fitting(header.kid.as_deref())
            .find_map(|key| decode::<Foreign>(token, key, &validation).ok());
        let claims = good.ok_or_else(ApiError::unauthorized)?.claims;
        let now = clock::now().0.div_euclid(1_000_000);
        if claims.exp.saturating_add(LEEWAY_S) < now || claims.nbf > now.saturating_add(LEEWAY_S) {
            return Err(ApiError::unauthorized());
        }
        let plain = claims.sub.len() <= SUBJECT_MAX_BYTES
            && !claims.sub.is_empty()
            && claims.sub.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain {
            return Err(ApiError::unauthorized());
        }
        Ok((
            Claims {
                sub: claims.sub.clone(),
                sid: String::new(),
                iat: claims.iat,
                exp: claims.exp,
            },
            account(claims),
        ))
    }

    /// Keys among which a token's is, if the issuer has it.
    async fn keys_for(&self, id: Option<&str>, now: Instant) -> ApiResult<Arc<Keys>> {
        let known = |keys: &Keys| keys.fitting(id).next().is_some() && keys.is_fresh(now);
        let keys = self.kept();
        if known(&keys) {
            return Ok(keys);
        }
        let mut asked = self.asked.lock().await;
        // Somebody else may have asked meanwhile.
        let keys = self.kept();
        if known(&keys) || asked.is_some_and(|at| now.saturating_duration_since(at) < FETCH_EVERY) {
            return self.or_away(keys);
        }
        *asked = Some(now);
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
                    "The keys of MANA_JWKS_URL could not be fetched: {reason}; those from before go on"
                );
                self.or_away(keys)
            }
        }
    }

    /// Where there never were any keys, a token isn't wrong: nobody knows.
    fn or_away(&self, keys: Arc<Keys>) -> ApiResult<Arc<Keys>> {
        match keys.fetched {
            Some(_) => Ok(keys),
            None => Err(ApiError::busy()),
        }
    }

    fn kept(&self) -> Arc<Keys> {
        self.keys
            .read()
            .unwrap_or_else(|broken| broken.into_inner())
            .clone()
    }

    async fn fetch(&self) -> Result<BTreeMap<String, DecodingKey>, String> {
        let reading = async {
            let answer = self.http()?.get(&self.config.jwks_url).send().await;
            let answer = answer.and_then(reqwest::Response::error_for_status);
            let mut answer = answer.map_err(told)?;
            let mut text = Vec::new();
            while let Some(part) = answer.chunk().await.map_err(told)? {
                text.extend_from_slice(&part);
                if text.len() > SET_MAX_BYTES {
                    return Err(format!("they are larger than {SET_MAX_BYTES} bytes"));
                }
            }
            Ok(text)
        };
        let text = tokio::time::timeout(FETCH_WITHIN, reading)
            .await
            .map_err(|_| format!("no answer in {} s", FETCH_WITHIN.as_secs()))??;
        parse(&text)
    }

    fn http(&self) -> Result<&reqwest::Client, String> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        // An error means that a provider is already installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent(concat!("mana/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(told)?;
        Ok(self.http.get_or_init(|| client))
    }
}

impl Keys {
    /// The key of this id; all of them for a token that names none.
    fn fitting(&self, id: Option<&str>) -> impl Iterator<Item = &DecodingKey> {
        let of_this = move |known: &str| id.is_none_or(|id| id == known);
        self.by_id
            .iter()
            .filter(move |(known, _)| of_this(known))
            .map(|(_, key)| key)
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fetched
            .is_some_and(|at| now.saturating_duration_since(at) < KEYS_GOOD_FOR)
    }
}

/// The Ed25519 keys of a set; others are for somebody else.
fn parse(text: &[u8]) -> Result<BTreeMap<String, DecodingKey>, String> {
    let set: Value =
        serde_json::from_slice(text).map_err(|_| "the answer is no JSON".to_owned())?;
    let keys = set["keys"]
        .as_array()
        .ok_or("the answer is no JSON Web Key Set")?;
    let good = keys.iter().filter(|key| {
        key["kty"] == "OKP"
            && key["crv"] == "Ed25519"
            && (key["use"].is_null() || key["use"] == "sig")
            && (key["alg"].is_null() || key["alg"] == "EdDSA" || key["alg"] == "Ed25519")
    });
    let read = good.filter_map(|key| {
        let public = URL_SAFE_NO_PAD.decode(key["x"].as_str()?).ok()?;
        let id = key["kid"].as_str().unwrap_or_default().to_owned();
        (public.len() == 32).then(|| (id, DecodingKey::from_ed_der(&public)))
    });
    Ok(read.take(KEYS_MAX).collect())
}

/// The account of a token that comes for the first time. It has no password, and an address that nobody can write.
fn account(claims: Foreign) -> User {
    let wish = |text: Option<String>, known: fn(&str) -> bool, default: &str| {
        text.filter(|text| known(text))
            .unwrap_or_else(|| default.to_owned())
    };
    User {
        email: format!("issuer {}", claims.sub),
        id: UserId(claims.sub),
        name: wish(
            claims.name,
            |name| name.len() <= 200 && !name.contains('\0'),
            "",
        ),
        password_hash: String::new(),
        timezone: wish(claims.zoneinfo, known_timezone, "UTC"),
        locale: wish(claims.locale, known_locale, "en"),
        role: Role::Member,
        created_at: clock::now(),
    }
}

/// An error of the network without the address in it, which may hold a secret.
fn told(error: reqwest::Error) -> String {
    error.without_url().to_string()
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
    async fn keys_are_fetched_again_for_an_unknown_one_and_when_they_are_old() {
        let server = MockServer::start().await;
        let issuer = Issuer::new(IssuerConfig {
            jwks_url: server.uri(),
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
        });
        let start = Instant::now();
        let has = async |id: &'static str, after_s: u64| {
            let keys = issuer.keys_for(Some(id), start + Duration::from_secs(after_s));
            keys.await.unwrap().fitting(Some(id)).next().is_some()
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
            "a pause of the issuer is none here"
        );
    }
}
