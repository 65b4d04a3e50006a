//! `/llm/*`: the owner's settings of models, virtual keys, and what models cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use mana_core::Micros;
use mana_llm::Api;
use mana_store::{Role, UsageBy, UsageQuery, User, UserId, VirtualKey};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::error::{ApiError, ApiJson, ApiPath, ApiQuery, ApiResult, ErrorEnvelope};
use crate::gateway::keys::{Key, KeySettings, PREFIX};
use crate::gateway::{ModelFacts, SavedProvider, Settings, window_start};
use crate::random;

/// The most days that one answer sums.
const DAYS: usize = 400;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(settings))
        .routes(routes!(put_provider, delete_provider))
        .routes(routes!(put_aliases))
        .routes(routes!(put_models))
        .routes(routes!(models))
        .routes(routes!(keys, create_key))
        .routes(routes!(put_key, delete_key))
        .routes(routes!(usage))
}

/// Where models come from, for the owner.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LlmSettingsView {
    /// In the order in which an alias looks for one.
    providers: Vec<ProviderView>,
    /// The chains that the owner has saved, by alias.
    aliases: BTreeMap<String, Vec<String>>,
    /// What the owner has saved of models, by `provider/model`: prices and abilities.
    models: BTreeMap<String, ModelFacts>,
    /// Why the settings in use are not the last ones: what is wrong, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// A provider, without its key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderView {
    /// Its name in `provider/model`.
    name: String,
    /// `openai` or `anthropic`: the protocol.
    api: String,
    /// Its address.
    base_url: String,
    /// Whether it has a key; a key is never shown.
    has_key: bool,
    /// The models that are used, best first; empty for all.
    models: Vec<String>,
    /// For one whole call, where it differs from the gateway's.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    /// Calls at the same time at most.
    concurrency: usize,
    /// `settings`: it was saved here, and can be changed here. `server`: it is in `mana.toml` or the environment.
    source: &'static str,
    /// `up`, `down`, `unknown` (not asked yet) or `absent` (looked for, not found).
    state: String,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A provider to be saved.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct ProviderBody {
    /// `openai` or `anthropic`; the name decides where it is left out.
    #[schema(value_type = Option<String>)]
    api: Option<Api>,
    /// Its address, `/v1` included; may be left out for a known provider.
    base_url: Option<String>,
    /// Its key. Left out: the one that is saved stays. `null`: it has none.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    key: Option<Option<String>>,
    /// The models to use, best first; empty for all.
    models: Vec<String>,
    /// For one whole call, in milliseconds.
    timeout_ms: Option<u64>,
    /// Calls at the same time at most.
    concurrency: Option<usize>,
}

/// Keeps `null` apart from a field that was left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
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

/// Where models come from
#[utoipa::path(get, path = "/llm/settings", tag = "llm", security(("bearer" = [])), responses(
    (status = 200, description = "Providers, aliases, prices", body = LlmSettingsView),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn settings(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<LlmSettingsView>> {
    owner(&app, &caller).await?;
    view(&app).await
}

async fn view(app: &App) -> ApiResult<Json<LlmSettingsView>> {
    let saved = app.llm.saved().await?;
    let health = app.gateway.health().providers;
    let providers = app.gateway.providers().into_iter().map(|provider| {
        let health = health.iter().find(|health| health.name == provider.name);
        ProviderView {
            api: match provider.api {
                Api::OpenAi => "openai",
                Api::Anthropic => "anthropic",
            }
            .to_owned(),
            base_url: provider.base_url.to_string(),
            has_key: provider.key.is_some(),
            models: provider.models,
            timeout_ms: provider.timeout.map(|timeout| timeout.as_millis() as u64),
            concurrency: provider.concurrency,
            source: match saved.providers.contains_key(&provider.name) {
                true => "settings",
                false => "server",
            },
            state: health.map_or("unknown", |health| health.state).to_owned(),
            reason: health.and_then(|health| health.reason.clone()),
            name: provider.name,
        }
    });
    Ok(Json(LlmSettingsView {
        providers: providers.collect(),
        aliases: saved.aliases,
        models: saved.models,
        problem: app.llm.problem(),
    }))
}

/// Save a provider
///
/// It takes the place of one of that name in `mana.toml`; the environment counts before both. It is in use at once.
#[utoipa::path(put, path = "/llm/providers/{name}", tag = "llm", security(("bearer" = [])),
    params(("name" = String, Path, description = "Its name in `provider/model`")),
    request_body = ProviderBody, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "It can't be right; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_provider(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(name): ApiPath<String>,
    ApiJson(body): ApiJson<ProviderBody>,
) -> ApiResult<Json<LlmSettingsView>> {
    owner(&app, &caller).await?;
    app.llm
        .change(|saved, vault| {
            let kept = saved
                .providers
                .get(&name)
                .and_then(|kept| kept.sealed_key.clone());
            let sealed_key = match body.key {
                None => kept,
                Some(None) => None,
                Some(Some(key)) => Some(Settings::seal(vault, &name, key.trim())?),
            };
            let provider = SavedProvider {
                api: body.api,
                base_url: body.base_url.filter(|url| !url.trim().is_empty()),
                sealed_key,
                models: body.models,
                timeout_ms: body.timeout_ms,
                concurrency: body.concurrency,
            };
            saved.providers.insert(name, provider);
            Ok(())
        })
        .await?;
    view(&app).await
}

