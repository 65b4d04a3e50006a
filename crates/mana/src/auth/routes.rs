//! `/auth/*`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use mana_core::Micros;
use mana_store::{NewUser, Session, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::limits::caller_address;
use super::{Auth, Caller, bearer, cookie, session_end};
use crate::app::App;
use crate::clock;
use crate::config::Signup;
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};

const PASSWORD_MIN_CHARS: usize = 10;
/// Longer ones only cost time.
const PASSWORD_MAX_BYTES: usize = 1024;
/// What mail itself allows. The sign-in limits keep an address for a while, so a longer one gets no bucket.
const EMAIL_MAX_BYTES: usize = 254;

/// What one says of oneself to get an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignUp {
    /// The address to sign in with.
    email: String,
    /// At least 10 characters.
    password: String,
    /// How to be addressed.
    name: Option<String>,
    /// IANA name, such as `Europe/Berlin`.
    timezone: Option<String>,
    /// BCP 47 tag, such as `de`.
    locale: Option<String>,
    /// The token of the setup link, or of an invitation.
    invite: Option<String>,
}

/// What one signs in with.
#[derive(Deserialize, ToSchema)]
pub struct LogIn {
    email: String,
    password: String,
}

/// A bearer token.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The account.
    pub user_id: String,
    /// For the header `Authorization: Bearer`.
    pub token: String,
    /// When the token ends; ask for the next one before that.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

/// The account that is signed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// The account's id.
    pub user_id: String,
    /// The address; empty for an account of another issuer.
    pub email: String,
    /// How to address the person; may be empty.
    pub name: String,
    /// IANA name.
    pub timezone: String,
    /// BCP 47 tag.
    pub locale: String,
    /// `owner` or `member`.
    pub role: String,
}

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sign_up))
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(me))
        .routes(routes!(jwks))
        .merge(super::invitations::router())
}

/// Make an account
#[utoipa::path(post, path = "/auth/signup", tag = "auth", request_body = SignUp, responses(
    (status = 201, description = "The account, signed in", body = SignedIn),
    (status = 400, description = "Something doesn't fit", body = ErrorEnvelope),
    (status = 403, description = "Sign-up is closed, or the invite is no good", body = ErrorEnvelope),
    (status = 409, description = "The address has an account", body = ErrorEnvelope),
    (status = 429, description = "Too often", body = ErrorEnvelope),
))]
async fn sign_up(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    ApiJson(form): ApiJson<SignUp>,
) -> ApiResult<Response> {
    let auth = &app.auth;
    auth.limits.address(caller_address(peer, &headers))?;
    let invite = form.invite.as_deref().filter(|invite| !invite.is_empty());
    let way = way_in(auth.signup, auth.accounts.owner_exists().await?, invite)?;
    let (user, password) = new_user(&form)?;
    let user = NewUser {
        password_hash: auth.passwords.hash(password).await?,
        ..user
    };
    let now = clock::now();
    let user = match way {
        WayIn::Setup(token) => auth.accounts.create_owner(user, token, now).await?,
        WayIn::Invited(token) => auth.accounts.create_invited(user, token, now).await?,
        WayIn::Open => auth.accounts.create_user(user, now).await?,
    };
    tracing::info!(user_id = %user.id, role = user.role.as_str(), "Account {} was made", user.id);
    signed_in(auth, StatusCode::CREATED, &user, &headers).await
}

/// Sign in
#[utoipa::path(post, path = "/auth/login", tag = "auth", request_body = LogIn, responses(
    (status = 200, description = "Signed in", body = SignedIn),
    (status = 401, description = "Address or password is wrong", body = ErrorEnvelope),
    (status = 429, description = "Too often", body = ErrorEnvelope),
))]
async fn log_in(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    ApiJson(form): ApiJson<LogIn>,
) -> ApiResult<Response> {
    let auth = &app.auth;
    let email = normalise_email(&form.email);
    auth.limits.address(caller_address(peer, &headers))?;
    if email.len() > EMAIL_MAX_BYTES {
        return Err(wrong_credentials());
    }
    auth.limits.account(&email)?;
    let user = auth.accounts.user_by_email(&email).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    // An account of another issuer has no password.
    let hash = hash.filter(|hash| !hash.is_empty());
    let fits = form.password.len() <= PASSWORD_MAX_BYTES
        && auth.passwords.verify(form.password, hash).await?;
    match user {
        Some(user) if fits => signed_in(auth, StatusCode::OK, &user, &headers).await,
        _ => Err(wrong_credentials()),
    }
}

