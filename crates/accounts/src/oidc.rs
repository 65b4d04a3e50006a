//! Sign-in by an OpenID provider: the authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636).
//!
//! State, nonce and verifier are in a signed token that the browser keeps from the way out to the way back, so any
//! server of several can serve the way back.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mana_store::{NewUser, User, UserId};
use ring::digest::{SHA256, digest};
use url::Url;

use crate::audit_events::AuditEvent;
use crate::auth::Auth;
use crate::error::{AccountError, Result};
use crate::known_devices::SignInAttempt;
use crate::lookalikes::normalize_name;
use crate::profile_checks::{checked_email, is_locale, is_name, is_timezone};
use crate::provider::{Flow, IdClaims, OidcReturn, Provider};
use crate::purpose_tokens::Purpose;
use crate::random;
use crate::sign_up::permission;

/// How long a sign-in at the provider may take, in seconds.
const FLOW_LIFETIME_S: i64 = 10 * 60;
/// A sign-in on its way out.
#[derive(Debug)]
pub struct OidcStart {
    /// The provider's page that the browser opens.
    pub url: String,
    /// The token that the browser keeps until it comes back.
    pub flow: String,
}

/// The outcome of a sign-in by a provider.
#[derive(Debug)]
pub enum OidcOutcome {
    /// The account that is signed in.
    SignedIn(Box<User>),
    /// The identity was joined to the account that was signed in.
    Joined,
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
                let user = user.ok_or(AccountError::Unauthorized)?;
                Ok(OidcOutcome::SignedIn(Box::new(user)))
            }
            (None, None) => {
                let has_owner = self.accounts.owner_exists().await?;
                let invite = flow.invite.as_deref().filter(|invite| !invite.is_empty());
                let ground = permission(self.signup, has_owner, invite)?;
                let new = new_user(&claims)?;
                let user = self.make_account(new, ground, attempt, "oidc").await?;
                self.join(&user.id, &claims.sub, attempt).await?;
                Ok(OidcOutcome::SignedIn(Box::new(user)))
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
