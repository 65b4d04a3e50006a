//! Sign-in by an OpenID provider: the authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636).
//!
//! State, nonce and verifier are in a signed token that the browser keeps from the way out to the way back, so any
//! server of several can serve the way back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mana_core::Micros;
use mana_store::{NewUser, User, UserId};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::audit::AuditEvent;
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::lookalikes::normalize_name;
use crate::outgoing;
use crate::profile::{checked_email, is_locale, is_name, is_timezone};
use crate::purpose_tokens::Purpose;
use crate::random;
use crate::sign_up::permission;

/// How long a sign-in at the provider may take, in seconds.
const FLOW_LIFETIME_S: i64 = 10 * 60;
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

/// A sign-in on its way out.
#[derive(Debug)]
pub struct OidcStart {
    /// The provider's page that the browser opens.
    pub url: String,
    /// The token that the browser keeps until it comes back.
    pub flow: String,
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

/// The outcome of a sign-in by a provider.
#[derive(Debug)]
pub enum OidcOutcome {
    /// The account that is signed in.
    SignedIn(User),
    /// The identity was joined to the account that was signed in.
    Joined,
}

/// Values remembered from the way out to the way back.
#[derive(Clone, Serialize, Deserialize)]
struct Flow {
    state: String,
    nonce: String,
    verifier: String,
    invite: Option<String>,
    /// The account that the identity is to be joined to.
    join: Option<UserId>,
}

#[derive(Clone, Deserialize)]
struct Description {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

/// Claims of an id token.
#[derive(Clone, Deserialize)]
struct IdClaims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<serde_json::Value>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    zoneinfo: Option<String>,
    #[serde(default)]
    locale: Option<String>,
}

/// The provider with what is known of it.
pub(crate) struct Provider {
    config: OidcConfig,
    http: outgoing::Http,
    known: Mutex<Option<(Instant, Arc<(Description, JwkSet)>)>>,
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
    async fn known(&self, anew: bool) -> Result<Arc<(Description, JwkSet)>, String> {
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
    async fn exchange(&self, back: &OidcReturn<'_>, flow: &Flow) -> Result<String, String> {
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
    async fn verify(&self, token: &str, flow: &Flow, now: Micros) -> Result<IdClaims, String> {
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
                && key.common.public_key_use != Some(jsonwebtoken::jwk::PublicKeyUse::Encryption)
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

impl Auth {
    /// The name of the OpenID provider, where there is one.
    pub fn provider_name(&self) -> Option<&str> {
        self.provider
            .as_ref()
            .map(|provider| provider.config.name.as_str())
    }

    /// Whether an account has an identity of the provider.
    pub async fn is_joined(&self, user: &UserId) -> Result<bool> {
        let provider = self.provider()?;
        let issuer = &provider.config.issuer;
        Ok(self.accounts.has_identity(user, issuer).await?)
    }

    /// Begins a sign-in by the provider; with `join`, the identity is to be joined to that account.
    pub async fn begin_oidc(
        &self,
        redirect_uri: &str,
        invite: Option<String>,
        join: Option<UserId>,
    ) -> Result<OidcStart> {
        let provider = self.provider()?;
        let known = provider.known(false).await.map_err(unreachable)?;
        let flow = Flow {
            state: random::secret(),
            nonce: random::secret(),
            verifier: random::secret(),
            invite,
            join,
        };
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, flow.verifier.as_bytes()));
        let mut url = Url::parse(&known.0.authorization_endpoint)
            .map_err(|error| unreachable(format!("its page has no address: {error}")))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.config.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &flow.state)
            .append_pair("nonce", &flow.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        let flow = self
            .tokens
            .issue_for(Purpose::Oidc, flow, FLOW_LIFETIME_S, self.now())
            .map_err(AccountError::internal)?;
        Ok(OidcStart {
            url: url.into(),
            flow,
        })
    }

    /// Completes a sign-in by the provider. An identity that is new makes an account where the server takes new ones.
    pub async fn finish_oidc(
        &self,
        back: OidcReturn<'_>,
        attempt: &SignInAttempt,
    ) -> Result<OidcOutcome> {
        let finished = self.finish(back, attempt).await;
        if let Err(AccountError::Provider(_)) = finished {
            let origin = attempt.origin();
            self.note(AuditEvent::ProviderRefused, &origin, None, "")
                .await;
        }
        finished
    }

    async fn finish(&self, back: OidcReturn<'_>, attempt: &SignInAttempt) -> Result<OidcOutcome> {
        let provider = self.provider()?;
        let flow: Flow = self
            .tokens
            .verify_for(Purpose::Oidc, back.flow, self.now())
            .filter(|flow: &Flow| flow.state == back.state)
            .ok_or_else(|| {
                AccountError::Provider(
                    "This sign-in took too long, or began in another window; begin anew."
                        .to_owned(),
                )
            })?;
        let token = provider.exchange(&back, &flow).await.map_err(unreachable)?;
        let claims = provider
            .verify(&token, &flow, self.now())
            .await
            .map_err(unreachable)?;
        let issuer = &provider.config.issuer;
        let known = self.accounts.user_of_identity(issuer, &claims.sub).await?;
        match (known, flow.join) {
            (known, Some(user)) => {
                let free = known.is_none_or(|known| known == user);
                if !free || !self.join(&user, &claims.sub, attempt).await? {
                    return Err(AccountError::Provider(
                        "Another account here is joined to this identity.".to_owned(),
                    ));
                }
                Ok(OidcOutcome::Joined)
            }
            (Some(known), None) => {
                let user = self.accounts.user(&known).await?;
                Ok(OidcOutcome::SignedIn(
                    user.ok_or(AccountError::Unauthorized)?,
                ))
            }
            (None, None) => {
                let has_owner = self.accounts.owner_exists().await?;
                let invite = flow.invite.as_deref().filter(|invite| !invite.is_empty());
                let ground = permission(self.signup, has_owner, invite)?;
                let new = new_user(&claims)?;
                let user = self.make_account(new, ground, attempt, "oidc").await?;
                self.join(&user.id, &claims.sub, attempt).await?;
                Ok(OidcOutcome::SignedIn(user))
            }
        }
    }

    async fn join(&self, user: &UserId, subject: &str, attempt: &SignInAttempt) -> Result<bool> {
        let issuer = &self.provider()?.config.issuer;
        let joined = self
            .accounts
            .join_identity(user, issuer, subject, self.now())
            .await?;
        if joined {
            let origin = attempt.origin_of(user);
            self.note(AuditEvent::IdentityJoined, &origin, Some(user), "")
                .await;
        }
        Ok(joined)
    }

    /// Takes the provider's identity from an account that has a password to come in by. Returns whether there was one.
    pub async fn leave_provider(
        &self,
        user: &User,
        password: String,
        attempt: &SignInAttempt,
    ) -> Result<bool> {
        self.confirm_password(user, password, attempt).await?;
        let issuer = &self.provider()?.config.issuer;
        let removed = self.accounts.remove_identity(&user.id, issuer).await?;
        if removed {
            let origin = attempt.origin_of(&user.id);
            self.note(AuditEvent::IdentityRemoved, &origin, Some(&user.id), "")
                .await;
        }
        Ok(removed)
    }

    fn provider(&self) -> Result<&Provider> {
        self.provider.as_ref().ok_or_else(|| {
            AccountError::Provider("This server has no sign-in by a provider.".to_owned())
        })
    }
}

/// The account that an identity makes. Only an address that the provider has confirmed is taken over.
fn new_user(claims: &IdClaims) -> Result<NewUser> {
    let confirmed = match &claims.email_verified {
        Some(serde_json::Value::Bool(confirmed)) => *confirmed,
        // Some providers write it as text.
        Some(serde_json::Value::String(text)) => text == "true",
        _ => false,
    };
    let email = claims.email.as_deref().filter(|_| confirmed).ok_or_else(|| {
        AccountError::Provider(
            "The provider names no confirmed e-mail address; confirm it there, and sign in again.".to_owned(),
        )
    })?;
    let valid_or = |text: &Option<String>, known: fn(&str) -> bool, default: &str| {
        let text = text.clone().filter(|text| known(text));
        text.unwrap_or_else(|| default.to_owned())
    };
    let name = claims.name.as_deref().map(normalize_name);
    Ok(NewUser {
        email: checked_email(email)?,
        name: valid_or(&name, is_name, ""),
        password_hash: String::new(),
        timezone: valid_or(&claims.zoneinfo, is_timezone, "UTC"),
        locale: valid_or(&claims.locale, is_locale, "en"),
    })
}

/// A failure of the provider, told in the log with its cause and to the person without.
fn unreachable(cause: String) -> AccountError {
    tracing::warn!(
        error = cause,
        "A sign-in by the OpenID provider failed: {cause}"
    );
    AccountError::Provider(
        "The provider did not confirm who you are; try again, and ask the operator if it stays."
            .to_owned(),
    )
}
