//! Where models come from, and what they cost and can do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use mana_accounts::{AuditEvent, Origin};
use mana_llm::{ModelSettings, ProviderCatalogue};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use url::Url;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{ActingOwner, Caller, Owner};
use crate::error::{ApiError, ApiJson, ApiPath, ApiResult, ErrorEnvelope};
use crate::gateway::{SavedExtra, SavedProvider, Settings, forget_headers};

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(settings))
        .routes(routes!(put_provider, delete_provider))
        .routes(routes!(put_aliases))
        .routes(routes!(put_models))
        .routes(routes!(models))
}

/// Where models come from, for the owner.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LlmSettingsView {
    /// In the order in which an alias looks for one.
    providers: Vec<ProviderView>,
    /// The chains that the owner has saved, by alias.
    aliases: BTreeMap<String, Vec<String>>,
    /// The owner's saved facts about models, by `provider/model`: prices and abilities.
    models: BTreeMap<String, ModelSettings>,
    /// The headers and fields that the owner has saved for requests, by `provider` or `provider/model`.
    extra: BTreeMap<String, ExtraView>,
    /// Whether `/v1` answers calls with a member's own token.
    members_may_call: bool,
    /// Whether the server's environment says so, where it can't be changed here.
    members_may_call_is_fixed: bool,
    /// The providers and protocols that Mana knows beforehand.
    catalogue: ProviderCatalogue,
    /// Why the settings in use are not the last ones: what is wrong, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// The additions to requests, without the values of headers.
#[derive(Serialize, ToSchema)]
struct ExtraView {
    /// The names of headers; a value is never shown.
    headers: Vec<String>,
    /// Fields of the body.
    #[schema(value_type = BTreeMap<String, Value>)]
    body: Map<String, Value>,
}

impl From<&SavedExtra> for ExtraView {
    fn from(saved: &SavedExtra) -> Self {
        Self {
            headers: saved.sealed_headers.keys().cloned().collect(),
            body: saved.body.clone(),
        }
    }
}

/// A provider, without its key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderView {
    /// Its name in `provider/model`.
    name: String,
    /// The name of the protocol that it speaks, such as `openai`.
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
    /// The name of a protocol of the catalogue; the provider's name decides where it is left out.
    api: Option<String>,
    /// Its address, `/v1` included; may be left out for a known provider.
    base_url: Option<String>,
    /// Its key. Left out: the one that is saved stays, if scheme, host and port do. `null`: it has none.
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

/// Where models come from
#[utoipa::path(get, path = "/llm/settings", tag = "llm", security(("bearer" = [])), responses(
    (status = 200, description = "Providers, aliases, prices", body = LlmSettingsView),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn settings(State(app): State<Arc<App>>, _: Owner) -> ApiResult<Json<LlmSettingsView>> {
    view(&app).await
}

pub(super) async fn view(app: &App) -> ApiResult<Json<LlmSettingsView>> {
    let saved = app.llm.saved().await?;
    let health = app.gateway.health().providers;
    let providers = app.gateway.providers().into_iter().map(|provider| {
        let health = health.iter().find(|health| health.name == provider.name);
        ProviderView {
            api: provider.api.name().to_owned(),
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
        extra: saved
            .extra
            .iter()
            .map(|(name, extra)| (name.clone(), extra.into()))
            .collect(),
        members_may_call: app.llm.members_may_call(),
        members_may_call_is_fixed: app.config.member_api_is_fixed(),
        catalogue: mana_llm::catalogue(),
        problem: app.llm.problem(),
    }))
}

/// Save a provider
///
/// The provider takes the place of one of that name in `mana.toml`; the environment counts before both. The change
/// is in use at once.
#[utoipa::path(put, path = "/llm/providers/{name}", tag = "llm", security(("bearer" = [])),
    params(("name" = String, Path, description = "Its name in `provider/model`")),
    request_body = ProviderBody, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "It can't be right; nothing changed. `details` names the `field` and a `code`, and \
        says the `problem` without the name of the setting", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_provider(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiPath(name): ApiPath<String>,
    ApiJson(body): ApiJson<ProviderBody>,
) -> ApiResult<Json<LlmSettingsView>> {
    app.llm
        .change(|saved, vault| {
            // A key is its address's: whoever could move it elsewhere could read it there.
            let kept = (saved.providers.get(&name)).filter(|kept| goes_to_same_place(kept, &body));
            let is_elsewhere = kept.is_none();
            let kept = kept.and_then(|kept| kept.sealed_key.clone());
            let sealed_key = match &body.key {
                None => kept,
                Some(None) => None,
                Some(Some(key)) => Some(Settings::seal(vault, &name, key.trim())?),
            };
            let provider = SavedProvider {
                api: body.api.clone(),
                base_url: body.base_url.clone().filter(|url| !url.trim().is_empty()),
                sealed_key,
                models: body.models.clone(),
                timeout_ms: body.timeout_ms,
                concurrency: body.concurrency,
            };
            saved.providers.insert(name.clone(), provider);
            if is_elsewhere {
                forget_headers(&mut saved.extra, &name);
            }
            Ok(())
        })
        .await?;
    note(&app, &origin, &name).await;
    view(&app).await
}