/// Forget a saved provider
#[utoipa::path(delete, path = "/llm/providers/{name}", tag = "llm", security(("bearer" = [])),
    params(("name" = String, Path, description = "Its name in `provider/model`")), responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
    (status = 404, description = "No provider of this name is saved", body = ErrorEnvelope),
))]
async fn delete_provider(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<LlmSettingsView>> {
    owner(&app, &caller).await?;
    app.llm
        .change(|saved, _| match saved.providers.remove(&name) {
            Some(_) => Ok(()),
            None => Err(ApiError::not_found(format!("No provider {name} is saved here; what is in mana.toml or the environment is changed there."))),
        })
        .await?;
    view(&app).await
}

/// Save the chains of aliases
#[utoipa::path(put, path = "/llm/aliases", tag = "llm", security(("bearer" = [])),
    request_body = BTreeMap<String, Vec<String>>, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "They can't be right; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_aliases(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiJson(body): ApiJson<BTreeMap<String, Vec<String>>>,
) -> ApiResult<Json<LlmSettingsView>> {
    owner(&app, &caller).await?;
    app.llm
        .change(|saved, _| {
            saved.aliases = body;
            Ok(())
        })
        .await?;
    view(&app).await
}

/// Save prices and abilities of models
///
/// By `provider/model`. What is not named stays as Mana knows it.
#[utoipa::path(put, path = "/llm/models", tag = "llm", security(("bearer" = [])),
    request_body = BTreeMap<String, ModelFacts>, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "They can't be right; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_models(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiJson(body): ApiJson<BTreeMap<String, ModelFacts>>,
) -> ApiResult<Json<LlmSettingsView>> {
    owner(&app, &caller).await?;
    app.llm
        .change(|saved, _| {
            saved.models = body;
            Ok(())
        })
        .await?;
    view(&app).await
}

/// A model that can be asked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ModelView {
    /// `provider/model`.
    id: String,
    /// US dollars per million tokens of the request, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<f64>,
    /// US dollars per million tokens of the answer, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<f64>,
    /// It is known to call tools.
    tools: bool,
    /// It is known to keep to a JSON schema.
    json_schema: bool,
    /// It is known to look at pictures.
    vision: bool,
    /// Tokens that a request and its answer may have together, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<u64>,
}

/// The models.
#[derive(Serialize, ToSchema)]
struct ModelViews {
    /// Those of every provider that is up.
    models: Vec<ModelView>,
}

/// Models, with what they cost and can do
#[utoipa::path(get, path = "/llm/models", tag = "llm", security(("bearer" = [])), responses(
    (status = 200, description = "The models", body = ModelViews),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn models(State(app): State<Arc<App>>, _caller: Caller) -> Json<ModelViews> {
    let mut models = Vec::new();
    for model in app.gateway.models().await.data {
        if model.id.starts_with("mana/") {
            continue;
        }
        let able = app
            .gateway
            .capabilities(&model.id)
            .await
            .unwrap_or_default();
        let price = app.gateway.price(&model.id);
        models.push(ModelView {
            input: price.map(|price| price.input),
            output: price.map(|price| price.output),
            tools: able.tools,
            json_schema: able.json_schema,
            vision: able.vision,
            context_tokens: able.context_tokens,
            id: model.id,
        });
    }
    Json(ModelViews { models })
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
    /// What it may do.
    #[serde(flatten)]
    settings: KeySettings,
    /// Tokens used or reserved in the current window.
    used_tokens: u64,
    /// US dollars used or reserved in the current window.
    used_money: f64,
}

