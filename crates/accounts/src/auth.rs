//! The service that the server asks: bearer tokens in, claims out, and the setup link of a new server.

use std::sync::Arc;

use anyhow::Context as _;
use mana_store::{AccountStore, StoreError};
use tokio::sync::broadcast;

use crate::audit_events::{AuditEvent, Origin};
use crate::clock::Clock;
use crate::error::{AccountError, Result};
use crate::factor_rule::FactorRule;
use crate::issuer::Issuer;
use crate::passwords::Passwords;
use crate::provider::Provider;
use crate::random;
use crate::seal::Seal;
use crate::session_ended::SessionEnded;
use crate::settings::{AccountSettings, Signup};
use crate::sign_in_limits::SignInLimits;
use crate::tokens::{Claims, TokenKeys};
use crate::verified_tokens::VerifiedTokens;

/// Session ends that a slow listener may have to catch up with.
const ENDED_WAITING: usize = 64;

/// Accounts, their sessions and their tokens.
pub struct Auth {
    /// Where accounts and sessions are kept.
    pub accounts: Arc<dyn AccountStore>,
    pub(crate) tokens: TokenKeys,
    pub(crate) passwords: Passwords,
    pub(crate) limits: SignInLimits,
    pub(crate) signup: Signup,
    pub(crate) ended: broadcast::Sender<SessionEnded>,
    pub(crate) verified: VerifiedTokens,
    pub(crate) seal: Arc<dyn Seal>,
    /// Held from the look for lookalikes to the write.
    pub(crate) lookalikes: tokio::sync::Mutex<()>,
    pub(crate) provider: Option<Provider>,
    pub(crate) factor_rule: FactorRule,
    issuer: Option<Issuer>,
    clock: Clock,
}

impl Auth {
    /// Opens the service. `token_key` is the Ed25519 key, as PKCS #8, that tokens are signed with: servers that share
    /// a database pass the same one, so any of them serves any device. `seal` keeps the secrets of second factors.
    ///
    /// # Errors
    ///
    /// The key can't be read.
    pub fn open(
        accounts: Arc<dyn AccountStore>,
        token_key: &[u8],
        settings: AccountSettings,
        seal: Arc<dyn Seal>,
        clock: Clock,
    ) -> anyhow::Result<Auth> {
        Ok(Auth {
            accounts,
            tokens: TokenKeys::from_pkcs8(token_key)?,
            issuer: settings
                .issuer
                .map(|config| Issuer::new(config, clock.clone())),
            provider: settings.oidc.map(Provider::new),
            passwords: Passwords::default(),
            limits: SignInLimits::default(),
            signup: settings.signup,
            ended: broadcast::channel(ENDED_WAITING).0,
            verified: VerifiedTokens::default(),
            seal,
            lookalikes: tokio::sync::Mutex::default(),
            factor_rule: FactorRule::default(),
            clock,
        })
    }

    /// Makes a new token for the setup link while the server has no owner. Earlier setup tokens become invalid.
    pub async fn new_setup_token(&self) -> anyhow::Result<Option<String>> {
        if self.accounts.owner_exists().await? {
            return Ok(None);
        }
        let token = random::secret();
        self.accounts
            .put_setup_secret(&token)
            .await
            .context("The setup link can't be stored")?;
        Ok(Some(token))
    }

    /// Returns the claims of a valid bearer token: the server's own with an open session, or the issuer's.
    pub async fn check_token(&self, token: &str) -> Result<Claims> {
        let unverified = match self.verified.get(token, self.now()) {
            Ok(claims) => return Ok(claims),
            Err(unverified) => unverified,
        };
        let claims = self.verify_token(token).await?;
        self.verified.keep(unverified, &claims);
        Ok(claims)
    }

    /// Returns the claims of a token that this server signed, whether or not its session has ended.
    pub fn own_claims(&self, token: &str) -> Option<Claims> {
        self.tokens.verify(token, self.now())
    }

    /// Returns the public keys that tokens are signed with, as a JSON Web Key Set.
    pub fn jwks(&self) -> serde_json::Value {
        self.tokens.jwks()
    }

    pub(crate) fn now(&self) -> mana_core::Micros {
        (self.clock)()
    }

    async fn verify_token(&self, token: &str) -> Result<Claims> {
        let Some(claims) = self.own_claims(token) else {
            return self.verify_foreign_token(token).await;
        };
        let session = self
            .accounts
            .session_by_id(&claims.sid, self.now())
            .await?
            .ok_or(AccountError::Unauthorized)?;
        if session.user_id.0 != claims.sub {
            return Err(AccountError::Unauthorized);
        }
        Ok(claims)
    }

    /// Verifies the issuer's token. The first token of an account makes the account.
    async fn verify_foreign_token(&self, token: &str) -> Result<Claims> {
        let issuer = self.issuer.as_ref().ok_or(AccountError::Unauthorized)?;
        let (claims, account) = issuer.check(token).await?;
        match self.accounts.user(&account.id).await? {
            Some(known) if known.locked_at.is_some() => Err(AccountError::Unauthorized),
            Some(_) => Ok(claims),
            None => {
                let id = account.id.clone();
                match self.accounts.admit(account).await {
                    Ok(made) => {
                        if made {
                            let origin = Origin::default();
                            self.note(AuditEvent::AccountMade, &origin, Some(&id), "issuer")
                                .await;
                        }
                        Ok(claims)
                    }
                    // The account was deleted here.
                    Err(StoreError::NoSuchUser) => Err(AccountError::Unauthorized),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}