pub(super) async fn note(app: &App, origin: &Origin, what: &str) {
    let auth = &app.auth;
    auth.note(AuditEvent::ModelsChanged, origin, None, what)
        .await;
}

/// Whether a provider's calls go to the same scheme, host and port as before, as the gateway reads both addresses.
fn goes_to_same_place(kept: &SavedProvider, body: &ProviderBody) -> bool {
    let written = |url: &Option<String>| url.clone().filter(|url| !url.trim().is_empty());
    match (written(&kept.base_url), written(&body.base_url)) {
        // The protocol's own address.
        (None, None) => kept.api == body.api,
        (Some(kept), Some(body)) => is_same_origin(&kept, &body),
        _ => false,
    }
}

/// Whether two addresses have the same scheme, host and port. An address that can't be read has none.
fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| Url::parse(url.trim()).ok().map(|url| url.origin());
    origin(one).is_some_and(|one| one.is_tuple() && Some(one) == origin(other))
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
    ActingOwner(origin): ActingOwner,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<LlmSettingsView>> {
    app.llm
        .change(|saved, _| match saved.providers.remove(&name) {
            Some(_) => {
                forget_headers(&mut saved.extra, &name);
                Ok(())
            }
            None => Err(ApiError::not_found(format!(
                "No provider {name} is saved here; \
                 what is in mana.toml or the environment is changed there."
            ))),
        })
        .await?;
    note(&app, &origin, &name).await;
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
    ActingOwner(origin): ActingOwner,
    ApiJson(body): ApiJson<BTreeMap<String, Vec<String>>>,
) -> ApiResult<Json<LlmSettingsView>> {
    app.llm
        .change(|saved, _| {
            saved.aliases = body.clone();
            Ok(())
        })
        .await?;
    note(&app, &origin, "aliases").await;
    view(&app).await
}

/// Save prices and abilities of models
///
/// By `provider/model`. A fact that is not named stays as Mana knows it.
#[utoipa::path(put, path = "/llm/models", tag = "llm", security(("bearer" = [])),
    request_body = BTreeMap<String, ModelSettings>, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "They can't be right; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_models(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiJson(body): ApiJson<BTreeMap<String, ModelSettings>>,
) -> ApiResult<Json<LlmSettingsView>> {
    app.llm
        .change(|saved, _| {
            saved.models = body.clone();
            Ok(())
        })
        .await?;
    note(&app, &origin, "models").await;
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
    /// Whether the model is known to call tools.
    tools: bool,
    /// Whether the model is known to keep to a JSON schema.
    json_schema: bool,
    /// Whether the model is known to look at pictures.
    vision: bool,
    /// Tokens that a request and its answer may have together, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<u64>,
}

/// The models.
#[derive(Serialize, ToSchema)]
struct ModelViews {
    /// The models of every provider that is up.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_key_stays_with_the_host_that_the_gateway_calls() {
        let kept = "https://box.example/v1";
        for same in [
            "https://box.example/v2?x#y",
            " HTTPS://BOX.example:443/ ",
            "https://user@box.example/v1",
            "https://b%6Fx.example/v1",
            "https:\\\\box.example\\v1",
            "https://ｂox.example/v1",
        ] {
            assert!(is_same_origin(kept, same), "{same}");
        }
        for other in [
            "http://box.example/v1",
            "https://box.example:8443/v1",
            "https://box.example./v1",
            "https://box.example@evil.example/v1",
            "https://box.example:443@evil.example/v1",
            "https://evil.example\\@box.example/v1",
            "https://evil.example#@box.example/v1",
            "https://box.example.evil.example/v1",
            "https://bоx.example/v1",
            "//box.example/v1",
            "file://box.example/v1",
            "nonsense",
            "",
        ] {
            assert!(!is_same_origin(kept, other), "{other}");
        }
        assert!(!is_same_origin("nonsense", "nonsense"));
        assert!(!is_same_origin("file:///a", "file:///a"));
    }
}