/// The virtual keys.
#[derive(Serialize, ToSchema)]
struct KeyViews {
    /// Oldest first.
    keys: Vec<KeyView>,
}

/// A new virtual key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewKey {
    /// What a program sends as its bearer. It is shown this once.
    secret: String,
    /// The key.
    key: KeyView,
}

async fn key_view(app: &App, key: &Key) -> ApiResult<KeyView> {
    let zone = app.auth.accounts.user(&key.user).await?;
    let zone = zone.map_or_else(|| "UTC".to_owned(), |user| user.timezone);
    let since = window_start(clock::now(), &zone, key.settings.window);
    let (used_tokens, micros_usd) = app.ledger.used(&format!("key:{}", key.id), since).await?;
    Ok(KeyView {
        id: key.id.clone(),
        user_id: key.user.0.clone(),
        created_at: key.created_at,
        settings: key.settings.clone(),
        used_tokens,
        used_money: micros_usd as f64 / 1e6,
    })
}

/// The virtual keys
#[utoipa::path(get, path = "/llm/keys", tag = "llm", security(("bearer" = [])), responses(
    (status = 200, description = "The keys, without their secrets", body = KeyViews),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn keys(State(app): State<Arc<App>>, caller: Caller) -> ApiResult<Json<KeyViews>> {
    owner(&app, &caller).await?;
    let mut keys = Vec::new();
    for key in app.llm.keys.all() {
        keys.push(key_view(&app, &key).await?);
    }
    Ok(Json(KeyViews { keys }))
}

/// Make a virtual key
///
/// Its secret is shown in this answer and never again.
#[utoipa::path(post, path = "/llm/keys", tag = "llm", security(("bearer" = [])), request_body = KeySettings, responses(
    (status = 201, description = "The key with its secret", body = NewKey),
    (status = 400, description = "It can't be right", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn create_key(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiJson(settings): ApiJson<KeySettings>,
) -> ApiResult<(StatusCode, Json<NewKey>)> {
    let user = owner(&app, &caller).await?;
    check(&settings)?;
    let secret = format!("{PREFIX}{}", random::secret());
    let key = VirtualKey {
        id: uuid::Uuid::now_v7().to_string(),
        user: user.id,
        settings: serde_json::to_value(&settings).map_err(ApiError::internal)?,
        created_at: clock::now(),
    };
    let id = key.id.clone();
    app.ledger.create_key(key, &secret).await?;
    let key = known_key(&app, &id).await?;
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
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(settings): ApiJson<KeySettings>,
) -> ApiResult<Json<KeyView>> {
    owner(&app, &caller).await?;
    check(&settings)?;
    let settings = serde_json::to_value(&settings).map_err(ApiError::internal)?;
    if !app.ledger.update_key(&id, settings).await? {
        return Err(no_key());
    }
    let key = known_key(&app, &id).await?;
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
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> ApiResult<StatusCode> {
    owner(&app, &caller).await?;
    if !app.ledger.delete_key(&id).await? {
        return Err(no_key());
    }
    app.llm.read_keys().await.map_err(ApiError::internal)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key after the keys were read again.
async fn known_key(app: &App, id: &str) -> ApiResult<Arc<Key>> {
    app.llm.read_keys().await.map_err(ApiError::internal)?;
    app.llm.keys.get(id).ok_or_else(no_key)
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

/// Which sums to make.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
struct UsageParams {
    /// `user`, `mission`, `agent`, `key` or `model`.
    #[param(value_type = String)]
    by: UsageBy,
    /// The first day, `YYYY-MM-DD`, in the account's time zone; 30 days up to `to` where it is left out.
    from: Option<String>,
    /// The last day, `YYYY-MM-DD`; today where it is left out.
    to: Option<String>,
}

/// What models cost.
#[derive(Serialize, ToSchema)]
struct Usage {
    /// The days, first to last, `YYYY-MM-DD`.
    days: Vec<String>,
    /// By day and by what was asked for; what isn't there was not used.
    sums: Vec<Sum>,
}

/// What was used on a day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Sum {
    /// `YYYY-MM-DD`.
    day: String,
    /// Whose: a user's, key's or model's id; a mission or agent is `<user>/<id>`; empty for calls that have none.
    of: String,
    /// How many calls ended.
    calls: i64,
    /// How many of them without an answer.
    failed: i64,
    /// How many of them because the caller went away.
    cancelled: i64,
    /// Tokens of the requests.
    prompt_tokens: i64,
    /// Tokens of the answers.
    completion_tokens: i64,
    /// US dollars.
    money: f64,
}

/// What was used, day by day
///
/// The owner sees everybody's, others see their own. Days are of the caller's time zone.
#[utoipa::path(get, path = "/llm/usage", tag = "llm", security(("bearer" = [])), params(UsageParams), responses(
    (status = 200, description = "The sums", body = Usage),
    (status = 400, description = "No such days", body = ErrorEnvelope),
    (status = 401, description = "Not signed in", body = ErrorEnvelope),
))]
async fn usage(
    State(app): State<Arc<App>>,
    caller: Caller,
    ApiQuery(params): ApiQuery<UsageParams>,
) -> ApiResult<Json<Usage>> {
    let user = account(&app, &caller.user).await?;
    let now = clock::now();
    let (days, bounds) = days(&user.timezone, &params, now)?;
    let sums = app
        .ledger
        .usage(UsageQuery {
            now,
            bounds,
            by: params.by,
            user: (user.role != Role::Owner).then_some(user.id),
        })
        .await?;
    let sums = sums.into_iter().map(|sum| Sum {
        day: days[sum.period as usize].clone(),
        of: sum.of,
        calls: sum.calls,
        failed: sum.failed,
        cancelled: sum.cancelled,
        prompt_tokens: sum.prompt_tokens,
        completion_tokens: sum.completion_tokens,
        money: sum.micros_usd as f64 / 1e6,
    });
    Ok(Json(Usage {
        sums: sums.collect(),
        days,
    }))
}

