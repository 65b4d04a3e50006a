//! `/auth/me`: a person's own name, address, time zone and language, and the end of the account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use mana_accounts::ProfileChange;
use mana_store::User;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::signed_in::{CLEAR_DEVICE, CLEAR_SITE_DATA};
use crate::app::App;
use crate::auth::{AccountCaller, Attempt, Caller, IsHttps, cookie};
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};
use crate::people_changes;

/// The account that is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The account's id.
    pub user_id: String,
    /// The address; empty for an account of a foreign issuer.
    pub email: String,
    /// Whether the account has a password; left out where it has none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub has_password: bool,
    /// The person's name; may be empty.
    pub name: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
    /// `owner` or `member`.
    pub role: String,
    /// Where the account lacks the second factor that everyone needs: from when on. From then on every call but those
    /// of the own account (`/auth/*`) answers `second_factor_required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub second_factor_needed_from: Option<String>,
    /// Where the account lacks a second factor and an owner asked for one: when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub second_factor_asked_at: Option<String>,
}

impl Me {
    /// The account as its person sees it.
    async fn of(app: &App, user: User) -> ApiResult<Me> {
        let auth = &app.auth;
        let needed = match auth.lacks_factor(&user).await? {
            true => auth.factor_required_from(),
            false => None,
        };
        let asked = auth.accounts.asked_for_factor(&user.id).await?;
        let asked = match asked {
            Some(_) if auth.factor_state(&user.id).await?.is_some() => None,
            asked => asked,
        };
        Ok(Me {
            second_factor_needed_from: needed.map(|from| from.to_string()),
            second_factor_asked_at: asked.map(|at| at.to_string()),
            // An account of a foreign issuer has a mark there that nobody can enter.
            email: match user.email.contains(' ') {
                true => String::new(),
                false => user.email,
            },
            has_password: !user.password_hash.is_empty(),
            user_id: user.id.0,
            name: user.name,
            timezone: user.timezone,
            locale: user.locale,
            role: user.role.as_str().to_owned(),
        })
    }
}

/// A change of the account; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangedProfile {
    /// The name.
    name: Option<String>,
    /// The address to sign in with; needs the password.
    email: Option<String>,
    /// The present password.
    password: Option<String>,
    /// IANA name; missions without a time zone of their own follow.
    timezone: Option<String>,
    /// BCP 47 tag.
    locale: Option<String>,
}

/// The proof before an account is deleted.
#[derive(Deserialize, ToSchema)]
struct Leave {
    /// The present password; left out by an account without one, whose sign-in must be fresh.
    #[serde(default)]
    password: String,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(me, change_me))
        .routes(routes!(delete_me))
}

/// The account that is signed in
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses(
    (status = 200, description = "The account", body = Me),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn me(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
) -> ApiResult<Json<Me>> {
    let user = account(&app, &caller).await?;
    Ok(Json(Me::of(&app, user).await?))
}

/// Change name, address, time zone or language
#[utoipa::path(patch, path = "/auth/me", tag = "auth", security(("bearer" = [])), request_body = ChangedProfile,
    responses(
        (status = 200, description = "The account now", body = Me),
        (status = 400, description = "A field can't be used; details.field names it", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 409, description = "The address has an account already", body = ErrorEnvelope),
        (status = 429, description = "Too many attempts", body = ErrorEnvelope),
    ))]
async fn change_me(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<ChangedProfile>,
) -> ApiResult<Json<Me>> {
    let before = account(&app, &caller).await?;
    let change = ProfileChange {
        name: form.name,
        email: form.email,
        password: form.password,
        timezone: form.timezone,
        locale: form.locale,
    };
    let after = app.auth.change_profile(&before, change, &attempt).await?;
    if after.timezone != before.timezone {
        people_changes::zone_changed(&app, &after).await?;
    }
    Ok(Json(Me::of(&app, after).await?))
}

/// Delete the account with everything that is kept of it
#[utoipa::path(post, path = "/auth/delete", tag = "auth", security(("bearer" = [])), request_body = Leave, responses(
    (status = 204, description = "Nothing of the account is left; the browser's copy is emptied"),
    (status = 400, description = "The password is wrong", body = ErrorEnvelope),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
    (status = 409, description = "last_owner: somebody else has to be made an owner first", body = ErrorEnvelope),
    (status = 429, description = "Too many attempts", body = ErrorEnvelope),
))]
async fn delete_me(
    State(app): State<Arc<App>>,
    AccountCaller(caller): AccountCaller,
    Attempt(attempt): Attempt,
    IsHttps(secure): IsHttps,
    ApiJson(form): ApiJson<Leave>,
) -> ApiResult<Response> {
    let user = account(&app, &caller).await?;
    app.auth
        .delete_self(&user, &caller.session, form.password, &attempt)
        .await?;
    people_changes::gone(&app, &user.id).await;
    let headers = AppendHeaders([
        (header::SET_COOKIE, cookie::remove(secure)),
        (CLEAR_SITE_DATA, HeaderValue::from_static(CLEAR_DEVICE)),
    ]);
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// The caller's account.
pub async fn account(app: &App, caller: &Caller) -> ApiResult<User> {
    let user = app.auth.accounts.user(&caller.user).await?;
    user.ok_or_else(ApiError::unauthorized)
}
