//! `/llm/*`: the owner's settings of models, virtual keys, and what models cost.

mod extra;
mod keys;
mod settings;
mod usage;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    settings::router()
        .merge(extra::router())
        .merge(keys::router())
        .merge(usage::router())
}