/// The days, and the midnights around them.
fn days(zone: &str, params: &UsageParams, now: Micros) -> ApiResult<(Vec<String>, Vec<Micros>)> {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let wrong = |_| ApiError::invalid("A day is written as YYYY-MM-DD.");
    let today = Timestamp::from_microsecond(now.0).map_err(ApiError::internal)?;
    let today = today.to_zoned(zone.clone()).date();
    let to: jiff::civil::Date = match &params.to {
        Some(text) => text.parse().map_err(wrong)?,
        None => today,
    };
    let from: jiff::civil::Date = match &params.from {
        Some(text) => text.parse().map_err(wrong)?,
        None => to.saturating_sub(29.days()),
    };
    let (mut days, mut bounds) = (Vec::new(), Vec::new());
    let mut day = from;
    while day <= to.saturating_add(1.day()) {
        let midnight = day.to_zoned(zone.clone()).map_err(ApiError::internal)?;
        bounds.push(Micros(midnight.timestamp().as_microsecond()));
        if day > to {
            break;
        }
        days.push(day.to_string());
        if days.len() > DAYS {
            break;
        }
        day = day.saturating_add(1.day());
    }
    if days.is_empty() || days.len() > DAYS {
        return Err(ApiError::invalid(format!(
            "Ask for 1 to {DAYS} days, the first one before the last."
        )));
    }
    Ok((days, bounds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_of_the_persons_time_zone() {
        let params = |from: Option<&str>, to: Option<&str>| UsageParams {
            by: UsageBy::User,
            from: from.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        let now = Micros::parse("2026-03-29T22:30:00Z").unwrap();
        let berlin = |params| days("Europe/Berlin", &params, now);
        let (names, bounds) = berlin(params(Some("2026-03-29"), None)).unwrap();
        assert_eq!(names, ["2026-03-29", "2026-03-30"]);
        let hours: Vec<i64> = bounds
            .windows(2)
            .map(|day| (day[1].0 - day[0].0) / 3_600_000_000)
            .collect();
        assert_eq!(hours, [23, 24], "the clocks went forward");
        assert_eq!(berlin(params(None, None)).unwrap().0.len(), 30);
        assert!(berlin(params(Some("2026-04-02"), Some("2026-04-01"))).is_err());
        assert!(berlin(params(Some("2020-01-01"), None)).is_err());
        assert!(berlin(params(Some("yesterday"), None)).is_err());
    }
}
