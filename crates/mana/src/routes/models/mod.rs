//! `/llm/*`: the owner's settings of models, virtual keys, and what models cost.

mod keys;
mod settings;
mod usage;

use std::sync::Arc;

use axum::http::StatusCode;
use mana_store::{Role, User, UserId};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    settings::router()
        .merge(keys::router())
        .merge(usage::router())
}

/// The caller's account, if it is the owner's.
async fn owner(app: &App, caller: &Caller) -> ApiResult<User> {
    let user = account(app, &caller.user).await?;
    if user.role == Role::Owner {
        return Ok(user);
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "owner_only",
        "Only the owner of this server may see and change this; ask them.",
    ))
}

async fn account(app: &App, id: &UserId) -> ApiResult<User> {
    let user = app.auth.accounts.user(id).await?;
    user.ok_or_else(ApiError::unauthorized)
}