fn wrong_credentials() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "wrong_credentials",
        "The e-mail address or the password is wrong; check both and try again.",
    )
}

/// The next bearer token, by the session cookie
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", responses(
    (status = 200, description = "A new token", body = SignedIn),
    (status = 401, description = "The session has ended", body = ErrorEnvelope),
))]
async fn refresh(State(app): State<Arc<App>>, headers: HeaderMap) -> ApiResult<Response> {
    let auth = &app.auth;
    let now = clock::now();
    let secret = cookie::read(&headers).ok_or_else(ApiError::unauthorized)?;
    let session = auth
        .accounts
        .session(secret, now)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    if !auth
        .accounts
        .extend_session(secret, now, session_end(now))
        .await?
    {
        return Err(ApiError::unauthorized());
    }
    with_cookie(auth, StatusCode::OK, &session, secret, now)
}

/// Sign out: the session, its tokens and its sockets end
#[utoipa::path(post, path = "/auth/logout", tag = "auth", responses((status = 204, description = "Signed out")))]
async fn log_out(State(app): State<Arc<App>>, headers: HeaderMap) -> ApiResult<Response> {
    let auth = &app.auth;
    if let Some(claims) = bearer(&headers).and_then(|token| auth.tokens.verify(token, clock::now()))
    {
        auth.end_session(&claims.sid).await?;
    }
    if let Some(secret) = cookie::read(&headers)
        && let Some(session) = auth.accounts.session(secret, clock::now()).await?
    {
        auth.end_session(&session.id).await?;
    }
    let removed = AppendHeaders([(header::SET_COOKIE, cookie::remove(auth.secure_cookie))]);
    Ok((StatusCode::NO_CONTENT, removed).into_response())
}

/// The account that is signed in
#[utoipa::path(get, path = "/auth/me", tag = "auth", responses(
    (status = 200, description = "The account", body = Me),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn me(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<Me>> {
    let user = app
        .auth
        .accounts
        .user(&caller.user)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    let email = if user.password_hash.is_empty() {
        String::new()
    } else {
        user.email
    };
    Ok(Json(Me {
        user_id: user.id.0,
        email,
        name: user.name,
        timezone: user.timezone,
        locale: user.locale,
        role: user.role.as_str().to_owned(),
    }))
}

/// The public keys that tokens are signed with
#[utoipa::path(get, path = "/auth/jwks", tag = "auth", responses(
    (status = 200, description = "A JSON Web Key Set", body = Value),
))]
async fn jwks(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.auth.tokens.jwks())
}

#[derive(Debug, PartialEq, Eq)]
enum WayIn<'a> {
    Setup(&'a str),
    Invited(&'a str),
    Open,
}

/// Until there is an owner, a token is the setup link's; afterwards it is an invitation's.
fn way_in(signup: Signup, has_owner: bool, invite: Option<&str>) -> ApiResult<WayIn<'_>> {
    let closed = |message: &str| {
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "signup_closed",
            message,
        ))
    };
    match (signup, has_owner, invite) {
        (_, false, Some(token)) => Ok(WayIn::Setup(token)),
        (Signup::Open, _, None) => Ok(WayIn::Open),
        (Signup::Open | Signup::Invite, true, Some(token)) => Ok(WayIn::Invited(token)),
        (Signup::Closed, true, _) => {
            closed("This server takes no new accounts; ask its owner for one.")
        }
        (Signup::Invite, true, None) => {
            closed("This server takes new accounts by invitation only; ask its owner for a link.")
        }
        (Signup::Closed | Signup::Invite, false, None) => {
            closed("The first account is made with the setup link; Mana prints it when it starts.")
        }
    }
}

