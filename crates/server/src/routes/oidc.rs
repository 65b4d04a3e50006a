//! `/auth/oidc`: sign-in by the OpenID provider of the configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mana_accounts::{OidcOutcome, OidcReturn};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::profile::account;
use super::signed_in::{Start, signed_in};
use crate::app::App;
use crate::auth::{Attempt, Caller, IsHttps, cookie};
use crate::error::{ApiError, ApiJson, ApiQuery, ApiResult, ErrorEnvelope};
use crate::links;

/// The pages that a browser comes back to, with what happened in the fragment.
const SIGNED_IN: &str = "/login#signed-in";
const JOINED: &str = "/settings#provider-joined";

/// How a sign-in by the provider begins.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Begin {
    /// The token of an invitation, for an identity that has no account yet.
    invite: Option<String>,
    /// Whether the identity is to be joined to the account that is signed in.
    #[serde(default)]
    join: bool,
}

/// The provider's answer.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Whether the account is joined to an identity of the provider.
#[derive(Serialize, ToSchema)]
struct ProviderState {
    /// The provider's name.
    name: String,
    /// Whether the account is joined to an identity of it.
    joined: bool,
}

/// The present password.
#[derive(Deserialize, ToSchema)]
struct LeaveProvider {
    /// The present password.
    password: String,
}

/// Returns the routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(begin_oidc))
        .routes(routes!(finish_oidc))
        .routes(routes!(provider_state))
        .routes(routes!(leave_provider))
}

/// Begin a sign-in by the provider: the browser is sent there
#[utoipa::path(get, path = "/auth/oidc/start", tag = "auth", params(Begin), responses(
    (status = 303, description = "To the provider, or back to the sign-in page with #error=…"),
))]
async fn begin_oidc(
    State(app): State<Arc<App>>,
    Attempt(_): Attempt,
    caller: Result<Caller, ApiError>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    IsHttps(secure): IsHttps,
    headers: HeaderMap,
    ApiQuery(begin): ApiQuery<Begin>,
) -> Response {
    let join = match (begin.join, caller) {
        (false, _) => None,
        (true, Ok(caller)) => Some(caller.user),
        (true, Err(error)) => return failed(&error),
    };
    let redirect = redirect_uri(&app, peer, &headers);
    match app.auth.begin_oidc(&redirect, begin.invite, join).await {
        Ok(start) => {
            let keep = cookie::keep_oidc(&start.flow, secure);
            see_other(&start.url, [keep])
        }
        Err(error) => failed(&error.into()),
    }
}

/// Come back from the provider: the browser is signed in and sent to the web app
#[utoipa::path(get, path = "/auth/oidc/callback", tag = "auth", params(Answer), responses(
    (status = 303, description = "To the web app, with the session cookie; or to the sign-in page with #error=…"),
))]
async fn finish_oidc(
    State(app): State<Arc<App>>,
    Attempt(attempt): Attempt,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    https: IsHttps,
    headers: HeaderMap,
    ApiQuery(answer): ApiQuery<Answer>,
) -> Response {
    let redirect_uri = redirect_uri(&app, peer, &headers);
    let (Some(code), Some(state), Some(flow), None) = (
        &answer.code,
        &answer.state,
        cookie::read_oidc(&headers),
        &answer.error,
    ) else {
        return see_other("/login#error=provider_failed", []);
    };
    let back = OidcReturn {
        flow,
        state,
        code,
        redirect_uri: &redirect_uri,
    };
    let IsHttps(secure) = https;
    let user = match app.auth.finish_oidc(back, &attempt).await {
        Ok(OidcOutcome::SignedIn(user)) => user,
        Ok(OidcOutcome::Joined) => return see_other(JOINED, [cookie::remove_oidc(secure)]),
        Err(error) => return failed(&error.into()),
    };
    let start = Start::new(StatusCode::OK, &user, "oidc");
    match signed_in(&app, start, &attempt, &headers, https).await {
        Ok(signed_in) => {
            let cookies = signed_in.headers().get_all(header::SET_COOKIE);
            let cookies = cookies.iter().cloned().chain([cookie::remove_oidc(secure)]);
            see_other(SIGNED_IN, cookies)
        }
        Err(error) => failed(&error),
    }
}

/// The provider, and whether the account is joined to an identity of it
#[utoipa::path(get, path = "/auth/oidc", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, description = "The state", body = ProviderState),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
    (status = 404, description = "The server has no provider", body = ErrorEnvelope),
))]
async fn provider_state(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> ApiResult<Json<ProviderState>> {
    let name = app.auth.provider_name().map(str::to_owned);
    let name = name.ok_or_else(|| ApiError::not_found("This server has no OpenID provider."))?;
    let joined = app.auth.is_joined(&caller.user).await?;
    Ok(Json(ProviderState { name, joined }))
}

/// Take the provider's identity from the account
#[utoipa::path(post, path = "/auth/oidc/leave", tag = "auth", security(("bearer" = [])), request_body = LeaveProvider,
    responses(
        (status = 204, description = "The provider lets nobody into this account any more"),
        (status = 400, description = "The password is wrong", body = ErrorEnvelope),
        (status = 401, description = "Not signed in", body = ErrorEnvelope),
        (status = 404, description = "There was no identity", body = ErrorEnvelope),
    ))]
async fn leave_provider(
    State(app): State<Arc<App>>,
    caller: Caller,
    Attempt(attempt): Attempt,
    ApiJson(form): ApiJson<LeaveProvider>,
) -> ApiResult<StatusCode> {
    let user = account(&app, &caller).await?;
    match app
        .auth
        .leave_provider(&user, form.password, &attempt)
        .await?
    {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(ApiError::not_found("The account has no identity of it.")),
    }
}

fn redirect_uri(app: &App, peer: SocketAddr, headers: &HeaderMap) -> String {
    format!("{}/auth/oidc/callback", links::base(app, peer, headers))
}

/// Back to the sign-in page, which says what went wrong by its code.
fn failed(error: &ApiError) -> Response {
    see_other(&format!("/login#error={}", error.code()), [])
}

fn see_other(to: &str, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    match HeaderValue::from_str(to) {
        Ok(to) => headers.insert(header::LOCATION, to),
        Err(_) => headers.insert(
            header::LOCATION,
            HeaderValue::from_static("/login#error=provider_failed"),
        ),
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for cookie in cookies {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}
