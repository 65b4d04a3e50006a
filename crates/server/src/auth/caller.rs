//! The caller of a request, as an extractor of handlers.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use mana_accounts::Origin;
use mana_core::Micros;
use mana_store::{Role, Scope, User, UserId};

use super::attempt::ClientAddress;
use super::cookie;
use crate::app::App;
use crate::error::ApiError;

/// A signed-in person: by bearer token, else by session cookie. An account that lacks the second factor which the
/// owners ask for is refused; its own care takes an [`AccountCaller`].
#[derive(Debug, Clone)]
pub struct Caller {
    /// The person.
    pub user: UserId,
    /// The session's id; open connections end with the session. Empty for a foreign issuer's token.
    pub session: String,
    /// The end of the token, or of the cookie's session.
    pub until: Micros,
}

impl Caller {
    /// Returns the scope of the caller's own log.
    pub fn scope(&self) -> Scope {
        Scope::own(&self.user)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Caller, ApiError> {
        let AccountCaller(caller) = AccountCaller::from_request_parts(parts, app).await?;
        app.auth.check_factor_rule(&caller.user).await?;
        Ok(caller)
    }
}

/// A signed-in person at the care of the own account, which stays open to whoever has yet to add a second factor.
#[derive(Debug, Clone)]
pub struct AccountCaller(pub Caller);

impl FromRequestParts<Arc<App>> for AccountCaller {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<AccountCaller, ApiError> {
        if let Some(token) = bearer(&parts.headers) {
            let claims = app.auth.check_token(token).await?;
            return Ok(AccountCaller(Caller {
                user: claims.user(),
                until: Micros(claims.exp.saturating_mul(1_000_000)),
                session: claims.sid,
            }));
        }
        let secret = cookie::read(&parts.headers).ok_or_else(ApiError::unauthorized)?;
        let session = app
            .auth
            .session(secret)
            .await?
            .ok_or_else(ApiError::unauthorized)?;
        Ok(AccountCaller(Caller {
            user: session.user_id,
            session: session.id,
            until: session.expires_at,
        }))
    }
}

/// The signed-in owner of the server; anybody else gets 403.
#[derive(Debug, Clone)]
pub struct Owner(pub User);

impl FromRequestParts<Arc<App>> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Owner, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        match app.auth.accounts.user(&caller.user).await? {
            Some(user) if user.role == Role::Owner && user.locked_at.is_none() => Ok(Owner(user)),
            _ => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "owner_only",
                "Only the owner of this server may do this; ask them.",
            )),
        }
    }
}

/// The signed-in owner of the server and where the request comes from, for what the audit log tells.
#[derive(Debug, Clone)]
pub struct ActingOwner(pub Origin);

impl FromRequestParts<Arc<App>> for ActingOwner {
    type Rejection = ApiError;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<ActingOwner, ApiError> {
        let Owner(user) = Owner::from_request_parts(parts, app).await?;
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, app).await?;
        Ok(ActingOwner(Origin {
            actor: Some(user.id),
            address: Some(address),
        }))
    }
}

/// Returns the bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
