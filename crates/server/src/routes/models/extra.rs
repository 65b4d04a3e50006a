//! Headers and fields that the owner adds to requests, and whether members' programs may call.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::settings::{LlmSettingsView, note, view};
use crate::app::App;
use crate::auth::ActingOwner;
use crate::error::{ApiError, ApiJson, ApiResult, ErrorEnvelope};
use crate::gateway::SavedExtra;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(put_extra))
        .routes(routes!(put_members))
}

/// The additions to requests, to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ExtraBody {
    /// `provider`, or `provider/model`.
    name: String,
    /// Headers by name. `null`: the value that is saved stays. A header that is not named goes.
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    /// Fields of the body.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Value>)]
    body: Map<String, Value>,
}

/// Save additions to requests
///
/// For a provider, or for one of its models. Without headers and fields nothing is added any more. They take the place
/// of those of that name in `mana.toml`.
#[utoipa::path(put, path = "/llm/extra", tag = "llm", security(("bearer" = [])),
    request_body = ExtraBody, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "They can't be right; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_extra(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiJson(body): ApiJson<ExtraBody>,
) -> ApiResult<Json<LlmSettingsView>> {
    app.llm
        .change(|saved, vault| {
            let name = body.name.trim();
            let before = saved.extra.get(name);
            let extra = SavedExtra::of(vault, name, &body.headers, &body.body, before)?;
            match extra == SavedExtra::default() {
                true => saved.extra.remove(name),
                false => saved.extra.insert(name.to_owned(), extra),
            };
            Ok(())
        })
        .await?;
    note(&app, &origin, &body.name).await;
    view(&app).await
}

/// Whether members' programs may call.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MembersBody {
    /// Whether `/v1` answers calls with a member's own token; `null`: as the server's settings say.
    may_call: Option<bool>,
}

/// Let members' programs call models
///
/// The environment counts first: where it says something else, nothing is changed here.
#[utoipa::path(put, path = "/llm/members", tag = "llm", security(("bearer" = [])),
    request_body = MembersBody, responses(
    (status = 200, description = "The settings now", body = LlmSettingsView),
    (status = 400, description = "The environment says it; nothing changed", body = ErrorEnvelope),
    (status = 403, description = "Not the owner", body = ErrorEnvelope),
))]
async fn put_members(
    State(app): State<Arc<App>>,
    ActingOwner(origin): ActingOwner,
    ApiJson(body): ApiJson<MembersBody>,
) -> ApiResult<Json<LlmSettingsView>> {
    if app.config.member_api_is_fixed() {
        return Err(ApiError::invalid(
            "MANA_MEMBER_API is set in the server's environment and counts first; change or remove it there.",
        ));
    }
    app.llm
        .change(|saved, _| {
            saved.members_may_call = body.may_call;
            Ok(())
        })
        .await?;
    note(&app, &origin, "members").await;
    view(&app).await
}
