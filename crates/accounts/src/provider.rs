//! The OpenID provider: its description and keys, the exchange of a code, and the check of an id token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mana_core::Micros;
use mana_store::UserId;
use serde::{Deserialize, Serialize};

use crate::outgoing;

/// How long the provider's description and keys count.
const FRESH_FOR: Duration = Duration::from_secs(10 * 60);
/// How far the provider's clock may be from this server's, in seconds.
const LEEWAY_S: i64 = 60;
/// Algorithms of the provider's signatures. `none` and shared secrets are no signatures.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// The OpenID provider of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// The provider's identifier, the base of its description.
    pub issuer: String,
    /// The name of this server at the provider.
    pub client_id: String,
    /// The secret of this server at the provider; none for a public client.
    pub client_secret: Option<String>,
    /// The provider's name for people.
    pub name: String,
}

impl std::fmt::Debug for OidcConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OidcConfig")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// The provider's answer, as the browser brings it.
#[derive(Debug, Clone, Copy)]
pub struct OidcReturn<'r> {
    /// The token that the browser kept.
    pub flow: &'r str,
    /// The `state` of the answer.
    pub state: &'r str,
    /// The `code` of the answer.
    pub code: &'r str,
    /// The address that the browser came back to.
    pub redirect_uri: &'r str,
}

/// Values remembered from the way out to the way back.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    pub invite: Option<String>,
    /// The account that the identity is to be joined to.
    pub join: Option<UserId>,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Description {
    issuer: String,
    pub authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

/// Claims of an id token.
#[derive(Clone, Deserialize)]
pub(crate) struct IdClaims {
    pub sub: String,
    exp: i64,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: Option<serde_json::Value>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub zoneinfo: Option<String>,
    #[serde(default)]
    pub locale: Option<String>,
}

/// The description of a provider, and its keys.
type Known = Arc<(Description, JwkSet)>;

/// The provider with what is known of it.
pub(crate) struct Provider {
    pub config: OidcConfig,
    http: outgoing::Http,
    known: Mutex<Option<(Instant, Known)>>,
}

impl Provider {
    pub fn new(config: OidcConfig) -> Provider {
        Provider {
            config,
            http: outgoing::Http::default(),
            known: Mutex::default(),
        }
    }

    /// The provider's description and keys, fetched anew where they are old or `stale` has to be replaced.
    pub async fn known(&self, anew: bool) -> Result<Known, String> {
        let kept = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone()
        };
        if let Some((at, known)) = kept
            && at.elapsed() < FRESH_FOR
            && !anew
        {
            return Ok(known);
        }
        let base = self.config.issuer.trim_end_matches('/');
        let address = format!("{base}/.well-known/openid-configuration");
        let text = outgoing::read(self.http.client()?.get(address)).await?;
        let description: Description = serde_json::from_slice(&text)
            .map_err(|error| format!("its description can't be read: {error}"))?;
        if description.issuer.trim_end_matches('/') != base {
            return Err(format!(
                "its description is of {}, not of the configured issuer",
                description.issuer
            ));
        }
        let text = outgoing::read(self.http.client()?.get(&description.jwks_uri)).await?;
        let keys: JwkSet = serde_json::from_slice(&text)
            .map_err(|error| format!("its keys can't be read: {error}"))?;
        let fetched = Arc::new((description, keys));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some((Instant::now(), fetched.clone()));
        Ok(fetched)
    }

    fn token_form(&self, back: &OidcReturn<'_>, flow: &Flow) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", back.code)
            .append_pair("redirect_uri", back.redirect_uri)
            .append_pair("code_verifier", &flow.verifier);
        if self.config.client_secret.is_none() {
            form.append_pair("client_id", &self.config.client_id);
        }
        form.finish()
    }

    /// Exchanges a code for an id token.
    pub async fn exchange(&self, back: &OidcReturn<'_>, flow: &Flow) -> Result<String, String> {
        let known = self.known(false).await?;
        let mut request = self.http.client()?.post(&known.0.token_endpoint);
        if let Some(secret) = &self.config.client_secret {
            // RFC 6749, 2.3.1: both are encoded as form values before they are a header.
            let encode = |text: &str| -> String {
                url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            request = request.basic_auth(encode(&self.config.client_id), Some(encode(secret)));
        }
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(self.token_form(back, flow));
        let answer: TokenAnswer = serde_json::from_slice(&outgoing::read(request).await?)
            .map_err(|error| format!("its answer to the code can't be read: {error}"))?;
        Ok(answer.id_token)
    }

    /// The claims of a valid id token for this server and this flow.
    pub async fn verify(&self, token: &str, flow: &Flow, now: Micros) -> Result<IdClaims, String> {
        let header = decode_header(token).map_err(|error| error.to_string())?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(format!(
                "its signature is by {:?}, which is not taken",
                header.alg
            ));
        }
        let mut known = self.known(false).await?;
        let names = |set: &JwkSet| match &header.kid {
            Some(id) => set.find(id).is_some(),
            None => !set.keys.is_empty(),
        };
        if !names(&known.1) {
            known = self.known(true).await?;
        }
        let mut validation = Validation::new(header.alg);
        // The library would read the machine's clock.
        validation.validate_exp = false;
        validation.set_issuer(&[&known.0.issuer]);
        validation.set_audience(&[&self.config.client_id]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        let matching = known.1.keys.iter().filter(|key| {
            (header.kid.is_none() || key.common.key_id == header.kid)
                && key.common.public_key_use != Some(PublicKeyUse::Encryption)
        });
        let claims = matching
            .filter_map(|key| DecodingKey::from_jwk(key).ok())
            .find_map(|key| decode::<IdClaims>(token, &key, &validation).ok())
            .ok_or("its signature, issuer or audience is wrong")?
            .claims;
        let now = now.0.div_euclid(1_000_000);
        if claims.exp.saturating_add(LEEWAY_S) < now {
            return Err("its token has ended".to_owned());
        }
        if claims.nonce != flow.nonce {
            return Err("its token is not of this sign-in".to_owned());
        }
        if (claims.azp.as_ref()).is_some_and(|azp| *azp != self.config.client_id) {
            return Err("its token is for another program".to_owned());
        }
        match claims.sub.is_empty() || claims.sub.len() > 255 {
            true => Err("its token names nobody".to_owned()),
            false => Ok(claims),
        }
    }
}