/// The checked account, its password hash still missing, and the password.
fn new_user(form: &SignUp) -> ApiResult<(NewUser, String)> {
    let email = normalise_email(&form.email);
    if !looks_like_email(&email) {
        return Err(field_error(
            "email",
            "This is no e-mail address; write one such as ada@example.org.",
        ));
    }
    if form.password.chars().count() < PASSWORD_MIN_CHARS {
        return Err(field_error(
            "password",
            "The password is too short; use at least 10 characters.",
        ));
    }
    if form.password.len() > PASSWORD_MAX_BYTES {
        return Err(field_error(
            "password",
            "The password is too long; use at most 1,000 characters.",
        ));
    }
    let timezone = text_or(form.timezone.as_deref(), "UTC");
    if !known_timezone(&timezone) {
        return Err(field_error(
            "timezone",
            "This time zone is unknown; use an IANA name such as Europe/Berlin.",
        ));
    }
    let locale = text_or(form.locale.as_deref(), "en");
    if !known_locale(&locale) {
        return Err(field_error(
            "locale",
            "This language is unknown; use a tag such as en or de.",
        ));
    }
    let name = text_or(form.name.as_deref(), "");
    if name.len() > 200 || name.contains('\0') {
        return Err(field_error(
            "name",
            "The name is too long; use at most 200 characters.",
        ));
    }
    Ok((
        NewUser {
            email,
            name,
            password_hash: String::new(),
            timezone,
            locale,
        },
        form.password.clone(),
    ))
}

/// Whether it is an IANA name.
pub fn known_timezone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

/// Whether it looks like a BCP 47 tag.
pub fn known_locale(tag: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !tag.is_empty() && tag.len() <= 35 && tag.chars().all(plain)
}

fn field_error(field: &str, message: &str) -> ApiError {
    ApiError::invalid(message).with_details(serde_json::json!({ "field": field }))
}

fn text_or(text: Option<&str>, default: &str) -> String {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or(default)
        .to_owned()
}

fn normalise_email(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Only what would surely be a slip is refused; whether an address exists, a message to it alone could tell.
fn looks_like_email(email: &str) -> bool {
    let plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
    let (name, host) = email.rsplit_once('@').unwrap_or_default();
    plain
        && email.len() <= EMAIL_MAX_BYTES
        && !name.is_empty()
        && !name.contains('@')
        && !host.is_empty()
}

async fn signed_in(
    auth: &Auth,
    status: StatusCode,
    user: &User,
    headers: &HeaderMap,
) -> ApiResult<Response> {
    // A browser has one session at a time: the one it had before ends.
    if let Some(secret) = cookie::read(headers)
        && let Some(earlier) = auth.accounts.session(secret, clock::now()).await?
    {
        auth.end_session(&earlier.id).await?;
    }
    let (session, secret) = auth.start_session(user).await?;
    with_cookie(auth, status, &session, &secret, clock::now())
}

fn with_cookie(
    auth: &Auth,
    status: StatusCode,
    session: &Session,
    secret: &str,
    now: Micros,
) -> ApiResult<Response> {
    let (token, expires_at) = auth
        .tokens
        .issue(&session.user_id, &session.id, now)
        .map_err(ApiError::internal)?;
    let body = SignedIn {
        user_id: session.user_id.0.clone(),
        token,
        expires_at: expires_at.to_string(),
    };
    let keep = AppendHeaders([
        (header::SET_COOKIE, cookie::keep(secret, auth.secure_cookie)),
        (
            header::CACHE_CONTROL,
            header::HeaderValue::from_static("no-store"),
        ),
    ]);
    Ok((status, keep, Json(body)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signup_way_in_is_the_setup_link_until_there_is_an_owner() {
        for signup in [Signup::Open, Signup::Invite, Signup::Closed] {
            assert_eq!(way_in(signup, false, Some("t")).unwrap(), WayIn::Setup("t"));
        }
        assert_eq!(way_in(Signup::Open, false, None).unwrap(), WayIn::Open);
        assert_eq!(way_in(Signup::Open, true, None).unwrap(), WayIn::Open);
        assert_eq!(
            way_in(Signup::Invite, true, Some("t")).unwrap(),
            WayIn::Invited("t")
        );
        way_in(Signup::Invite, true, None).unwrap_err();
        way_in(Signup::Closed, true, Some("t")).unwrap_err();
        way_in(Signup::Closed, false, None).unwrap_err();
    }

    #[test]
    fn signup_email_is_normalised_and_slips_are_refused() {
        assert_eq!(normalise_email(" Ada@Example.ORG "), "ada@example.org");
        assert!(looks_like_email("ada@example.org") && looks_like_email("ada@localhost"));
        for slip in [
            "",
            "ada",
            "ada@",
            "@example.org",
            "a da@example.org",
            "a@b@c",
            "ada\0@example.org",
        ] {
            assert!(!looks_like_email(slip), "{slip:?}");
        }
    }
}
