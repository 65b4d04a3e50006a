//! Virtual keys, with which programs reach the models.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mana_accounts::{AuditEvent, Origin};
use mana_core::Micros;
use mana_llm::metering::keys::{Key, KeySettings, PREFIX};
use mana_llm::metering::window_start;
use mana_store::VirtualKey;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{ActingOwner, Owner};
use crate::clock;
use crate::error::{ApiError, ApiJson, ApiPath, ApiQuery, ApiResult, ErrorEnvelope};
use crate::random;
use crate::routes::list_cursor;

/// Keys in a page.
const PAGE: usize = 100;
/// Keys at most. Owners who make some at the same moment may pass it by one each.
const KEYS_MAX: usize = 1_000;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(keys, create_key))
        .routes(routes!(put_key, delete_key))
}

/// A virtual key, without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyView {
    /// Its id.
    id: String,
    /// The user who pays.
    user_id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Micros,
    /// The key's purpose and limits.
    #[serde(flatten)]
    settings: KeySettings,
    /// Tokens used or reserved in the current window.
    used_tokens: u64,
    /// US dollars used or reserved in the current window.
    used_money: f64,
}

/// Virtual keys.
#[derive(Serialize, ToSchema)]
struct KeyViews {
    /// Oldest first.
    keys: Vec<KeyView>,
    /// Where the next page begins; left out on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which keys.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct KeysQuery {
    /// `next` of the page before.
    after: Option<String>,
}

/// A new virtual key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewKey {
    /// The secret that a program sends as its bearer, shown this once.
    secret: String,
    /// The key.
    key: KeyView,
}

async fn key_view(app: &App, key: &Key) -> ApiResult<KeyView> {
    let zone = app.auth.accounts.user(&key.user).await?;
    let zone = zone.map_or_else(|| "UTC".to_owned(), |user| user.timezone);
    let since = window_start(clock::now(), &zone, key.settings.window);
    let used = app.ledger.used(&format!("key:{}", key.id), since).await?;
    Ok(KeyView {
        id: key.id.clone(),
        user_id: key.user.0.clone(),
        created_at: key.created_at,
        settings: key.settings.clone(),
        used_tokens: used.tokens,
        used_money: used.micros_usd as f64 / 1e6,
    })
}

/// The virtual keys
#[utoipa::path(get, path = "/llm/keys", tag = "llm", security(("bearer" = [])), params(KeysQuery), responses(
    (status = 200, description = "A page of keys, without their secrets", body = KeyViews),
    (status = 400, description = "`after` can't be read", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn keys(
    State(app): State<Arc<App>>,
    _: Owner,
    ApiQuery(query): ApiQuery<KeysQuery>,
) -> ApiResult<Json<KeyViews>> {
    let after = list_cursor::read_exact(query.after.as_deref())?;
    app.llm.metering.settle_what_can_be().await;
    let known = app.llm.metering.keys.all().into_iter();
    let behind = known.filter(|key| {
        after
            .as_ref()
            .is_none_or(|(at, id)| (key.created_at, &key.id) > (*at, id))
    });
    let (page, next) = list_cursor::page(behind.take(PAGE + 1).collect(), PAGE, |last| {
        (last.created_at.to_string(), last.id.clone())
    });
    let mut keys = Vec::new();
    for key in page {
        keys.push(key_view(&app, &key).await?);
    }
    Ok(Json(KeyViews { keys, next }))
}

/// Make a virtual key
///
/// Its secret is shown in this answer and never again.
#[utoipa::path(post, path = "/llm/keys", tag = "llm", security(("bearer" = [])), request_body = KeySettings, responses(
    (status = 201, description = "The key with its secret", body = NewKey),
    (status = 400, description = "It can't be right", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
    (status = 409, description = "There are as many as there may be", body = ErrorEnvelope),
))]
async fn create_key(
    State(app): State<Arc<App>>,
    Owner(user): Owner,
    ActingOwner(origin): ActingOwner,
    ApiJson(settings): ApiJson<KeySettings>,
) -> ApiResult<(StatusCode, Json<NewKey>)> {
    check(&settings)?;
    let keys = &app.llm.metering.keys;
    if keys.all().len() >= KEYS_MAX {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "too_many_keys",
            format!(
                "There are {KEYS_MAX} keys, which is as many as there may be; revoke some first."
            ),
        ));
    }
    let secret = format!("{PREFIX}{}", random::secret());
    let key = VirtualKey {
        id: uuid::Uuid::now_v7().to_string(),
        user: user.id,
        settings: serde_json::to_value(&settings).map_err(ApiError::internal)?,
        created_at: clock::now(),
    };
    let key = keys.create(key, settings, secret.clone()).await?;
    note(&app, AuditEvent::KeyMade, &origin, &key.settings.name).await;
    let key = key_view(&app, &key).await?;
    Ok((StatusCode::CREATED, Json(NewKey { secret, key })))
}

/// Change what a virtual key may do
#[utoipa::path(put, path = "/llm/keys/{id}", tag = "llm", security(("bearer" = [])),
    params(("id" = String, Path, description = "The key's id")), request_body = KeySettings, responses(
    (status = 200, description = "The key now", body = KeyView),
    (status = 400, description = "It can't be right; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
    (status = 404, description = "No such key", body = ErrorEnvelope),
))]
async fn put_key(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiPath(id): ApiPath<String>,
    ApiJson(settings): ApiJson<KeySettings>,
) -> ApiResult<Json<KeyView>> {
    check(&settings)?;
    let updated = app.llm.metering.keys.update(id, settings).await?;
    let key = updated.ok_or_else(no_key)?;
    note(&app, AuditEvent::KeyChanged, &origin, &key.settings.name).await;
    app.llm.metering.settle_what_can_be().await;
    Ok(Json(key_view(&app, &key).await?))
}

/// Take a virtual key away
#[utoipa::path(delete, path = "/llm/keys/{id}", tag = "llm", security(("bearer" = [])),
    params(("id" = String, Path, description = "The key's id")), responses(
    (status = 204, description = "Whoever has it is let in no more"),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
    (status = 404, description = "No such key", body = ErrorEnvelope),
))]
async fn delete_key(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<StatusCode> {
    let name = app.llm.metering.keys.get(&id);
    let name = name.map(|key| key.settings.name.clone());
    if !app.llm.metering.keys.delete(id).await? {
        return Err(no_key());
    }
    let name = name.unwrap_or_default();
    note(&app, AuditEvent::KeyRemoved, &origin, &name).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn note(app: &App, event: AuditEvent, origin: &Origin, name: &str) {
    app.auth.note(event, origin, None, name).await;
}

fn no_key() -> ApiError {
    ApiError::not_found("There is no such key; somebody may have taken it away.")
}

fn check(settings: &KeySettings) -> ApiResult<()> {
    if settings.name.trim().is_empty() || settings.name.chars().count() > 100 {
        return Err(ApiError::invalid(
            "Give the key a name of 1 to 100 characters, such as the program that uses it.",
        ));
    }
    if settings
        .money
        .is_some_and(|money| !money.is_finite() || money < 0.0)
    {
        return Err(ApiError::invalid(
            "A budget in money is a number of US dollars, 0 or more.",
        ));
    }
    Ok(())
}
