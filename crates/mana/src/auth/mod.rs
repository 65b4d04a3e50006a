//! Accounts: who is calling, and how one becomes known.

mod caller;
mod checked;
mod cookie;
mod invitations;
mod issuer;
mod limits;
mod password;
mod routes;
mod service;
mod token;

use std::sync::Arc;

use anyhow::{Context, Result};
use mana_core::Micros;
use mana_store::{Accounts, Session, StoreNotice, User};
use tokio::sync::broadcast::{self, error::RecvError};

pub use caller::{Caller, Owner, bearer};
pub use routes::router;
pub use service::ServiceKey;
pub use token::{Claims, TokenKeys};

use crate::clock;
use crate::config::{Config, Signup};
use crate::data_dir::DataDir;
use crate::error::{ApiError, ApiResult};
use crate::random;

/// How long a session lasts after it was last used.
const SESSION_LIFETIME_S: i64 = 30 * 24 * 60 * 60;

/// Everything about accounts.
pub struct Auth {
    /// Where accounts and sessions are kept.
    pub accounts: Arc<dyn Accounts>,
    tokens: TokenKeys,
    issuer: Option<issuer::Issuer>,
    passwords: password::Passwords,
    limits: limits::SignInLimits,
    signup: Signup,
    secure_cookie: bool,
    ended: broadcast::Sender<Ended>,
    checked: checked::Checked,
}

/// What is heard of sessions that end.
#[derive(Debug, Clone)]
pub enum Ended {
    /// This one did.
    Session(String),
    /// Any may have.
    Any,
}

impl Auth {
    /// Reads the signing key, or makes it on the first start.
    ///
    /// Servers that share a database sign with one key, that of the first: any of them serves any device.
    pub async fn open(
        config: &Config,
        dir: &DataDir,
        accounts: Arc<dyn Accounts>,
        shared: bool,
    ) -> Result<Auth> {
        let mut key = dir.secret("token.key", TokenKeys::generate)?;
        if shared {
            key = accounts.kv_init("token.key", &key).await?;
        }
        Ok(Auth {
            accounts,
            tokens: TokenKeys::from_pkcs8(&key).with_context(|| {
                format!(
                    "{} is damaged; remove it, and everybody signs in again",
                    dir.join("token.key").display()
                )
            })?,
            issuer: config.auth.issuer.clone().map(issuer::Issuer::new),
            passwords: password::Passwords::default(),
            limits: limits::SignInLimits::default(),
            signup: config.auth.signup,
            secure_cookie: config
                .server
                .public_url
                .as_ref()
                .is_some_and(|url| url.starts_with("https:")),
            ended: broadcast::channel(64).0,
            checked: checked::Checked::default(),
        })
    }

    /// While there is no owner, a new token for the link that makes one. Earlier ones are no good any more.
    pub async fn new_setup_token(&self) -> Result<Option<String>> {
        if self.accounts.owner_exists().await? {
            return Ok(None);
        }
        let token = random::secret();
        self.accounts.put_setup_secret(&token).await?;
        Ok(Some(token))
    }

    /// The claims of a good bearer token: one of ours whose session goes on, or one of the issuer that is configured.
    pub async fn check_token(&self, token: &str) -> ApiResult<Claims> {
        let unchecked = match self.checked.get(token, clock::now()) {
            Ok(claims) => return Ok(claims),
            Err(unchecked) => unchecked,
        };
        let claims = self.check(token).await?;
        self.checked.keep(unchecked, &claims);
        Ok(claims)
    }

    async fn check(&self, token: &str) -> ApiResult<Claims> {
        let Some(claims) = self.tokens.verify(token, clock::now()) else {
            return self.check_foreign(token).await;
        };
        let session = self
            .accounts
            .session_by_id(&claims.sid, clock::now())
            .await?
            .ok_or_else(ApiError::unauthorized)?;
        if session.user_id.0 != claims.sub {
            return Err(ApiError::unauthorized());
        }
        Ok(claims)
    }

    /// The first of an account's tokens makes the account.
    async fn check_foreign(&self, token: &str) -> ApiResult<Claims> {
        let issuer = self.issuer.as_ref().ok_or_else(ApiError::unauthorized)?;
        let (claims, account) = issuer.check(token).await?;
        if self.accounts.user(&account.id).await?.is_none() {
            let id = account.id.clone();
            if self.accounts.admit(account).await? {
                tracing::info!(user_id = %id, "Account {id} was made by a token of another issuer");
            }
        }
        Ok(claims)
    }

    /// Sessions as they end, for open sockets.
    pub fn ended_sessions(&self) -> broadcast::Receiver<Ended> {
        self.ended.subscribe()
    }

    /// Whether a session goes on after what was heard of [`Auth::ended_sessions`].
    pub async fn goes_on(&self, session: &str, ended: Result<Ended, RecvError>) -> bool {
        match ended {
            Ok(Ended::Session(ended)) => ended != session,
            // Too many ended at once to hear of each: ask.
            Ok(Ended::Any) | Err(RecvError::Lagged(_)) => self.is_session(session).await,
            Err(RecvError::Closed) => false,
        }
    }

    /// Whether the session has not ended. Where the database can't say, it goes on: whoever is connected stays.
    pub async fn is_session(&self, id: &str) -> bool {
        // Another issuer's token ends by itself alone.
        if id.is_empty() {
            return true;
        }
        let session = self.accounts.session_by_id(id, clock::now()).await;
        !matches!(session, Ok(None))
    }

    /// Tells on which sessions end at other servers, until the store is closed.
    pub async fn relay(&self, mut notices: broadcast::Receiver<StoreNotice>) {
        loop {
            let ended = match notices.recv().await {
                Ok(StoreNotice::SessionEnded(id)) => Ended::Session(id),
                Ok(StoreNotice::Missed) | Err(RecvError::Lagged(_)) => Ended::Any,
                Ok(_) => continue,
                Err(RecvError::Closed) => return,
            };
            self.tell(ended);
        }
    }

    async fn start_session(&self, user: &User) -> ApiResult<(Session, String)> {
        let now = clock::now();
        let secret = random::secret();
        let session = self
            .accounts
            .create_session(&user.id, &secret, now, session_end(now))
            .await?;
        Ok((session, secret))
    }

    async fn end_session(&self, id: &str) -> ApiResult<()> {
        self.accounts.delete_session_by_id(id).await?;
        self.tell(Ended::Session(id.to_owned()));
        Ok(())
    }

    fn tell(&self, ended: Ended) {
        self.checked.forget(&ended);
        // Nobody may be listening.
        let _ = self.ended.send(ended);
    }
}

fn session_end(now: Micros) -> Micros {
    Micros(now.0 + SESSION_LIFETIME_S * 1_000_000)
}
